"""``report.md``: a run as a page that a person can read in an editor or a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmkit.report._choice import TITLE, choice_notes, choice_signatures, choice_tables
from llmkit.report._ensemble import ensemble_signatures, ensemble_tables
from llmkit.report._modes import modes_tables
from llmkit.report._repeats import NOTE, repeats_tables
from llmkit.report._robustness import robustness_signatures, robustness_tables
from llmkit.report._words import (
    arrow,
    heading,
    interval,
    number,
    percent,
    plain,
    short,
    spent,
    stopped,
    trouble,
    with_gates,
)
from llmkit.text.visible import visible
from llmkit.types import Run

_MOST_CLASSES = 100


def markdown_report(run: Run, examples: Sequence[Mapping[str, str]] = ()) -> str:
    """Return the report of a run in Markdown.

    Args:
        run: The run.
        examples: Rows worth reading (failed or worst first): ``id``, ``why``, ``input``, ``reference``, ``output``.
    """
    manifest, summary = run.manifest, with_gates(run.manifest, run.summary)
    level = f"{float(manifest.get('level', 0.95)) * 100:.6g}% interval"
    told = [line + "  " for line in (heading(manifest, summary), stopped(summary)) if line]
    lines = [f"# {summary['name']}", "", *told, spent(manifest), ""]
    lines += [f"> **{line}**  " for line in map(_cell, trouble(summary))]
    lines += ["", "## Scores", ""]
    lines += _table(
        ["scorer", "score", level, "n", "scored"],
        [
            [f"`{_code(name)}` {arrow(e)}", number(e["value"], e), interval(e), f"{e['n']:,}", percent(e["coverage"])]
            for name, e in summary["scores"].items()
        ],
    )
    ensemble = summary.get("ensemble")
    if ensemble:
        lines += _details("The ensemble", {"tables": ensemble_tables(summary), "notes": ensemble["notes"]})
    told_of_rules = choice_notes(summary)
    if told_of_rules:
        lines += _details(TITLE, {"tables": choice_tables(summary), "notes": told_of_rules})
    modes = modes_tables(summary)
    if modes:
        lines += _details("Modes", {"tables": modes})
    robustness = robustness_tables(summary)
    if robustness:
        lines += _details("Robustness", {"tables": robustness})
    for field, found in summary["slices"].items():
        lines += _slice(field, found, summary["scores"])
    lines += _repeats(summary)
    for name, entry in summary["scores"].items():
        lines += _details(name, entry.get("details"))
    lines += _examples(examples)
    lines += ["", "## Signatures", "", "What made each number:", ""]
    lines += [
        f"- `{' '.join(signature.split()).replace('`', chr(39))}`"
        for signature in (
            *ensemble_signatures(summary),
            *(entry["signature"] for entry in summary["scores"].values()),
            *robustness_signatures(summary),
            *choice_signatures(summary),
        )
    ]
    lines += ["", *_facts(manifest), ""]
    return visible("\n".join(lines))


def _slice(field: str, found: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            _cell(value),
            f"{part['rows']:,}",
            *(
                f"{number(s['value'], scores[name])} ({interval(s, scores[name])})" if s["n"] else "-"
                for name, s in part["scores"].items()
            ),
        ]
        for value, part in found["values"].items()
    ]
    heads = [_cell(field), "rows", *(f"`{_code(name)}`" for name in scores)]
    left_out = found["left_out"]
    more = ["", f"{left_out:,} smaller values are left out."] if left_out else []
    return ["", f"## By {_cell(field)}", "", *_table(heads, rows), *more]


def _repeats(summary: Mapping[str, Any]) -> list[str]:
    """Return how much scores vary from repeat to repeat, and from sample to sample."""
    return [
        line
        for table in repeats_tables(summary)
        for line in (
            "",
            "## Repeats",
            "",
            *_table(table["columns"], [[f"`{_code(row[0])}`", *row[1:]] for row in table["rows"]]),
            "",
            NOTE,
        )
    ]


def _details(name: str, details: Mapping[str, Any] | None) -> list[str]:
    if not details:
        return []
    lines = ["", f"## {_cell(name)}", ""]
    classes = details.get("per_class")
    if classes:
        columns = list(next(iter(classes.values())))
        largest = set(sorted(classes, key=lambda label: -classes[label]["support"])[:_MOST_CLASSES])
        rows = [
            [_cell(label), *(_plain(row[column]) for column in columns)]
            for label, row in classes.items()
            if label in largest
        ]
        lines += [*_table(["label", *columns], rows), ""]
        if len(classes) > len(rows):
            lines += [f"{len(classes) - len(rows):,} labels with fewer rows are in summary.json.", ""]
    confusion = details.get("confusion")
    if confusion:
        rows = [
            [_cell(label), *(f"{n:,}" for n in row)]
            for label, row in zip(confusion["gold"], confusion["matrix"], strict=True)
        ]
        lines += _table([r"gold \ predicted", *map(_cell, confusion["predicted"])], rows)
    for table in details.get("tables", ()):
        lines += ["", f"{_cell(table['title'])}:", ""] if table["title"] else [""]
        lines += _table([_cell(head) for head in table["columns"]], [list(map(_plain, row)) for row in table["rows"]])
    lines += [line for note in details.get("notes", ()) for line in ("", _cell(note))]
    return lines


def _examples(examples: Sequence[Mapping[str, str]]) -> list[str]:
    if not examples:
        return []
    lines = ["", "## Rows worth reading", ""]
    for example in examples:
        lines += [f"- **{_cell(example['id'])}**: {_cell(example['why'])}"]
        for key in ("input", "reference", "output"):
            if example.get(key):
                lines.append(f"  - {key}: {_cell(short(example[key], 300))}")
    return lines


def _facts(manifest: Mapping[str, Any]) -> list[str]:
    git = manifest.get("git") or {}
    commit = f", commit {git['commit'][:12]}{' with uncommitted changes' if git.get('dirty') else ''}" if git else ""
    dataset = manifest["dataset"]
    skipped = f", {dataset['skipped_rows']:,} bad rows skipped" if dataset["skipped_rows"] else ""
    rows = f"Eval set {_cell(str(dataset['source']))}, fingerprint {dataset['fingerprint'][:12]}{skipped}."
    return [f"{rows} llmkit {manifest['llmkit']}, started {manifest['started']}{commit}."]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    line = "|".join(["---", *("---:" for _ in heads[1:])])
    return [f"| {' | '.join(heads)} |", f"|{line}|", *(f"| {' | '.join(row)} |" for row in rows)]


def escaped(text: str) -> str:
    """Return a text as one line of Markdown that shows it as it is."""
    return _cell(visible(text))


def _plain(value: Any) -> str:
    return _cell(plain(value))


def _cell(text: str) -> str:
    """Return text that Markdown shows as it is: no table breaks, no HTML, nobody is called to a pull request."""
    line = " ".join(text.split())
    for mark, shown in (
        ("\\", "\\\\"),
        ("&", "&amp;"),
        ("<", "&lt;"),
        ("|", "\\|"),
        ("`", "\\`"),
        ("*", "\\*"),
        ("[", "\\["),
    ):
        line = line.replace(mark, shown)
    return _MENTION.sub("@<!-- -->", line)


_MENTION = re.compile(r"(?<!\w)@(?=\w)")
"""What GitHub and GitLab take for somebody's name; an empty comment after the sign keeps it a text."""


def _code(text: str) -> str:
    """Return text that is safe between backticks inside a table."""
    return " ".join(text.split()).replace("`", "'").replace("|", "\\|")
