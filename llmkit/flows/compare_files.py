"""A comparison as files: JSON, Markdown for a pull request, a page for a browser; and a gate that is a file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from pathlib import Path

from llmkit.config.gate import Gate
from llmkit.config.problems import gate_problems
from llmkit.config.yaml_source import parse
from llmkit.errors import ConfigError, Problem, UsageError
from llmkit.flows.run_rows import run_rows
from llmkit.report.comparison import comparison_markdown
from llmkit.report.html import html_report
from llmkit.store import write_text
from llmkit.types import Comparison, Run, Sample

_TOLD = 200
"""So many changed samples are told with their texts; more than one comment on a pull request holds."""


def comparison_json(comparison: Comparison) -> str:
    """Return a comparison as JSON: every field of `llmkit.types.Comparison`."""
    return json.dumps({"schema": 1, **dataclasses.asdict(comparison)}, ensure_ascii=False, indent=2) + "\n"


def comparison_files(base: Run, candidate: Run, comparison: Comparison) -> dict[str, str]:
    """Return the files of a comparison by name: ``comparison.json``, ``comparison.md``, ``report.html``."""
    texts = texts_of(base, candidate, comparison.changed[:_TOLD])
    page = html_report(candidate, run_rows(candidate, base), dataclasses.asdict(comparison))
    return {
        "comparison.json": comparison_json(comparison),
        "comparison.md": comparison_markdown(comparison, texts),
        "report.html": page,
    }


def texts_of(base: Run, candidate: Run, ids: Collection[str]) -> dict[str, dict[str, str]]:
    """Return what samples were asked and answered, where the runs keep that: ``input``, ``base``, ``candidate``."""
    found: dict[str, dict[str, str]] = {one: {} for one in ids}
    if not found:
        return found
    for row in candidate.samples:
        if row.sample.id in found:
            found[row.sample.id]["input"] = _asked(row.sample)
    for name, run in (("base", base), ("candidate", candidate)):
        for output in run.outputs:
            if output.sample_id in found and output.text is not None:
                found[output.sample_id].setdefault(name, output.text)
    return found


def _asked(sample: Sample) -> str:
    return sample.input if isinstance(sample.input, str) else str(sample.input[-1].get("content", ""))


def write_comparison(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files of a comparison into a folder, which is made where it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {(error.strerror or str(error)).lower()}") from error
    for name, text in files.items():
        write_text(folder / name, text.encode("utf-8", "backslashreplace").decode())


def load_gate(path: Path) -> Gate:
    """Return the gate in a YAML file: the rules alone, or under the key ``gate`` as in an eval config.

    Raises:
        ConfigError: it is wrong; every problem is listed.
    """
    try:
        document = parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    data = document.data
    inside = isinstance(data, Mapping) and "gate" in data
    rules = data["gate"] if inside else data
    if not isinstance(rules, Mapping):
        hint = "all: {max_drop: 0.02}"
        raise ConfigError(problems=[Problem("a gate is a mapping of rules", file=str(path), hint=hint)])
    found, problems = gate_problems(rules)
    if found is None:
        keys = [problem.key if inside else problem.key.removeprefix("gate.") for problem in problems]
        raise ConfigError(
            problems=[
                dataclasses.replace(problem, file=str(path), key=key, line=document.line(key))
                for problem, key in zip(problems, keys, strict=True)
            ]
        )
    return found
