"""Two runs over the same samples: the difference of their means, its interval, p and size.

Pairing takes the difficulty of a sample out of the comparison, so it sees drops that two separate intervals hide.

- yes/no scores: mid-p McNemar and Tango's score interval;
- other scores: a sign-flip test, and Student's t or a BCa bootstrap of the differences (`llmkit.stats.means`);
- clustered: whole clusters are flipped, the interval is the cluster-robust t;
- repeats: averaged within a sample first; then nothing is yes/no any more.

The sign-flip test asks whether the runs could be swapped sample by sample (the same system, asked twice): it is exact
for that question at any size and shape. The interval is about the mean over samples like these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmkit.stats.curves import Curve, ScoreCurve, StudentCurve
from llmkit.stats.effects import cohen, mcnemar_p, odds_ratio
from llmkit.stats.intervals import SAME, average_repeats, dense_codes, wilson
from llmkit.stats.means import Interval, mean_curve
from llmkit.stats.resampling import EXACT, flip_p
from llmkit.stats.variance import Variance, variance_components
from llmkit.types import Estimate

Floats = NDArray[np.float64]

FEW = 10
"""With fewer differing samples than this, the interval allows for changes that were not seen."""


@dataclass(frozen=True, slots=True)
class PairedResult:
    """What a comparison of two runs found for one metric. Differences are candidate - base, in the metric's unit.

    Attributes:
        base: The base run's value.
        candidate: The candidate run's value.
        difference: With its interval at its level; ``method`` says how it was made, or why there is none.
        p: Two-sided, of "the two runs do not differ"; None where nothing can be tested (one sample).
        test: How p was made.
        n: Samples compared.
        up: Samples on which the candidate's score is higher; None for a value that is not made of samples' scores.
        down: Samples on which it is lower; None likewise.
        units: Independent units: samples, or clusters.
        error: Standard error of the difference; None where there is none.
        slack: What the interval allows on either side for changes that were not seen.
        least_p: The smallest p that so many units can give at all.
        binary: Whether every score was yes or no.
        effect: Cohen's d_z for means, the matched odds ratio (gained / lost) for yes/no; None where undefined.
        variance: Of a sample's difference, within (over repeats) and between samples; None without repeats.
        p_bootstrap: For corpus values: the p of the paired bootstrap, as sacreBLEU prints it.
        curve: One-sided p of every possible difference; None where there is no interval.
    """

    base: float
    candidate: float
    difference: Estimate
    p: float | None
    test: str
    n: int
    up: int | None
    down: int | None
    units: int
    error: float | None = None
    slack: float = 0.0
    least_p: float = 0.0
    binary: bool = False
    effect: Estimate | None = None
    variance: Variance | None = None
    p_bootstrap: float | None = None
    curve: Curve | None = field(default=None, repr=False, compare=False)


def paired_difference(
    base: ArrayLike,
    candidate: ArrayLike,
    *,
    binary: bool = False,
    samples: tuple[ArrayLike, ArrayLike] | None = None,
    clusters: ArrayLike | None = None,
    bounds: tuple[float, float] | None = None,
    level: float = 0.95,
    interval: Interval = "auto",
    resamples: int = 10_000,
    seed: int = 0,
) -> PairedResult:
    """Compare the means of two runs' scores over the same samples.

    Args:
        base: Shape (n,), finite, n >= 1.
        candidate: Shape (n,), row by row the same samples; with ``samples`` any length.
        binary: Whether every score is exactly 0 or 1.
        samples: With repeats: each row's sample code in either run, both runs having the same samples.
        clusters: Shape of ``base``: rows with one code are not independent of one another.
        bounds: The least and greatest score there can be, an infinity where there is none. (0, 1) where ``binary``.
        level: Of the interval.
        interval: ``auto`` chooses between ``t`` and ``bca`` by the rule of `llmkit.stats.means`.
        resamples: Random sign flips, and bootstrap resamples. Where very many comparisons are judged together, ask
            `llmkit.stats.resamples_for` how many.
        seed: Of both.

    Raises:
        ValueError: no rows, rows that do not match, a score that is not finite, a yes or no that is not 0 or 1.
    """
    first, second = _scores(base, "base"), _scores(candidate, "candidate")
    codes = None if clusters is None else np.asarray(clusters)
    if codes is not None and codes.shape != first.shape:
        raise ValueError(f"there are {len(first)} scores and {codes.size} cluster codes")
    if binary and not (_yes_no(first) and _yes_no(second)):
        raise ValueError("scores that are said to be yes or no must be 0 or 1")
    limits = (0.0, 1.0) if binary else bounds or (-inf, inf)
    limits = (min(limits[0], first.min(), second.min()), max(limits[1], first.max(), second.max()))
    variance = None
    if samples is not None:
        first, second, codes, variance, repeated = _without_repeats(first, second, codes, samples)
        binary = binary and not repeated
    if first.shape != second.shape:
        raise ValueError(f"the base has {len(first)} scores and the candidate {len(second)}: compare the same samples")
    plan = _Plan(level, interval, resamples, seed, limits[1] - limits[0])
    return _compare(first, second, plan, binary=binary, clusters=codes, variance=variance)


@dataclass(frozen=True, slots=True)
class _Plan:
    level: float
    interval: Interval
    resamples: int
    seed: int
    span: float


def _compare(
    first: Floats,
    second: Floats,
    plan: _Plan,
    *,
    binary: bool,
    clusters: NDArray[np.generic] | None,
    variance: Variance | None,
) -> PairedResult:
    changes = second - first
    scale = max(float(np.abs(first).max()), float(np.abs(second).max()))
    changes[np.abs(changes) <= SAME * scale] = 0.0
    n, value = len(changes), float(changes.mean())
    up, down = int((changes > 0).sum()), int((changes < 0).sum())
    found = _tested(changes, value, plan, binary=binary, clusters=clusters)
    low, high = (None, None) if found.curve is None else found.curve.interval(plan.level)
    return PairedResult(
        base=float(first.mean()),
        candidate=float(second.mean()),
        difference=Estimate(value, low, high, n, found.method, plan.level),
        p=found.p,
        test=found.test,
        n=n,
        up=up,
        down=down,
        units=found.units,
        error=found.error,
        slack=found.slack,
        least_p=_least_p(found.units, plan.resamples, exact=binary and clusters is None),
        binary=binary and clusters is None,
        effect=odds_ratio(up, down, n, plan.level) if binary else cohen(changes, value, n, plan.level),
        variance=variance,
        curve=found.curve,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    units: int
    curve: Curve | None
    error: float | None
    slack: float
    method: str
    p: float | None
    test: str


def _tested(
    changes: Floats, value: float, plan: _Plan, *, binary: bool, clusters: NDArray[np.generic] | None
) -> _Found:
    n = len(changes)
    dense, units = (None, n) if clusters is None else dense_codes(clusters)
    if units == 1:
        why = f"none: one {'sample' if n == 1 else 'cluster'}"
        return _Found(1, None, None, 0.0, why, None, why)
    if dense is not None:
        sums = np.asarray(np.bincount(dense, weights=changes, minlength=units), dtype=np.float64)
        p, test = flip_p(sums, resamples=plan.resamples, seed=plan.seed)
        return _Found(units, *_of_clusters(changes, value, dense, units, plan), p, f"{test}, by cluster")
    if binary:
        up, down = int((changes > 0).sum()), int((changes < 0).sum())
        error = sqrt(max(0.0, up + down - (up - down) ** 2 / n)) / n
        return _Found(n, ScoreCurve(up, down, n), error, 0.0, "tango", mcnemar_p(up, down), "mcnemar, mid-p")
    p, test = flip_p(changes, resamples=plan.resamples, seed=plan.seed)
    return _Found(n, *_of_rows(changes, value, plan), p, test)


def _of_rows(changes: Floats, value: float, plan: _Plan) -> tuple[Curve | None, float | None, float, str]:
    n, span = len(changes), plan.span
    residuals = changes - value
    error = sqrt(float(residuals @ residuals) / (n - 1) / n)
    if error <= SAME * float(np.abs(changes).max()):
        return _constant(value, n, span, plan.level)
    slack = slack_of(int(np.count_nonzero(changes)), n, span, plan.level)
    curve, method = mean_curve(
        changes, interval=plan.interval, slack=slack, bounds=(-span, span), resamples=plan.resamples, seed=plan.seed
    )
    return curve, error, slack, method + (f", {_FEW_DIFFER}" if slack else "")


def _of_clusters(
    changes: Floats, value: float, dense: NDArray[np.int64], count: int, plan: _Plan
) -> tuple[Curve | None, float | None, float, str]:
    n, span = len(changes), plan.span
    sums = np.bincount(dense, weights=changes - value, minlength=count)
    error = sqrt(count / (count - 1) * float(sums @ sums)) / n
    if error <= SAME * float(np.abs(changes).max()):
        return _constant(value, count, span, plan.level)
    changed = int(np.count_nonzero(np.bincount(dense, weights=changes != 0, minlength=count)))
    slack = slack_of(changed, count, span, plan.level)
    curve = StudentCurve(value, error, count - 1, slack, (-span, span))
    return curve, error, slack, f"t, {count} clusters" + (f", {_FEW_DIFFER}" if slack else "")


_FEW_DIFFER = "widened: few differ"


def slack_of(changed: int, units: int, span: float, level: float) -> float:
    """Return how far the mean may lie beyond its interval because of changes too rare to be seen.

    With ``changed`` < `FEW` of n units differing, the spread seen says little: a share of up to z^2 / (n + z^2), the
    upper end of Wilson's interval for none of n, may differ by as much as ``span``, the range of the score. (At 95 %
    that is the rule of three, a little wider.) 0 where enough differ, or where the score has no range.
    """
    if changed >= FEW or not isfinite(span):
        return 0.0
    return span * wilson(0, units, level)[1]


def _constant(value: float, units: int, span: float, level: float) -> tuple[Curve | None, float | None, float, str]:
    """All differences are equal: there is no spread to go by, only the range of the score."""
    if not isfinite(span):
        return None, 0.0, 0.0, "none: all differences are equal"
    slack = wilson(0, units, level)[1] * (span + abs(value))
    return StudentCurve(value, 0.0, units - 1, slack, (-span, span)), 0.0, slack, "range: all differences are equal"


def _least_p(units: int, resamples: int, *, exact: bool) -> float:
    if exact:
        return 0.5**units
    return min(1.0, 2 * 0.5**units) if units <= EXACT else 1 / (resamples + 1)


def _without_repeats(
    first: Floats, second: Floats, clusters: NDArray[np.generic] | None, samples: tuple[ArrayLike, ArrayLike]
) -> tuple[Floats, Floats, NDArray[np.generic] | None, Variance | None, bool]:
    of_first, of_second = (np.asarray(codes) for codes in samples)
    if of_first.shape != first.shape or of_second.shape != second.shape:
        raise ValueError("every score needs the code of its sample")
    if not np.array_equal(np.unique(of_first), np.unique(of_second)):
        raise ValueError("the two runs have not scored the same samples: compare the samples that both have")
    base, codes = average_repeats(first, of_first, clusters)
    candidate, _ = average_repeats(second, of_second)
    repeated = len(base) < max(len(first), len(second))
    return base, candidate, codes, _of_difference(first, second, of_first, of_second, candidate - base), repeated


def _of_difference(
    first: Floats, second: Floats, of_first: NDArray[np.generic], of_second: NDArray[np.generic], changes: Floats
) -> Variance | None:
    """Return the variance of one repeat's difference: within from both runs' repeats, between from what is left."""
    noises = [variance_components(values, codes) for values, codes in ((first, of_first), (second, of_second))]
    if any(noise is None for noise in noises) or len(changes) < 2:  # noqa: PLR2004 - no spread of one
        return None
    one, other = (noise for noise in noises if noise is not None)
    noise = one.within / one.repeats + other.within / other.repeats
    between = max(0.0, float(changes.var(ddof=1)) - noise)
    within = one.within + other.within
    repeats = within / noise if noise else min(one.repeats, other.repeats)
    return Variance(within, between, len(changes), repeats)


def _scores(values: ArrayLike, run: str) -> Floats:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"the {run} run's scores must be one column, not of shape {scores.shape}")
    if not len(scores):
        raise ValueError(f"the {run} run has no scores to compare")
    wrong = int(np.count_nonzero(~np.isfinite(scores)))
    if wrong:
        raise ValueError(
            f"{wrong} of the {run} run's {len(scores)} scores are not finite numbers: leave those samples out"
        )
    return scores


def _yes_no(scores: Floats) -> bool:
    return bool(((scores == 0) | (scores == 1)).all())
