"""A ranking beside its judgments: what the retrieval metrics share.

The order is trec_eval's. Results count in the order given, best first; where results that stand side by side have the
same score, the greater document id comes first, so that a number never hangs on the order of a tie. Same means equal to
the last digit; a TREC run and a mapping of scores, which have no order of their own, arrive here ordered in trec_eval's
single precision. A ranking whose scores are all 0 has none, and stays as it is. A document that is found twice counts
where it stands first.

A question without results counts 0, as in ``trec_eval -c``. A question without a relevant document is skipped, since no
ranking could do better than another; trec_eval counts it 0.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar

from llmkit.errors import ConfigError, Problem
from llmkit.metrics import BaseMetric
from llmkit.types import Output, Passage, Ranked, Sample, Skipped, Table

CONTEXTS = "contexts"
"""The name that asks for the row's contexts in the place of judged ids."""

_STRANGE = 0.2
"""Share of the questions with results none of which is judged, from which on the ids are doubted."""

Judgments = Mapping[str, float]

_ID, _SCORE = attrgetter("id"), attrgetter("score")


@dataclass(frozen=True, slots=True)
class Ranking:
    """One ranking seen through its judgments.

    Attributes:
        found: (rank from 1, grade) of every judged result, best first.
        results: How many documents were found.
        grades: The grade of every judged document of the question, found or not, ascending.
    """

    found: Sequence[tuple[int, float]]
    results: int
    grades: Sequence[float]

    def hits(self, relevance: float, k: int | None) -> list[int]:
        """Return the ranks, at most ``k``, of results whose grade is at least ``relevance``."""
        return [rank for rank, grade in self.found[: self.judged(k)] if grade >= relevance]

    def judged(self, k: int | None) -> int:
        """Return how many of the first ``k`` results are judged."""
        return len(self.found) if k is None else bisect_left(self.found, (k + 1,))

    def relevant(self, relevance: float) -> int:
        """Return how many documents of the question are relevant, found or not."""
        return len(self.grades) - bisect_left(self.grades, relevance)

    def of_judged(self) -> Ranking:
        """Return the ranking that is left when results nobody judged are taken out."""
        found = [(rank, grade) for rank, (_, grade) in enumerate(self.found, 1)]
        return Ranking(found, len(found), self.grades)


def ordered(passages: Sequence[Passage]) -> Sequence[Passage]:
    """Return passages in rank order: as given, neighbours of equal score by id, descending."""
    if not any(passage.score for passage in passages):
        return passages
    return [passage for _, tied in groupby(passages, key=_SCORE) for passage in sorted(tied, key=_ID, reverse=True)]


_last: tuple[Output, Sample, str, Ranking] | None = None


def ranking(sample: Sample, output: Output, field: str) -> Ranking | Skipped:
    """Return the ranking of an output, or why there is none; the last one is remembered for the next metric.

    Args:
        sample: The question; its judgments are in the meta field ``field``.
        output: What was retrieved.
        field: A meta field, dotted names reach inside: a mapping from document id to grade, or a list of relevant
            ids. ``contexts`` means the row's contexts: a result is relevant when it holds the text of one.
    """
    global _last  # noqa: PLW0603 - one slot, replaced whole: several metrics score one output in a row
    last = _last
    if last is not None and last[0] is output and last[1] is sample and last[2] == field:
        return last[3]
    judged = judgments(sample, field)
    if isinstance(judged, Skipped):
        return judged
    if field == CONTEXTS and CONTEXTS not in sample.meta:
        made = _ranking([_plain(passage.text) for passage in ordered(output.retrieved)], judged)
    else:
        made = _ranking_by_id(output.retrieved, judged)
    _last = (output, sample, field, made)
    return made


def _ranking(names: Sequence[str], judged: Judgments) -> Ranking:
    """Return the ranking of results by name, in rank order."""
    unique = dict.fromkeys(names)
    get = judged.get
    # A grade below 0 marks a document that was pooled and not judged.
    found = [(rank, grade) for rank, name in enumerate(unique, 1) if (grade := get(name, -1)) >= 0]
    return Ranking(found, len(unique), sorted(judged.values()))


def _ranking_by_id(passages: Sequence[Passage], judged: Judgments) -> Ranking:
    """Return the ranking of results by id; only the places of judged ones are worked out, the rest is never sorted."""
    if isinstance(passages, Ranked):  # in order already, and no id stands in it twice
        ranked = enumerate(passages.ids, 1)
        found = [(rank, grade) for rank, name in ranked if name in judged and (grade := judged[name]) >= 0]
        return Ranking(found, len(passages), sorted(judged.values()))
    names = list(map(_ID, passages))
    places = dict(zip(names, range(len(names)), strict=True))
    if len(places) < len(names):
        return _ranking(list(map(_ID, ordered(passages))), judged)
    found = [(_rank(passages, places[name]), judged[name]) for name in judged.keys() & places.keys()]
    return Ranking(sorted(one for one in found if one[1] >= 0), len(names), sorted(judged.values()))


def _rank(passages: Sequence[Passage], place: int) -> int:
    """Return the rank from 1 of the result at a place: in front of it stand also tied ones with greater ids."""
    score, name = passages[place].score, passages[place].id
    first, end = place, place + 1
    while first and passages[first - 1].score == score:
        first -= 1
    while end < len(passages) and passages[end].score == score:
        end += 1
    if end - first == 1 or not (score or any(map(_SCORE, passages))):
        return place + 1
    return first + 1 + sum(passage.id > name for passage in passages[first:end])


def judgments(sample: Sample, field: str) -> Judgments | Skipped:
    """Return the grades of a question's documents by id, or why there are none."""
    value = _at(sample.meta, field)
    if value is None and field == CONTEXTS:
        contexts = [_plain(text) for text in sample.contexts]
        return dict.fromkeys(contexts, 1) if contexts else Skipped("the row has no contexts")
    if value is None:
        return Skipped(f"the row has no '{field}'")
    if type(value) is dict and set(map(type, value)) <= {str} and set(map(type, value.values())) <= {int, float}:
        return value
    if isinstance(value, Mapping):
        found = {str(name): grade for name, grade in value.items()}
        if all(isinstance(grade, (int, float)) for grade in found.values()):
            return found
    elif isinstance(value, (list, tuple)) and all(isinstance(name, (str, int)) for name in value):
        return dict.fromkeys(map(str, value), 1)
    return Skipped(f"'{field}' is neither a mapping from ids to grades nor a list of ids")


def _at(meta: Mapping[str, Any], field: str) -> Any:
    name = field.removeprefix("meta.")
    if name in meta:
        return meta[name]
    value: Any = meta
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _plain(text: str) -> str:
    return " ".join(text.split())


NO_RELEVANT = Skipped("no document is relevant to the question")


class RankingMetric(BaseMetric):
    """A mean over questions of what ``of`` says about each ranking.

    The statistics of a question are its score, the results looked at, the judged ones among them, and whether any
    result at all is judged; only the first makes the value, the others serve ``details``.
    """

    bounds: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    qrels: str
    judged_only: bool

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        for name in ("k", "relevance"):
            value = getattr(self, name, None)
            if value is not None and value < 1:
                raise ConfigError(problems=[Problem(f"{name}: must be at least 1, got {value}")])

    @property
    def depth(self) -> int | None:
        """How many results it looks at; None for all."""
        return getattr(self, "k", None)

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]  # which field it is, is an argument
        """The field that holds the judgments."""
        return (CONTEXTS if self.qrels == CONTEXTS else f"meta.{self.qrels.removeprefix('meta.')}",)

    @abstractmethod
    def of(self, ranking: Ranking) -> float | Skipped:
        """Return the score of one ranking, from 0 to 1."""

    def stats(self, sample: Sample, output: Output) -> tuple[float, float, float, float] | Skipped:
        """Return the score, the results looked at, the judged ones among them, and whether any result is judged."""
        seen = ranking(sample, output, self.qrels)
        if isinstance(seen, Skipped):
            return seen
        score = self.of(seen.of_judged() if self.judged_only else seen)
        if isinstance(score, Skipped):
            return score
        depth = self.depth or seen.results
        return score, min(depth, seen.results), seen.judged(depth), bool(seen.found)

    def sample_value(self, stats: Sequence[float | str]) -> float:
        """Return the score."""
        return float(stats[0])

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the mean of the scores."""
        return totals[0] / n

    def details(self, table: Table) -> dict[str, Any]:
        """Return how far the judgments reach, as a table, and a warning where ids seem not to match."""
        import numpy as np

        _, looked_at, judged, known = (np.asarray(column) for column in table.columns)
        rows, some = len(looked_at), int((looked_at > 0).sum())
        strange = int(((looked_at > 0) & (known == 0)).sum())
        share = float(judged.sum() / looked_at.sum()) if some else 0.0
        head = "judged results" if self.depth is None else f"judged results in the top {self.depth}"
        columns = ["questions", "without results", "with no judged result", head]
        cells = [rows, rows - some, strange, f"{share:.1%}"]
        found: dict[str, Any] = {"tables": [{"title": "Reach of the judgments", "columns": columns, "rows": [cells]}]}
        warnings = []
        if some < rows:
            warnings.append(f"{rows - some:,} of {rows:,} questions have no results and count 0")
        if strange and strange >= _STRANGE * some:
            why = "the judgments are few, or ids of documents are written in two ways"
            warnings.append(f"not one result is judged for {strange:,} of {some:,} questions: {why}")
        return found | ({"warnings": warnings} if warnings else {})
