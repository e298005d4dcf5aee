"""The metadata that stands before a text: YAML between ``---``, TOML between ``+++``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST = 64 * 1024
"""Characters that front matter may have; what is longer is text that happens to start with a rule."""

_YAML = re.compile(
    r"---[ \t]*\r?\n(?P<body>(?:(?!(?:---|\.\.\.)[ \t]*\r?$)[^\n]*\n)*+)(?:---|\.\.\.)[ \t]*\r?(?:\n|\Z)", re.MULTILINE
)
_TOML = re.compile(
    r"\+\+\+[ \t]*\r?\n(?P<body>(?:(?!\+\+\+[ \t]*\r?$)[^\n]*\n)*+)\+\+\+[ \t]*\r?(?:\n|\Z)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What stands before a text.

    Attributes:
        end: Where the text itself begins; 0 where there is no front matter.
        values: Its keys and values, as they were parsed.
        warning: Why it could not be parsed; empty where it could.
    """

    end: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    warning: str = ""


def split(text: str) -> FrontMatter:
    """Return the front matter of a text. One that is not what its fences promise is a warning, and is still no text."""
    if text.startswith("---"):
        found, read, name = _YAML.match(text, 0, MOST), _yaml, "YAML"
    elif text.startswith("+++"):
        found, read, name = _TOML.match(text, 0, MOST), _toml, "TOML"
    else:
        return FrontMatter()
    if found is None:
        return FrontMatter()
    try:
        values = read(found["body"])
    except ValueError as error:
        return FrontMatter(found.end(), {}, f"the front matter is not {name}: {error}")
    if values is None:
        return FrontMatter(found.end())
    if not isinstance(values, Mapping):
        return FrontMatter() if name == "YAML" else FrontMatter(found.end())
    return FrontMatter(found.end(), {str(key): value for key, value in values.items()})


def _yaml(body: str) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(body, loader)  # noqa: S506 - a safe loader, the one written in C where there is one
    except yaml.MarkedYAMLError as error:
        line = f" in its line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{error.problem or 'cannot be read'}{line}") from None
    except (yaml.YAMLError, ArithmeticError, RecursionError, TypeError) as error:
        raise ValueError(str(error).splitlines()[0] if str(error) else "cannot be read") from None


def _toml(body: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(body.replace("\r\n", "\n"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
