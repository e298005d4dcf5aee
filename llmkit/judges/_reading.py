"""Reading verdicts: strict about form, off-menu is a fault, the last verdict wins."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

from llmkit.judges._asking import Fault
from llmkit.types import Response

T = TypeVar("T")
Reading: TypeAlias = Callable[[Response], T | Fault]

_NUMBER = r"[-+]?\d+(?:[.,]\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\s*(?:-|–|—|to|or|/)\s*({_NUMBER})", re.IGNORECASE)  # noqa: RUF001 - dashes models write


def last_choice(text: str, choices: Sequence[str], *, after: str) -> str | Fault:
    """Return the choice on the last line that begins with ``after`` (``Verdict:``), whatever its case and marks.

    Args:
        text: What the judge said.
        choices: The menu.
        after: What stands before the verdict.
    """
    found = _last_line(text, after)
    if isinstance(found, Fault):
        return found
    for plain in (str, _bare, _caseless):
        alike = [choice for choice in choices if plain(choice) == plain(found)]
        if len(alike) == 1:
            return alike[0]
    menu = ", ".join(choices)
    return Fault("off_menu", f"{found!r} is not on the menu: {menu}")


def last_number(text: str, low: float, high: float, *, after: str, whole: bool = False) -> float | Fault:
    """Return the number on the last line that begins with ``after``; a range of two numbers is none.

    Args:
        text: What the judge said.
        low: The least number allowed.
        high: The greatest number allowed.
        after: What stands before the number.
        whole: Whether only whole numbers are allowed.
    """
    found = _last_line(text, after)
    if isinstance(found, Fault):
        return found
    plain = _bare(found)
    plain = re.sub(rf"\s*(?:/|out of)\s*{high:g}$", "", plain)
    if not re.fullmatch(_NUMBER, plain):
        two = _RANGE.fullmatch(plain)
        why = "is a range and not one number" if two else "is not a number"
        return Fault("off_form", f"{found!r} {why}")
    if re.search(r",\d{3}$", plain):
        return Fault("off_form", f"{found!r} can be read in two ways: write it without a comma")
    value = float(plain.replace(",", "."))
    if not low <= value <= high:
        return Fault("out_of_range", f"{value:g} is outside {low:g} to {high:g}")
    if whole and value != int(value):
        return Fault("off_form", f"{value:g} is not a whole number")
    return value


def said_json(text: str) -> dict[str, Any] | Fault:
    """Return the last JSON object in ``text``, fenced or not."""
    decoder = json.JSONDecoder()
    found: dict[str, Any] | None = None
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
            continue
        if isinstance(value, dict):
            found = value
        at = text.find("{", end)
    return Fault("off_form", "there is no JSON object in it") if found is None else found


def _last_line(text: str, after: str) -> str | Fault:
    wanted = re.compile(rf"^[\s>*_#`\-]*{re.escape(after.rstrip(': '))}[*_`\s]*[:=]\s*(.*)$", re.IGNORECASE)
    for line in reversed(text.splitlines()):
        match = wanted.match(line)
        if match and _bare(match[1]):
            return match[1].strip()
    return Fault("off_form", f"no line begins with {after!r}")


def _caseless(text: str) -> str:
    return _bare(text).casefold()


def _bare(text: str) -> str:
    """Return a verdict without the marks that models put around one."""
    return text.strip().strip("*_`'\"[]()<> \t").rstrip(".!*_`'\"[]()<> ").strip()
