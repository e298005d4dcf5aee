"""Groups of people by the words that name them, and how far their counts are from even."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from llmkit.errors import ConfigError, Problem
from llmkit.hashing import digest
from llmkit.metrics import TotalsMetric
from llmkit.metrics._words_in_texts import WordCounter, entries_of, groups_in, list_problems
from llmkit.types import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class GroupTotals(TotalsMetric):
    """A metric of how often outputs hold words of each group.

    Attributes:
        groups: ``gender``: words for women and for men, lists of our own, English; or your own lists:
            ``{group: [word, ...], ...}``, two groups or more. An entry may be several words.
        groups_file: A JSON file of such lists, in place of ``groups``; for names by origin, say.
        by_list_size: Divide each group's count by the length of its list, as the source does, so that a longer list
            does not count for more.
    """

    groups: Literal["gender"] | dict[str, list[str]] = "gender"
    groups_file: Path | None = None
    by_list_size: bool = True
    _lists: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    higher_is_better: ClassVar[bool | None] = False
    bounds = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Read the lists.

        Raises:
            ConfigError: a file cannot be read, or a list is empty; every problem at once.
        """
        problems = self.read()
        if problems:
            raise ConfigError(problems=problems)

    def read(self) -> list[Problem]:
        """Read the lists, and return what is wrong with them."""
        given, problems = self._given()
        if not problems and len(given) < 2:  # noqa: PLR2004 - one group alone has no distribution
            problems.append(Problem("bias needs two groups or more", hint="groups: {group: [word, ...], other: [...]}"))
        for name, entries in given.items():
            problems += list_problems(f"the list of the group {name!r}", entries)
        self._lists.update({name: entries_of(entries) for name, entries in given.items()})
        return problems

    def _given(self) -> tuple[Mapping[str, Sequence[str]], list[Problem]]:
        if self.groups_file is not None:
            lists, problems = groups_in(self.groups_file)
            if self.groups != "gender":
                problems.append(Problem("groups and groups_file are two ways to give lists; give one of them"))
            return lists, problems
        if isinstance(self.groups, str):
            from llmkit.metrics._word_lists import GENDER

            return GENDER, []
        return self.groups, []

    @property
    def settings(self) -> dict[str, Any]:
        """The groups by name with a digest of their lists, and whether list sizes count."""
        names = ",".join(self._lists)
        return {"groups": f"{names}[{digest(self._lists, 4)}]", "by_list_size": self.by_list_size}

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """What the count of each group is divided by."""
        return tuple(len(entries) if self.by_list_size else 1 for entries in self._lists.values())

    @cached_property
    def _counter(self) -> WordCounter:
        return WordCounter(list(self._lists.values()))

    def distance(self, counts: Sequence[float]) -> float:
        """Return the total variation distance of the shares from equal ones; ZeroDivisionError without a count."""
        rates = [count / size for count, size in zip(counts, self.sizes, strict=True)]
        total = sum(rates)
        return sum(abs(rate / total - 1 / len(rates)) for rate in rates) / 2

    def distances(self, counts: Floats) -> Floats:
        """Return `distance` of arrays of counts, shape (..., groups) to (...); NaN without a count."""
        import numpy as np

        rates = counts / np.asarray(self.sizes, dtype=np.float64)
        total = rates.sum(axis=-1, keepdims=True)
        shares = np.divide(rates, total, out=np.full_like(rates, np.nan), where=total > 0)
        found: Floats = np.abs(shares - 1 / len(self.sizes)).sum(axis=-1) / 2
        return found

    def shares(self, counts: Sequence[float]) -> list[float]:
        """Return the share of each group; of no count at all, zeros."""
        rates = [count / size for count, size in zip(counts, self.sizes, strict=True)]
        total = sum(rates)
        return [rate / total if total else 0.0 for rate in rates]


def column_sums(table: Table) -> list[int]:
    """Return the sum of each column of counts."""
    return [round(sum(column)) for column in table.columns]
