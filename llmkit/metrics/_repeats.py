"""What metrics over the repeats of a sample share: the metric inside, who counts, and how much repeats vary."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean, variance
from typing import Any, ClassVar, TypeAlias

from llmkit import registry
from llmkit.errors import ConfigError, Problem
from llmkit.metrics._base import BaseMetric, MeanMetric
from llmkit.types import Output, Sample, Skipped, Table

Inner: TypeAlias = str | Mapping[str, Any]
"""Spec of the metric that scores each repeat."""

ScoredRepeat: TypeAlias = tuple[Output, float]
"""A repeat that has a score, with it."""


class OverRepeats(MeanMetric):
    """A metric with one score for all repeats of a sample."""

    over_repeats: ClassVar[bool] = True

    @property
    def min_repeats(self) -> int:
        """How often each row must be asked at least; a config that asks less often is refused."""
        return 2

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Raise TypeError: there is no score for one output."""
        raise TypeError(f"{type(self).__name__} scores all repeats of a sample together; call stats_over")

    def too_few(self, found: int) -> Skipped:
        """Return the reason for a sample with fewer answers than the metric needs."""
        return Skipped(f"repeats with a score: {found}, needed: {self.min_repeats}")


class OfMetric(OverRepeats):
    """A metric over the scores that another metric, ``of``, gives each repeat.

    Where that metric takes batches, repeats of several samples are scored together, after all answers are in. A repeat
    that failed has no score and is left out; `details` count it. The statistics of a sample are its score,
    then the number of repeats with a score, their mean, unbiased variance and range, and the repeats without a score.
    """

    of: Inner
    inner: BaseMetric
    inner_name: str
    batch: int

    @property
    def settings(self) -> dict[str, Any]:
        """The fields, with the signature of the metric inside."""
        inner = f"{self.inner_name}[{self.inner.signature.replace('|', ',')}]"
        return {name: inner if name == "of" else value for name, value in super().settings.items()}

    def build_inner(self) -> None:
        """Build the metric inside and take over what it needs, its unit, direction, bounds and batch.

        Raises:
            ConfigError: there is no such metric, its arguments are wrong, or it is over repeats itself.
        """
        try:
            built = registry.build("metrics", self.of)
        except ConfigError as error:
            problems = [_of(problem) for problem in error.problems or (Problem(str(error)),)]
            raise ConfigError(problems=problems) from None
        if getattr(built.plugin, "over_repeats", False):
            message = f"of: '{built.name}' is over repeats itself; name a metric that scores one answer"
            raise ConfigError(problems=[Problem(message)])
        for name, value in (("inner", built.plugin), ("inner_name", built.name)):
            object.__setattr__(self, name, value)
        for name in ("needs", "unit", "higher_is_better", "bounds"):
            object.__setattr__(self, name, getattr(built.plugin, name))
        object.__setattr__(self, "batch", getattr(built.plugin, "batch", 0))

    def of_scored(
        self, sample: Sample, outputs: Sequence[Output], scored: Sequence[ScoredRepeat]
    ) -> tuple[float, ...] | Skipped:
        """Return the statistics of a sample with repeats enough that have a score."""
        raise TypeError(f"{type(self).__name__} does not say what the scores of repeats give")

    def stats_over(self, sample: Sample, outputs: Sequence[Output]) -> tuple[float, ...] | Skipped:
        """Return the sample's score and the figures of its repeats; skipped with too few scored repeats."""
        return self.stats_over_many([(sample, outputs)])[0]

    def stats_over_many(
        self, groups: Sequence[tuple[Sample, Sequence[Output]]]
    ) -> Sequence[tuple[float, ...] | Skipped]:
        """Return the statistics of several samples, their repeats scored together."""
        answered = [[output for output in outputs if output.error is None] for _, outputs in groups]
        pairs = [(sample, output) for (sample, _), some in zip(groups, answered, strict=True) for output in some]
        many = getattr(self.inner, "stats_many", None)
        every = iter(many(pairs) if many else [self.inner.stats(*pair) for pair in pairs])
        found: list[tuple[float, ...] | Skipped] = []
        for (sample, outputs), some in zip(groups, answered, strict=True):
            scored = self._scored(some, [next(every) for _ in some])
            if not isinstance(scored, Skipped) and len(scored) < self.min_repeats:
                scored = self.too_few(len(scored))
            found.append(scored if isinstance(scored, Skipped) else self.of_scored(sample, outputs, scored))
        return found

    def _scored(
        self, outputs: Sequence[Output], every: Sequence[Sequence[float | str] | Skipped]
    ) -> list[ScoredRepeat] | Skipped:
        """Return the repeats that have a score, with it, or why none has one."""
        found: list[ScoredRepeat] = []
        reason = Skipped(f"{self.inner_name} gives no score to a single answer")
        for output, stats in zip(outputs, every, strict=True):
            if isinstance(stats, Skipped):
                reason = stats
                continue
            value = self.inner.sample_value(stats)
            if value is not None:
                found.append((output, value))
        return found or reason

    def statistics(self, score: float, values: Sequence[float], outputs: Sequence[Output]) -> tuple[float, ...]:
        """Return a sample's statistics: its score, and what `details` need."""
        spread = max(values) - min(values)
        varying = variance(values) if spread else 0.0
        return score, len(values), fmean(values), varying, spread, len(outputs) - len(values)

    def details(self, table: Table) -> dict[str, Any]:
        """Return how much repeats of one sample vary, and samples among themselves, as plain JSON."""
        found = {"of": self.inner_name, **spread_of(table)}
        return {"repeats": found, "tables": [as_table(f"Repeats, scored by {self.inner_name}", found)]}


def spread_of(table: Table) -> dict[str, Any]:
    """Return the figures of repeats from the columns that `OfMetric.statistics` made.

    ``within_variance`` is the mean variance of one sample's scores. ``between_variance`` is that of the samples' true
    means: the variance of their observed means, less what the repeats' own variance puts into it (one-way random
    effects; Miller 2024, arXiv 2411.00640), at least 0. ``flaky`` is the share of samples whose repeats do not all
    have the same score. A figure that too few samples give is None.
    """
    _, counts, means, variances, spreads, lost = ([float(item) for item in column] for column in table.columns[:6])
    several = [position for position, count in enumerate(counts) if count > 1]
    between = None
    if several and len(means) > 1:
        noise = fmean(variances[position] / counts[position] for position in several)
        between = max(variance(means) - noise, 0.0)
    return {
        "samples": len(counts),
        "scored": int(sum(counts)),
        "not_scored": int(sum(lost)),
        "mean": fmean(means),
        "flaky": fmean(spreads[position] > 0 for position in several) if several else None,
        "within_variance": fmean(variances[position] for position in several) if several else None,
        "between_variance": between,
    }


def as_table(title: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures as a table that reports show: a name and a value on each line."""
    rows = [[name.replace("_", " "), value] for name, value in figures.items()]
    return {"title": title, "columns": ["figure", "value"], "rows": rows}


@dataclass(frozen=True)
class PassK(OfMetric):
    """Whether k of a sample's answers pass.

    Attributes:
        k: How many answers are taken.
        of: Spec of the metric that says whether an answer passes, by a score of 1 (or see ``threshold``).
        threshold: An answer passes with this score or a better one; needed where the metric gives more than 0 and 1.
    """

    k: int = 1
    of: Inner = "exact_match"
    threshold: float | None = None

    def __post_init__(self) -> None:
        """Build the metric inside; refuse one whose scores do not say pass or fail."""
        self.build_inner()
        if self.k < 1:
            raise ConfigError(problems=[Problem(f"k is {self.k}: at least one answer is taken")])
        if self.threshold is None and not self.inner.binary:
            message = f"of: '{self.inner_name}' gives scores between fail and pass"
            raise ConfigError(problems=[Problem(message, hint="say with threshold which score passes")])
        if self.threshold is not None and self.inner.higher_is_better is None:
            message = f"of: '{self.inner_name}' has no better direction, so no threshold can be passed"
            raise ConfigError(problems=[Problem(message)])
        for name, value in (("unit", ""), ("higher_is_better", True), ("bounds", (0.0, 1.0))):
            object.__setattr__(self, name, value)

    @property
    def min_repeats(self) -> int:
        """``k``: of fewer answers nothing is known about k."""
        return self.k

    def share(self, n: int, c: int, k: int) -> float:
        """Return the share of the choices of ``k`` out of ``n`` answers, ``c`` of which pass, that count."""
        raise TypeError(f"{type(self).__name__} does not say which choices count")

    def of_scored(
        self, sample: Sample, outputs: Sequence[Output], scored: Sequence[ScoredRepeat]
    ) -> tuple[float, ...] | Skipped:
        """Return the sample's score and the figures of its repeats."""
        passed = [float(self._passes(value)) for _, value in scored]
        return self.statistics(self.share(len(passed), int(sum(passed)), self.k), passed, outputs)

    def _passes(self, value: float) -> bool:
        if self.threshold is None:
            return value == (1.0 if self.inner.higher_is_better is not False else 0.0)
        return value <= self.threshold if self.inner.higher_is_better is False else value >= self.threshold

    def details(self, table: Table) -> dict[str, Any]:
        """Return the spread of repeats, and the score for every smaller k."""
        counts = [(int(n), round(n * mean)) for n, mean in zip(table.columns[1], table.columns[2], strict=True)]
        by_k = {str(k): fmean(self.share(n, c, k) for n, c in counts) for k in range(1, self.k + 1)}
        found = super().details(table)
        rows = [[k, value] for k, value in by_k.items()]
        curve = {"title": "By number of answers", "columns": ["k", "score"], "rows": rows}
        return {**found, "by_k": by_k, "tables": [*found["tables"], curve]}


def none_of(n: int, c: int, k: int) -> float:
    """Return the share of choices of ``k`` out of ``n`` answers in which none of ``c`` marked ones is."""
    return comb(n - c, k) / comb(n, k)


def _of(problem: Problem) -> Problem:
    place = f"of: {problem.key}: " if problem.key else "of: "
    return dataclasses.replace(problem, key="", message=place + problem.message)
