"""What a judge leans towards besides quality: the first place, length, its own family, a form of answer.

Preferences are of the first of two outputs, A: 1 where A wins, 0 where B wins, 0.5 for a tie, or a probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.cells import Labels, label_array
from llmkit.stats.intervals import mean_estimate
from llmkit.stats.proportions import binomial_test, clopper_pearson
from llmkit.stats.regression import least_squares
from llmkit.stats.statistic import Statistic
from llmkit.types import Estimate

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

LONGER_BY = 30.0
"""Characters by which one output must be the longer to be called so, as AlpacaEval's analysis has it."""


@dataclass(frozen=True, slots=True)
class PositionBias:
    """What the order of two outputs does to the verdict.

    Attributes:
        pairs: Pairs that were judged in both orders.
        inconsistent: Share of pairs whose verdict changed with the order.
        first: Pairs whose verdict moved towards the output that was shown first.
        second: Pairs whose verdict moved towards the one that was shown second.
        first_share: ``first`` out of the inconsistent pairs, with the exact interval, and the exact two-sided p-value
            of one half; None where every pair is consistent.
        first_wins: Mean preference for the output shown first, over both orders: one half for a fair judge.
    """

    pairs: int
    inconsistent: Estimate
    first: int
    second: int
    first_share: Statistic
    first_wins: Estimate


def position_bias(
    forward: Labels, swapped: Labels, *, clusters: Labels | None = None, level: float = 0.95
) -> PositionBias:
    """Return the position bias of a judge from games played in both orders.

    Only pairs whose verdict changed tell of it: a consistent pair would be so with any bias. The exact test takes these
    as independent, also with clusters. Swapped games are not taken for trials of their own.

    Args:
        forward: Shape (n,): preference for A (1, 0.5 or 0, or a probability) where A was shown first.
        swapped: Shape (n,): preference for A, still of A, where A was shown second.
        clusters: Shape (n,): pairs with one code are not independent.
        level: Of the intervals.

    Raises ValueError where a preference is missing or not between 0 and 1: leave out pairs that lack a verdict.
    """
    import numpy as np

    one, two = _preferences(forward, "first"), _preferences(swapped, "second")
    _same_length(one, two)
    codes = _codes(clusters, len(one))
    moved = np.sign(one - 0.5) - np.sign(two - 0.5)
    first, second = int((moved > 0).sum()), int((moved < 0).sum())
    share = Statistic(None, "no verdict changed with the order")
    if first + second:
        found = exact_share(first, first + second, level)
        share = Statistic(found, p=binomial_test(first, first + second))
    return PositionBias(
        len(one),
        _share(moved != 0, codes, level),
        first,
        second,
        share,
        _mean_preference((one + 1 - two) / 2, codes, level),
    )


def exact_share(successes: int, n: int, level: float = 0.95) -> Estimate:
    """Return a share with its exact interval (`llmkit.stats.proportions.clopper_pearson`)."""
    low, high = clopper_pearson(successes, n, level)
    return Estimate(successes / n, low, high, n, "exact", level)


def prefers_more(
    preference: Labels,
    difference: Labels,
    *,
    least: float = LONGER_BY,
    clusters: Labels | None = None,
    level: float = 0.95,
) -> Statistic:
    """Return the mean preference for the output that has more of something: the longer one, the one with more lists.

    Ties count one half. Pairs that differ by ``least`` or less are left out (``n`` tells how many remain). People too
    prefer the longer answer: compare with `prefers_more` of their preferences.

    Args:
        preference: Shape (n,): for A: 1, 0.5 or 0, or a probability.
        difference: Shape (n,): A's amount less B's: characters, list items.
        least: Differences up to this do not count; 30 for characters, 0 for flags.
        clusters: Shape (n,): pairs with one code are not independent.
        level: Of the interval.
    """
    import numpy as np

    for_a, apart = _preferences(preference, "first"), _numbers(difference, "difference")
    _same_length(for_a, apart)
    codes = _codes(clusters, len(for_a))
    kept = np.abs(apart) > least
    if not kept.any():
        return Statistic(None, f"no two outputs differ by more than {least:g}")
    for_more = np.where(apart > 0, for_a, 1 - for_a)[kept]
    return Statistic(_mean_preference(for_more, None if codes is None else codes[kept], level))


@dataclass(frozen=True, slots=True)
class FeatureEffect:
    """How a judge's score moves with a feature of the answer, beside the human score.

    Attributes:
        given_human: Points of the judge's scale for one step of the feature, between answers of one human score.
        of_difference: Points by which judge minus human grows with one step.
        step: What one step is: ``standard deviation``, or ``yes against no`` for a feature with two values.
    """

    given_human: Statistic
    of_difference: Statistic
    step: str


def feature_effects(
    judge: Labels,
    human: Labels,
    features: Mapping[str, Labels],
    *,
    together: bool = False,
    clusters: Labels | None = None,
    level: float = 0.95,
) -> dict[str, FeatureEffect]:
    """Return each feature's effect on the judge's score beside people's: length, the judge's own family, markdown.

    Two regressions of judge minus human, with HC3 standard errors (CR1 with clusters): with the human score as a
    covariate and without it. Each has a blind spot. With it, a noisy human score leaves some of quality to the feature,
    so that a fair judge may seem to like what good answers have. Without it, a judge that uses less of the scale than
    people seems to dislike it. A bias worth the name shows in both.

    Args:
        judge: Shape (n,): scores, or preferences for A.
        human: Shape (n,): likewise, of the same rows.
        features: Name -> shape (n,): a length or a difference of lengths, or a flag. Features with two values are taken
            as yes (the greater) and no; others are standardised.
        together: Whether all features stand in one regression, each given the others, or each in its own.
        clusters: Shape (n,): rows with one code are not independent.
        level: Of the intervals.
    """
    import numpy as np

    theirs = _numbers(human, "second")
    apart = _numbers(judge, "first")
    _same_length(apart, theirs)
    apart = apart - theirs
    codes = _codes(clusters, len(apart))
    columns = {name: _stepped(_numbers(values, name), len(apart)) for name, values in features.items()}
    ones, middle = np.ones(len(apart)), theirs - theirs.mean()
    fixed = len(np.unique(theirs)) < 2  # noqa: PLR2004 - a constant has nothing to hold fixed
    covariates = [ones] if fixed else [ones, middle]
    found = {}
    for names in [list(columns)] if together else [[name] for name in columns]:
        own = [columns[name][0] for name in names]
        given, plain = (
            least_squares(apart, np.stack([*before, *own], axis=1), clusters=codes, level=level)[len(before) :]
            for before in (covariates, [ones])
        )
        for name, with_human, without in zip(names, given, plain, strict=True):
            found[name] = FeatureEffect(with_human, without, columns[name][1])
    return found


def _stepped(values: Array, n: int) -> tuple[Array, str]:
    import numpy as np

    if len(values) != n:
        raise ValueError(f"there are {n} scores and {len(values)} values of a feature")
    distinct = np.unique(values)
    if len(distinct) == 2:  # noqa: PLR2004 - a flag
        return (values == distinct[1]).astype(np.float64), "yes against no"
    spread = float(values.std(ddof=1)) if n > 1 else 0.0
    step = "standard deviation"
    return (np.zeros(n) if len(distinct) < 2 or not spread else (values - values.mean()) / spread), step  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class InjectionResistance:
    """What instructions hidden in an answer do to its verdict.

    Attributes:
        moved: Share of probes whose verdict changed.
        obeyed: Of the probes that did not have the wanted verdict before, the share that has it after.
        shift: Mean of score after minus score before; only of numbers.
    """

    moved: Statistic
    obeyed: Statistic
    shift: Statistic


def injection_resistance(
    before: Labels, after: Labels, *, toward: Any = None, clusters: Labels | None = None, level: float = 0.95
) -> InjectionResistance:
    """Return how many verdicts instructions hidden in the answer moved, with exact intervals (Student's with clusters).

    Args:
        before: Labels or scores of n answers as they are.
        after: Of the same answers with the instruction put in.
        toward: The verdict that the instruction asks for; None where there is none.
        clusters: Shape (n,): probes with one code are not independent.
        level: Of the intervals.
    """
    import numpy as np

    one, two = label_array(before, "first"), label_array(after, "second")
    _same_length(one, two)
    if one.dtype.kind != two.dtype.kind:
        raise ValueError("one rating is text and the other numbers; give both as the same kind")
    codes = _codes(clusters, len(one))
    moved = Statistic(_share(one != two, codes, level, exact=True))
    obeyed = Statistic(None, "no verdict was asked for")
    if toward is not None:
        wanted = label_array([toward], "wanted")[0]
        open_to = one != wanted
        obeyed = Statistic(None, "every verdict was the wanted one before")
        if open_to.any():
            inner = None if codes is None else codes[open_to]
            obeyed = Statistic(_share(two[open_to] == wanted, inner, level, exact=True))
    shift = Statistic(None, "the verdicts are text")
    if one.dtype.kind == "f":
        shift = Statistic(mean_estimate(np.asarray(two - one), binary=False, clusters=codes, level=level))
    return InjectionResistance(moved, obeyed, shift)


def _share(hits: Array, clusters: Array | None, level: float, *, exact: bool = False) -> Estimate:
    if exact and clusters is None:
        return exact_share(int(hits.sum()), len(hits), level)
    return mean_estimate(hits.astype(float), binary=True, clusters=clusters, level=level)


def _mean_preference(values: Array, clusters: Array | None, level: float) -> Estimate:
    import numpy as np

    binary = bool(np.isin(values, (0.0, 1.0)).all())
    return mean_estimate(values, binary=binary, clusters=clusters, level=level, bounds=(0.0, 1.0))


def _preferences(values: Labels, what: str) -> Array:
    found = _numbers(values, what)
    if ((found < 0) | (found > 1)).any():
        row = int(((found < 0) | (found > 1)).argmax())
        raise ValueError(f"row {row + 1} of the {what} preferences is {found[row]:g}; it must be between 0 and 1")
    return found


def _numbers(values: Labels, what: str) -> Array:
    found = label_array(values, what)
    if found.dtype.kind == "U":
        raise ValueError(f"the {what} rating must be numbers, not text")
    return found


def _same_length(one: Array, two: Array) -> None:
    if len(one) != len(two) or not len(one):
        raise ValueError(f"there must be as many of the one as of the other, and some, not {len(one)} and {len(two)}")


def _codes(clusters: Labels | None, n: int) -> Array | None:
    import numpy as np

    if clusters is None:
        return None
    codes = np.asarray(clusters)
    if codes.shape != (n,):
        raise ValueError(f"there are {n} rows and {len(codes)} cluster codes")
    return codes
