"""The scorers of a run over one version of its rows: as they are, or as one perturbation reworded them."""

from __future__ import annotations

from collections.abc import Sequence

from llmkit.flows.setup import Setup
from llmkit.flows.tally import Tally
from llmkit.types import Output, Sample, Score


class Scorers:
    """One tally a scorer, sorted by the way each takes outputs.

    Attributes:
        all: Every tally, in the order of the config.
        one_by_one: Those that are handed each output as it comes.
        together: Those that are handed all repeats of a sample as they come.
        batched: Those that are handed many outputs at once, after all answers are in.
        judged: Judges that look at single outputs.
        judged_together: Judges that look at all repeats of a sample.
    """

    def __init__(self, setup: Setup) -> None:
        metrics = [Tally(name, metric) for name, metric in setup.metrics.items()]
        judges = [Tally(seat.name, seat.judge, seat.makers) for seat in setup.seats]
        self.all = [*metrics, *judges]
        self.batched = [tally for tally in metrics if tally.batch]
        self.together = [tally for tally in metrics if tally.over_repeats and not tally.batch]
        self.one_by_one = [tally for tally in metrics if not tally.batch and not tally.over_repeats]
        self.judged = [tally for tally in judges if not tally.over_repeats]
        self.judged_together = [tally for tally in judges if tally.over_repeats]
        self._repeats: list[Output] = []

    def add(self, row: int, sample: Sample, output: Output) -> list[Score]:
        """Score one output as it comes."""
        return [tally.add(row, sample, output) for tally in self.one_by_one]

    def add_repeats(self, row: int, sample: Sample, output: Output, repeats: int) -> list[Score]:
        """Score all repeats of a sample once the last of them is there; ``row`` is that of ``output``."""
        if not self.together:
            return []
        self._repeats.append(output)
        if len(self._repeats) < repeats:
            return []
        outputs, self._repeats = self._repeats, []
        return [tally.add_repeats(row - repeats + 1, sample, outputs) for tally in self.together]


def of_window(tally: Tally, window: Sequence[tuple[int, Sample, Output]], repeats: int) -> list[Score]:
    """Score a window of rows, samples and outputs with a tally that takes many at once."""
    if not tally.over_repeats:
        return tally.add_batch([row for row, _, _ in window], [(sample, output) for _, sample, output in window])
    groups = [window[start : start + repeats] for start in range(0, len(window), repeats)]
    return tally.add_repeats_batch(
        [group[0][0] for group in groups], [(group[0][1], [output for _, _, output in group]) for group in groups]
    )
