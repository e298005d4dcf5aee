"""What a run records, in dataset order: outputs, scores, counts, and the rows worth reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from llmkit.datasets import row_digest
from llmkit.engine import Event
from llmkit.errors import InfrastructureError
from llmkit.flows.examples import Examples
from llmkit.flows.recorded_run import RecordedRun
from llmkit.flows.setup import Setup
from llmkit.flows.summarise import Design, summarise
from llmkit.flows.tally import Codes, Tally
from llmkit.store import RunFolder
from llmkit.types import Judgment, Output, Sample, SampleRow, Score, Transcript

_NONE: Mapping[str, Judgment] = {}


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far a run is: outputs done, out of how many, and how many of them failed."""

    done: int
    total: int
    failed: int
    cost: float
    tokens: int


class Recorder:
    """Takes outputs in dataset order: writes them, scores them, counts them."""

    def __init__(self, setup: Setup, folder: RunFolder, observe: Callable[[Event], None] | None) -> None:
        config = setup.config
        self.setup = setup
        self.total = setup.census.rows * config.repeats
        self.done = 0
        self.errors: Counter[str] = Counter()
        self._first_failure = ""
        metrics = [Tally(name, metric) for name, metric in setup.metrics.items()]
        judges = [Tally(seat.name, seat.judge, seat.makers) for seat in setup.seats]
        self.tallies = [*metrics, *judges]
        self._batched = [tally for tally in metrics if tally.batch]
        self._together = [tally for tally in metrics if tally.over_repeats and not tally.batch]
        self._one_by_one = [tally for tally in metrics if not tally.batch and not tally.over_repeats]
        self._judged = [tally for tally in judges if not tally.over_repeats]
        self._judged_together = [tally for tally in judges if tally.over_repeats]
        self._repeats: list[Output] = []
        self.examples = Examples([*self._one_by_one, *self._judged])
        self.slices = [Codes(field) for field in config.slices]
        self.clusters = Codes(config.cluster) if config.cluster else None
        self._folder = folder
        self._samples = folder.samples_writer()
        self._outputs = folder.outputs_writer()
        self._scores = folder.scores_writer()
        self._transcripts = folder.transcripts_writer() if judges else None
        self._observe = observe

    def take(self, sample: Sample, output: Output, judgments: Mapping[str, Judgment] = _NONE) -> None:
        """Record the next output of the run, and what the judges that look at single outputs said of it."""
        row = self.done
        if not output.repeat:
            self._samples.write(SampleRow(sample, row_digest(sample)))
        self._outputs.write(output)
        if output.error is not None:
            self.errors[output.error.kind] += 1
            self._first_failure = self._first_failure or output.error.message
        scores = [tally.add(row, sample, output) for tally in self._one_by_one]
        if self._together:
            scores += self._over_repeats(row, sample, output)
        scores += self._verdicts(self._judged, row, sample, output, judgments)
        for score in scores:
            self._scores.write(score)
        self.examples.look(row, sample, output, scores)
        for codes in self.slices:
            codes.add(sample)
        if self.clusters is not None:
            self.clusters.add(sample)
        self.done += 1

    def take_together(
        self, row: int, sample: Sample, outputs: Sequence[Output], judgments: Mapping[str, Judgment]
    ) -> None:
        """Record what judges said of all repeats of a sample; ``row`` is that of the first."""
        for score in self._verdicts(self._judged_together, row, sample, outputs[0], judgments):
            self._scores.write(score)

    def _verdicts(
        self, tallies: Sequence[Tally], row: int, sample: Sample, output: Output, judgments: Mapping[str, Judgment]
    ) -> list[Score]:
        for name, judgment in judgments.items():
            if judgment.exchanges and self._transcripts is not None:
                self._transcripts.write(Transcript(sample.id, name, judgment.exchanges, output.repeat))
        return [tally.add_judgment(row, sample, output, judgments.get(tally.name)) for tally in tallies]

    @property
    def judges_together(self) -> bool:
        """Whether some judge looks at all repeats of a sample at once."""
        return bool(self._judged_together)

    @property
    def answered(self) -> int:
        """How many outputs are answers; the others are failures that stand in their place."""
        return self.done - self.errors.total()

    def require_an_answer(self) -> None:
        """Refuse to call a run complete of which nothing arrived: a wrong address or model, a broken bot.

        Raises:
            InfrastructureError: every output failed; the run stays unfinished, so that the same command continues it.
        """
        if self.done and not self.answered:
            what = "the only output" if self.done == 1 else f"all {self.done:,} outputs"
            raise InfrastructureError(
                f"No answer arrived: {what} failed, the first because {self._first_failure.rstrip('.')}. "
                "Mend that and run the same command again."
            )

    def _over_repeats(self, row: int, sample: Sample, output: Output) -> list[Score]:
        self._repeats.append(output)
        repeats = self.setup.config.repeats
        if len(self._repeats) < repeats:
            return []
        outputs, self._repeats = self._repeats, []
        return [tally.add_repeats(row - repeats + 1, sample, outputs) for tally in self._together]

    def recorded(self) -> Iterator[tuple[Sample, Output]]:
        """Yield every output of the run again, read back from its folder; call it after the last `take`."""
        self._outputs.close()
        return RecordedRun(self._folder.path, self.setup, allow_unfinished=True).pairs()

    def score_in_batches(self) -> None:
        """Score what is quicker in batches: after all answers are in, read back from the run folder."""
        for tally in self._batched:
            pairs = self.recorded()
            repeats = self.setup.config.repeats if tally.over_repeats else 1
            row = 0
            while window := list(islice(pairs, max(1, tally.batch // repeats) * repeats)):
                rows = range(row, row + len(window), repeats)
                for score in self._of_window(tally, rows, window, repeats):
                    self._scores.write(score)
                row += len(window)

    def _of_window(
        self, tally: Tally, rows: Sequence[int], window: Sequence[tuple[Sample, Output]], repeats: int
    ) -> list[Score]:
        if not tally.over_repeats:
            return tally.add_batch(rows, window)
        groups = [window[start : start + repeats] for start in range(0, len(window), repeats)]
        return tally.add_repeats_batch(rows, [(group[0][0], [output for _, output in group]) for group in groups])

    def tell(self, cost: float, tokens: int) -> None:
        """Tell the observer how far the run is."""
        if self._observe is not None:
            self._observe(Progress(self.done, self.total, self.errors.total(), cost, tokens))

    def close(self) -> None:
        """Put everything written so far on disk."""
        self._samples.close()
        self._outputs.close()
        self._scores.close()
        if self._transcripts is not None:
            self._transcripts.close()

    def summary(self) -> dict[str, Any]:
        """Return the summary of everything taken."""
        import numpy as np

        config = self.setup.config
        repeats = config.repeats
        clusters = None if self.clusters is None else np.frombuffer(self.clusters.codes, dtype=np.uint32)
        found = summarise(
            name=config.name,
            rows=self.setup.census.rows,
            repeats=repeats,
            errors=self.errors,
            tallies=self.tallies,
            slices=self.slices,
            design=Design(
                samples=np.arange(self.total, dtype=np.uint32) // repeats if repeats > 1 else None,
                clusters=clusters,
                seed=config.seed,
                level=config.level,
            ),
        )
        floor = config.gate.coverage.min
        found["gate"] = {"coverage": {"min": floor, "value": found["coverage"], "pass": found["coverage"] >= floor}}
        return found
