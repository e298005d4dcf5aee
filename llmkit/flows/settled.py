"""Verdicts on two runs of which one stopped asking as soon as its gate was settled: by confidence sequences.

A test for a fixed number of samples would be wrong more often than it says: the number depends on the scores. So each
difference is looked at row by row, in the order of asking, by the sequence that the run itself looked at
(`llmkit.flows.sequential`). What it does not settle is inconclusive: another test on the same rows would be a second
chance to be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmkit.flows.conditions import Rows
from llmkit.flows.order import asking_order
from llmkit.flows.pairs import Mask, Pairs
from llmkit.flows.questions import questions_of
from llmkit.flows.rules import Place, Rules
from llmkit.flows.scored_run import Floats
from llmkit.flows.summarise import SEQUENCE
from llmkit.flows.tested import Found
from llmkit.stats import ConfidenceSequence, settle_drop, split_alpha
from llmkit.stats.paired import PairedResult
from llmkit.stats.verdicts import Decision
from llmkit.types import Estimate, Run


@dataclass(frozen=True, slots=True)
class Stopped:
    """What the two runs say of asking that stopped early; None for a run that asked all its rows as any other does."""

    base: Mapping[str, Any] | None
    candidate: Mapping[str, Any] | None

    @property
    def seed(self) -> int:
        """Of the order of asking."""
        found = self.candidate or self.base
        assert found is not None
        return int(found["seed"])

    @property
    def clash(self) -> str:
        """Why there is no one order in which rows were asked; empty where there is."""
        if self.base is None or self.candidate is None or self.base["seed"] == self.candidate["seed"]:
            return ""
        return (
            f"both runs stopped asking early, in different orders (seed {self.base['seed']} in the base, "
            f"{self.candidate['seed']} in the candidate)"
        )

    def rows(self, rows: Rows, *, same_set: bool) -> Rows:
        """Return the rows of two runs over one set without those that one of them did not ask."""
        if not same_set:
            return rows
        return Rows(
            rows.shared,
            () if _left(self.candidate) else rows.only_base,
            () if _left(self.base) else rows.only_candidate,
            rows.changed,
            rows.repeated,
        )

    @property
    def sentences(self) -> list[str]:
        """What is to be said of it beside a comparison."""
        return [
            f"{told['not_asked']:,} of {told['rows']:,} rows were not asked in the {side}"
            f"{', as its gate was settled' if told['settled'] else ''}: "
            f"about {told['requests_saved']:,} requests were saved"
            for side, told in (("candidate", self.candidate), ("base", self.base))
            if told is not None and told["not_asked"]
        ]


def stopped_of(base: Run, candidate: Run) -> Stopped | None:
    """Return how two runs stopped asking early; None where neither did, so that any test may judge them."""
    first, second = base.summary.get("sequential"), candidate.summary.get("sequential")
    first = first if _left(first) else None
    return Stopped(first, second) if first or second else None


def _left(told: Mapping[str, Any] | None) -> int:
    return int(told["not_asked"]) if told else 0


class Settling:
    """The differences of two runs, each with its confidence sequence.

    Args:
        stopped: How the runs stopped.
        pairs: Their rows.
        rules: The gate.
        level: At which all of its rules together are right.
        described: The candidate's scorers, as its summary describes them.
    """

    def __init__(
        self, stopped: Stopped, pairs: Pairs, rules: Rules, level: float, described: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._pairs, self._described, self._level = pairs, described, level
        digests = dict(zip(pairs.candidate.ids, pairs.candidate.digests, strict=True))
        self._shown = 1, 1
        self._order = np.array(asking_order([digests[one] for one in pairs.ids], stopped.seed), dtype=np.int64)
        self._asked: dict[Place, tuple[float, float]] = {
            (one.bound.scorer, one.bound.field, one.bound.value): (one.alpha, one.bound.rule.max_drop or 0.0)
            for one in questions_of(rules, level, described, drops=True)
            if one.drop
        }

    def results(self, scorers: Sequence[str], masks: Mapping[tuple[str, str], Mask]) -> Found:
        """Return for each scorer, over all rows and in each slice, what was found and the verdict."""
        found: Found = {}
        self._shown = len(scorers), len(scorers) * (1 + len(masks))
        for scorer in scorers:
            span = self._span(scorer)
            for field, value in (("", ""), *masks):
                place = (scorer, field, value)
                if span is None:
                    found[place] = "no interval of a difference by it allows for asking that stopped early", None
                    continue
                base, candidate = self._pairs.first_means(scorer)
                only = self._order[masks[field, value][self._order]] if field else self._order
                both = only[~np.isnan(base[only] + candidate[only])]
                found[place] = self._judged(place, base[both], candidate[both], span)
        return found

    def _span(self, scorer: str) -> float | None:
        """Return how far two scores can lie apart; None where a sequence cannot tell."""
        about = self._described[scorer]
        low, high = about.get("bounds") or (None, None)
        return high - low if about["kind"] == "mean" and low is not None and high is not None else None

    def _judged(
        self, place: Place, base: Floats, candidate: Floats, span: float
    ) -> tuple[PairedResult | str, Decision | None]:
        if not len(base):
            return "no sample has a score in both runs", None
        alone = split_alpha(1 - self._level, self._shown[bool(place[1])])  # of what the gate does not judge
        alpha, margin = self._asked.get(place) or (alone, self._asked.get((place[0], "", ""), (0, 0.0))[1])
        better = self._described[place[0]]["higher_is_better"]
        change = candidate - base
        sequence = ConfidenceSequence(-span, span, alpha=alpha, at=(0.0, -margin, margin))
        try:
            low, high = sequence.update(change)
        except ValueError:
            return f"a score of {place[0]} lies outside of the range that it names", None
        value = float(change.mean())
        result = PairedResult(
            base=float(base.mean()),
            candidate=float(candidate.mean()),
            difference=Estimate(value, low, high, len(change), SEQUENCE, 1 - alpha),
            p=None,
            test=SEQUENCE,
            n=len(change),
            up=int((change > 0).sum()),
            down=int((change < 0).sum()),
            units=len(change),
        )
        if better is None:
            return result, None
        verdict = settle_drop((low, high), margin=margin, higher_is_better=better)
        note = ""
        if verdict is None and not change.any():
            verdict, note = "pass", f"No score changed on {len(change)} {'sample' if len(change) == 1 else 'samples'}."
        elif verdict is None:
            verdict, worst = "inconclusive", -low if better else high
            note = f"A drop of up to {worst:.3g} cannot be ruled out." if worst > 0 else "It is not certain."
        return result, Decision(verdict, note, None, None, None, None)
