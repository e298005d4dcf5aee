"""Do 95 % intervals hold the truth 93 to 97 times of 100? Simulation, with fixed seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import asin, pi

import numpy as np
import pytest

from llmkit.stats import Statistic, alpha_agreement, by_system, ceiling, feature_effects, pooled
from llmkit.stats.cells import coded
from llmkit.stats.coefficients import COEFFICIENTS, Tables

pytestmark = pytest.mark.slow

NAMES = ("accuracy", "kappa", "kappa_quadratic", "ac1", "ac2_linear", "alpha_nominal", "alpha_ordinal")
RANKS = ("pearson", "spearman", "kendall")
Found = dict[str, Statistic]


def covered(draws: Iterator[tuple[Found, dict[str, float]]]) -> dict[str, float]:
    """Return the share of intervals that hold the truth, in percent."""
    hits: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    for found, truth in draws:
        for name, value in truth.items():
            estimate = found[name].estimate
            assert estimate is not None
            assert estimate.low is not None
            assert estimate.high is not None
            tried[name] += 1
            hits[name] += estimate.low <= value <= estimate.high
    return {name: 100 * hits[name] / tried[name] for name in tried}


def table(labels: int, sharpness: float, shares: list[float] | None = None) -> np.ndarray:
    """Return the probabilities of a judge's and a human label, near labels being confused most."""
    margin = np.full(labels, 1 / labels) if shares is None else np.array(shares)
    places = np.arange(labels)
    found = np.exp(-sharpness * np.abs(places[:, None] - places)) * np.sqrt(np.outer(margin, margin))
    return np.asarray(found / found.sum())


def truth_of(probabilities: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    labels = len(probabilities)
    _, frame = coded(np.arange(labels), None)
    cells = frame.cells(*np.divmod(np.arange(labels**2), labels))
    return {name: float(COEFFICIENTS[name](Tables(cells, probabilities.reshape(1, -1) * 1e9))[0]) for name in names}


@pytest.mark.parametrize(
    ("probabilities", "n", "names"),
    [
        (table(2, 1.5), 100, NAMES[:2] + NAMES[3:4]),
        (table(2, 2.5, [0.8, 0.2]), 200, NAMES[:2] + NAMES[3:4]),
        (table(3, 1.0), 80, NAMES + RANKS),
        (table(5, 1.2), 250, NAMES + RANKS),
        (table(5, 0.3), 60, NAMES + RANKS),
    ],
    ids=["yes and no", "rare yes", "three labels", "five labels", "a poor judge"],
)
def test_pooled_intervals_of_labels(probabilities: np.ndarray, n: int, names: tuple[str, ...]) -> None:
    rng = np.random.default_rng(11)
    truth = truth_of(probabilities, names)
    labels = len(probabilities)
    scale = list(range(labels))

    def draws() -> Iterator[tuple[Found, dict[str, float]]]:
        for seed in range(1500):
            judge, human = np.divmod(rng.choice(labels**2, n, p=probabilities.ravel()), labels)
            yield pooled(judge, human, statistics=names, scale=scale, resamples=499, seed=seed), truth

    for name, share in covered(draws()).items():
        assert 93 <= share <= 97, (name, share)


@pytest.mark.parametrize("way", ["bootstrap", "jackknife"])
@pytest.mark.parametrize("correlation", [0.3, 0.8])
def test_intervals_of_scores_without_steps(correlation: float, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 120
    if way == "jackknife":
        n = 500
        monkeypatch.setattr("llmkit.stats.draws.MANY_DIFFERENT", 300)
    rng = np.random.default_rng(12)
    truth = {
        "pearson": correlation,
        "spearman": 6 / pi * asin(correlation / 2),
        "kendall": 2 / pi * asin(correlation),
    }

    def draws() -> Iterator[tuple[Found, dict[str, float]]]:
        for seed in range(600):
            judge, human = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], n).T
            yield pooled(judge, human, statistics=RANKS, resamples=499, seed=seed), truth

    for name, share in covered(draws()).items():
        assert 93 <= share <= 97, (name, share)


def clusters_of(rng: np.random.Generator, clusters: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels of a judge that errs by whole clusters: a shared latent quality and a shared latent error."""
    of = np.repeat(np.arange(clusters), size)
    quality = rng.normal(size=clusters)[of] + rng.normal(size=clusters * size)
    error = rng.normal(size=clusters)[of] + rng.normal(size=clusters * size)
    judge = np.clip(np.round(1.5 + 0.7 * quality + 0.4 * error), 0, 3)
    return judge, np.clip(np.round(1.5 + 0.8 * quality), 0, 3), of


def test_clustered_intervals_and_not_the_plain_ones() -> None:
    rng = np.random.default_rng(13)
    names = ("accuracy", "kappa", "kappa_quadratic", "spearman", "mean_difference")
    judge, human, _ = clusters_of(rng, 40_000, 5)
    whole = pooled(judge, human, statistics=names, resamples=40)
    truth = {name: found.estimate.value for name, found in whole.items() if found.estimate is not None}
    samples = [clusters_of(rng, 60, 5) for _ in range(800)]
    right = covered(
        (pooled(j, h, statistics=names, clusters=of, resamples=499, seed=i), truth)
        for i, (j, h, of) in enumerate(samples)
    )
    wrong = covered(
        (pooled(j, h, statistics=names, resamples=499, seed=i), truth) for i, (j, h, _) in enumerate(samples)
    )
    for name, share in right.items():
        assert 93 <= share <= 97, (name, share)
    assert wrong["mean_difference"] < 90


def people(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.integers(0, 3, (n, 1))
    table = np.where(rng.random((n, 3)) < 0.7, truth, rng.integers(0, 3, (n, 3))).astype(float)
    table[rng.random((n, 3)) < 0.15] = np.nan
    return table, np.where(rng.random(n) < 0.6, truth[:, 0], rng.integers(0, 3, n)).astype(float)


def test_alpha_of_several_raters() -> None:
    rng = np.random.default_rng(14)
    big, _ = people(rng, 200_000)
    estimates = {
        level: alpha_agreement(big, measurement=level, resamples=40).estimate for level in ("nominal", "ordinal")
    }
    truth = {level: estimate.value for level, estimate in estimates.items() if estimate is not None}

    def draws() -> Iterator[tuple[Found, dict[str, float]]]:
        for seed in range(800):
            small, _ = people(rng, 80)
            found = {
                level: alpha_agreement(small, measurement=level, resamples=799, seed=seed)  # type: ignore[arg-type]
                for level in truth
            }
            yield found, truth

    for name, share in covered(draws()).items():
        assert 93 <= share <= 97, (name, share)


def test_the_ceiling_and_the_judges_distance_from_it() -> None:
    rng = np.random.default_rng(15)
    whole = ceiling(*people(rng, 200_000), resamples=40)
    truth = {
        f"{side} {name}": found.estimate.value
        for side in ("human", "judge", "difference")
        for name, found in getattr(whole, side).items()
    }

    def draws() -> Iterator[tuple[Found, dict[str, float]]]:
        for seed in range(600):
            found = ceiling(*people(rng, 100), resamples=599, seed=seed)
            sides = {
                f"{side} {name}": one
                for side in ("human", "judge", "difference")
                for name, one in getattr(found, side).items()
            }
            yield sides, truth

    for name, share in covered(draws()).items():
        assert 93 <= share <= 97, (name, share)


def test_correlation_of_systems_over_rows_and_systems() -> None:
    rng = np.random.default_rng(16)
    of, documents = np.repeat(np.arange(20), 40), np.tile(np.arange(40), 20)

    def draws() -> Iterator[tuple[Found, dict[str, float]]]:
        for seed in range(600):
            quality = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 20)
            hard = rng.normal(size=40)[documents]
            judge, human = (quality[of, side] + hard + 0.5 * rng.normal(size=800) for side in (0, 1))
            yield by_system(judge, human, of, clusters=documents, resamples=499, seed=seed), {"pearson": 0.7}

    share = covered(draws())["pearson"]
    assert 91 <= share <= 98, share


def test_effects_of_features() -> None:
    rng = np.random.default_rng(17)

    def draws() -> Iterator[tuple[Found, dict[str, float]]]:
        for _ in range(2000):
            length, quality = rng.normal(size=60), rng.normal(size=60)
            judge = quality + 0.3 * length + rng.normal(size=60) * np.exp(length / 2)
            effect = feature_effects(judge, quality, {"length": length})["length"]
            yield {"given": effect.given_human}, {"given": 0.3 * float(length.std(ddof=1))}

    assert 93 <= covered(draws())["given"] <= 97
