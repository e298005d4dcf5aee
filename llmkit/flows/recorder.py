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
from llmkit.flows.gating import held
from llmkit.flows.human_labels import HumanLabels
from llmkit.flows.order import asking_order
from llmkit.flows.recorded_run import RecordedRun
from llmkit.flows.robustness import Reworded, Robustness, Sides
from llmkit.flows.scorers import Scorers, of_window
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

    def __init__(
        self,
        setup: Setup,
        folder: RunFolder,
        observe: Callable[[Event], None] | None,
        *,
        seed: int | None = None,
    ) -> None:
        """Begin a run's files; ``seed`` is that of the order in which rows are asked where not all of them may be."""
        config = setup.config
        self.setup = setup
        self.rows = 0
        self._seed = seed
        self._digests: list[str] = []
        self.total = (setup.census.rows + setup.variants.rows) * config.repeats
        self.done = 0
        self.errors: Counter[str] = Counter()
        self._failed = 0
        self._first_failure = ""
        self._scorers = {version: Scorers(setup) for version in ("", *setup.variants.perturbations)}
        mine = self._scorers[""]
        self.tallies = mine.all
        self.examples = Examples([*mine.one_by_one, *mine.judged])
        self.reworded = {name: Reworded() for name in setup.variants.perturbations}
        self._last_original = 0
        self.slices = [Codes(field) for field in config.slices]
        self.clusters = Codes(config.cluster) if config.cluster else None
        self._folder = folder
        self._samples = folder.samples_writer()
        self._outputs = folder.outputs_writer()
        self._scores = folder.scores_writer()
        self._transcripts = folder.transcripts_writer() if setup.seats else None
        self._observe = observe
        self.human = HumanLabels(setup.human)
        self._width = None if config.human is None else config.human.width

    def take(self, sample: Sample, output: Output, judgments: Mapping[str, Judgment] = _NONE) -> None:
        """Record the next output of the run, and what the judges that look at single outputs said of it."""
        row = self.done
        labels, strata = self.human.of(sample)
        if not output.repeat:
            row_of = SampleRow(sample, row_digest(sample), labels, strata)
            self._samples.write(row_of)
            self.rows += not sample.perturbation
            if self._seed is not None:
                self._digests.append(row_of.digest)
        self._outputs.write(output)
        self._count(row, sample, output)
        scorers = self._scorers[sample.perturbation]
        scores = scorers.add(row, sample, output)
        scores += scorers.add_repeats(row, sample, output, self.setup.config.repeats)
        scores += self._verdicts(scorers.judged, row, sample, output, judgments)
        for score in scores:
            self._scores.write(score)
        if not sample.perturbation:
            self.examples.look(row, sample, output, scores)
        self.human.add(labels, strata)
        for codes in self.slices:
            codes.add(sample.original or sample)
        if self.clusters is not None:
            self.clusters.add(sample.original or sample)
        self.done += 1

    def _count(self, row: int, sample: Sample, output: Output) -> None:
        if output.error is not None:
            self._failed += 1
            self._first_failure = self._first_failure or output.error.message
        number = row // self.setup.config.repeats
        if sample.perturbation:
            self.reworded[sample.perturbation].add(number, self._last_original, output)
            return
        self._last_original = number
        if output.error is not None:
            self.errors[output.error.kind] += 1

    def take_together(
        self, row: int, sample: Sample, outputs: Sequence[Output], judgments: Mapping[str, Judgment]
    ) -> None:
        """Record what judges said of all repeats of a sample; ``row`` is that of the first."""
        for score in self._verdicts(
            self._scorers[sample.perturbation].judged_together, row, sample, outputs[0], judgments
        ):
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
        return bool(self._scorers[""].judged_together)

    @property
    def answered(self) -> int:
        """How many outputs are answers; the others are failures that stand in their place."""
        return self.done - self._failed

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

    def recorded(self) -> Iterator[tuple[Sample, Output]]:
        """Yield every output of the run again, read back from its folder; call it after the last `take`."""
        self._samples.close()
        self._outputs.close()
        return RecordedRun(self._folder.path, self.setup, allow_unfinished=True).pairs(some=self._seed is not None)

    def score_in_batches(self) -> None:
        """Score what is quicker in batches: after all answers are in, read back from the run folder."""
        for place in range(len(self._scorers[""].batched)):
            tallies = {version: scorers.batched[place] for version, scorers in self._scorers.items()}
            self._score_in_windows(tallies)

    def _score_in_windows(self, tallies: Mapping[str, Tally]) -> None:
        """Score with one scorer's tallies, by version of the rows; write its scores in the order of the outputs."""
        tally = tallies[""]
        repeats = self.setup.config.repeats if tally.over_repeats else 1
        rows = ((row, sample, output) for row, (sample, output) in enumerate(self.recorded()))
        while window := list(islice(rows, max(1, tally.batch // repeats) * repeats)):
            found: dict[tuple[str, int], Score] = {}
            for version, one in tallies.items():
                mine = [item for item in window if item[1].perturbation == version]
                found |= {
                    (score.sample_id, score.repeat): score for score in (of_window(one, mine, repeats) if mine else ())
                }
            for _, sample, output in window[::repeats]:
                self._scores.write(found[sample.id, output.repeat])

    def tell(self, cost: float, tokens: int, *, ahead: int = 0, failed: int = 0) -> None:
        """Tell the observer how far the run is; ``ahead`` outputs, ``failed`` of them, are still to be recorded."""
        if self._observe is not None:
            self._observe(Progress(self.done + ahead, self.total, self._failed + failed, cost, tokens))

    def close(self) -> None:
        """Put everything written so far on disk."""
        self._samples.close()
        self._outputs.close()
        self._scores.close()
        if self._transcripts is not None:
            self._transcripts.close()

    def design(self) -> Design:
        """Return how the rows taken hang together."""
        import numpy as np

        config = self.setup.config
        clusters = None if self.clusters is None else np.frombuffer(self.clusters.codes, dtype=np.uint32)
        samples = np.arange(self.done, dtype=np.uint32) // config.repeats if config.repeats > 1 else None
        order = None
        if self._seed is not None:
            order = np.empty(len(self._digests), dtype=np.uint32)
            order[asking_order(self._digests, self._seed)] = np.arange(len(order))
            order = np.repeat(order, config.repeats)
        return Design(samples=samples, clusters=clusters, seed=config.seed, level=config.level, order=order)

    def summary(self, sequential: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the summary of everything taken, with what is to be said of asking that stopped early."""
        config = self.setup.config
        found = summarise(
            name=config.name,
            rows=self.rows,
            repeats=config.repeats,
            errors=self.errors,
            tallies=self.tallies,
            slices=self.slices,
            design=self.design(),
            originals=self._originals() if self.reworded else None,
            named={(bound.field, bound.value) for bound in self.setup.rules.bounds if bound.field},
        )
        for tally in self.tallies:
            self.human.correct(found["scores"][tally.name], tally, self.slices, self.design(), self._width)
        if self.reworded:
            found["robustness"] = self._robustness(found["scores"], self.design())
        if self.setup.warnings:
            found["warnings"] = list(self.setup.warnings)
        if sequential is not None:
            found["sequential"] = sequential
        found["gate"] = held(self.setup.rules, found)
        return found

    def _originals(self) -> Any:
        """Return for each row of the run whether it is one of the set's own, shape (total,)."""
        import numpy as np

        own = np.ones(self.done // self.setup.config.repeats, dtype=bool)
        for reworded in self.reworded.values():
            own[np.asarray(reworded.numbers)] = False
        return np.repeat(own, self.setup.config.repeats)

    def _robustness(self, originals: Mapping[str, Mapping[str, Any]], design: Design) -> dict[str, Any]:
        by_scorer = [
            Sides(tally, {name: self._scorers[name].all[place] for name in self.reworded})
            for place, tally in enumerate(self.tallies)
        ]
        return Robustness(
            perturbations=self.setup.variants.perturbations,
            signatures=self.setup.variants.signatures,
            reworded=self.reworded,
            rows=self.setup.census.rows,
            repeats=self.setup.config.repeats,
            design=design,
        ).summary(by_scorer, originals)
