"""Platt scaling: confidences made right by a logistic curve through their log-odds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from llmkit.metrics._classes import Floats

_CLIP = 1e-12
_RIDGE = 1e-10
_STEPS = 100
_HALVINGS = 40
_ROUNDING = 1e-13
_CLOSE = 1e-11


class Platt(NamedTuple):
    """The curve 1 / (1 + exp(-(slope * log-odds + intercept)))."""

    slope: float
    intercept: float


def fit(sure: Floats, right: Floats, weights: Floats) -> Platt | None:
    """Return the curve of greatest likelihood; None where there is none.

    There is none where all rows are right, or all wrong, or where a confidence parts right from wrong: the steeper the
    curve, the better it fits. Newton's method with steps halved until the loss falls. Equal to scikit-learn's
    ``LogisticRegression(C=1e10)`` on log-odds clipped at 1e-12 (what HELM has), run to convergence.

    Args:
        sure: Confidences, shape (n,).
        right: 1 or 0 for each, shape (n,).
        weights: How often each row counts, shape (n,).
    """
    import numpy as np

    drawn = weights > 0
    odds, gold, weight = log_odds(sure[drawn]), right[drawn], weights[drawn]
    if not 0 < float(weight @ gold) < float(weight.sum()):
        return None
    share = float(weight @ gold / weight.sum())
    level = float(np.log(share / (1 - share)))
    of_right, of_wrong = odds[gold > 0], odds[gold == 0]
    if odds.min() == odds.max():
        return Platt(0.0, level)
    if of_right.min() >= of_wrong.max() or of_wrong.min() >= of_right.max():
        return None
    return _newton(odds, gold, weight, level)


def log_odds(sure: Floats) -> Floats:
    """Return ln(p / (1 - p)) of confidences clipped to [1e-12, 1 - 1e-12]."""
    import numpy as np

    clipped = np.clip(sure, _CLIP, 1 - _CLIP)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds


def scaled(sure: Floats, curve: Platt) -> Floats:
    """Return the confidences that a curve makes of others."""
    import numpy as np

    made: Floats = 1 / (1 + np.exp(-(curve.slope * log_odds(sure) + curve.intercept)))
    return made


def _newton(odds: Floats, gold: Floats, weight: Floats, level: float) -> Platt:
    import numpy as np

    def loss(at: Floats) -> float:
        line = at[0] * odds + at[1]
        return float(weight @ (np.logaddexp(0.0, line) - gold * line)) + _RIDGE / 2 * float(at[0] ** 2)

    place = np.array([0.0, level])
    now = loss(place)
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(place[0] * odds + place[1], -700, 700)))
        off, curved = weight * (chance - gold), weight * chance * (1 - chance)
        slope = np.array([off @ odds + _RIDGE * place[0], off.sum()])
        cross = curved @ odds
        bend = np.array([[curved @ odds**2 + _RIDGE, cross], [cross, curved.sum()]])
        step = np.linalg.solve(bend, slope)
        for _ in range(_HALVINGS):
            tried = loss(place - step)
            if tried <= now + _ROUNDING * abs(now):
                break
            step = step / 2
        else:
            break
        place, now = place - step, tried
        if np.abs(step).max() <= _CLOSE * max(1.0, float(np.abs(place).max())):
            break
    return Platt(float(place[0]), float(place[1]))
