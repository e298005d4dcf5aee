"""Which rows to label first, and how many labels are enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats._rectifier import FEWEST_LABELS
from llmkit.stats.distributions import normal_quantile, t_quantile
from llmkit.stats.prediction_powered import Corrected

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

MOST_LABELS = 1 << 40


@dataclass(frozen=True, slots=True)
class LabelsNeeded:
    """How many labels, in all, bring an interval down to a half-width.

    Attributes:
        half_width: The one asked for.
        corrected: Labels needed with the judge's help; None where no number of labels on these rows suffices.
        human_only: Labels needed without it, on rows as many as it takes.
        more: ``corrected`` less the labels there are, at least 0; None likewise.
        reason: Why there is no number.
    """

    half_width: float
    corrected: int | None
    human_only: int | None
    more: int | None
    reason: str = ""


def labels_needed(found: Corrected, half_width: float) -> LabelsNeeded:
    """Return how many labels would bring the interval's half-width down to ``half_width``.

    By the variances seen so far; a t interval is assumed. More labels come from the same rows, so the part of the
    variance that the judge explains stays. Raises ValueError where the half-width is not positive.
    """
    if not half_width > 0:
        raise ValueError(f"a half-width is positive, not {half_width}")
    estimate, residual, explained = found.corrected, found.residual_variance, found.explained_variance
    if estimate is None or residual is None or explained is None or found.human_variance is None:
        return LabelsNeeded(half_width, None, None, None, "fewer than 2 human labels")
    if found.human_variance == 0:
        return LabelsNeeded(half_width, None, None, None, "all human labels are equal")
    alone = _enough(found.human_variance, 0.0, half_width, estimate.level)
    together = _enough(residual, explained / found.rows, half_width, estimate.level)
    if together is None or together > found.rows:
        return LabelsNeeded(half_width, None, alone, None, f"not even labels for all {found.rows} rows would do")
    return LabelsNeeded(half_width, together, alone, max(0, together - found.labels))


def _enough(falling: float, staying: float, half_width: float, level: float) -> int | None:
    """Return the least n >= 3 with t(n - 2) * sqrt(falling / n + staying) <= half_width; None where there is none."""
    if staying >= (half_width / normal_quantile(0.5 + level / 2)) ** 2:
        return None

    def reach(n: int) -> float:
        return t_quantile(0.5 + level / 2, n - 2) * sqrt(falling / n + staying)

    low, high = 2, 4
    while reach(high) > half_width:
        low, high = high, 2 * high
        if high > MOST_LABELS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reach(middle) > half_width else (low, middle)
    return high


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """Which rows to label, and what the estimator must know of how they were drawn.

    Attributes:
        rows: Row numbers, in the order to label them; any first part of it is spread over the strata likewise.
        strata: The stratum of every row, by name: pass it on as ``strata``.
        chances: Each row's probability of being among ``rows``; equal within a stratum.
        sizes: Stratum -> (its rows, how many of them are drawn).
        notes: What a reader must know.
    """

    rows: tuple[int, ...]
    strata: tuple[str, ...]
    chances: tuple[float, ...]
    sizes: dict[str, tuple[int, int]]
    notes: tuple[str, ...] = ()


def plan_labels(
    judge: Array,
    count: int,
    *,
    slices: Sequence[str] | None = None,
    bands: int = 3,
    spread: Array | None = None,
    seed: int = 0,
) -> LabelPlan:
    """Return which ``count`` rows to label first: at random within strata of slice and judge score.

    Within a stratum every row is as likely as any other, so that `llmkit.stats.prediction_powered_mean` with the plan's
    ``strata`` has no bias. Labels are shared out in proportion to rows; with ``spread``, in proportion to rows times
    mean spread (Neyman 1934, JRSS 97:558-625), at least 10 to a stratum, so that uncertain rows are labelled more
    often; the plan's ``strata`` must then be given to the estimator. There are as many bands of equal size as leave 10
    labels for each stratum; equal scores share a band.

    Args:
        judge: Shape (m,): the judge's scores; finite.
        count: Labels to be had, 0 .. m.
        slices: Shape (m,): a name for each row; None for one slice.
        bands: Of judge scores in each slice, at most.
        spread: Shape (m,): how uncertain each row is, in any unit (p * (1 - p), a standard deviation over repeats), or
            None.
        seed: Of the draw.

    Raises ValueError where a score is not finite, lengths differ, or there are not so many rows.
    """
    import numpy as np

    scores = np.asarray(judge, dtype=np.float64)
    total = len(scores)
    names = [""] * total if slices is None else [str(name) for name in slices]
    uncertain = None if spread is None else np.asarray(spread, dtype=np.float64)
    _check_plan(scores, count, names, uncertain, bands)
    used = max(1, min(bands, count // (FEWEST_LABELS * max(1, len(set(names))))))
    many = f"{used} bands" if used > 1 else "1 band"
    notes = () if used == bands else (f"{many} of judge scores instead of {bands}, so that each gets 10 labels",)
    strata = _names(scores, names, used)
    order, dense = np.unique(np.array(strata, dtype=object).astype(str), return_inverse=True)
    rows_of = np.bincount(dense, minlength=len(order))
    weight = rows_of.astype(np.float64)
    if uncertain is not None:
        weight = np.asarray(np.bincount(dense, weights=uncertain, minlength=len(order)), dtype=np.float64)
    shares = _shared_out(count, rows_of, weight, 0 if uncertain is None else FEWEST_LABELS)
    rng = np.random.default_rng(seed)
    drawn: list[tuple[float, int]] = []
    for code, size in enumerate(shares.tolist()):
        shuffled = rng.permutation(np.flatnonzero(dense == code))[:size]
        start = rng.random()
        drawn += [((place + start) / size, int(row)) for place, row in enumerate(shuffled.tolist())]
    chances = (shares / np.maximum(1, rows_of))[dense]
    sizes = {
        str(name): (int(rows), int(size))
        for name, rows, size in zip(order.tolist(), rows_of.tolist(), shares.tolist(), strict=True)
    }
    rows = tuple(row for _, row in sorted(drawn))
    return LabelPlan(rows, tuple(strata), tuple(chances.tolist()), sizes, notes)


def _check_plan(scores: Array, count: int, names: list[str], uncertain: Array | None, bands: int) -> None:
    import numpy as np

    faults = []
    if not np.isfinite(scores).all():
        faults.append("a judge score is not a finite number (leave failed rows out)")
    if not 0 <= count <= len(scores):
        faults.append(f"{count} labels cannot be drawn from {len(scores)} rows")
    if len(names) != len(scores):
        faults.append(f"there are {len(scores)} judge scores and {len(names)} slices")
    if uncertain is not None and len(uncertain) != len(scores):
        faults.append(f"there are {len(scores)} judge scores and {len(uncertain)} spreads")
    if uncertain is not None and not (np.isfinite(uncertain) & (uncertain >= 0)).all():
        faults.append("a spread is a finite number from 0")
    if bands < 1:
        faults.append(f"there is at least one band of judge scores, not {bands}")
    if faults:
        raise ValueError("; ".join(faults))


def _names(scores: Array, names: list[str], bands: int) -> list[str]:
    """Return each row's stratum: its slice, and its band where there are several."""
    import numpy as np

    if bands == 1:
        return list(names)
    found = [""] * len(names)
    for name in sorted(set(names)):
        mine = np.flatnonzero(np.array([one == name for one in names]))
        own = scores[mine]
        edges = np.quantile(own, np.arange(1, bands) / bands, method="inverted_cdf")
        for row, band in zip(mine.tolist(), np.searchsorted(np.unique(edges), own, "left").tolist(), strict=True):
            found[row] = f"{name}, band {band + 1}" if name else f"band {band + 1}"
    return found


def _shared_out(count: int, rows: Array, weight: Array, least: int) -> Array:
    """Return whole shares of ``count`` in proportion to ``weight``: at least ``least`` and at most the rows of each.

    What is left over by rounding goes to the largest remainders.
    """
    import numpy as np

    if not count:
        return np.zeros_like(rows)
    floor = np.minimum(rows, least)
    if floor.sum() > count:
        floor = np.zeros_like(rows)
    if not weight.sum() > 0:
        weight = rows.astype(np.float64)
    low, high = 0.0, float(count + 1) * max(1.0, float(weight.max() / weight[weight > 0].min())) / float(weight.max())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(middle * weight, floor, rows).sum() < count else (low, middle)
    wished = np.clip(high * weight, floor, rows)
    whole = np.floor(wished + 1e-9).astype(np.int64)
    while whole.sum() < count:
        open_ones = np.where(whole < rows, wished - whole, -np.inf)
        whole[int(np.argmax(open_ones))] += 1
    while whole.sum() > count:
        whole[int(np.argmax(np.where(whole > floor, whole - wished, -np.inf)))] -= 1
    return whole
