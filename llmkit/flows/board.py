"""What an ensemble's members score by themselves, beside what they score together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from llmkit._version import __version__
from llmkit.errors import LlmkitError
from llmkit.flows.combine import Combiner, Row, Vote
from llmkit.flows.difference import difference, shown
from llmkit.flows.scorers import Scorers, of_window
from llmkit.flows.setup import Setup
from llmkit.flows.summarise import Design, estimate
from llmkit.flows.tally import Tally
from llmkit.stats.voting import Agreement, Count
from llmkit.types import Estimate, Output, Sample

FLATTERED = (
    "The best member was chosen on these same rows, which flatters it: on others it is likely to score less, and to be "
    "further behind."
)


class Board:
    """Scores each member as if it were alone, and counts how the votes fall. Holds scores, never texts."""

    def __init__(self, setup: Setup, combiner: Combiner) -> None:
        assert setup.config.ensemble is not None
        self._settings = setup.config.ensemble
        self._seed = setup.config.seed
        self._repeats = setup.config.repeats
        self._combiner = combiner
        self._scorers = {name: Scorers(setup) for name in combiner.names}
        self._agreement = Agreement.among(combiner.names)
        self._failures: dict[str, Counter[str]] = {name: Counter() for name in combiner.names}
        self._silent = dict.fromkeys(combiner.names, 0)
        self._with = dict.fromkeys(combiner.names, 0)
        self._rows: Counter[str] = Counter()

    def take(
        self,
        row: int,
        sample: Sample,
        answers: Mapping[str, Output],
        votes: Mapping[str, Vote],
        count: Count[str | float] | None,
    ) -> None:
        """Count the next row: what each member answered, what it named, and how the vote ended.

        Reworded rows are left out, as they are of the scores that stand beside.
        """
        if sample.perturbation:
            return
        for name, output in answers.items():
            if output.error is not None:
                self._failures[name][output.error.kind] += 1
            self._scorers[name].add(row, sample, output)
            self._scorers[name].add_repeats(row, sample, output, self._repeats)
        failed = sum(output.error is not None for output in answers.values())
        self._rows["rows"] += 1
        self._rows["all_answered"] += failed == 0
        self._rows["some_failed"] += 0 < failed < len(answers)
        self._rows["none_answered"] += failed == len(answers)
        if count is None:
            return
        self._agreement.add(votes)
        for name, vote in votes.items():
            self._silent[name] += vote is None
            self._with[name] += vote is not None and vote == count.winner
        self._rows["ties"] += len(count.tied) > 1
        self._rows["no_vote"] += all(vote is None for vote in votes.values())
        self._rows["named_by_no_member"] += count.winner is not None and count.winner not in votes.values()

    def score_later(self, rows: Callable[[], Iterator[Row]]) -> None:
        """Score with the metrics that want many outputs at once; ``rows`` reads every row anew."""
        for name, scorers in self._scorers.items():
            for tally in scorers.batched:
                repeats = self._repeats if tally.over_repeats else 1
                own = (
                    (row, sample, answers[name])
                    for row, (sample, answers) in enumerate(rows())
                    if not sample.perturbation
                )
                while window := list(islice(own, max(1, tally.batch // repeats) * repeats)):
                    of_window(tally, window, repeats)

    def summary(self, together: Sequence[Tally], design: Design) -> dict[str, Any]:
        """Return everything as plain JSON.

        Args:
            together: What the combined answers scored.
            design: How the rows hang together.
        """
        mine = {name: _metrics(scorers) for name, scorers in self._scorers.items()}
        alone = {name: scores_beside(tallies, together, design) for name, tallies in mine.items()}
        best = {tally.name: _best(tally, alone) for tally in next(iter(mine.values()))}
        shares = self._agreement.shares()
        return {
            "combine": self._settings.combine,
            "signature": self.signature,
            "members": {name: self._member(name, scores) for name, scores in alone.items()},
            "best": {scorer: name for scorer, name in best.items() if name is not None},
            "rows": {key: self._rows[key] for key in _ROWS},
            "agreement": {
                "rows": self._agreement.rows,
                "unanimous": self._agreement.unanimous / self._agreement.rows if self._agreement.rows else None,
                "pairs": [[*pair, share] for pair, share in shares.items()],
            },
            **self._combiner.facts,
            "notes": list(self._notes(best)),
        }

    @property
    def signature(self) -> str:
        """Everything that makes the combined answers of these members, on one line."""
        parts = [f"{name}:{_written(value)}" for name, value in self._settings.settings.items()]
        if self._settings.learns:
            parts.append("learnt:on the other folds' rows")
        return "|".join([self._settings.combine, *parts, f"seed:{self._seed}", f"impl:llmkit-{__version__}"])

    def _member(self, name: str, scores: Mapping[str, Any]) -> dict[str, Any]:
        failed = self._failures[name].total()
        return {
            "answered": self._rows["rows"] - failed,
            "failed": failed,
            "failures": dict(sorted(self._failures[name].items())),
            "names_nothing": self._silent[name],
            "with_the_winner": self._with[name],
            "scores": dict(scores),
        }

    def _notes(self, best: Mapping[str, str | None]) -> Iterator[str]:
        if len(self._scorers) > 1 and any(best.values()):
            yield FLATTERED
        learnt = self._combiner.facts
        rare = [f"{label} ({rows})" for label, rows in learnt.get("labels", {}).items() if rows < self._settings.folds]
        if rare:
            yield f"Too rare to be learnt in every fold: {', '.join(rare)}."
        if learnt.get("unsettled_folds"):
            yield f"In {learnt['unsettled_folds']} of {self._settings.folds} folds the fit stopped before it settled."


_ROWS = ("rows", "all_answered", "some_failed", "none_answered", "no_vote", "ties", "named_by_no_member")


def _metrics(scorers: Scorers) -> list[Tally]:
    """Return the tallies of metrics: judges judge the combined answers only."""
    judged = {id(tally) for tally in (*scorers.judged, *scorers.judged_together)}
    return [tally for tally in scorers.all if id(tally) not in judged]


def scores_beside(tallies: Sequence[Tally], together: Sequence[Tally], design: Design) -> dict[str, Any]:
    """Return a member's value by each scorer, and the combined answers' less it, on rows that both have."""
    found: dict[str, Any] = {}
    combined = {tally.name: tally for tally in together}
    for mine in tallies:
        ours = combined[mine.name]
        found[mine.name] = {
            **shown(_safely(lambda mine=mine: estimate(mine, design) if mine.ok else None)),  # type: ignore[misc]
            "n": mine.ok,
            "difference": shown(_safely(lambda mine=mine, ours=ours: difference(ours, mine, design))),  # type: ignore[misc]
        }
    return found


def _safely(make: Callable[[], Estimate | None]) -> Estimate | None:
    try:
        return make()
    except LlmkitError:
        raise
    except Exception:  # noqa: BLE001 - a metric that fails over all rows has no value, here as for the combined answers
        return None


def _best(tally: Tally, alone: Mapping[str, Mapping[str, Any]]) -> str | None:
    better = tally.metric.higher_is_better
    values = {name: scores[tally.name]["value"] for name, scores in alone.items()}
    known = {name: value for name, value in values.items() if value is not None}
    if better is None or not known:
        return None
    return max(known, key=lambda name: known[name] if better else -known[name])


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={number:g}" for name, number in value.items())
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
