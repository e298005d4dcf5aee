"""What a job on GitHub is told besides: annotations, as workflow commands."""

from __future__ import annotations

from collections.abc import Sequence

from llmkit.text.visible import visible

MOST = 10
"""GitHub shows so many annotations of one kind in a step."""


def workflow_commands(title: str, errors: Sequence[str], notices: Sequence[str] = ()) -> list[str]:
    """Return ``::error`` and ``::notice`` lines; of too many the first, and how many more there are."""
    return [*_of("error", title, errors), *_of("notice", title, notices)]


def _of(kind: str, title: str, messages: Sequence[str]) -> list[str]:
    shown = list(messages[:MOST])
    if len(messages) > MOST:
        shown[-1] = f"and {len(messages) - MOST + 1:,} more: see the report"
    return [f"::{kind} title={_property(title)}::{_data(message)}" for message in shown]


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
