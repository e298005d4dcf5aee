"""Stacking and its folds: scikit-learn's numbers, and nothing of a row's own label in its prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from llmkit.stats.folds import grouped_folds
from llmkit.stats.stacking import stacked, untaught


def votes(rng: np.random.Generator, labels: Any, members: int = 3, classes: int = 3) -> Any:
    """Return one-hot votes of members that are right about six times in ten."""
    blocks = []
    for _ in range(members):
        right = rng.random(len(labels)) < 0.6
        said = np.where(right, labels, rng.integers(0, classes, len(labels)))
        blocks.append(np.eye(classes)[said])
    return np.concatenate(blocks, axis=1)


@given(st.lists(st.integers(0, 30), min_size=8, max_size=200), st.integers(2, 5), st.integers(0, 9))
def test_folds_keep_groups_whole_and_are_as_equal_as_groups_allow(groups: list[int], folds: int, seed: int) -> None:
    if len(set(groups)) < folds:
        with pytest.raises(ValueError, match=f"there are {len(set(groups))} groups of rows for {folds} folds"):
            grouped_folds(np.array(groups), folds, seed)
        return
    found = grouped_folds(np.array(groups), folds, seed)
    assert all(len(set(found[np.array(groups) == group].tolist())) == 1 for group in set(groups))
    sizes = np.bincount(found, minlength=folds)
    assert sizes.min() > 0
    assert sizes.max() - sizes.min() <= np.bincount(groups).max()
    assert (found == grouped_folds(np.array(groups), folds, seed)).all()


def test_folds_follow_the_seed_and_are_at_least_two() -> None:
    rows = np.arange(100)
    assert (grouped_folds(rows, 5, 1) != grouped_folds(rows, 5, 2)).any()
    with pytest.raises(ValueError, match="at least 2 folds, not 1"):
        grouped_folds(rows, 1)


@pytest.mark.parametrize("strength", [1.0, 0.1])
def test_predictions_are_sklearns_on_the_same_folds(strength: float) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 300)
    features = votes(rng, labels)
    folds = grouped_folds(np.arange(300) // 4, 5, 0)
    ours = stacked(features, labels, folds, classes=3, strength=strength)
    model = LogisticRegression(C=strength, max_iter=1000)
    theirs = {
        how: cross_val_predict(model, features, labels, cv=PredefinedSplit(folds), method=how)
        for how in ("predict", "predict_proba")
    }
    assert ours.labels.tolist() == theirs["predict"].tolist()
    assert np.abs(ours.probabilities - theirs["predict_proba"]).max() < 1e-12
    assert ours.unsettled == 0


def test_rows_without_a_label_are_predicted_and_teach_nothing() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 200)
    features, folds = votes(rng, labels, classes=2), grouped_folds(np.arange(200), 4)
    hidden = np.where(np.arange(200) % 5 == 0, -1, labels)
    found = stacked(features, hidden, folds, classes=2)
    other = features.copy()
    other[hidden < 0] = 0.0
    again = stacked(other, hidden, folds, classes=2)
    assert (found.labels[hidden >= 0] == again.labels[hidden >= 0]).all()
    assert (found.labels[hidden < 0] == labels[hidden < 0]).mean() > 0.6


def test_one_label_alone_teaches_nothing() -> None:
    folds = np.array([0, 0, 1, 1])
    assert untaught(np.array([0, 1, 0, 1]), folds) == []
    assert untaught(np.array([0, 1, 1, 1]), folds) == [0]
    assert untaught(np.array([2, 2, 2, -1]), folds) == [0, 1]
    with pytest.raises(ValueError, match="outside fold 0 have fewer than two labels"):
        stacked(np.zeros((4, 1)), np.array([0, 1, 1, 1]), folds, classes=2)


def test_a_row_s_own_label_does_not_reach_its_prediction() -> None:
    """Turning the labels of one fold around changes no prediction of that fold."""
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 2, 120)
    features, folds = votes(rng, labels, classes=2), grouped_folds(np.arange(120) // 3, 4)
    before = stacked(features, labels, folds, classes=2)
    turned = np.where(folds == 2, 1 - labels, labels)
    after = stacked(features, turned, folds, classes=2)
    mine = folds == 2
    assert np.abs(before.probabilities[mine] - after.probabilities[mine]).max() == 0
    assert np.abs(before.probabilities[~mine] - after.probabilities[~mine]).max() > 0


@pytest.mark.slow
def test_of_labels_that_are_shuffled_nothing_can_be_learnt() -> None:
    """Each cluster repeats its rows to the letter, so that one row seen in training would give the others away."""
    rng = np.random.default_rng(0)
    right = []
    for run in range(60):
        clusters = np.repeat(np.arange(60), 5)
        labels = rng.integers(0, 2, 60)[clusters]
        features = rng.normal(size=(60, 30))[clusters]
        found = stacked(features, labels, grouped_folds(clusters, 5, run), classes=2, strength=100.0)
        right.append(float((found.labels == labels).mean()))
    error = float(np.std(right, ddof=1) / np.sqrt(len(right)))
    assert abs(float(np.mean(right)) - 0.5) < 4 * error + 0.02  # the folds' own balance costs a little
    leaky = stacked(features, labels, grouped_folds(np.arange(300), 5, 0), classes=2, strength=100.0)
    assert float((leaky.labels == labels).mean()) > 0.9  # rows by themselves do give it away: the test can tell
