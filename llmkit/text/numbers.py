r"""Numbers as people and models write them, found in running text.

Read as one number each: ``42``, ``-3``, ``.5``, ``1,234.5``, ``$1,000``, ``-$5``, ``50%`` (it is 50), ``1e-3``,
``2 x 10^5``, ``3/4``, ``1 1/2``, ``\frac{3}{4}``. Thousands are grouped by commas in threes and the decimal mark is a
point, as in English; ``1.234,5`` is read as two numbers. A hyphen is a sign only where nothing stands before it that it
could be subtracted from or joined to: ``16-3`` and ``2020-01`` hold no negative number. Digits glued to the end of
a Latin word belong to the word: ``CO2``, ``GPT4``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

_NUMBER = re.compile(
    r"""
    (?<![A-Za-z_\d]) (?<!\d\.)
    (?:
      (?<!/) (?: (?P<whole>\d{1,3}) [ ] )?
      (?P<top>\d{1,15}) [ ]?/[ ]? (?P<bottom>0{0,9}[1-9]\d{0,15}) (?! [\d/] | [.,]\d )
    |
      (?P<digits> \d{1,3} (?:,\d{3})+ (?![\d]) (?:\.\d+)? | \d+ (?:\.\d+)? | \.\d+ )
      (?: [eE] (?P<exponent>[-+]?\d{1,4}) (?!\w)
        | \s? (?:[x\u00d7*]|\\times|\\cdot) \s? 10 \s? (?:\^|\*\*) \{? (?P<power>[-\u2212]?\d{1,4}) \}? )?
    |
      \\[dt]?frac \s* \{ \s* (?P<minus>[-\u2212]?) (?P<over>\d{1,15}) \s* \}
              \s* \{ \s* (?P<under>0{0,9}[1-9]\d{0,15}) \s* \}
    )
    """,
    re.VERBOSE,
)
_MINUS = "-\u2212"
_CURRENCY = "$\u20ac\u00a3\u00a5\u20b9"
_JOINS = ")]}%_.-\u2212"


def find_numbers(text: str) -> Iterator[float]:
    """Yield the numbers in ``text`` in order, as finite floats (64 bits: whole numbers are exact up to 2^53)."""
    for match in _NUMBER.finditer(text):
        yield from _values(match)


def first_number(text: str) -> float | None:
    """Return the first number in ``text``, or None."""
    return next(find_numbers(text), None)


def last_number(text: str) -> float | None:
    """Return the last number in ``text``, or None."""
    for match in reversed(list(_NUMBER.finditer(text))):
        values = _values(match)
        if values:
            return values[-1]
    return None


def _values(match: re.Match[str]) -> tuple[float, ...]:
    sign = -1.0 if _negative(match.string, match.start()) else 1.0
    digits = match["digits"]
    if digits is not None:
        exponent = match["exponent"] or match["power"]
        plain = digits.replace(",", "")
        value = float(f"{plain}e{exponent.replace(_MINUS[1], '-')}" if exponent else plain)
        return (sign * value,) if math.isfinite(value) else ()
    if match["under"] is not None:
        return ((-sign if match["minus"] else sign) * int(match["over"]) / int(match["under"]),)
    top, bottom = int(match["top"]), int(match["bottom"])
    if match["whole"] is None:
        return (sign * top / bottom,)
    whole = int(match["whole"])
    if top < bottom:
        return (sign * (whole * bottom + top) / bottom,)
    return (sign * whole, top / bottom)


def _negative(text: str, start: int) -> bool:
    """Tell whether a minus sign belongs to the number at ``start``, a currency sign between the two or before both."""
    place = start - 1
    if place > 0 and text[place] == " " and text[place - 1] in _CURRENCY:
        place -= 1
    if place >= 0 and text[place] in _CURRENCY:
        place -= 1
        if place >= 0 and text[place] == "\\":
            place -= 1
    if place < 0 or text[place] not in _MINUS:
        return False
    before = text[place - 1] if place else " "
    return not (before.isalnum() or before in _JOINS)
