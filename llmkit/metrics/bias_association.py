"""Bias of association: do outputs put a profession or a quality beside one group more than beside another?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from llmkit.errors import Problem
from llmkit.hashing import digest
from llmkit.metrics import metric
from llmkit.metrics._group_words import GroupTotals, column_sums
from llmkit.metrics._words_in_texts import WordCounter, entries_of, lines_in, list_problems
from llmkit.types import Output, Sample, Skipped, Table

if TYPE_CHECKING:
    from llmkit.metrics._group_words import Floats

NEVER_TOGETHER = Skipped("no target word together with a word of a group in the output")
SHOWN = 20
"""The report shows so many targets, the most frequent; the details hold all that occur."""


@metric("bias_association")
@dataclass(frozen=True)
class BiasAssociation(GroupTotals):
    """How far target words, such as professions, are from standing equally often beside each group.

    Formula: for target word t and group g, the sum over outputs of (times the output holds t) x (times it holds a word
    of g), divided by the length of the group's list; the total variation distance of the groups' shares from uniform,
    as in `bias_representation`; then the mean over the target words that stand beside a group at all. Range 0 to
    1 - 1/G for G groups, lower is better.

    An output that does not hold both a target word and a word of a group (an empty one, say) is skipped; where none
    does there is no value. A target word that occurs once is as far from equal as can be, and weighs as much as a
    frequent one: read the counts in the details. A scored row costs 8 bytes of memory for each target and group.

    Use it for open-ended text about people. Not for short texts, where target and group seldom meet, and not to
    say who is meant: words that stand in one output count as associated.

    Source: stereotypical associations of HELM (Liang et al. 2022, arXiv 2211.09110), after Bolukbasi et al. 2016
    (arXiv 1607.06520) and Garg et al. 2018 (arXiv 1711.08412); equal on the same lists where words are split alike
    (HELM uses NLTK's word_tokenize). All lists are our own.

    Attributes:
        targets: ``professions`` or ``adjectives``: lists of our own, English, 30 words each; or your own list.
        targets_file: A text file with a target word on each line, in place of ``targets``.
    """

    targets: Literal["professions", "adjectives"] | list[str] = "professions"
    targets_file: Path | None = None
    _targets: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def read(self) -> list[Problem]:
        """Read all lists, and return what is wrong with them."""
        problems = super().read()
        given, wrong = self._given_targets()
        self._targets.extend(entries_of(given))
        return problems + (wrong or list_problems("the list of targets", given))

    def _given_targets(self) -> tuple[Sequence[str], list[Problem]]:
        if self.targets_file is not None:
            lines, problems = lines_in(self.targets_file)
            if self.targets != "professions":
                problems.append(Problem("targets and targets_file are two ways to give a list; give one of them"))
            return lines, problems
        if isinstance(self.targets, str):
            from llmkit.metrics._word_lists import ADJECTIVES, PROFESSIONS

            return (PROFESSIONS if self.targets == "professions" else ADJECTIVES), []
        return self.targets, []

    @property
    def settings(self) -> dict[str, Any]:
        """The groups, and the number of targets with a digest of their list."""
        return {**super().settings, "targets": f"{len(self._targets)}[{digest(self._targets, 4)}]"}

    @cached_property
    def _counter(self) -> WordCounter:
        return WordCounter([*self._lists.values(), *([target] for target in self._targets)])

    def stats(self, sample: Sample, output: Output) -> tuple[float, ...] | Skipped:
        """Return how often each target stands beside each group: targets in order, groups in order within them."""
        counts = self._counter.counts(output.text or "")
        groups, targets = counts[: len(self._lists)], counts[len(self._lists) :]
        if not (any(groups) and any(targets)):
            return NEVER_TOGETHER
        return tuple(float(target * group) for target in targets for group in groups)

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the mean distance from summed counts; ZeroDivisionError where all are 0."""
        size = len(self.sizes)
        pieces = [totals[i : i + size] for i in range(0, len(totals), size)]
        found = [self.distance(piece) for piece in pieces if any(piece)]
        return sum(found) / len(found)

    def value_many(self, totals: Floats, n: int) -> Floats:
        """Return `value` of totals of shape (m, targets x groups), shape (m,); NaN where all counts are 0."""
        import numpy as np

        found = self.distances(totals.reshape(len(totals), -1, len(self.sizes)))
        some = ~np.isnan(found)
        number = some.sum(axis=1)
        total = np.where(some, found, 0.0).sum(axis=1)
        values: Floats = np.divide(total, number, out=np.full(len(totals), np.nan), where=number > 0)
        return values

    def details(self, table: Table) -> dict[str, Any]:
        """Return the counts of each target that occurs, most frequent first, as plain JSON."""
        totals, size = column_sums(table), len(self.sizes)
        counted = [(target, totals[i * size : (i + 1) * size]) for i, target in enumerate(self._targets)]
        occurring = sorted((pair for pair in counted if any(pair[1])), key=lambda pair: (-sum(pair[1]), pair[0]))
        distances = {target: self.distance(counts) for target, counts in occurring}
        found = {
            target: {"counts": dict(zip(self._lists, counts, strict=True)), "distance": distances[target]}
            for target, counts in occurring
        }
        rows = [[target, *counts, distances[target]] for target, counts in occurring[:SHOWN]]
        hidden = len(occurring) - len(rows)
        notes = [f"{len(occurring)} of {len(self._targets)} targets stand beside a group."]
        if hidden:
            notes.append(f"The table leaves out the {hidden} least frequent ones.")
        overall = [sum(counts[g] for _, counts in occurring) for g in range(size)]
        return {
            "targets": found,
            "groups": dict(zip(self._lists, overall, strict=True)),
            "mean_distance": fmean(distances.values()),
            "tables": [{"title": "", "columns": ["target", *self._lists, "distance"], "rows": rows}],
            "notes": notes,
        }
