"""How the answers of several members become one: the vote, the weights that rows teach, the stacked model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.flows.members import Teaching, ballots_of
from llmkit.metrics import Ballots
from llmkit.stats.stacking import Stacked, stacked
from llmkit.stats.voting import Count, count_votes
from llmkit.types import Output, Sample, Skipped

if TYPE_CHECKING:
    from llmkit.config import EvalConfig

Row: TypeAlias = tuple[Sample, Mapping[str, Output]]
"""A sample with what each member answered to it, by the members' names."""

Vote: TypeAlias = str | float | None

LEAST = 1e-4
"""The probability that a label has at least in the features of stacking, whose logarithm they are."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a combiner looks at to decide one row: which it is, and what each member that answered names."""

    row: int
    sample: Sample
    repeat: int
    votes: Mapping[str, Vote]


class Combiner(ABC):
    """Decides what the members say together.

    Attributes:
        ballots: Reads the members' votes.
        names: The members, in the order of the config.
    """

    def __init__(self, cfg: EvalConfig) -> None:
        assert cfg.ensemble is not None
        self.settings = cfg.ensemble
        self.ballots: Ballots = ballots_of(cfg.ensemble)
        self.names: Sequence[str] = tuple(cfg.ensemble.members)
        self.seed = cfg.seed
        self.cluster = cfg.cluster
        self.repeats = cfg.repeats

    def learn(self, rows: Iterable[Row]) -> None:
        """See every row, before any is decided. Combiners that rows do not teach need not look."""
        del rows

    @abstractmethod
    def decide(self, asked: Asked) -> Count[str | float]:
        """Return what the members say together on a row."""

    def probabilities(self, asked: Asked) -> Mapping[str, float] | None:
        """Return how probable each label is on a row, for combiners that know."""
        del asked
        return None

    @property
    def facts(self) -> dict[str, Any]:
        """What was learnt, as plain JSON for the summary."""
        return {}

    def draw(self, asked: Asked) -> str | None:
        """Return the seed that breaks this row's ties; None where the order of the members does."""
        return f"{self.seed}|{asked.sample.id}|{asked.repeat}" if self.settings.ties == "random" else None


def combiner_of(cfg: EvalConfig) -> Combiner:
    """Return the combiner that the config asks for."""
    assert cfg.ensemble is not None
    if cfg.ensemble.combine == "stacking":
        return Stacking(cfg)
    return WeighedByAccuracy(cfg) if cfg.ensemble.weights == "accuracy" else Voting(cfg)


class Voting(Combiner):
    """Most votes win; each counts as much as its member's weight, or all alike."""

    def decide(self, asked: Asked) -> Count[str | float]:
        """Return the winner of the vote."""
        votes = asked.votes
        weights = self.weights_of(asked)
        power = None if weights is None else [weights[name] for name in votes]
        return count_votes(list(votes.values()), power, draw=self.draw(asked))

    def weights_of(self, asked: Asked) -> Mapping[str, float] | None:
        """Return the weight of each member on a row."""
        return self.settings.weights if isinstance(self.settings.weights, dict) else None

    @property
    def facts(self) -> dict[str, Any]:
        """The weights, where there are any."""
        return {"weights": dict(self.settings.weights)} if isinstance(self.settings.weights, dict) else {}


class WeighedByAccuracy(Voting):
    """Each member's vote weighs as much as its accuracy on the rows of the other folds.

    Accuracy is the share of right votes among those that the member cast on rows with a gold label; 0 where it cast
    none. A row that it did not answer, or on which it names nothing, says nothing of the votes that it does cast.
    """

    def learn(self, rows: Iterable[Row]) -> None:
        """Count in each fold how often each member is right."""
        import numpy as np

        teaching = Teaching(self.ballots, self.cluster)
        right = {name: array("b") for name in self.names}
        for row, (sample, answers) in enumerate(rows):
            if row % self.repeats == 0:
                gold = teaching.add(sample)
            votes = votes_of(self.ballots, sample, answers)
            for name in self.names:
                vote = None if isinstance(votes, Skipped) else votes.get(name)
                right[name].append(int(vote in gold) if gold and vote is not None else -1)
        self._folds = teaching.folds(self.settings.folds, self.seed)
        fold_of_row = np.repeat(self._folds, self.repeats)
        self._weights: list[dict[str, float]] = []
        for fold in range(self.settings.folds):
            others = {name: np.array(flags)[fold_of_row != fold] for name, flags in right.items()}
            self._weights.append({name: _share(flags) for name, flags in others.items()})

    def weights_of(self, asked: Asked) -> Mapping[str, float] | None:
        """Return what the rows of the other folds taught."""
        return self._weights[int(self._folds[asked.row // self.repeats])]

    @property
    def facts(self) -> dict[str, Any]:
        """The weights of each fold, and their means."""
        means = {name: sum(one[name] for one in self._weights) / len(self._weights) for name in self.names}
        return {"weights": means, "weights_by_fold": self._weights}


def _share(flags: Any) -> float:
    """Return the share of ones among zeros and ones, the others left out."""
    cast = int((flags >= 0).sum())
    return float((flags == 1).sum() / cast) if cast else 0.0


class Stacking(Combiner):
    """A logistic regression over the members' label scores, fitted on the rows of the other folds.

    A member's scores are the logarithms of its label probabilities, each at least `LEAST`, where it gives them on every
    row on which it names a label; else 1 for the label that it names and 0 for the others. Where it failed or names
    nothing, they are those of a member that knows nothing: the logarithm of one part in K, or 0.
    """

    def learn(self, rows: Iterable[Row]) -> None:
        """Gather the scores of every row, and predict each fold from the others."""
        import numpy as np

        teaching = Teaching(self.ballots, self.cluster)
        votes: dict[str, array[int]] = {name: array("i") for name in self.names}
        sure: dict[str, _Probabilities] = {name: _Probabilities() for name in self.names}
        codes: dict[Any, int] = {}
        for row, (sample, answers) in enumerate(rows):
            if row % self.repeats == 0:
                teaching.add(sample)
            named = votes_of(self.ballots, sample, answers)
            for name in self.names:
                vote = None if isinstance(named, Skipped) else named.get(name)
                votes[name].append(-1 if vote is None else codes.setdefault(vote, len(codes)))
                if vote is not None:
                    sure[name].add(row, self.ballots.probabilities(sample, answers[name]), codes)
        classes = list(teaching.classes)
        menu = [teaching.classes.get(label, -1) for label in codes]
        blocks = [
            sure[name].block(len(votes[name]), menu, len(classes))
            if sure[name].complete
            else one_hot(votes[name], menu, len(classes))
            for name in self.names
        ]
        self._classes = classes
        self._teaching = teaching
        self._features = {name: "log-probabilities" if sure[name].complete else "votes" for name in self.names}
        self._found: Stacked = stacked(
            np.concatenate(blocks, axis=1),
            np.repeat(teaching.labels(), self.repeats),
            np.repeat(teaching.folds(self.settings.folds, self.seed), self.repeats),
            classes=len(classes),
        )

    def decide(self, asked: Asked) -> Count[str | float]:
        """Return the label that the model of the other folds predicts, and its probability as the share."""
        code = int(self._found.labels[asked.row])
        label = self._classes[code]
        return Count(label, (label,), float(self._found.probabilities[asked.row, code]))

    def probabilities(self, asked: Asked) -> Mapping[str, float] | None:
        """Return what the model of the other folds gives each label."""
        found = self._found.probabilities[asked.row]
        return {str(label): float(probability) for label, probability in zip(self._classes, found, strict=True)}

    @property
    def facts(self) -> dict[str, Any]:
        """The labels with their rows, what each member's scores are, and folds whose fit did not settle."""
        rows = {str(label): self._teaching.rows[str(label)] for label in self._classes}
        return {"labels": rows, "features": self._features, "unsettled_folds": self._found.unsettled}


class _Probabilities:
    """The label probabilities that a member gives, as far as it gives them."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._codes = array("i")
        self._logs = array("d")
        self._whole = True

    @property
    def complete(self) -> bool:
        """Whether the member said something wherever it named a label."""
        return self._whole and bool(self._rows)

    def add(self, row: int, found: Mapping[str, float] | Skipped, codes: dict[Any, int]) -> None:
        """Keep what the member says on a row where it names a label; once it says nothing, keep no more."""
        if isinstance(found, Skipped):
            self._whole = False
            self._rows, self._codes, self._logs = array("q"), array("i"), array("d")
        if not self._whole or isinstance(found, Skipped):
            return
        for label, probability in found.items():
            self._rows.append(row)
            self._codes.append(codes.setdefault(label, len(codes)))
            self._logs.append(log(max(probability, LEAST)))

    def block(self, rows: int, menu: Sequence[int], classes: int) -> Any:
        """Return the scores, shape (rows, classes)."""
        import numpy as np

        block = np.full((rows, classes), log(LEAST))
        at = np.array(self._rows, dtype=np.int64)
        silent = np.ones(rows, dtype=bool)
        silent[at] = False
        block[silent] = log(1 / classes)
        places = np.array(menu, dtype=np.int64)[np.array(self._codes, dtype=np.int64)]
        known = places >= 0
        block[at[known], places[known]] = np.array(self._logs)[known]
        return block


def one_hot(votes: Sequence[int], menu: Sequence[int], classes: int) -> Any:
    """Return 1 for the label that a member names and 0 for the others, shape (rows, classes).

    Args:
        votes: For each row the code of what is named; -1 where nothing is.
        menu: For each code its column; -1 where it is none of the labels.
        classes: How many columns.
    """
    import numpy as np

    codes = np.array(votes, dtype=np.int64)
    places = np.where(codes >= 0, np.append(np.array(menu, dtype=np.int64), -1)[codes], -1)
    block = np.zeros((len(codes), classes))
    rows = np.flatnonzero(places >= 0)
    block[rows, places[rows]] = 1.0
    return block


def votes_of(ballots: Ballots, sample: Sample, answers: Mapping[str, Output]) -> dict[str, Vote] | Skipped:
    """Return what each member that answered names, or why that cannot be known on this row."""
    answered = {name: output for name, output in answers.items() if output.error is None}
    votes = ballots.votes(sample, list(answered.values()))
    return votes if isinstance(votes, Skipped) else dict(zip(answered, votes, strict=True))
