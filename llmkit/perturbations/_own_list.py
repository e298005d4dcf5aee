"""What perturbations with a list of words share: a rate, and the user's own list in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from llmkit.perturbations._words import WORD, check_rate, phrases, read_table, swap_phrases, swap_words


@dataclass(frozen=True)
class WordList:
    """Replaces the words of a table.

    Attributes:
        rate: Probability that a word of the list is replaced.
        file: A JSON object of words or phrases to their replacements, in the place of the list:
            ``{"word": ["other", "another"]}``.
    """

    rate: float = 1.0
    file: Path | None = None
    _table: Mapping[str, Sequence[str]] = field(init=False, repr=False, compare=False, default_factory=dict)
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)

    words: ClassVar[Mapping[str, Sequence[str]]] = {}

    def __post_init__(self) -> None:
        """Refuse a rate that is no probability, and read the file."""
        check_rate(self.rate)
        table = self.words if self.file is None else read_table(self.file)
        self._set("_table", table)
        if not all(WORD.fullmatch(word) for word in table):
            self._set("_pattern", phrases(table))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def files(self) -> tuple[Path, ...]:
        """The user's list, where there is one."""
        return () if self.file is None else (self.file,)

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text with words replaced."""
        if self._pattern is None:
            return swap_words(text, self._table, self.rate, rng)
        return swap_phrases(text, self._pattern, lambda phrase: rng.choice(self._table[phrase]), self.rate, rng)
