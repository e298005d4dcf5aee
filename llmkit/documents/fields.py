"""Metadata with types: what the config says a field holds is what search may filter by."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

Typed = str | int | float | bool | list[str]


def _text(value: Any) -> str:
    if isinstance(value, (dt.datetime, dt.date)):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value).strip()
    raise ValueError


def _int(value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    if isinstance(value, str) and not re.fullmatch(r"\s*[-+]?\d{1,18}\s*", value):
        raise ValueError
    number = int(value)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError
    return number


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


_BOOLS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _bool(value: Any) -> bool:
    found = _BOOLS.get(str(value).strip().lower())
    if found is None:
        raise ValueError
    return found


_WRITTEN = ("%Y/%m/%d", "%Y.%m.%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y")
_PDF_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)")


def _date(value: Any) -> str:
    """Return YYYY-MM-DD. 01/02/2023 is refused, as nobody knows which is the month; so is a bare year."""
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    text = str(value).strip()
    if found := _PDF_DATE.match(text):
        text = "-".join(found.groups())
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not text.isascii():
        raise ValueError
    if re.match(r"\d{4}-\d\d-\d\d(?:[T ]|$)", text):
        return dt.date.fromisoformat(text[:10]).isoformat()
    if re.fullmatch(r"\d{8}", text):
        return dt.date.fromisoformat(text).isoformat()
    for written in _WRITTEN:
        try:
            return dt.datetime.strptime(text, written).date().isoformat()  # noqa: DTZ007 - a day has no time zone
        except ValueError:
            continue
    raise ValueError


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_text(item) for item in value]
    return [_text(value)]


TYPES: Mapping[str, tuple[str, Callable[[Any], Typed]]] = {
    "str": ("a text", _text),
    "int": ("a whole number", _int),
    "float": ("a number", _float),
    "bool": ("true or false", _bool),
    "date": ("a date such as 2023-01-31", _date),
    "list[str]": ("a list of texts", _texts),
}
"""A field's type in a config -> what it expects, and how a value is read as one."""


def typed(values: Mapping[str, Any], fields: Mapping[str, str]) -> tuple[dict[str, Typed], list[str]]:
    """Return metadata with the types of ``fields``, and a sentence for each value that does not fit and is left out.

    Fields that the config does not name are kept as they stand where they are a text, a number, true or false, a date
    or a list of such; what else they may be (a mapping, a list of lists) has no filter and is left out without a word.
    """
    made: dict[str, Typed] = {}
    warnings = []
    for name, value in values.items():
        if value is None or value == "":
            continue
        if name not in fields:
            if (kept := _plain(value)) is not None:
                made[name] = kept
            continue
        expected, read = TYPES[fields[name]]
        try:
            made[name] = read(value)
        except (ValueError, TypeError, OverflowError):
            shown = repr(value) if isinstance(value, (str, int, float)) else type(value).__name__
            warnings.append(f"{name}: expected {expected}, got {shown[:60]}; the value is left out")
    return made, warnings


def _plain(value: Any) -> Typed | None:  # noqa: PLR0911 - one line a type
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(1 << 63) <= value < 1 << 63 else None
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        try:
            return [_text(item) for item in value]
        except ValueError:
            return None
    return None


def path_pattern(pattern: str) -> re.Pattern[str]:
    """Return the expression that takes fields out of a path: ``{lang}/{year}/...``, ``blog/{year}-{slug}.md``.

    A name in braces is one part of the path, or a piece of it; ``*`` and ``**`` are as in a glob. What stands
    below its end is free; one that ends with ``/...`` asks for something there, so ``{lang}/...`` leaves files of the
    root alone.

    Raises:
        ValueError: a name that is none, or that is given twice, as a clause.
    """
    body = re.sub(r"/(?:\.\.\.|\*\*)?$", "", pattern.strip().removeprefix("./"))
    below = "/.+" if body != pattern.strip().removeprefix("./") else "(?:/.*)?"
    made, names = [], []
    for part in re.findall(r"\{[^{}]*\}|\*\*/|\*|[^{}*]+|.", body):
        if part[0] == "{" and part[-1] == "}":
            name = part[1:-1]
            if not name.isidentifier() or name in names:
                reason = "is given twice" if name in names else "is no name of a field: use letters, digits and _"
                raise ValueError(f"'{part}' {reason}")
            names.append(name)
            made.append(f"(?P<{name}>[^/]+?)")
        elif part in "{}":
            raise ValueError(f"a '{part}' stands alone")
        else:
            made.append({"**/": "(?:.*/)?", "*": "[^/]*"}.get(part, re.escape(part)))
    if not names:
        raise ValueError("it names no field: write the names in braces, such as {lang}/{year}")
    return re.compile("".join(made) + below, re.DOTALL)
