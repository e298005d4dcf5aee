"""Stacking: a logistic regression over what several systems say, never asked about a row that it has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from llmkit.errors import MissingExtraError

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

ITERATIONS = 1000


@dataclass(frozen=True, slots=True)
class Stacked:
    """Out-of-fold predictions.

    Attributes:
        labels: Shape (n,): the predicted code of each row.
        probabilities: Shape (n, K): of each code; 0 for a label that the model of the row's fold was never shown.
        unsettled: Folds whose fit stopped before it settled.
    """

    labels: Array
    probabilities: Array
    unsettled: int


def require_sklearn() -> None:
    """Raise MissingExtraError where scikit-learn is not installed."""
    from importlib.util import find_spec

    if find_spec("sklearn") is None:
        raise MissingExtraError("combine: stacking", "ensemble")


def stacked(features: Array, labels: Array, folds: Array, *, classes: int, strength: float = 1.0) -> Stacked:
    """Return for each row what a model predicts that was fitted on the rows of the other folds.

    Equal to scikit-learn's ``cross_val_predict(LogisticRegression(C=strength), features, labels, cv=PredefinedSplit(
    folds))``. Source: Wolpert 1992, "Stacked generalization", Neural Networks 5:241; Breiman 1996, "Stacked
    regressions".

    Args:
        features: Shape (n, d).
        labels: Shape (n,): codes 0 to ``classes`` - 1; below 0 where the label is unknown: such a row is predicted and
            nothing is learnt from it.
        folds: Shape (n,): the fold of each row.
        classes: How many labels there are (K).
        strength: The inverse of the L2 penalty's weight.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        ValueError: the rows outside some fold have fewer than two labels; see `untaught`.
    """
    import numpy as np

    require_sklearn()
    predicted = np.empty(len(features), dtype=np.int64)
    probabilities = np.zeros((len(features), classes))
    unsettled = 0
    for fold in np.unique(folds):
        rows, others = np.flatnonzero(folds == fold), np.flatnonzero((folds != fold) & (labels >= 0))
        if len(np.unique(labels[others])) < 2:  # noqa: PLR2004 - a classifier tells at least two apart
            raise ValueError(f"the rows outside fold {fold} have fewer than two labels")
        model, settled = _fitted(features[others], labels[others], strength)
        unsettled += not settled
        found = model.predict_proba(features[rows])
        probabilities[np.ix_(rows, model.classes_)] = found
        predicted[rows] = model.classes_[found.argmax(axis=1)]
    return Stacked(predicted, probabilities, unsettled)


def _fitted(features: Array, labels: Array, strength: float) -> tuple[Any, bool]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said by the return value instead
        model.fit(features, labels)
    return model, int(model.n_iter_.max()) < ITERATIONS


def untaught(labels: Array, folds: Array) -> list[int]:
    """Return the folds outside which fewer than two labels are known, so that nothing can be learnt for them."""
    import numpy as np

    known = labels >= 0
    return [
        int(fold)
        for fold in np.unique(folds)
        if len(np.unique(labels[known & (folds != fold)])) < 2  # noqa: PLR2004 - as above
    ]
