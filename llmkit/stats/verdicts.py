"""From a comparison to a verdict a pipeline can act on.

With d the difference in the metric's better direction, and a margin >= 0 of drop that is put up with:

- IMPROVED: the interval lies above 0, and so says the adjusted p;
- PASS: the drop is smaller than the margin: the interval lies above -margin, and the adjusted one-sided p of "the drop
  is the margin or more" is within half of alpha. Also where no sample changed at all;
- REGRESSED: the interval lies below 0, so says the adjusted p, and the interval does not lie above -margin;
- INCONCLUSIVE: anything else, with what could have been seen and what would settle it.

Tests that are made together are adjusted together, once for differences and once for drops beyond the margin (Holm by
default): in at most alpha of comparisons of a system with itself is any metric called REGRESSED or IMPROVED. The
intervals themselves are not adjusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Literal

from llmkit.stats.distributions import normal_quantile, t_quantile
from llmkit.stats.intervals import wilson
from llmkit.stats.multiplicity import Adjustment, adjust
from llmkit.stats.paired import PairedResult
from llmkit.stats.power import Noise, noise_of, smallest_drop
from llmkit.stats.resampling import EXACT

Outcome = Literal["improved", "pass", "regressed", "inconclusive"]

SURE = 0.95
"""The power of `Decision.mde_sure`."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One comparison to be judged.

    Attributes:
        result: What was found.
        higher_is_better: The metric's better direction.
        margin: The drop that is put up with, >= 0, in the metric's unit.
    """

    result: PairedResult
    higher_is_better: bool = True
    margin: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a margin that is none."""
        if self.margin < 0 or not isfinite(self.margin):
            raise ValueError(f"a margin must be a number of at least 0, not {self.margin}")


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and what stands behind it. Drops are positive numbers in the metric's unit.

    Attributes:
        verdict: improved, pass, regressed or inconclusive.
        note: One or two plain sentences; empty where the verdict says all.
        p: Two-sided, adjusted for the comparisons made together; None where nothing could be tested.
        p_margin: One-sided, of "the drop is the margin or more", adjusted likewise; None where there is no interval.
        mde: The smallest drop that would be called REGRESSED with the asked power; None where none would.
        mde_sure: The same with 95 % power.
        needed_samples: Samples like these that would settle it, should the difference stay as it is; None where settled
            or where no number would.
        needed_repeats: Repeats of the same samples in each run that would; None likewise, and without repeats to go by.
    """

    verdict: Outcome
    note: str
    p: float | None
    p_margin: float | None
    mde: float | None
    mde_sure: float | None
    needed_samples: int | None = None
    needed_repeats: int | None = None


def decide(result: PairedResult, *, higher_is_better: bool = True, margin: float = 0.0, power: float = 0.8) -> Decision:
    """Judge one comparison that stands alone. See `decide_all` for several."""
    return decide_all({"": Claim(result, higher_is_better, margin)}, power=power)[""]


def decide_all(claims: Mapping[str, Claim], *, how: Adjustment = "holm", power: float = 0.8) -> dict[str, Decision]:
    """Judge comparisons that are made together, each at 1 - the level of its interval.

    Args:
        claims: By name: metrics, slices, or both.
        how: ``holm``, ``bh`` (Benjamini-Hochberg: a share of findings may be false) or ``none``.
        power: Of ``mde`` and of what would settle it.
    """
    raw = {name: claim.result.p for name, claim in claims.items() if claim.result.p is not None}
    bounded = [name for name, claim in claims.items() if claim.result.curve is not None]
    p = dict(zip(raw, adjust(list(raw.values()), how).tolist(), strict=True))
    of_margin = adjust([_margin_p(claims[name]) for name in bounded], how).tolist()
    p_margin = dict(zip(bounded, of_margin, strict=True))
    tests = 1 if how == "none" else max(1, len(raw))
    return {name: _decision(claim, p.get(name), p_margin.get(name), tests, power) for name, claim in claims.items()}


def _margin_p(claim: Claim) -> float:
    curve = claim.result.curve
    assert curve is not None
    return curve.below(-claim.margin) if claim.higher_is_better else curve.above(claim.margin)


def _decision(claim: Claim, p: float | None, p_margin: float | None, tests: int, power: float) -> Decision:
    result = claim.result
    alpha = 1 - result.difference.level
    mde = _detectable(claim, alpha / tests, power)
    sure = _detectable(claim, alpha / tests, SURE)

    def told(verdict: Outcome, note: str, samples: int | None = None, repeats: int | None = None) -> Decision:
        return Decision(verdict, note, p, p_margin, mde, sure, samples, repeats)

    if result.up == 0 and result.down == 0:
        return told("pass", _unchanged(result))
    if p is None or p_margin is None or result.difference.low is None or result.difference.high is None:
        return told("inconclusive", f"no interval: {result.difference.method.removeprefix('none: ')}.")
    low, high = result.difference.low, result.difference.high
    if not claim.higher_is_better:
        low, high = -high, -low
    certain = p <= alpha
    if low > 0 and certain:
        return told("improved", "")
    within = low > -claim.margin
    if within and p_margin <= alpha / 2:
        return told("pass", "A small drop is certain; it is within the margin." if high < 0 and certain else "")
    if high < 0 and certain and not within:
        return told("regressed", "")
    samples, repeats = _settling(claim, alpha / tests, power)
    return told("inconclusive", _doubt(claim, low, mde, power, tests) + _cure(samples, repeats), samples, repeats)


def _unchanged(result: PairedResult) -> str:
    worst = result.difference.high
    note = f"No score changed on {result.n} {'sample' if result.n == 1 else 'samples'}."
    return note if not worst else f"{note} Other samples like these could still differ by up to {worst:.3g}."


def _noise(result: PairedResult) -> Noise | None:
    return None if result.curve is None or result.error is None else noise_of(result)


def _detectable(claim: Claim, alpha: float, power: float) -> float | None:
    """Return the smallest drop called REGRESSED: its interval must leave 0, and must not fit into the margin."""
    result = claim.result
    noise = _noise(result)
    if noise is None or result.error is None or result.least_p > alpha:
        return None
    if noise.churn is not None:
        found = smallest_drop(noise, result.n, alpha=alpha, power=power)
        slack, df = 0.0, 1e6
    else:
        slack, df = result.slack, result.units - 1
        found = (t_quantile(1 - alpha / 2, df) + t_quantile(power, df)) * result.error
        if slack:  # too few changed to go by their spread: as if every change were as large as can be
            span = slack / wilson(0, result.units, result.difference.level)[1]
            rare = smallest_drop(Noise(0.0, churn=0.0), result.units, alpha=alpha, power=power)
            found = None if rare is None else found + span * rare
    if found is None or not claim.margin:
        return found or None
    reach = t_quantile(1 - (1 - result.difference.level) / 2, df) - t_quantile(power, df)
    return max(found, claim.margin - reach * result.error - slack)


def _settling(claim: Claim, alpha: float, power: float) -> tuple[int | None, int | None]:
    """Return the samples, and the repeats, that would end in another verdict if the difference stays as it is."""
    result = claim.result
    if result.error is None or not result.error:
        return None, None
    value = result.difference.value if claim.higher_is_better else -result.difference.value
    gap = max(abs(value), value + claim.margin)  # to 0, or to the margin, whichever is further
    if gap <= 0:
        return None, None
    reach = normal_quantile(1 - alpha / 2) + normal_quantile(power)
    wanted = (gap / reach) ** 2
    needed = ceil(result.n * result.error**2 / wanted)
    return max(needed, result.n + 1), _repeats(result, wanted)


def _repeats(result: PairedResult, wanted: float) -> int | None:
    if result.variance is None or not result.variance.within:
        return None
    noise = noise_of(result)
    left = wanted * result.n - noise.between
    return max(ceil(noise.within / left), ceil(result.variance.repeats) + 1) if left > 0 else None


def _doubt(claim: Claim, low: float, mde: float | None, power: float, tests: int) -> str:
    result = claim.result
    if result.least_p > (1 - result.difference.level) / tests:
        among = "" if tests == 1 else f" among {tests} comparisons"
        if result.units > EXACT:
            return f"The random sign flips are too few for any difference to be certain{among}."
        unit = "samples" if result.units == result.n else "clusters"
        return f"{result.units} {unit} are too few for any difference to be certain{among}."
    if low < 0:
        note = f"A drop of up to {-low:.3g} cannot be ruled out."
    else:
        note = f"It is not certain{'' if tests == 1 else f' among {tests} comparisons'}."
    if mde is not None:
        note += f" A drop of {mde:.3g} or more would be seen in {power:.0%} of such comparisons."
    return note


def _cure(samples: int | None, repeats: int | None) -> str:
    if samples is None:
        return ""
    also = "" if repeats is None else f", or {repeats} repeats in each run,"
    return f" About {samples} samples{also} would settle it, should the difference stay as it is."
