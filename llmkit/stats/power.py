"""How small a drop a comparison can see, and how many samples or repeats a wanted one needs.

A drop is given as a positive number in the metric's unit. All tests are two-sided at ``alpha``, which is divided by the
number of tests where several are made together (Holm's first step, the strictest).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, inf, sqrt
from typing import TYPE_CHECKING

from llmkit.stats.distributions import binomial_pmf, normal_cdf, normal_quantile, t_quantile

if TYPE_CHECKING:
    from llmkit.stats.paired import PairedResult

_EXACT_CHANGED = 40.0
"""Power is summed exactly where fewer pairs are expected to change, else it is the normal approximation."""

_MOST = 10**12
CURVE = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)
REPEATS = (1, 2, 3, 5, 10)


@dataclass(frozen=True, slots=True)
class Noise:
    """How much a sample's difference between two runs varies: what a pilot tells.

    Attributes:
        between: Variance of a sample's own difference, repeats averaged out (design effect of clusters included).
        within: Variance that repeats average out: of one repeat's difference, both runs' noise together.
        churn: For yes/no scores without repeats: the share of samples that change without the score changing. A drop
            comes on top of it.
    """

    between: float
    within: float = 0.0
    churn: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be a variance or a share."""
        if not (0 <= self.between < inf and 0 <= self.within < inf):
            raise ValueError("variances must be numbers of at least 0")
        if self.churn is not None and not 0 <= self.churn <= 1:
            raise ValueError(f"a share of changed samples must lie between 0 and 1, not {self.churn}")


def noise_of(result: PairedResult) -> Noise:
    """Return the noise of a comparison that was made: of two versions, or of one system asked twice.

    For yes/no scores the churn is 2 * min(gained, lost) / n, with half a pair added to either count.
    """
    if result.binary and result.up is not None and result.down is not None:
        return Noise(0.0, churn=min(1.0, (2 * min(result.up, result.down) + 1) / (result.n + 1)))
    if result.error is None:
        raise ValueError("a comparison without an interval says nothing about noise")
    total = result.error**2 * result.n
    if result.variance is None or not result.variance.within:
        return Noise(total)
    once = result.variance.within / result.variance.repeats
    return Noise(max(0.0, total - once), result.variance.within)


def noise_of_run(variance: float, *, correlation: float = 0.5, binary: bool = False) -> Noise:
    """Return a guess of the noise from one run alone: its scores' variance, and how alike two runs' scores will be.

    The variance of a difference is 2 * variance * (1 - correlation). A run compared with a rerun of itself, or with an
    older version, gives the noise without guessing.
    """
    if not -1 <= correlation <= 1:
        raise ValueError(f"a correlation lies between -1 and 1, not {correlation}")
    spread = 2 * variance * (1 - correlation)
    return Noise(0.0, churn=min(1.0, spread)) if binary else Noise(spread)


def connor_size(drop: float, discordance: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return the pairs that McNemar's test needs to see a drop of a share, given the share of pairs that change.

    n = (z_alpha/2 sqrt(psi) + z_power sqrt(psi - drop^2))^2 / drop^2. Source: Connor 1987, Biometrics 43:207-211.
    """
    if not 0 < drop <= discordance <= 1:
        raise ValueError(f"Connor's formula needs 0 < drop <= discordance <= 1, not {drop} and {discordance}")
    _check(alpha, power)
    root = normal_quantile(1 - alpha / 2) * sqrt(discordance)
    root += normal_quantile(power) * sqrt(discordance - drop * drop)
    return ceil(round((root / drop) ** 2, 9))


def mcnemar_power(n: int, drop: float, discordance: float, *, alpha: float = 0.05) -> float:
    """Return the chance that mid-p McNemar finds a drop of a share among ``n`` pairs, ``discordance`` of which change.

    Summed over all outcomes where few pairs change, else Connor's (1987) normal approximation.
    """
    if not 0 <= drop <= discordance <= 1:
        raise ValueError(f"a drop of {drop} needs a share of changed pairs between it and 1, not {discordance}")
    if discordance == 0:
        return 0.0
    if n * discordance > _EXACT_CHANGED:
        spread = sqrt(max(discordance - drop * drop, 1e-300))
        return normal_cdf((drop * sqrt(n) - normal_quantile(1 - alpha / 2) * sqrt(discordance)) / spread)
    most = min(n, int(n * discordance + 10 * sqrt(n * discordance) + 20))
    fewest = _critical(most, alpha)
    kept = (1 - drop / discordance) / 2  # the share of changes that are gains
    return sum(
        binomial_pmf(changed, n, discordance) * _at_most(fewest[changed], changed, kept)
        for changed in range(most + 1)
        if fewest[changed] >= 0
    )


@lru_cache(maxsize=64)
def _critical(most: int, alpha: float) -> tuple[int, ...]:
    """Return for each number of changed pairs the most gains at which the mid-p is within alpha; -1 for none."""
    critical = [-1] * (most + 1)
    for changed in range(1, most + 1):
        total, term = 0.0, 0.5**changed
        for gained in range(changed // 2 + 1):
            if 2 * total + term > alpha or 2 * gained == changed:
                break
            critical[changed] = gained
            total += term
            term *= (changed - gained) / (gained + 1)
    return tuple(critical)


def _at_most(k: int, n: int, p: float) -> float:
    if p <= 0:
        return 1.0
    term = (1 - p) ** n
    total = term
    for i in range(k):
        term *= (n - i) / (i + 1) * p / (1 - p)
        total += term
    return total


def smallest_drop(
    noise: Noise, n: int, *, repeats: float = 1, alpha: float = 0.05, power: float = 0.8, tests: int = 1
) -> float | None:
    """Return the smallest drop that ``n`` samples show with the given power; None where they can show none."""
    _check(alpha, power)
    alpha /= tests
    if n < 2 or 2 * 0.5**n > alpha * (1 if noise.churn is None else 2):  # noqa: PLR2004 - no spread of one
        return None
    if noise.churn is None:
        error = sqrt((noise.between + noise.within / repeats) / n)
        return (t_quantile(1 - alpha / 2, n - 1) + t_quantile(power, n - 1)) * error
    churn = noise.churn
    most = 1 - churn
    if _churn_power(n, most, churn, alpha) < power:
        return None
    low, high = 0.0, most
    while high - low > max(1e-6, 1e-3 * high):
        middle = (low + high) / 2
        low, high = (low, middle) if _churn_power(n, middle, churn, alpha) >= power else (middle, high)
    return high


def _churn_power(n: int, drop: float, churn: float, alpha: float) -> float:
    return mcnemar_power(n, drop, min(1.0, churn + drop), alpha=alpha)


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of an eval set for a wanted drop.

    Attributes:
        drop: The drop to be seen.
        power: The chance to see it.
        alpha: Two-sided, before it is divided among ``tests``.
        tests: Comparisons made together.
        samples: Samples needed with one repeat.
        by_repeats: For several numbers of repeats: (repeats, samples needed, outputs to ask for in each run).
        curve: For several numbers of samples: (samples, smallest drop seen with the same power, or None).
    """

    drop: float
    power: float
    alpha: float
    tests: int
    samples: int
    by_repeats: tuple[tuple[int, int, int], ...]
    curve: tuple[tuple[int, float | None], ...]


def plan_size(noise: Noise, drop: float, *, alpha: float = 0.05, power: float = 0.8, tests: int = 1) -> Plan:
    """Return how many samples a drop needs, what repeats would save, and what other sizes could see.

    Args:
        noise: From a pilot: `noise_of` a comparison, or `noise_of_run`.
        drop: The drop to be seen, > 0, in the metric's unit.
        alpha: Two-sided.
        power: The chance to see it.
        tests: How many metrics (and slices) are compared together.

    Repeats are weighed only where the pilot had some: noise that no repeat can be told from counts as the samples'.
    """
    _check(alpha, power)
    if not 0 < drop < inf:
        raise ValueError(f"the drop to be seen must be a positive number, not {drop}")
    options = REPEATS if noise.within else (1,)
    sizes = [_needed(noise, drop, repeats, alpha=alpha, power=power, tests=tests) for repeats in options]
    return Plan(
        drop=drop,
        power=power,
        alpha=alpha,
        tests=tests,
        samples=sizes[0],
        by_repeats=tuple((r, n, r * n) for r, n in zip(options, sizes, strict=True)),
        curve=tuple((n, smallest_drop(noise, n, alpha=alpha, power=power, tests=tests)) for n in CURVE),
    )


def _needed(noise: Noise, drop: float, repeats: int, *, alpha: float, power: float, tests: int) -> int:
    if noise.churn is not None and drop > 1 - noise.churn:
        raise ValueError(f"a share cannot drop by {drop} when {noise.churn:.3g} of the samples change both ways anyway")

    def seen(n: int) -> bool:
        found = smallest_drop(noise, n, repeats=repeats, alpha=alpha, power=power, tests=tests)
        return found is not None and found <= drop

    high = 2
    while not seen(high):
        high *= 2
        if high > _MOST:
            raise ValueError(f"a drop of {drop} is too small to be seen with any number of samples")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high


def _check(alpha: float, power: float) -> None:
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha and power lie between 0 and 1, not {alpha} and {power}")
