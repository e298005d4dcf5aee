"""Length-controlled win rate: what the win rate would be if both answers were equally long.

A logistic regression of the preference on the difference in length (and, where given, on how hard each instruction is)
is fitted, and predicts every row at no difference. Source: Dubois, Galambosi, Liang and Hashimoto (2024), "Length-
controlled AlpacaEval", arXiv 2404.04475; program tatsu-lab/alpaca_eval, metrics/glm_winrate.py.

As there: the feature is tanh((base length - candidate length) / their standard deviation); soft preferences count as a
row of each kind; no coefficient is free of the L1 penalty, whose strength is chosen by five-fold cross-validation over
ten values from 1e-4 to 1e4. Not as there: no "gamed" models of theirs regularise the fit, and instruction difficulties,
which exist for their 805 instructions only, are the caller's. And the interval is a bootstrap that fits anew each time,
where theirs takes the fit for certain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.bootstrap import _percentiles, check_resamples, drawn_counts
from llmkit.stats.intervals import dense_codes
from llmkit.stats.preferences import WinRate, checked_preferences, win_rate
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

FOLDS = 5
FEWEST_ROWS = 20
STRENGTHS = tuple(10.0 ** (-4 + 8 * i / 9) for i in range(10))
"""Inverse penalties, weakest fit first; a larger one trusts the data more."""

_NOTHING_LEFT = (
    "cross-validation finds neither a better system nor an effect of length in so few or so even rows, and the fit "
    "would say 50% whatever they are"
)
_NEWTON_STEPS = 100
_CYCLES = 50


@dataclass(frozen=True, slots=True)
class LengthControlled:
    """A length-controlled win rate beside the raw one.

    Attributes:
        win_rate: Length-controlled, 0 to 1, with its bootstrap interval; None where ``reason`` says why there is none.
        raw: As it was judged.
        coefficients: Of ``length`` (negative: the judge prefers longer answers), ``difficulty`` and ``constant``.
        strength: The inverse penalty that cross-validation chose.
        warning: Set where the two differ by more than 10 points and more than a quarter of the room there was.
        reason: Why there is no length-controlled win rate.
    """

    win_rate: Estimate | None
    raw: WinRate
    coefficients: Mapping[str, float] = field(default_factory=dict)
    strength: float | None = None
    warning: str = ""
    reason: str = ""


def length_controlled_win_rate(
    preferences: Array,
    base_lengths: Array,
    candidate_lengths: Array,
    *,
    difficulty: Array | None = None,
    clusters: Array | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> LengthControlled:
    """Return the length-controlled win rate of a candidate over a base, 0 to 1.

    Every resample draws rows (or clusters) anew, standardises lengths, fits at the chosen penalty and predicts.

    Args:
        preferences: Shape (n,), in [0, 1]: 1 the candidate wins.
        base_lengths: Shape (n,): of the base's answers, in characters (or any one unit).
        candidate_lengths: Shape (n,), likewise.
        difficulty: Shape (n,): how hard each instruction is for the base, on a scale of logits; None leaves it out.
        clusters: Shape (n,): rows with one code are drawn together.
        resamples: How many; at least 2 / (1 - level).
        seed: Of the resampling.
        level: Of the interval.

    Raises ValueError where a number is not finite, lengths differ, a preference lies outside [0, 1], or there are too
    few resamples.
    """
    import numpy as np

    check_resamples(resamples, level)
    y = checked_preferences(preferences)
    raw = win_rate(y, clusters=clusters, level=level)
    longer = _longer(y, base_lengths, candidate_lengths)
    hard = None if difficulty is None else _column(difficulty, len(y), "difficulties")
    if len(y) < FEWEST_ROWS:
        return LengthControlled(None, raw, reason=f"{len(y)} rows are too few to fit; {FEWEST_ROWS} are needed")
    if float(np.ptp(longer)) == 0:
        reason = "the difference in length is the same in every row, so its effect cannot be told apart"
        return LengthControlled(None, raw, reason=reason)
    ones = np.ones((1, len(y)))
    features = _features(longer, hard, ones)
    codes, count = (None, len(y)) if clusters is None else dense_codes(np.asarray(clusters))
    strength = _chosen(features, y, np.arange(len(y)) if codes is None else codes)
    weights = _fitted(features, y, ones, strength)
    if not weights.any():
        return LengthControlled(None, raw, strength=strength, reason=_NOTHING_LEFT)
    point = float(_predicted(weights, hard, ones)[0])
    values = []
    for counts in drawn_counts(count, resamples, np.random.default_rng(seed), width=len(y)):
        drawn = counts if codes is None else counts[:, codes]
        fit = _fitted(_features(longer, hard, drawn), y, drawn, strength, start=weights)
        values.append(_predicted(fit, hard, drawn))
    unit = "rows" if codes is None else "clusters"
    estimate = _percentiles(point, np.concatenate(values), len(y), unit, level)
    names = ("length", "constant") if hard is None else ("length", "difficulty", "constant")
    coefficients = dict(zip(names, weights[0].tolist(), strict=True))
    return LengthControlled(estimate, raw, coefficients, strength, _warning(raw.win_rate.value, point))


def _longer(y: Array, base: Array, candidate: Array) -> Array:
    """Return by how much each base answer is longer."""
    return _column(base, len(y), "base lengths") - _column(candidate, len(y), "candidate lengths")


def _column(values: Array, n: int, name: str) -> Array:
    import numpy as np

    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) != n:
        raise ValueError(f"there are {n} preferences and {len(numbers)} {name}")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be finite numbers")
    return numbers


def _warning(raw: float, controlled: float) -> str:
    """Return AlpacaEval's warning (`get_is_extreme_changes`): beyond 10 points and a quarter of the room."""
    if min(0.75 * raw, raw - 0.1) <= controlled <= max(raw + 0.25 * (1 - raw), raw + 0.1):
        return ""
    return (
        f"the length-controlled win rate, {controlled:.1%}, is far from the raw one, {raw:.1%}: "
        "check that wins do not all go with length before you trust it"
    )


def _features(longer: Array, hard: Array | None, counts: Array) -> list[Array]:
    """Return the columns of the design, each of shape (m, n) or (1, n), for m resamples that drew rows so often."""
    import numpy as np

    n = counts.sum(axis=1, keepdims=True)
    mean = counts @ longer[:, None] / n
    square = counts @ (longer**2)[:, None] / n - mean**2
    spread = np.sqrt(np.maximum(square, 0.0) * n / np.maximum(1, n - 1))
    scaled = np.divide(longer[None, :], spread, out=np.zeros(counts.shape), where=spread > 0)
    columns = [np.tanh(scaled)]
    if hard is not None:
        columns.append(hard[None, :])
    return [*columns, np.ones((1, counts.shape[1]))]


def _predicted(weights: Array, hard: Array | None, counts: Array) -> Array:
    """Return the mean chance of winning at no difference in length, for each of m fits."""
    import numpy as np

    if hard is None:
        return np.asarray(1 / (1 + np.exp(-weights[:, -1])))
    chance = 1 / (1 + np.exp(-(weights[:, 1:2] * hard[None, :] + weights[:, -1:])))
    return np.asarray((counts * chance).sum(axis=1) / counts.sum(axis=1))


def _chosen(features: list[Array], y: Array, codes: Array) -> float:
    """Return the strength with the least mean log loss over folds; cluster i is tested in fold i mod `FOLDS`."""
    import numpy as np

    fold = codes % FOLDS
    train = np.stack([(fold != left).astype(np.float64) for left in range(FOLDS)])
    losses, weights = [], None
    for strength in STRENGTHS:
        weights = _fitted(features, y, train, strength, start=weights)
        margin = _margin(features, weights)
        loss = (1 - train) * (np.logaddexp(0, margin) - y * margin)
        losses.append(float((loss.sum(axis=1) / (1 - train).sum(axis=1)).mean()))
    return float(STRENGTHS[int(np.argmin(losses))])


def _margin(features: list[Array], weights: Array) -> Array:
    margin = weights[:, :1] * features[0]
    for k in range(1, len(features)):
        margin = margin + weights[:, k : k + 1] * features[k]
    return margin


def _fitted(features: list[Array], y: Array, counts: Array, strength: float, start: Array | None = None) -> Array:
    """Return m fits of shape (m, columns): the least |w| + strength * sum of counts * log loss.

    By proximal Newton steps: each minimises the quadratic model plus the penalty by coordinate descent, and is halved
    until the true objective does not rise. All m are fitted side by side.
    """
    import numpy as np

    m, k = len(counts), len(features)
    weights = np.zeros((m, k)) if start is None else np.broadcast_to(start, (m, k)).copy()
    value, margin = _objective(features, y, counts, strength, weights)
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-margin))
        error, curve = counts * (chance - y), counts * chance * (1 - chance)
        slope = strength * np.stack([(error * x).sum(axis=1) for x in features], axis=1)
        bend = np.empty((m, k, k))
        for i in range(k):
            part = curve * features[i]
            for j in range(i, k):
                bend[:, i, j] = bend[:, j, i] = strength * (part * features[j]).sum(axis=1)
        step = _penalised(slope, bend, weights) - weights
        share = np.ones(m)
        while True:
            tried, try_margin = _objective(features, y, counts, strength, weights + share[:, None] * step)
            worse = tried > value + 1e-12 * np.abs(value)
            if not worse.any():
                break
            share = np.where(worse, np.where(share > 1e-6, share / 2, 0.0), share)  # noqa: PLR2004 - no step left
        weights, value, margin = weights + share[:, None] * step, tried, try_margin
        if float(np.abs(share[:, None] * step).max()) < 1e-9:  # noqa: PLR2004 - far below any spread of win rates
            break
    return weights


def _objective(features: list[Array], y: Array, counts: Array, strength: float, weights: Array) -> tuple[Array, Array]:
    import numpy as np

    margin = _margin(features, weights)
    loss = (counts * (np.logaddexp(0, margin) - y * margin)).sum(axis=1)
    return np.abs(weights).sum(axis=1) + strength * loss, margin


def _penalised(slope: Array, bend: Array, at: Array) -> Array:
    """Return the z with the least slope (z - at) + (z - at) bend (z - at) / 2 + |z|, for each of m."""
    import numpy as np

    z = at.copy()
    for _ in range(_CYCLES):
        before = z.copy()
        for i in range(z.shape[1]):
            stiff = bend[:, i, i] + 1e-12
            pull = slope[:, i] + np.einsum("mk,mk->m", bend[:, i, :], z - at) - bend[:, i, i] * (z[:, i] - at[:, i])
            wished = at[:, i] - pull / stiff
            z[:, i] = np.sign(wished) * np.maximum(0.0, np.abs(wished) - 1 / stiff)
        if float(np.abs(z - before).max()) < 1e-13:  # noqa: PLR2004 - rounding
            break
    return z
