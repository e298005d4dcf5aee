"""Showing a run again: its page, its Markdown, its limitations; in a browser, or as text."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from llmkit.errors import DataError, Problem, UsageError
from llmkit.flows.run_rows import run_rows
from llmkit.report.audit import audit_html
from llmkit.report.audit import sections as audit_sections
from llmkit.report.html import html_report
from llmkit.report.limitations import Limitations, limitations, yes_or_no
from llmkit.report.markdown import markdown_report
from llmkit.report.section import Section, sections_markdown
from llmkit.report.tournament import tournament_html, tournament_sections
from llmkit.store import open_baseline
from llmkit.types import Run

RUNS = Path("runs")
PAGE = "report.html"

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(h|d|w)")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}


def find_run(named: str, *, others: bool = False) -> Run:
    """Return the complete run that a user named: its folder, a baseline file, an eval's folder of runs, or its name.

    Raises:
        UsageError: there is no such run, or it is an audit or a tournament and these are not asked for.
    """
    path = Path(named)
    if not path.exists() and (RUNS / named).is_dir():
        path = RUNS / named
    run = open_baseline(path)
    if not others:
        require_scores(run)
    return run


_OTHERS = {"audit": "an audit", "tournament": "a tournament"}


def sections_of(run: Run) -> list[Section] | None:
    """Return the report of an audit or a tournament; None of an evaluation, which has one of its own."""
    if run.manifest.get("kind") == "audit":
        return audit_sections(run)
    return tournament_sections(run.summary) if run.manifest.get("kind") == "tournament" else None


def require_scores(run: Run) -> None:
    """Refuse what only an evaluation has.

    Raises:
        UsageError: the run is an audit or a tournament.
    """
    what = _OTHERS.get(str(run.manifest.get("kind")))
    if what:
        raise UsageError(f"{run.path} is {what}: 'llmkit report' and 'llmkit view' show it; no evaluation's samples")


def page_of(run: Run, base: Run | None = None, comparison: Mapping[str, Any] | None = None) -> str:
    """Return a run as an HTML page; beside another run where ``base`` is given, with the verdict on both."""
    if run.manifest.get("kind") == "audit":
        return audit_html(run)
    if run.manifest.get("kind") == "tournament":
        return tournament_html(run.summary)
    return html_report(run, run_rows(run, base), comparison)


def markdown_of(run: Run) -> str:
    """Return the Markdown report of a run: the file in its folder, or a new one for a run that has none."""
    path = Path(run.path, "report.md")
    if path.is_file():
        return path.read_text(encoding="utf-8")
    sections = sections_of(run)
    return markdown_report(run) if sections is None else sections_markdown(sections)


def page_file(run: Run) -> Path:
    """Return the page of a run: the one in its folder, or for a run without one a new file in a temporary folder."""
    path = Path(run.path, PAGE).resolve()
    if path.is_file():
        return path
    folder = Path(tempfile.mkdtemp(prefix="llmkit-"))
    path = folder / PAGE
    path.write_text(page_of(run), encoding="utf-8", errors="backslashreplace")
    return path


def compared_page_file(run: Run, base: Run) -> Path:
    """Return a new file in a temporary folder: the page of a run beside another, with the verdict on both.

    Where their conditions differ, what both have in common is compared, and the page says what is left out.
    """
    from llmkit.flows.compare import compare_runs

    found = compare_runs(base, run, intersection=True)
    path = Path(tempfile.mkdtemp(prefix="llmkit-")) / PAGE
    path.write_text(page_of(run, base, dataclasses.asdict(found)), encoding="utf-8", errors="backslashreplace")
    return path


def has_display() -> bool:
    """Return whether a browser could open a window here."""
    if sys.platform in {"darwin", "win32"}:
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def open_page(path: Path, opener: Callable[[str], bool] | None = None) -> bool:
    """Open a page in the browser; False where there is none."""
    if opener is None:
        import webbrowser

        opener = webbrowser.open
    return opener(path.as_uri())


def limitations_of(run: Run, *, max_age: timedelta | None = None, now: datetime | None = None) -> Limitations:
    """Return the limitations that a run shows; its scores are read to see which scorers say yes or no."""
    graded: set[str] = set()
    valued: set[str] = set()
    for score in run.scores:
        if score.value is None or score.scorer in graded:
            continue
        valued.add(score.scorer)
        if score.value not in {0.0, 1.0}:
            graded.add(score.scorer)
    return limitations(run, yes_or_no(run.summary, valued - graded), now=now, max_age=max_age)


def parse_age(text: str) -> timedelta:
    """Return a span of time from ``90d``, ``12h`` or ``4w``.

    Raises:
        UsageError: it is not one.
    """
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is not an age; write a number and h, d or w, for example 90d")
    try:
        return timedelta(hours=float(match[1]) * _HOURS[match[2]])
    except OverflowError:
        raise UsageError(f"{text!r} is longer than an age can be") from None


def put_between(path: Path, name: str, block: str) -> None:
    """Write a block into a Markdown file: between its markers where they are, else at the end with new ones.

    Raises:
        UsageError: the file cannot be read or written, or has one marker without the other.
    """
    label = re.sub(r"-{2,}", "-", " ".join(name.split()).replace(">", ""))
    begin, end = f"<!-- llmkit limitations of {label}: begin -->", f"<!-- llmkit limitations of {label}: end -->"
    try:
        text = path.read_bytes().decode() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as UTF-8 text: {error}") from error
    inner = f"{begin}\n{block.strip()}\n{end}"
    if (text.count(begin), text.count(end)) == (1, 1) and text.index(begin) < text.index(end):
        new = text[: text.index(begin)] + inner + text[text.index(end) + len(end) :]
    elif begin in text or end in text:
        hint = "mend or delete the markers and run the command again"
        raise DataError(problems=[Problem("its limitations markers are not one pair", file=str(path), hint=hint)])
    else:
        new = f"{text.rstrip()}\n\n{inner}\n" if text.strip() else f"{inner}\n"
    if new == text:
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(new, encoding="utf-8", errors="backslashreplace", newline="")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from error
