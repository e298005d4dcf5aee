"""TER is sacreBLEU's, taken apart into statistics that add up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import TER

from llmkit.metrics.ter import Ter
from llmkit.types import Output, Sample, Skipped

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "overlap.json").read_text(encoding="utf-8"))
CASES = [case for case in GOLDEN["sacrebleu"] if case["metric"] == "ter"]
texts = st.lists(st.sampled_from(["a", "B", "b.", "c", "d,", "東京"]), max_size=8).map(" ".join)
rows = st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3)), min_size=1, max_size=5)
Row = tuple[str, list[str]]


def statistics(metric: Ter, row: Row) -> tuple[float, float]:
    stats = metric.stats(Sample("s", references=tuple(row[1])), Output("s", row[0]))
    assert not isinstance(stats, Skipped)
    return stats


def totals(metric: Ter, data: list[Row]) -> list[float]:
    return [sum(column) for column in zip(*(statistics(metric, row) for row in data), strict=True)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["signature"])
def test_golden(case: dict[str, Any]) -> None:
    metric = Ter(**case["settings"])
    data = [(output, refs) for output, refs in GOLDEN["rows"]]
    assert metric.value(totals(metric, data), len(data)) == pytest.approx(case["corpus"], abs=1e-12)
    found = [metric.sample_value(statistics(metric, row)) for row in data]
    assert found == pytest.approx(case["sentences"], abs=1e-12)
    assert metric.signature == case["signature"]


@given(data=rows, order=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_equals_sacrebleu_in_any_order(data: list[Row], order: Any) -> None:
    metric = Ter()
    streams = [[refs[i] if i < len(refs) else None for _, refs in data] for i in range(3)]
    expected = TER().corpus_score([output for output, _ in data], streams).score
    value = metric.value(totals(metric, data), len(data))
    assert value == pytest.approx(expected, rel=1e-12)  # sacreBLEU adds reference lengths up in another order
    assert value >= 0.0
    shuffled = list(data)
    order.shuffle(shuffled)
    assert metric.value(totals(metric, shuffled), len(data)) == pytest.approx(value)
    table = np.array([*(statistics(metric, row) for row in data), totals(metric, data)])
    assert metric.value_many(table, 1).tolist() == [metric.value(row.tolist(), 1) for row in table]
    for output, _ in data:
        assert metric.sample_value(statistics(metric, (output, [output]))) == 0.0


def test_a_moved_phrase_is_one_edit() -> None:
    assert statistics(Ter(), ("c d a b", ["a b c d"])) == (1.0, 4.0)


def test_lower_is_better_and_words_against_nothing_are_all_wrong() -> None:
    assert Ter.higher_is_better is False
    assert Ter().sample_value(statistics(Ter(), ("a b", [""]))) == 100.0
    assert Ter().sample_value(statistics(Ter(), ("", [""]))) == 0.0


def test_without_references_it_does_not_apply() -> None:
    assert Ter().stats(Sample("s"), Output("s", "a")) == Skipped("no reference")
