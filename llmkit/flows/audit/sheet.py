"""Which rows to label first, and the sheet to label them in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmkit.config import load_audit_config
from llmkit.datasets import field_getter, open_dataset
from llmkit.errors import DataError, Problem, UsageError
from llmkit.flows.audit.entry import is_run, only_judge
from llmkit.flows.audit.evidence import Row
from llmkit.flows.audit.sources import recorded_rows, run_rows_of
from llmkit.flows.labels import FORMULAS
from llmkit.flows.show import find_run
from llmkit.flows.tally import slice_value
from llmkit.stats import plan_labels
from llmkit.store import write_text

COLUMNS = ("id", "label", "annotator", "reason", "input", "output", "other", "reference", "stratum")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A labelling plan, written.

    Attributes:
        files: The sheet, as CSV and as JSONL.
        rows: Ids, in the order to label them.
        sizes: Stratum -> (its rows, how many of them are on the sheet).
        notes: What a reader must know.
    """

    files: tuple[Path, ...]
    rows: tuple[str, ...]
    sizes: dict[str, tuple[int, int]]
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield what was planned, and what to do with it."""
        yield f"{len(self.rows):,} rows to label, in this order, in {' and '.join(map(str, self.files))}"
        for name, (rows, drawn) in self.sizes.items():
            yield f"  {name or 'all rows'}: {drawn:,} of {rows:,}"
        for note in self.notes:
            yield f"  {note}"
        yield "Fill in 'label' (the judge's verdict is left out on purpose), then read it back:"
        yield f"  human: {{file: {self.files[0]}}}"


def plan_labelling(
    named: str,
    count: int,
    sheet: Path,
    *,
    overrides: Sequence[str] = (),
    judge: str | None = None,
    overwrite: bool = False,
) -> Sheet:
    """Draw the rows to label first, at random within strata of slice and verdict, and write the sheet.

    Args:
        named: An audit config, a run folder, or the name of an evaluation.
        count: How many rows.
        sheet: Path of the sheet; ``.csv`` and ``.jsonl`` are added.
        overrides: Of the config.
        judge: Of a run: the scorer; None where it has one judge alone.
        overwrite: Whether files that are there are replaced.

    Raises:
        UsageError: there are fewer rows, or the sheet is there already.
    """
    stem = sheet.with_suffix("") if sheet.suffix in {".csv", ".jsonl"} else sheet
    files = (stem.with_name(f"{stem.name}.csv"), stem.with_name(f"{stem.name}.jsonl"))
    there = [file for file in files if file.exists()]
    if there and not overwrite:
        raise UsageError(f"{there[0]} exists, perhaps with labels in it; choose another --sheet, or pass --overwrite")
    rows, slices, seed = _rows(named, overrides, judge)
    judged = [row for row in rows if row.verdict is not None or judge is None]
    if count > len(judged):
        raise UsageError(f"{count:,} rows cannot be drawn: {len(judged):,} have a verdict; ask for fewer with --n")
    plan = plan_labels(_scores(judged), count, slices=_names(judged, slices), seed=seed)
    drawn = [(judged[i], plan.strata[i]) for i in plan.rows]
    entries = [_entry(row, stratum) for row, stratum in drawn]
    write_text(files[0], _as_csv(entries))
    write_text(files[1], "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in entries))
    return Sheet(files, tuple(row.sample.id for row, _ in drawn), plan.sizes, plan.notes)


def _rows(named: str, overrides: Sequence[str], judge: str | None) -> tuple[list[Row], Sequence[str], int]:
    if is_run(named):
        run = find_run(named)
        name = judge or only_judge(run.summary)
        slices = tuple(run.summary.get("slices", ()))
        return list(run_rows_of(run, name, None)), slices, int(run.manifest.get("seed", 0))
    config = load_audit_config(Path(named), overrides)
    dataset = open_dataset(config.dataset.source, base=config.base)
    if config.recorded is not None:
        found = [row for row in recorded_rows(config, dataset, config.recorded) if row.verdict is not None]
    else:
        found = [Row(sample, sample.output, None) for sample in dataset if sample.output is not None]
    if not found:
        raise DataError(problems=[Problem("no row has a verdict or an answer", file=dataset.source)])
    return found, config.slices, config.seed


def _scores(rows: Sequence[Row]) -> Any:
    """Return verdicts as numbers: labels by their place in the alphabet, all alike where nothing was judged yet."""
    import numpy as np

    texts = sorted({str(row.verdict) for row in rows if isinstance(row.verdict, str)})
    place = {text: float(i) for i, text in enumerate(texts)}
    return np.array(
        [place[row.verdict] if isinstance(row.verdict, str) else row.verdict or 0.0 for row in rows], dtype=np.float64
    )


def _names(rows: Sequence[Row], slices: Sequence[str]) -> list[str] | None:
    if not slices:
        return None
    getters = [field_getter(name) for name in slices]
    return [", ".join(slice_value(get(row.sample)) for get in getters) for row in rows]


def _entry(row: Row, stratum: str) -> dict[str, str]:
    sample = row.sample
    asked = sample.input if isinstance(sample.input, str) else _chat(sample.input)
    values = {
        "id": sample.id,
        "input": "\n\n".join([asked, *sample.turns]),
        "output": row.answer or "",
        "other": row.other or "",
        "reference": sample.references[0] if sample.references else "",
        "stratum": stratum,
    }
    return {name: values.get(name, "") for name in COLUMNS}


def _chat(messages: Sequence[Any]) -> str:
    return "\n\n".join(f"{message.get('role', '')}: {message.get('content', '')}" for message in messages)


def _as_csv(entries: Sequence[dict[str, str]]) -> str:
    """Return the sheet as CSV that no spreadsheet runs: a text that would be a formula begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for entry in entries:
        writer.writerow([_safe(entry[name]) for name in COLUMNS])
    return text.getvalue()


def _safe(value: str) -> str:
    return f"'{value}" if value.lstrip(" \n").startswith(FORMULAS) else value
