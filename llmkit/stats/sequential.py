"""Intervals that stay valid while samples come in, so that one may look after every sample and stop.

A confidence sequence holds the mean at all times at once with probability 1 - alpha; a fixed-size interval that is
looked at again and again does not. Here it is the hedged capital process of Waudby-Smith and Ramdas 2023 ("Estimating
means of bounded random variables by betting", JRSS B 86:1-27): for every possible mean two gamblers bet against it, one
that the scores lie above and one that they lie below, and a mean against which either has won 2 / alpha times the stake
is out. It needs no assumption about the scores but their range, and adapts to their variance.

Two questions, and the one must not be answered for the other:

- ``total=N``: the mean of *these* N samples, asked in random order. For gates on the value itself (``min``, ``max``):
  will the complete run's value cross the threshold? After all N samples it is known exactly.
- ``total=None``: the mean over samples like these. For verdicts about two systems: a run compared with a rerun of
  itself differs on these samples by chance, so only this one keeps its promise there.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmkit.stats.verdicts import Outcome

Floats = NDArray[np.float64]

_ROUNDING = 1e-9
_CHUNK = 1 << 20  # numbers held at a time, in each of a few arrays


class ConfidenceSequence:
    """The mean of bounded scores, as far as it is known after each of them.

    Args:
        low: The least score there can be.
        high: The greatest.
        total: How many samples there are to ask, in random order; None where the mean over all samples like them is
            wanted.
        alpha: The chance that the interval ever misses. Divide it among gates that are watched together
            (`split_alpha`).
        at: Values that the interval must be able to tell apart exactly: thresholds, margins.
        steps: How finely the interval is resolved: (high - low) / steps, always outwards.
        stake: No bet stakes more than this share of the capital, in (0, 1).

    Raises:
        ValueError: no finite range, no samples, no alpha.
    """

    def __init__(
        self,
        low: float,
        high: float,
        *,
        total: int | None = None,
        alpha: float = 0.05,
        at: Sequence[float] = (),
        steps: int = 1000,
        stake: float = 0.5,
    ) -> None:
        if not (isfinite(low) and isfinite(high) and low < high):
            raise ValueError(f"a confidence sequence needs scores with a finite range, not {low} to {high}")
        if total is not None and total < 1:
            raise ValueError(f"there must be at least one sample to ask, not {total}")
        if not (0 < alpha < 1 and 0 < stake < 1):
            raise ValueError(f"alpha and the stake lie between 0 and 1, not {alpha} and {stake}")
        self._low, self._span = low, high - low
        self._total, self._alpha, self._stake = total, alpha, stake
        inside = [(point - low) / self._span for point in at if low <= point <= high]
        self._means = np.unique(np.concatenate([np.linspace(0, 1, steps + 1), inside]))
        self._above = np.zeros(len(self._means))  # log capital of the bets that scores lie above each mean
        self._below = np.zeros(len(self._means))
        self._alive = np.ones(len(self._means), dtype=bool)
        self._count, self._sum, self._squares = 0, 0.0, 0.0
        self._interval = (0.0, 1.0)

    @property
    def n(self) -> int:
        """Scores seen."""
        return self._count

    @property
    def mean(self) -> float | None:
        """Their mean; None before the first."""
        return self._low + self._span * self._sum / self._count if self._count else None

    @property
    def interval(self) -> tuple[float, float]:
        """Where the mean lies, as far as is known."""
        low, high = self._interval
        return self._low + self._span * low, self._low + self._span * high

    def update(self, values: ArrayLike) -> tuple[float, float]:
        """Take the next scores, in the order in which they were asked; return the interval.

        Raises ValueError for scores that are not finite or out of range, and for more than there are samples.
        """
        scores = (np.atleast_1d(np.asarray(values, dtype=np.float64)) - self._low) / self._span
        if not ((scores >= -_ROUNDING) & (scores <= 1 + _ROUNDING)).all():
            raise ValueError(f"scores must lie between {self._low} and {self._low + self._span}")
        if self._total is not None and self._count + len(scores) > self._total:
            raise ValueError(f"there are {self._total} samples, and {self._count + len(scores)} scores")
        scores = np.clip(scores, 0.0, 1.0)
        step = max(1, _CHUNK // len(self._means))
        for start in range(0, len(scores), step):
            self._bet(scores[start : start + step])
        self._look()
        return self.interval

    def leave_out(self, count: int = 1) -> None:
        """Say that so many of the samples have no score: the mean is that of the others."""
        if self._total is not None:
            if self._total - count < max(1, self._count):
                raise ValueError(f"{count} samples cannot be left out: {self._count} of {self._total} have scores")
            self._total -= count

    def _bet(self, scores: Floats) -> None:
        seen = np.arange(self._count, self._count + len(scores))
        sums = self._sum + np.concatenate([[0.0], np.cumsum(scores)])
        bets = self._bets(scores, seen, sums)[:, None]
        means = self._means[None, :]
        if self._total is not None:  # what the mean of the samples still to come would have to be
            means = (self._total * means - sums[:-1, None]) / (self._total - seen)[:, None]
        possible = (means >= -_ROUNDING) & (means <= 1 + _ROUNDING)
        means = np.clip(means, 0.0, 1.0) + 0.0  # a mean of -0.0, left by an underflow, would turn the bet's limit round
        gaps = scores[:, None] - means
        with np.errstate(divide="ignore"):
            up = np.minimum(bets, self._stake / means)
            down = np.minimum(bets, self._stake / (1 - means))
        above = self._above + np.cumsum(np.log1p(up * gaps), axis=0)
        below = self._below + np.cumsum(np.log1p(-down * gaps), axis=0)
        edge = log(2 / self._alpha)
        self._alive &= possible.all(axis=0) & (above.max(axis=0) < edge) & (below.max(axis=0) < edge)
        self._above, self._below = above[-1], below[-1]
        self._count, self._sum = self._count + len(scores), float(sums[-1])

    def _bets(self, scores: Floats, seen: NDArray[np.int64], sums: Floats) -> Floats:
        """Return the bet on each score, made of the scores before it (the paper's predictable plug-in)."""
        after = seen + 1
        means = (0.5 + sums[1:]) / (after + 1)
        squares = self._squares + np.cumsum((scores - means) ** 2)
        variances = np.concatenate([[(0.25 + self._squares) / (self._count + 1)], (0.25 + squares) / (after + 1)])[:-1]
        self._squares = float(squares[-1])
        return np.asarray(np.sqrt(2 * log(2 / self._alpha) / (variances * after * np.log(after + 1.0))))

    def _look(self) -> None:
        low, high = self._interval
        alive = np.flatnonzero(self._alive)
        if len(alive):  # none is left with probability alpha at most: then the last interval stands
            low = max(low, float(self._means[max(0, alive[0] - 1)]))
            high = min(high, float(self._means[min(len(self._means) - 1, alive[-1] + 1)]))
        if self._total is not None:
            low = max(low, self._sum / self._total)
            high = min(high, (self._sum + self._total - self._count) / self._total)
            if self._count == self._total:
                low = high = self._sum / self._total
        if low <= high:
            self._interval = low, high


def split_alpha(alpha: float, gates: int) -> float:
    """Return the alpha of each of several gates that are watched together: their sum is alpha (Bonferroni)."""
    if gates < 1:
        raise ValueError(f"there must be at least one gate, not {gates}")
    return alpha / gates


def settle_drop(interval: tuple[float, float], *, margin: float = 0.0, higher_is_better: bool = True) -> Outcome | None:
    """Return the verdict on a difference (candidate - base) that an interval settles; None where more is needed.

    The words are those of `llmkit.stats.decide`; with a margin, REGRESSED waits until the drop is beyond it.
    """
    low, high = interval if higher_is_better else (-interval[1], -interval[0])
    if low > 0:
        return "improved"
    if margin and low >= -margin:
        return "pass"
    return "regressed" if high < -margin else None


def settle_value(
    interval: tuple[float, float], *, least: float | None = None, most: float | None = None
) -> bool | None:
    """Return whether a value is surely within ``least`` and ``most`` (True), surely not (False), or None."""
    low, high = interval
    floor, ceiling = -inf if least is None else least, inf if most is None else most
    if high < floor or low > ceiling:
        return False
    return True if low >= floor and high <= ceiling else None
