from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import confusion_table, wilson

metrics = pytest.importorskip("sklearn.metrics")

near = pytest.approx


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1, max_size=40).filter(
        lambda pairs: len({label for pair in pairs for label in pair}) > 1
    )
)
def test_the_table_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    judge, human = [one for one, _ in pairs], [two for _, two in pairs]
    found = confusion_table(judge, human)
    assert found.labels == tuple(sorted(set(judge) | set(human)))
    assert np.array_equal(found.counts, metrics.confusion_matrix(human, judge, labels=list(found.labels)))
    recalls = metrics.recall_score(human, judge, labels=list(found.labels), average=None, zero_division=np.nan)
    precisions = metrics.precision_score(human, judge, labels=list(found.labels), average=None, zero_division=np.nan)
    for rate, recall, precision in zip(found.rates, recalls, precisions, strict=True):
        assert (rate.sensitivity is None) == bool(np.isnan(recall))
        assert rate.sensitivity is None or rate.sensitivity.value == near(recall)
        assert (rate.precision is None) == bool(np.isnan(precision))
        assert rate.precision is None or rate.precision.value == near(precision)


def test_sensitivity_and_specificity_of_yes_and_no_with_wilsons_intervals() -> None:
    judge, human = [1, 1, 1, 0, 0, 0, 0, 1], [1, 1, 0, 0, 0, 0, 1, 1]
    found = confusion_table(judge, human)
    no, yes = found.rates
    assert (yes.label, yes.humans, yes.judged) == (1, 4, 4)
    assert yes.sensitivity is not None
    assert yes.specificity is not None
    assert no.specificity is not None
    assert no.sensitivity is not None
    assert (yes.sensitivity.low, yes.sensitivity.high) == near(wilson(3, 4))
    assert yes.specificity.value == no.sensitivity.value == 0.75
    assert no.specificity.value == yes.sensitivity.value


def test_labels_of_a_scale_that_nobody_gave_are_listed_without_rates() -> None:
    found = confusion_table(["a"], ["a"], scale=["c", "a"])
    assert found.labels == ("c", "a")
    assert found.counts == ((0, 0), (0, 1))
    assert found.rates[0].sensitivity is None
    assert found.rates[1].specificity is None


def test_rows_of_one_cluster_are_not_independent() -> None:
    rng = np.random.default_rng(0)
    human, judge = np.repeat(rng.integers(0, 2, 40), 5), np.repeat(rng.integers(0, 2, 40), 5)
    clusters = np.repeat(np.arange(40), 5)
    alone, clustered = (confusion_table(judge, human, clusters=codes).rates[1] for codes in (None, clusters))
    for name in ("sensitivity", "specificity", "precision"):
        one, two = getattr(alone, name), getattr(clustered, name)
        assert two.value == near(one.value)
        assert two.high - two.low > 1.8 * (one.high - one.low)
