"""A template by itself, for prompts that are no question to the system under test and may show what a judge sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmkit.errors import DataError, Problem
from llmkit.prompts.compiler import Render, compiled


@dataclass(frozen=True, slots=True)
class Words:
    """A template, in the sandbox of every prompt.

    Attributes:
        text: Its source.
        names: Every name that it uses.
        needed: The names (and paths, ``meta.x``) that it neither tests nor gives a default.

    Raises:
        ValueError: the template has a mistake; a sentence says which, and where.
    """

    text: str
    names: frozenset[str] = field(init=False, compare=False)
    needed: frozenset[str] = field(init=False, compare=False)
    _render: Render = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from jinja2 import TemplateSyntaxError

        try:
            render, names, needed = compiled(self.text)
        except TemplateSyntaxError as error:
            why = str(error.message).rstrip(".")
            raise ValueError(f"the template has a mistake on line {error.lineno}: {why}") from None
        for name, value in (("_render", render), ("names", names), ("needed", needed)):
            object.__setattr__(self, name, value)

    def render(self, values: Mapping[str, Any]) -> str:
        """Return the text with the values put in.

        Raises:
            DataError: a name has no value, or the template fails.
        """
        try:
            return self._render(dict(values))
        # A template is the user's program and may raise anything.
        except Exception as error:
            raise DataError(problems=[Problem(f"the prompt cannot be made: {error}")]) from error


class Texts(list[str]):
    """A list of texts that a template shows one below the other."""

    def __str__(self) -> str:
        return "\n\n".join(self)
