"""Verdicts on two runs that asked all their rows: tests for a fixed number of samples, adjusted together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from llmkit.flows.pairs import MANY, SOME, Asked, Drawing, Mask, Pairs
from llmkit.flows.rules import Place, Rules
from llmkit.flows.run_settings import RunSettings
from llmkit.stats.paired import PairedResult
from llmkit.stats.resampling import resamples_for
from llmkit.stats.verdicts import Claim, Decision, decide_all

Adjust = Literal["holm", "bh", "none"]

_NOT_BUILT = "the scorer cannot be built here; compare in the folder where the run was made"

Found = dict[Place, tuple[PairedResult | str, Decision | None]]
"""For each scorer, over all rows and in each slice: the comparison, or why there is none, and the verdict."""


@dataclass(frozen=True, slots=True)
class Testing:
    """How the differences of two runs are tested.

    Attributes:
        pairs: Their rows.
        rules: The gate.
        settings: Of the candidate.
        described: The candidate's scorers, as its summary describes them.
        adjust: How p-values of comparisons made together are adjusted.
        level: Of the intervals, where a rule names none.
    """

    pairs: Pairs
    rules: Rules
    settings: RunSettings
    described: Mapping[str, Mapping[str, Any]]
    adjust: Adjust
    level: float

    def results(self, scorers: Sequence[str], masks: Mapping[tuple[str, str], Mask]) -> Found:
        """Return what was found for each of the scorers, over all rows and in each slice."""
        found = self._compared(scorers, masks)
        decisions = self._decisions(found)
        return {place: (result, decisions.get(place)) for place, result in found.items()}

    def _compared(
        self, scorers: Sequence[str], masks: Mapping[tuple[str, str], Mask]
    ) -> dict[Place, PairedResult | str]:
        plain = [name for name in scorers if self.described[name]["kind"] != "mean"]
        built = self.settings.scorers(plain)
        for name, metric in built.items():
            self.pairs.base.columns[name].value_samples(metric)
        tests = len(scorers) * (1 + len(masks))
        found: dict[Place, PairedResult | str] = {}
        without = {name: _NOT_BUILT for name in plain if name not in built}
        for part, only in (("", ""), None), *masks.items():
            asked = []
            for scorer in scorers:
                about = self.described[scorer]
                level = self._margin((scorer, *part))[1]
                resamples = resamples_for(tests, level) if about["kind"] == "mean" else MANY if only is None else SOME
                if scorer not in without:
                    asked.append(Asked(scorer, about, Drawing(level, self.settings.seed, resamples)))
            results = without | self.pairs.results(asked, only, metrics=built)
            found |= {(scorer, *part): results[scorer] for scorer in scorers}
        return found

    def _margin(self, place: Place) -> tuple[float, float]:
        margin, level = self.rules.margin_of(*place)
        return margin, level or self.level

    def _decisions(self, results: Mapping[Place, PairedResult | str]) -> dict[Place, Decision]:
        """Judge what the gate judges together; and slices that it does not, together with everything."""
        claims = {
            place: Claim(result, bool(self.described[place[0]]["higher_is_better"]), self._margin(place)[0])
            for place, result in results.items()
            if isinstance(result, PairedResult) and self.described[place[0]]["higher_is_better"] is not None
        }
        gated = {place: claim for place, claim in claims.items() if self.rules.drop_of(*place) is not None}
        whole = {place: claim for place, claim in claims.items() if not place[1]}
        every = decide_all(_keyed(claims), how=self.adjust) if claims else {}
        of_all = decide_all(_keyed(whole), how=self.adjust) if whole else {}
        of_gate = decide_all(_keyed(gated), how=self.adjust) if gated else {}
        together = {**every, **of_all, **of_gate}
        return {place: together["\0".join(place)] for place in claims}


def _keyed(claims: Mapping[Place, Claim]) -> dict[str, Claim]:
    return {"\0".join(place): claim for place, claim in claims.items()}
