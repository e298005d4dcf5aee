"""The formulas of agreement, on weighted cells: m weightings in, m values out, NaN where undefined.

| name | what it is | source |
|---|---|---|
| accuracy | share of rows with the same label | |
| mean_difference | mean of judge minus human: how lenient the judge is | |
| kappa, kappa_linear, kappa_quadratic | Cohen's kappa, by places on the scale | Cohen (1960, 1968) |
| ac1, ac2_linear, ac2_quadratic | Gwet's coefficients, which a rare label does not ruin | Gwet (2008, 2014) |
| alpha_nominal, alpha_ordinal, alpha_interval | Krippendorff's alpha | Krippendorff (2011) |
| pearson, spearman, kendall | correlations; kendall is tau-b | Kendall (1945) for tau-b |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.cells import Cells

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

_TINY = 1e-12
_THIN = 1e-6
_HUGE = 1e100


class Tables:
    """Tables over the same cells, ready for any formula; what several need is made once.

    Args:
        cells: The cells.
        weights: Shape (m, C): how often each cell occurs in each table; need not be whole.
    """

    def __init__(self, cells: Cells, weights: Array) -> None:
        self.cells, self.weights = cells, weights
        self.total = weights.sum(axis=1)

    @cached_property
    def first(self) -> Array:
        """How often the first side gives each label, (m, K)."""
        return self.cells.margin(0, self.weights)

    @cached_property
    def second(self) -> Array:
        """How often the second side gives each label, (m, K)."""
        return self.cells.margin(1, self.weights)

    @cached_property
    def varied(self) -> Array:
        """Whether both sides give more than one label, (m,)."""
        import numpy as np

        most = (1 - _TINY) * self.total
        return np.asarray((self.first.max(axis=1) < most) & (self.second.max(axis=1) < most))

    @property
    def values(self) -> Array:
        """The labels as numbers, (K,)."""
        assert self.cells.values is not None
        return self.cells.values


def accuracy(tables: Tables) -> Array:
    """Return the share of rows with the same label."""
    same = (tables.cells.x == tables.cells.y).astype(float)
    return _ratio(tables.weights @ same, tables.total)


def mean_difference(tables: Tables) -> Array:
    """Return the mean of the first minus the second."""
    values = tables.values
    return _ratio(tables.weights @ (values[tables.cells.x] - values[tables.cells.y]), tables.total)


def kappa(tables: Tables, power: int = 0) -> Array:
    """Return Cohen's kappa: 1 - observed / expected disagreement, of |distance on the scale| ** power."""
    import numpy as np

    positions = tables.cells.positions
    gap = positions[tables.cells.x] - positions[tables.cells.y]
    size = np.abs(gap) ** power if power else (gap != 0).astype(float)
    first, second, total = tables.first, tables.second, tables.total
    if power == 0:
        expected = total * total - np.einsum("ij,ij->i", first, second)
    elif power == 1:
        below, under = np.cumsum(first, axis=1)[:, :-1], np.cumsum(second, axis=1)[:, :-1]
        apart = below * (total[:, None] - under) + under * (total[:, None] - below)
        expected = apart @ np.diff(positions)
    else:
        middle = positions - positions.mean()
        expected = total * (first @ middle**2 + second @ middle**2) - 2 * (first @ middle) * (second @ middle)
    scale = total * total * max(1.0, float(np.ptp(positions)) ** power)
    return 1 - _ratio(tables.weights @ size * total, expected, expected > _TINY * scale)


def gwet(tables: Tables, power: int = 0) -> Array:
    """Return Gwet's AC1 (power 0) or AC2 with weights 1 - (distance / widest distance) ** power."""
    import numpy as np

    cells, total = tables.cells, tables.total
    count = cells.categories
    if count < 2:  # noqa: PLR2004 - with one label there is no chance to agree by
        return np.full(len(total), np.nan)
    places = np.arange(count, dtype=float)
    if power:
        apart = np.abs(cells.positions[cells.x] - cells.positions[cells.y]) / (count - 1)
        weight, spread = 1 - apart**power, _sum_of_weights(places / (count - 1), power)
    else:
        weight, spread = (cells.x == cells.y).astype(float), float(count)
    share = (tables.first + tables.second) / (2 * total)[:, None]
    chance = spread / (count * (count - 1)) * (1 - np.einsum("ij,ij->i", share, share))
    observed = tables.weights @ weight / total
    return _ratio(observed - chance, 1 - chance, 1 - chance > _TINY)


def _sum_of_weights(places: Array, power: int) -> float:
    import numpy as np

    count = len(places)
    if power == 1:
        apart = 2 * float(((2 * np.arange(count) - count + 1) * places).sum())
    else:
        apart = 2 * (count * float(places @ places) - float(places.sum()) ** 2)
    return count * count - apart


def alpha(tables: Tables, level: str) -> Array:
    """Return Krippendorff's alpha of two raters with no rating missing; ``level`` nominal, ordinal or interval."""
    import numpy as np

    both = tables.first + tables.second
    ratings = 2 * tables.total
    used = both.max(axis=1) < (1 - _TINY) * ratings
    x, y = tables.cells.x, tables.cells.y
    if level == "nominal":
        observed = 2 * (tables.weights @ (x != y).astype(float))
        expected = ratings * ratings - np.einsum("ij,ij->i", both, both)
    elif level == "interval":
        values = _centred(tables.values)
        observed = 2 * (tables.weights @ (values[x] - values[y]) ** 2)
        expected = 2 * (ratings * (both @ values**2) - (both @ values) ** 2)
    else:
        ranks = np.cumsum(both, axis=1) - both / 2
        apart = ranks[:, x] - ranks[:, y]
        observed = 2 * np.einsum("ij,ij,ij->i", tables.weights, apart, apart)
        middle = ranks - ratings[:, None] / 2
        expected = 2 * ratings * np.einsum("ij,ij,ij->i", both, middle, middle)
    return 1 - _ratio(observed * (ratings - 1), expected, used & (expected > 0))


def pearson(tables: Tables) -> Array:
    """Return Pearson's correlation."""
    import numpy as np

    x, y = (_centred(tables.values[side]) for side in (tables.cells.x, tables.cells.y))
    total = np.maximum(tables.total, _TINY)
    moments = tables.weights @ np.stack([x, y, x * x, y * y, x * y], axis=1) / total[:, None]
    found = _correlation(*(moments[:, i] for i in range(5)))
    variance = moments[:, 2:4] - moments[:, :2] ** 2
    thin = tables.varied & (variance < _THIN * moments[:, 2:4]).any(axis=1)
    for row in np.flatnonzero(thin):  # values far from the mean of all, close together: about their own mean
        weight = tables.weights[row] / total[row]
        kept = weight > 0
        own, other, weight = _about(x[kept], weight[kept]), _about(y[kept], weight[kept]), weight[kept]
        found[row] = _correlation(0, 0, weight @ own**2, weight @ other**2, weight @ (own * other))[0]
    return np.where(tables.varied, found, np.nan)


def _about(values: Array, weight: Array) -> Array:
    import numpy as np

    apart = values - values[0]
    apart = apart - weight @ apart
    return np.asarray(apart / (np.abs(apart).max() or 1.0))


def _correlation(x: Any, y: Any, xx: Any, yy: Any, xy: Any) -> Array:
    import numpy as np

    spread = np.sqrt(np.maximum(xx - x * x, 0.0)) * np.sqrt(np.maximum(yy - y * y, 0.0))
    return np.asarray(np.clip(_ratio(xy - x * y, spread, spread > 0), -1.0, 1.0))


def spearman(tables: Tables) -> Array:
    """Return Spearman's correlation: Pearson's of the ranks, ties sharing the mean of theirs."""
    import numpy as np

    half = tables.total[:, None] / 2
    one = np.cumsum(tables.first, axis=1) - tables.first / 2 - half
    two = np.cumsum(tables.second, axis=1) - tables.second / 2 - half
    spread = np.sqrt(np.einsum("ij,ij,ij->i", tables.first, one, one))
    spread *= np.sqrt(np.einsum("ij,ij,ij->i", tables.second, two, two))
    shared = np.einsum("ij,ij,ij->i", tables.weights, one[:, tables.cells.x], two[:, tables.cells.y])
    return np.asarray(np.clip(_ratio(shared, spread, tables.varied), -1.0, 1.0))


def kendall(tables: Tables) -> Array:
    """Return Kendall's tau-b."""
    import numpy as np

    tied = np.einsum("ij,ij->i", tables.first, tables.first), np.einsum("ij,ij->i", tables.second, tables.second)
    square = tables.total**2
    spread = np.sqrt(np.maximum(square - tied[0], 0.0)) * np.sqrt(np.maximum(square - tied[1], 0.0))
    apart = tables.cells.concordance(tables.weights, *tied)
    return np.asarray(np.clip(_ratio(apart, spread, tables.varied), -1.0, 1.0))


def _centred(values: Array) -> Array:
    """Return numbers moved and scaled so that squares neither overflow nor cancel; correlations do not notice."""
    import numpy as np

    most = float(np.abs(values).max())
    near = values / most if most > _HUGE else values
    moved = near - near[len(near) // 2]  # exact where values lie close together
    moved = moved - moved.mean()
    return np.asarray(moved / (float(np.abs(moved).max()) or 1.0))


def _ratio(top: Any, bottom: Any, defined: Any = None) -> Array:
    import numpy as np

    top, bottom = np.atleast_1d(np.asarray(top, dtype=float)), np.atleast_1d(np.asarray(bottom, dtype=float))
    found = np.full(np.broadcast_shapes(top.shape, bottom.shape), np.nan)
    return np.asarray(np.divide(top, bottom, out=found, where=bottom > 0 if defined is None else defined))


COEFFICIENTS: Mapping[str, Callable[[Tables], Array]] = MappingProxyType(
    {
        "accuracy": accuracy,
        "mean_difference": mean_difference,
        "kappa": kappa,
        "kappa_linear": lambda tables: kappa(tables, 1),
        "kappa_quadratic": lambda tables: kappa(tables, 2),
        "ac1": gwet,
        "ac2_linear": lambda tables: gwet(tables, 1),
        "ac2_quadratic": lambda tables: gwet(tables, 2),
        "alpha_nominal": lambda tables: alpha(tables, "nominal"),
        "alpha_ordinal": lambda tables: alpha(tables, "ordinal"),
        "alpha_interval": lambda tables: alpha(tables, "interval"),
        "pearson": pearson,
        "spearman": spearman,
        "kendall": kendall,
    }
)
"""Every statistic of two ratings by its name."""

NEEDS_ORDER = frozenset(COEFFICIENTS) - {"accuracy", "kappa", "ac1", "alpha_nominal"}
"""Those that text without a scale does not have."""
