"""Regular expressions that users write, compiled once, with a sentence when they are wrong."""

from __future__ import annotations

import re
from functools import lru_cache

from llmkit.errors import ConfigError, Problem
from llmkit.types import Skipped


def compiled(pattern: str, field: str, flags: int = 0) -> re.Pattern[str]:
    """Return the compiled pattern of a metric's field.

    Raises:
        ConfigError: it is not a regular expression; says what is wrong and at which character.
    """
    found = try_compile(pattern, flags)
    if isinstance(found, Skipped):
        raise ConfigError(problems=[Problem(f"{field}: {found.reason}", hint="Python's re syntax")])
    return found


@lru_cache(maxsize=1024)
def try_compile(pattern: str, flags: int = 0) -> re.Pattern[str] | Skipped:
    """Return the compiled pattern, or why it is none; remembers both."""
    try:
        return re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        return Skipped(f"{pattern!r} is not a regular expression: {error}")
