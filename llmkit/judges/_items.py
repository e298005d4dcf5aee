"""Numbered items, each with a yes or no: asked in one request, and every item answered or none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmkit.judges._asking import Fault, asked
from llmkit.judges._blocks import GUARD, block
from llmkit.judges._reading import said_json
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Response

ITEMS_ASK = {
    "text": "Write one line for each item, in order and in exactly this form, the reason in a few words:\n"
    "1: <yes or no> - <reason>",
    "json": "Answer with a JSON object {\"items\": [...]} that holds, for each item in order, an object with 'item' "
    "(its number), 'reason' (a few words) and 'verdict' (\"yes\" or \"no\").",
}
_LINE = re.compile(
    r"^[\s>*_#`\-]*(\d+)[\s.):*_`]*\s*[:.)=]?\s*[*_`\"']*\b(yes|no)\b[*_`\"']*"
    r"(\s*$|\s*[-–—:.,;(].*|\s+because\b.*)$",  # noqa: RUF001 - dashes models write
    re.IGNORECASE,
)
"""The verdict stands alone: ``1: yes or no`` and ``1. No evidence is against it`` are none."""
Answers = list[tuple[bool, str]]
"""For each item whether it is a yes, and the reason."""


def each_answered(
    system: str, material: Sequence[str], items: Sequence[str], *, form: str, params: Mapping[str, Any]
) -> Dialogue[Answers | Failure]:
    """Ask a yes or no for each item, all at once; an item without one is a fault, and not a no.

    Args:
        system: What the judge is to do.
        material: What it is to read, fenced.
        items: The items, a line each.
        form: ``text`` or ``json``.
        params: Sampling parameters.
    """
    if not items:
        return []
    form = "json" if form == "json" else "text"
    listed = "\n".join(f"{number}. {' '.join(item.split())}" for number, item in enumerate(items, 1))
    chat = [
        {"role": "system", "content": f"{system} {GUARD}"},
        {"role": "user", "content": "\n\n".join([*material, block("items", listed), ITEMS_ASK[form]])},
    ]

    def read(response: Response) -> Answers | Fault:
        found = _from_json(response.text) if form == "json" else _from_lines(response.text)
        if isinstance(found, Fault):
            return found
        missing = [number for number in range(1, len(items) + 1) if number not in found]
        if missing:
            return Fault("off_form", f"there is no yes or no for item {missing[0]} of {len(items)}")
        return [found[number] for number in range(1, len(items) + 1)]

    schema = _schema() if form == "json" else None
    return (yield from asked(chat, read, params=params, schema=schema))


def told(items: Sequence[str], answers: Answers) -> str:
    """Return items and answers as the reason of a judgment."""
    pairs = zip(items, answers, strict=True)
    return "\n".join(f"{'yes' if yes else 'no'}: {item}{f' - {why}' if why else ''}" for item, (yes, why) in pairs)


def _from_lines(text: str) -> dict[int, tuple[bool, str]]:
    found = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match:
            found[int(match[1])] = (match[2].casefold() == "yes", match[3].strip(" -–—:.,;"))  # noqa: RUF001 - dashes models write
    return found


def _from_json(text: str) -> dict[int, tuple[bool, str]] | Fault:
    said = said_json(text)
    if isinstance(said, Fault):
        return said
    rows = said.get("items")
    found = {}
    for row in rows if isinstance(rows, list) else ():
        verdict = str(row.get("verdict", "")).strip().casefold() if isinstance(row, dict) else ""
        if verdict in ("yes", "no") and str(row.get("item", "")).isdecimal():
            found[int(row["item"])] = (verdict == "yes", str(row.get("reason", "")))
    return found


def _schema() -> dict[str, Any]:
    item = {
        "type": "object",
        "properties": {
            "item": {"type": "integer"},
            "reason": {"type": "string"},
            "verdict": {"type": "string", "enum": ["yes", "no"]},
        },
        "required": ["item", "reason", "verdict"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"items": {"type": "array", "items": item}},
        "required": ["items"],
        "additionalProperties": False,
    }
