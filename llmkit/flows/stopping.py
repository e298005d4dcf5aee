"""A run that asks until its gate is settled: rows in random order, and no more of them than the gate needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import islice
from typing import Any, TypeVar

from llmkit.datasets import row_digest
from llmkit.engine import Engine
from llmkit.errors import ConfigError
from llmkit.flows.options import Options, Warned, tell
from llmkit.flows.order import asking_order
from llmkit.flows.questions import settling_problems
from llmkit.flows.recorded_run import RecordedRun
from llmkit.flows.recorder import Recorder
from llmkit.flows.rows import checked_rows
from llmkit.flows.sequential import Judged, Watching
from llmkit.flows.setup import Setup
from llmkit.types import Output, Run, Sample, Score

T = TypeVar("T", bound=tuple[Sample, Any])

_CALLS = ("answered", "failed", "from_cache", "from_journal", "shared")


class Stopping:
    """How the asking of one run is ordered and stopped.

    Attributes:
        seed: Of the order.
        watching: What the gate waits for.
    """

    def __init__(self, setup: Setup, *, seed: int, base: Run | None, all_rows: bool) -> None:
        wanted = setup.config.gate.stops
        self.seed = seed
        self.watching = Watching(setup, checked_rows(setup), base)
        self._look_every = wanted.look_every if wanted is not None else 1
        self._all_rows = all_rows
        self._repeats = setup.config.repeats

    async def ask(
        self, engine: Engine, recorder: Recorder, items: Iterable[T], answer: Callable[[T], Awaitable[Judged]]
    ) -> None:
        """Ask samples, all repeats of one side by side, until nothing is left to settle; record them in their order."""
        groups = self._grouped(items)
        order = self._order(group[0][0] for group in groups)
        found: list[Judged] = []
        failed = 0
        try:
            for start in range(0, len(order), self._look_every):
                window = [item for place in order[start : start + self._look_every] for item in groups[place]]
                begin = len(found)
                async with aclosing(engine.map(answer, window)) as answers:
                    async for judged in answers:
                        found.append(judged)
                        failed += judged[1].error is not None
                        usage = engine.usage
                        tokens = usage.tokens_in + usage.tokens_out
                        recorder.tell(usage.cost, tokens, ahead=len(found), failed=failed)
                self._look(found[begin:])
                if self.watching.over and not self._all_rows:
                    break
        finally:  # an interrupted run keeps what was answered, too
            places = {id(group[0][0]): place for place, group in enumerate(groups)}
            for sample, output, judgments in sorted(found, key=lambda one: (places[id(one[0])], one[1].repeat)):
                recorder.take(sample, output, judgments)

    def _look(self, answered: Sequence[Judged]) -> None:
        for group in self._grouped(answered):
            self.watching.take(group[0][0], self.watching.scores(group))
        self.watching.look()

    def looked_at(self, pairs: Iterable[tuple[Sample, Output]]) -> Iterator[tuple[Sample, Output]]:
        """Yield answers that are all there as they come, and look at them in the order in which they were asked."""
        seen: list[tuple[Sample, dict[str, list[Score]]]] = []
        rest = iter(pairs)
        while group := list(islice(rest, self._repeats)):
            seen.append((group[0][0], self.watching.scores([(sample, output, {}) for sample, output in group])))
            yield from group
        for place in self._order(sample for sample, _ in seen):
            self.watching.take(*seen[place])
        self.watching.look()

    def _grouped(self, items: Iterable[Any]) -> list[list[Any]]:
        rest = iter(items)
        return list(iter(lambda: list(islice(rest, self._repeats)), []))

    def _order(self, samples: Iterable[Sample]) -> list[int]:
        return asking_order([row_digest(sample) for sample in samples], self.seed)

    def summary(self, asked: int, usage: Mapping[str, Any]) -> dict[str, Any]:
        """Return as plain JSON how many rows were asked, why no more, and what was saved by it."""
        left = self.watching.rows - asked
        calls = sum(int(usage.get(name, 0)) for name in _CALLS)
        return {
            "rows": self.watching.rows,
            "asked": asked,
            "not_asked": left,
            "requests_saved": round(calls / asked * left) if asked else 0,
            "settled": self.watching.settled,
            "seed": self.seed,
            "questions": {watch.question.name: watch.as_entry() for watch in self.watching.watches},
        }


def stopping_of(setup: Setup, options: Options, earlier: RecordedRun | None, base: Run | None) -> Stopping | None:
    """Return how a run stops early; None where it asks every row and is judged as any other.

    Raises:
        ConfigError: the gate waits for what cannot be settled while answers come in.
    """
    wanted = setup.config.gate.stops is not None
    before = None if earlier is None else earlier.stopped
    if before is not None:
        seed, all_rows = int(before["seed"]), not (wanted and setup.seats)
        return Stopping(setup, seed=seed, base=base, all_rows=all_rows)
    if not wanted:
        return None
    problems = list(settling_problems(setup.config, setup.rules, setup.scorers, drops=base is not None))
    if problems:
        raise ConfigError(problems=[setup.config.placed(problem) for problem in problems])
    asks = bool(setup.seats) or (earlier is None and getattr(setup.target, "journaled", True))
    if not asks:
        tell(options, Warned("gate.sequential saves nothing where nobody is asked: every row is scored"))
        return None
    found = Stopping(setup, seed=setup.config.seed, base=base, all_rows=False)
    if not found.watching.watches:
        why = "the gate has no 'min' or 'max', and there is no baseline"
        tell(options, Warned(f"gate.sequential has nothing to settle, so every row is asked: {why}"))
        return None
    return found
