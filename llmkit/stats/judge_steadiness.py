"""How much of the scale a judge uses, and whether it says the same when asked again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.agreement import RESAMPLES
from llmkit.stats.alpha import alpha_agreement
from llmkit.stats.bootstrap import check_resamples
from llmkit.stats.cells import Labels, coded, label_array
from llmkit.stats.draws import Draws
from llmkit.stats.intervals import mean_estimate
from llmkit.stats.matrix import MISSING, Ratings, alike, matches, rating_codes
from llmkit.stats.replicates import replicate
from llmkit.stats.statistic import Statistic
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True, slots=True)
class ScoreUse:
    """How the scores of one side spread over their scale.

    Attributes:
        n: How many scores.
        distinct: How many different ones.
        top: The one given most often (of several, the least).
        top_share: Its share.
        entropy: In bits: 0 where one score is given always, log2(labels) where all are given equally often.
        evenness: Entropy as a share of its most, log2 of the number of labels on the scale (without one, of those that
            occur); None for one label.
    """

    n: int
    distinct: int
    top: Any
    top_share: Estimate
    entropy: Estimate
    evenness: float | None


def score_use(
    scores: Labels,
    *,
    scale: Labels | None = None,
    clusters: Labels | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> ScoreUse:
    """Return how the scores clump. A judge whose entropy is far below people's tells fewer answers apart than they do.

    Source: Liu et al. (2023), EMNLP, "G-Eval", section 2.3, who met such clumps; the entropy is Shannon's.
    """
    import numpy as np

    check_resamples(resamples, level)
    labels = label_array(scores, "first")
    if not len(labels):
        raise ValueError("there are no scores")
    codes, frame = coded(labels, scale)
    groups = None if clusters is None else np.asarray(clusters)
    draws = Draws(codes, len(frame.labels), groups)
    counts = draws.counts
    top = int(counts.argmax())
    share = mean_estimate((codes == top).astype(float), binary=True, clusters=groups, level=level)
    entropy = replicate(_entropy, draws, resamples=resamples, seed=seed, level=level).estimate()
    assert entropy is not None
    most = float(np.log2(frame.categories)) if frame.categories > 1 else 0.0
    return ScoreUse(
        len(codes),
        int((counts > 0).sum()),
        frame.labels[top].item(),
        share,
        entropy,
        entropy.value / most if most else None,
    )


def _entropy(counts: Array) -> Array:
    import numpy as np

    shares = counts / counts.sum(axis=1, keepdims=True)
    logs = np.zeros_like(shares)
    np.log2(shares, out=logs, where=shares > 0)
    return np.asarray(-(shares * logs).sum(axis=1) + 0.0)


@dataclass(frozen=True, slots=True)
class Consistency:
    """What a judge says of the same sample when it is asked again.

    Attributes:
        samples: Samples with two answers or more.
        unanimous: Share of them whose repeats all agree.
        pairs: Mean over samples of the share of pairs of repeats that agree.
        deviation: Within-sample standard deviation, pooled over samples by degrees of freedom; only of numbers.
        alpha: Krippendorff's alpha across repeats: nominal of text, interval of numbers.
    """

    samples: int
    unanimous: Statistic
    pairs: Statistic
    deviation: Statistic
    alpha: Statistic


def self_consistency(
    repeats: Ratings,
    *,
    scale: Labels | None = None,
    clusters: Labels | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Consistency:
    """Return how far a judge agrees with itself over repeats of the same samples.

    Args:
        repeats: One row a sample, one column a repeat; None (or NaN) where there is no verdict.
        scale: All labels there are, lowest first.
        clusters: One code a sample: samples with one code are not independent.
        resamples: How many, for the deviation and alpha.
        seed: Of the resampling.
        level: Of the intervals.
    """
    import numpy as np

    check_resamples(resamples, level)
    codes, frame = rating_codes(repeats, scale)
    given = (codes != MISSING).sum(axis=1)
    kept = given > 1
    if not kept.any():
        none = Statistic(None, "no sample has two verdicts")
        return Consistency(0, none, none, none, none)
    groups = None if clusters is None else np.asarray(clusters)
    if groups is not None and groups.shape != given.shape:
        raise ValueError(f"there are {len(given)} samples and {len(groups)} cluster codes")
    kinds, rows = alike(np.sort(codes[kept], axis=1))
    size = (rows != MISSING).sum(axis=1)
    agree = matches(rows) / (size * (size - 1))
    inner = None if groups is None else groups[kept]
    alpha = alpha_agreement(
        repeats,
        measurement="nominal" if frame.values is None else "interval",
        scale=scale,
        clusters=clusters,
        resamples=resamples,
        seed=seed,
        level=level,
    )
    deviation = Statistic(None, "the labels are text without an order; give their scale")
    if frame.values is not None:
        draws = Draws(kinds, len(rows), inner)
        pooled = _deviation(rows, frame.values)
        made = replicate(pooled, draws, resamples=resamples, seed=seed, level=level)
        deviation = Statistic(made.estimate())
    return Consistency(
        int(kept.sum()),
        Statistic(mean_estimate((agree == 1)[kinds].astype(float), binary=True, clusters=inner, level=level)),
        Statistic(mean_estimate(agree[kinds], binary=False, clusters=inner, level=level, bounds=(0.0, 1.0))),
        deviation,
        alpha,
    )


def _deviation(rows: Array, values: Array) -> Callable[[Array], Array]:
    import numpy as np

    given = rows != MISSING
    numbers = np.where(given, values[rows], 0.0)
    size = given.sum(axis=1)
    middle = np.where(given, numbers - (numbers.sum(axis=1) / size)[:, None], 0.0)
    squares = (middle * middle).sum(axis=1)
    return lambda weights: np.sqrt(weights @ squares / (weights @ (size - 1.0)))
