"""Cross-validation folds that keep together what belongs together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.stats.intervals import dense_codes

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"


def grouped_folds(groups: Array, folds: int, seed: int = 0) -> Array:
    """Return the number of its fold for each row, shape (n,): all rows of a group lie in one fold.

    Groups are shuffled and each, the largest first, goes to the fold that has the fewest rows so far (of several, the
    first), so that folds differ in size by no more than the largest group. Labels play no part, so nothing of them can
    leak through the folds.

    Args:
        groups: Shape (n,): the code of each row's group.
        folds: How many, 2 or more.
        seed: Of the shuffle.

    Raises ValueError where there are fewer groups than folds.
    """
    import heapq

    import numpy as np

    codes, count = dense_codes(np.asarray(groups))
    if folds < 2:  # noqa: PLR2004 - one part to learn from, one to predict
        raise ValueError(f"cross-validation needs at least 2 folds, not {folds}")
    if count < folds:
        raise ValueError(f"there are {count} groups of rows for {folds} folds")
    sizes = np.bincount(codes, minlength=count)
    shuffled = np.random.default_rng(seed).permutation(count)
    fold_of = np.empty(count, dtype=np.int32)
    smallest = [(0, fold) for fold in range(folds)]
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        rows, fold = smallest[0]
        fold_of[group] = fold
        heapq.heapreplace(smallest, (rows + int(sizes[group]), fold))
    found: Array = fold_of[codes]
    return found
