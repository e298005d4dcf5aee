"""A jury: several judges, or one judge by several models, and one verdict of them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import median
from typing import Any, ClassVar, Literal

from llmkit import spec as specs
from llmkit.judges import judge
from llmkit.scorer import MeanScorer
from llmkit.types import Failure, Judgment, Skipped, Table

_MISSING = 0.0


@judge("jury")
@dataclass(frozen=True)
class Jury(MeanScorer):
    """Verdict of several judges together: their mean, median or majority.

    Formula: for each answer the mean, the median or the most frequent value of the members' scores (where several are
    as frequent, the mean of these); the mean over the answers. Range and direction are the members', higher is better.
    A member without a verdict does not vote; where fewer than ``quorum`` of the members vote, the row is an error. The
    report shows each member's own mean and how often members agree.

    Use it where one judge's taste weighs too much: models of several families make each other's errors less often than
    one model repeats its own, and a jury of small models can stand beside one large judge for less money. Members must
    score on one scale. A jury of one family keeps that family's bias.

    Source: panels of judges (Verga et al. 2024, arXiv 2404.18796).

    Attributes:
        members: The judges, each with its model: ``[{grade: {model: {openai: {model: a}}}}, ...]``. In the place of it:
        judge: One judge, asked of each of ``models``.
        models: The models, each written as a target is.
        combine: ``mean``, ``median`` or ``majority``.
        quorum: The least share of members that must vote.
        name: What the scores are listed under.
    """

    members: list[str | dict[str, Any]] = field(default_factory=list)
    judge: str | dict[str, Any] | None = None
    models: list[str | dict[str, Any]] = field(default_factory=list)
    combine: Literal["mean", "median", "majority"] = "mean"
    quorum: float = 0.5
    name: str = field(default="", metadata={"identity": False, "signature": False})

    aggregates: ClassVar[str] = "jury"

    def __post_init__(self) -> None:
        if bool(self.members) == bool(self.judge or self.models):
            raise ValueError("give 'members' (judges), or 'judge' with 'models', one of the two")
        if not self.members and not (self.judge and self.models):
            raise ValueError("'judge' and 'models' go together: one judge, asked of each model")
        if len(self.jurors) < 2:  # noqa: PLR2004 - one judge is no jury
            raise ValueError("a jury needs two members or more")
        if not 0 < self.quorum <= 1:
            raise ValueError(f"quorum is {self.quorum:g}: a share of the members, above 0 and at most 1")

    @property
    def jurors(self) -> list[str | dict[str, Any]]:
        """The spec of each member."""
        if self.members:
            return self.members
        assert self.judge is not None
        one = specs.parse(self.judge)
        return [{one.name: {**one.args, "model": model}} for model in self.models]

    @property
    def settings(self) -> dict[str, Any]:
        """What is no member's own: the flow adds the members' signatures."""
        return {"combine": self.combine, "quorum": self.quorum, "members": len(self.jurors)}

    def verdict(self, judgments: Sequence[Judgment]) -> Judgment:
        """Return the jury's judgment of one answer from its members'."""
        skips = [one.stats for one in judgments if isinstance(one.stats, Skipped)]
        if len(skips) == len(judgments):
            return Judgment(skips[0])
        failures = [one.stats for one in judgments if isinstance(one.stats, Failure)]
        values = [None if isinstance(one.stats, (Skipped, Failure)) else float(one.stats[0]) for one in judgments]
        votes = [value for value in values if value is not None]
        if not votes or len(votes) < self.quorum * len(values):
            why = failures[0].message if failures else skips[0].reason
            return Judgment(
                Failure("no_quorum", f"{len(votes)} of {len(values)} members have a verdict; of the others, {why}")
            )
        pairs = list(combinations(votes, 2))
        agreement = sum(a == b for a, b in pairs) / len(pairs) if pairs else 1.0
        columns = [item for value in values for item in ((_MISSING, 0.0) if value is None else (value, 1.0))]
        reason = "\n\n".join(f"[member {n}] {_said(one)}" for n, one in enumerate(judgments, 1))
        return Judgment((self._combined(votes), agreement, float(len(pairs)), *columns), reason)

    def _combined(self, votes: Sequence[float]) -> float:
        if self.combine == "median":
            return median(votes)
        if self.combine == "majority":
            counts = Counter(votes)
            most = max(counts.values())
            votes = [value for value, count in counts.items() if count == most]
        return sum(votes) / len(votes)

    def details(self, table: Table) -> dict[str, Any]:
        """Return each member's own mean and how often two members give the same score."""
        columns = [[float(item) for item in column] for column in table.columns]
        rows = []
        for number, written in enumerate(self.jurors, 1):
            values, present = columns[1 + 2 * number], columns[2 + 2 * number]
            own = [value for value, there in zip(values, present, strict=True) if there]
            rows.append([f"{number}: {_label(written)}", len(own), sum(own) / len(own) if own else "-"])
        pairs = sum(columns[2])
        agreed = sum(share * count for share, count in zip(columns[1], columns[2], strict=True))
        notes = [f"Two members give the same score in {agreed / pairs:.1%} of cases."] if pairs else []
        return {"tables": [{"title": "Members", "columns": ["member", "n", "mean"], "rows": rows}], "notes": notes}


def _said(judgment: Judgment) -> str:
    stats = judgment.stats
    if isinstance(stats, Failure):
        return f"no verdict: {stats.message}"
    if isinstance(stats, Skipped):
        return f"skipped: {stats.reason}"
    return f"{float(stats[0]):g}: {judgment.reason}" if judgment.reason else f"{float(stats[0]):g}"


def _label(written: str | dict[str, Any]) -> str:
    """Return a member in a few words: its name, or the judge and its model."""
    one = specs.parse(written)
    if one.args.get("name"):
        return str(one.args["name"])
    model = one.args.get("model")
    if model is None:
        return one.name
    asked = specs.parse(model)
    return f"{one.name} by {asked.args.get('model', asked)}"
