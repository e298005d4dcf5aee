"""``report.html``: a run as one file that needs no network, for a browser.

What strangers wrote (inputs, outputs, judges' words) is data in the page and reaches the screen as text only. A content
security policy names the page's own script and style by their hash and forbids everything else.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from llmkit.report import _sections as sections
from llmkit.report._choice import choice_signatures
from llmkit.report._compact import Names, names_of
from llmkit.report._comparison import comparison_section
from llmkit.report._ensemble import ensemble_signatures
from llmkit.report._kept_rows import KeptRows, Limits
from llmkit.report._robustness import robustness_signatures
from llmkit.report._words import heading, percent, plural, spent, stopped, with_gates
from llmkit.report.limitations import limitations, yes_or_no
from llmkit.text.visible import visible
from llmkit.types import Run

PAGE = Path(__file__).parent / "page"
SCRIPTS = ("text.js", "diff.js", "rows.js", "detail.js", "table.js", "page.js")
"""In this order they are one script."""

_UNSAFE = re.compile("[<>&\u2028\u2029]|[\ud800-\udfff]")


def html_report(
    run: Run,
    rows: Iterable[Mapping[str, Any]] = (),
    comparison: Mapping[str, Any] | None = None,
    *,
    limits: Limits | None = None,
) -> str:
    """Return a run as an HTML page.

    The same run gives the same page: there is no clock in it beyond what the manifest says.

    Args:
        run: The run; its manifest and summary are read, its records are not.
        rows: Every sample in dataset order, each a mapping of ``id``, ``input`` (text or messages), ``contexts``,
            ``references``, ``choices``, ``answer``, ``slices`` (field to value), ``outputs`` (of each repeat ``text``
            or ``error``, ``retrieved``, ``latency``, ``cost``, ``turns``), ``scores`` and ``judgments`` (by scorer, a
            list over repeats), ``perturbation`` (what reworded it; such rows are shown, and not in the distributions),
            and ``base`` (the other run's ``outputs`` and ``scores``) where there are two runs.
            Only ``id`` is needed. They stream: what is kept of them is bounded.
        comparison: The verdict on two runs: ``verdict``, ``reasons``, ``base``, ``left_out``, ``metrics``, ``slices``,
            ``changed`` (ids, worst first) and ``flaky``.
        limits: How large the page may become.
    """
    names = names_of(run.summary)
    kept = KeptRows(
        names, changed=(comparison or {}).get("changed", ()), seed=int(run.manifest.get("seed") or 0), limits=limits
    )
    for row in rows:
        kept.add(row)
    style, script = _text("style.css"), _script()
    zero_or_one = {name for name, values in kept.figures.values.items() if len(values)} - kept.figures.graded
    shares = yes_or_no(run.summary, zero_or_one)
    data = _data(run, kept, names, shares, comparison)
    page: str = _template().render(
        **_view(run, kept, shares, comparison),
        style=_safe(style),
        script=_safe(script),
        data=_safe(data),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return page


def _view(run: Run, kept: KeptRows, shares: Collection[str], comparison: Mapping[str, Any] | None) -> dict[str, Any]:
    summary, manifest, figures = run.summary, run.manifest, kept.figures
    level = f"{float(manifest.get('level', 0.95)) * 100:.6g}%"
    return {
        "title": visible(str(summary["name"])),
        "heading": visible(heading(manifest, summary).removeprefix(f"{summary['name']} · ")),
        "stopped": stopped(summary),
        "spent": visible(spent(manifest)),
        "started": str(manifest.get("started", ""))[:16].replace("T", " "),
        "level": level,
        "verdict": sections.verdict(with_gates(manifest, summary), comparison),
        "scores": sections.scores(summary, comparison),
        "comparison": comparison_section(comparison, summary),
        "distributions": sections.distributions(summary, figures, shares),
        "distributed_before": any(map(len, figures.base_values.values())),
        "slices": sections.slices(summary),
        "details": sections.details(summary),
        "spending": sections.spending(manifest, figures),
        "coverage": sections.coverage(summary),
        "covered": percent(summary["coverage"]),
        "outputs": summary["outputs"],
        "limitations": limitations(run, shares),
        "signatures": [
            *map(visible, ensemble_signatures(summary)),
            *(visible(str(entry["signature"])) for entry in summary["scores"].values()),
            *map(visible, robustness_signatures(summary)),
            *map(visible, choice_signatures(summary)),
        ],
        "facts": _facts(manifest),
        "kept_note": _kept_note(kept),
        "row_count": figures.rows,
    }


def _facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    git, dataset = manifest.get("git") or {}, manifest.get("dataset") or {}
    commit = (
        f"{git['commit'][:12]}{' with uncommitted changes' if git.get('dirty') else ''}" if git.get("commit") else ""
    )
    skipped = f"{dataset['skipped_rows']:,}" if dataset.get("skipped_rows") else ""
    versions = ", ".join(f"{name} {version}" for name, version in (manifest.get("versions") or {}).items())
    facts = {
        "target": manifest.get("target", ""),
        "eval set": dataset.get("source", ""),
        "fingerprint of the rows": str(dataset.get("fingerprint", ""))[:12],
        "bad rows skipped": skipped,
        "fingerprint of the run": str(manifest.get("fingerprint", ""))[:12],
        "seed": manifest.get("seed", ""),
        "commit": commit,
        "started": manifest.get("started", ""),
        "finished": manifest.get("finished", ""),
        "llmkit": manifest.get("llmkit", ""),
        "versions": versions,
    }
    return [(name, visible(str(value))) for name, value in facts.items() if value not in {"", None}]


def _kept_note(kept: KeptRows) -> str:
    """Return what the page leaves out; empty where it holds everything."""
    notes = []
    shown, rows = len(kept.rows()), kept.figures.rows
    if shown < rows:
        notes.append(
            f"This page holds {shown:,} of {rows:,} samples: those that changed, failed or scored worst, and a seeded "
            "random sample of the rest. The scores and distributions above count all of them; every answer is in "
            "outputs.jsonl."
        )
    if kept.was_cut:
        notes.append(
            f"Texts longer than {kept.longest:,} characters are cut, and say so; they are whole in the run folder."
        )
    return " ".join(notes)


def _data(run: Run, kept: KeptRows, names: Names, shares: Collection[str], comparison: Mapping[str, Any] | None) -> str:
    """Return what the script reads, as JSON that cannot end its own element."""
    import json

    flaky = {str(one["id"]) for every in ((comparison or {}).get("flaky") or {}).values() for one in every}
    figures = kept.figures
    head = {
        "scorers": [
            {
                "name": name,
                "better": better,
                "unit": run.summary["scores"][name]["unit"] or "",
                "yesNo": name in shares,
            }
            for name, better in zip(names.scorers, names.better, strict=True)
        ],
        "fields": list(run.summary["slices"]),
        "changed": [str(sample_id) for sample_id in (comparison or {}).get("changed", ())],
        "flaky": sorted(flaky),
        "compared": comparison is not None,
        "total": figures.rows,
    }
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
    whole = f'{text[:-1]},"rows":[{",".join(kept.rows())}]}}'
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", whole)


def _script() -> str:
    return f'(() => {{\n"use strict";\n{"".join(_text(name) for name in SCRIPTS)}}})();\n'


@cache
def _text(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(sha256(text.encode()).digest()).decode()


def _safe(text: str) -> Any:
    """Return text that the template writes as it is: the page's own script and style, and escaped data."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own files, and JSON in which < cannot occur


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["plural"] = plural
    return environment.get_template("page.html")
