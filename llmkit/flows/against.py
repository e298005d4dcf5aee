"""A run held against a baseline: what can be refused before anything is asked, and the verdict after."""

from __future__ import annotations

from pathlib import Path

from llmkit.datasets import row_digest
from llmkit.errors import NotComparableError, UsageError
from llmkit.flows.compare import compare_runs
from llmkit.flows.compare_files import comparison_files
from llmkit.flows.conditions import Rows, changed_fields, differences, paired_rows
from llmkit.flows.options import Options
from llmkit.flows.rows import checked_rows
from llmkit.flows.setup import Setup
from llmkit.flows.show import find_run
from llmkit.types import Comparison, Run, SampleRow

_NO_ROWS = Rows((), (), (), (), ())


def baseline_of(setup: Setup, options: Options) -> Run | None:
    """Return the baseline that the user named, before anything is asked.

    Raises:
        UsageError: there is no such run, or the new one would replace it.
        NotComparableError: its conditions differ from those of this evaluation.
    """
    if options.baseline is None:
        return None
    base = find_run(str(options.baseline))
    if options.out is not None and options.out.resolve() == Path(base.path).resolve():
        raise UsageError(f"--out and --baseline both name {options.out}, which would be lost; choose another --out")
    if options.intersection:
        return base
    conditions = base.manifest.get("conditions") or {}
    rows, fields = _NO_ROWS, {}
    if conditions.get("dataset") != setup.conditions["dataset"]:
        now = [SampleRow(one, row_digest(one)) for one in checked_rows(setup) if not one.perturbation]
        before = {row.sample.id: row.digest for row in base.samples if not row.sample.perturbation}
        rows = paired_rows(before, {row.sample.id: row.digest for row in now})
        fields = changed_fields(base, Run("", {}, {}, samples=now), rows.changed)
    reasons = list(differences(conditions, setup.conditions, rows, changed_fields=fields).reasons)
    told = base.summary.get("sequential")
    if told and told["not_asked"] and setup.config.gate.stops is not None and told["seed"] != setup.config.seed:
        reasons.append(f"the base stopped asking early, in the order of seed {told['seed']}, not {setup.config.seed}")
    if reasons:
        hint = "Nothing was asked. Add --intersection to compare what both have in common, or choose another baseline."
        lines = "\n".join(f"- {reason}" for reason in reasons)
        raise NotComparableError(f"this evaluation is not comparable with {base.path}:\n{lines}\n{hint}")
    return base


def held_against(base: Run, run: Run, options: Options) -> tuple[Comparison, dict[str, str]]:
    """Return the comparison of a finished run with its baseline, and the files that show it."""
    found = compare_runs(base, run, intersection=options.intersection)
    return found, comparison_files(base, run, found)
