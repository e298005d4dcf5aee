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
    def given(self) -> tuple[Array, Array]:
        """How often each side gives each of its own labels, (m, k) each."""
        one, two = self.cells.sides
        return one.sums(self.weights), two.sums(self.weights)

    @cached_property
    def first(self) -> Array:
        """How often the first side gives each label there is, (m, K)."""
        return self._of_all(0)

    @cached_property
    def second(self) -> Array:
        """How often the second side gives each label there is, (m, K)."""
        return self._of_all(1)

    def _of_all(self, side: int) -> Array:
        import numpy as np

        found = np.zeros((len(self.weights), len(self.cells.labels)))
        found[:, self.cells.sides[side].codes] = self.given[side]
        return found

    @cached_property
    def constant(self) -> tuple[Array, Array]:
        """Whether each side gives one label only, (m,) each."""
        import numpy as np

        most = (1 - _TINY) * self.total
        one, two = (np.asarray(given.max(axis=1) >= most) for given in self.given)
        return one, two

    @property
    def varied(self) -> Array:
        """Whether both sides give more than one label, (m,)."""
        return ~(self.constant[0] | self.constant[1])

    @cached_property
    def ranks(self) -> tuple[Array, Array]:
        """The mid-ranks of each side's own labels within the side, about their mean, (m, k) each."""
        import numpy as np

        one, two = (np.cumsum(given, axis=1) - given / 2 - self.total[:, None] / 2 for given in self.given)
        return one, two

    def product(self, one: Array, two: Array) -> Array:
        """Return the sum over cells of weight times a value of either side's labels: (m, kx), (m, ky) -> (m,)."""
        import numpy as np

        (few, less), (many, more) = sorted(
            zip(self.cells.sides, (one, two), strict=True), key=lambda side: len(side[0])
        )
        weighted = self.weights * many.at_cells(more)
        return np.asarray(np.einsum("ij,ij->i", few.sums(weighted), less))

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

    total = tables.total
    cells, ratings = tables.cells, 2 * total
    x, y = cells.x, cells.y
    apart = tables.weights @ (x != y).astype(float)
    used = ~(tables.constant[0] & tables.constant[1]) | (apart > _TINY * total)
    if level == "nominal":
        both = tables.first + tables.second
        observed, expected = 2 * apart, ratings * ratings - np.einsum("ij,ij->i", both, both)
    elif level == "interval":
        values = _centred(tables.values)
        squares = np.stack(
            [(values[x] - values[y]) ** 2, values[x] ** 2 + values[y] ** 2, values[x] + values[y]], axis=1
        )
        sums = tables.weights @ squares
        observed, expected = 2 * sums[:, 0], 2 * (ratings * sums[:, 1] - sums[:, 2] ** 2)
    else:
        one, two = (tables.ranks[side] + _share_below(tables, side) - total[:, None] / 2 for side in (0, 1))
        own = np.einsum("ij,ij,ij->i", tables.given[0], one, one) + np.einsum("ij,ij,ij->i", tables.given[1], two, two)
        observed, expected = 2 * (own - 2 * tables.product(one, two)), 2 * ratings * own
    return 1 - _ratio(observed * (ratings - 1), expected, used & (expected > 0))


def _share_below(tables: Tables, side: int) -> Array:
    """Return at each of a side's labels how much of the other side lies below it, half of it where equal: (m, k)."""
    import numpy as np

    other = tables.given[1 - side]
    below = np.zeros((len(other), other.shape[1] + 1))
    np.cumsum(other, axis=1, out=below[:, 1:])
    own, codes = tables.cells.sides[side].codes, tables.cells.sides[1 - side].codes
    left, right = (np.searchsorted(codes, own, side=end) for end in ("left", "right"))
    if (left == right).all():
        return below[:, left]
    return np.asarray((below[:, left] + below[:, right]) / 2)


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

    one, two = tables.ranks
    spread = np.sqrt(np.einsum("ij,ij,ij->i", tables.given[0], one, one))
    spread *= np.sqrt(np.einsum("ij,ij,ij->i", tables.given[1], two, two))
    return np.asarray(np.clip(_ratio(tables.product(one, two), spread, tables.varied), -1.0, 1.0))


def kendall(tables: Tables) -> Array:
    """Return Kendall's tau-b."""
    import numpy as np

    tied = [np.einsum("ij,ij->i", given, given) for given in tables.given]
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
