"""The rows worth reading first: failed ones, then those with the worst score. Bounded, whatever the size of the set."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from llmkit.flows.tally import Tally
from llmkit.types import Output, Sample, Score

FAILED = 5
WORST = 10
_LONGEST = 1000


class Examples:
    """Keeps a few rows of a run by what was said of them.

    Rows are ranked by the first scorer that has a direction. Of rows with one score the earlier stays.
    """

    def __init__(self, tallies: Sequence[Tally]) -> None:
        ranked = next((tally for tally in tallies if tally.metric.higher_is_better is not None), None)
        self._scorer = ranked.name if ranked else ""
        self._sign = -1.0 if ranked and ranked.metric.higher_is_better else 1.0
        self._failed: list[dict[str, str]] = []
        self._worst: list[tuple[float, int, dict[str, str]]] = []

    def look(self, row: int, sample: Sample, output: Output, scores: Sequence[Score]) -> None:
        """Keep the row if it is among the worst so far."""
        if output.error is not None:
            if len(self._failed) < FAILED:
                self._failed.append(_shown(sample, output, f"failed: {output.error.message}"))
            return
        score = next((score for score in scores if score.scorer == self._scorer), None)
        if score is None or score.value is None:
            return
        badness = self._sign * score.value
        if len(self._worst) == WORST and (badness, -row) <= self._worst[0][:2]:
            return
        kept = (badness, -row, _shown(sample, output, f"{score.scorer} {score.value:.3f}"))
        if len(self._worst) < WORST:
            heapq.heappush(self._worst, kept)
        else:
            heapq.heapreplace(self._worst, kept)

    def rows(self) -> list[dict[str, str]]:
        """Return what was kept, the worst first: ``id``, ``why``, ``input``, ``reference``, ``output``."""
        return [*self._failed, *(kept for _, _, kept in sorted(self._worst, key=lambda item: (-item[0], -item[1])))]


def _shown(sample: Sample, output: Output, why: str) -> dict[str, str]:
    asked = sample.input if isinstance(sample.input, str) else str(sample.input[-1].get("content", ""))
    return {
        "id": sample.id,
        "why": why,
        "input": asked[:_LONGEST],
        "reference": sample.references[0][:_LONGEST] if sample.references else "",
        "output": (output.text or "")[:_LONGEST],
    }
