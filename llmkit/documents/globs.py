"""Which files of a folder are meant: patterns such as ``docs/**/*.md``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence


def translate(pattern: str) -> str:
    """Return the regular expression for one pattern, matched against a whole path with ``/``.

    ``*`` and ``?`` stay within one part of a path, ``**`` spans any number of them, ``[a-z]`` is a set and ``{md,rst}``
    a choice. A pattern without ``/`` (``*.md``) is matched against the last part alone; one that ends with ``/`` means
    all that is below.

    Raises:
        ValueError: a bracket or brace that is not closed, with the reason as a clause.
    """
    if pattern.endswith("/"):
        pattern += "**"
    anchored = pattern.removeprefix("./").removeprefix("/")
    return ("" if "/" in pattern else "(?:.*/)?") + _parts(anchored)


_PART = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]/]*\]|\{|\}|,|.", re.DOTALL)
_PLAIN = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _parts(pattern: str) -> str:
    made, open_braces = [], 0
    for part in _PART.findall(pattern):
        if part in _PLAIN:
            made.append(_PLAIN[part])
        elif part == "{":
            open_braces += 1
            made.append("(?:")
        elif part == "}" and open_braces:
            open_braces -= 1
            made.append(")")
        elif part == "," and open_braces:
            made.append("|")
        elif len(part) > 1:
            made.append(_set(part))
        elif part == "[":
            raise ValueError("a '[' is not closed")
        else:
            made.append(re.escape(part))
    if open_braces:
        raise ValueError("a '{' is not closed")
    return "".join(made)


def _set(part: str) -> str:
    body = part[1:-1].replace("\\", "\\\\").replace("[", "\\[").replace("&&", "&\\&").replace("--", "-\\-")
    body = f"^/{body[1:]}" if body[0] in "!^" else body
    made = f"[{body}]"
    try:
        re.compile(made)
    except re.error:
        raise ValueError(f"'{part}' is no set of characters") from None
    return made


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that tells whether a path matches one of the patterns; with none of them, no path does."""
    if not patterns:
        return lambda _: False
    match = re.compile("|".join(f"(?:{translate(pattern)})" for pattern in patterns), re.DOTALL).fullmatch
    return lambda path: match(path) is not None


def pruner(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that tells whether all below a folder is excluded, so that nobody need look into it."""
    return matcher(
        [p[: -len("/**")] for p in patterns if p.endswith("/**")] + [p[:-1] for p in patterns if p[-1:] == "/"]
    )
