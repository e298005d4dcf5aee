"""ece, mce and selective_accuracy beside uncertainty-calibration, and Platt scaling beside scikit-learn."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmkit.errors import ConfigError
from llmkit.metrics._platt import fit
from llmkit.metrics.ece import Ece
from llmkit.metrics.mce import Mce
from llmkit.metrics.selective_accuracy import SelectiveAccuracy
from llmkit.stats import bootstrap_rows
from llmkit.types import Loglikelihood, Output, Response, Sample, Skipped, Table, TokenLogprob

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "calibration.json").read_text("utf-8"))["rows"]
GREATEST = json.loads((Path(__file__).parents[1] / "golden" / "calibration_max.json").read_text("utf-8"))["rows"]
SURE = st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.75, 0.9, 1.0]) | st.floats(0, 1)
ROWS = st.lists(st.tuples(SURE, st.integers(0, 1)), min_size=1, max_size=40)
METRICS: tuple[Any, ...] = (
    Ece(),
    Ece(bins=3, edges="width"),
    Ece(bins=1),
    Mce(),
    Mce(bins=4, edges="width"),
    SelectiveAccuracy(),
    SelectiveAccuracy(coverage=0.3),
)


def table(rows: Any) -> Table:
    return Table([[float(sure) for sure, _ in rows], [float(right) for _, right in rows]], [(), ()])


def golden_table(row: dict[str, Any]) -> Table:
    return Table([row["sure"], row["right"]], [(), ()])


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: row["name"])
@pytest.mark.parametrize("edges", ["mass", "width"])
def test_ece_equals_uncertainty_calibration(row: dict[str, Any], edges: Any) -> None:
    for bins, expected in row[edges].items():
        found = Ece(bins=int(bins), edges=edges).value_of(golden_table(row))
        assert found == pytest.approx(expected, abs=1e-12), bins


def test_mce_equals_torchmetrics() -> None:
    for row in GREATEST:
        for bins, expected in row["max"].items():
            found = Mce(bins=int(bins), edges="width").value_of(golden_table(row))
            assert found == pytest.approx(expected, abs=1e-6), (len(row["sure"]), bins)  # it counts in 32 bits


@pytest.mark.parametrize("row", [row for row in GOLDEN if row["area"] is not None], ids=lambda row: row["name"])
def test_selective_accuracy_equals_uncertainty_calibration(row: dict[str, Any]) -> None:
    assert SelectiveAccuracy().value_of(golden_table(row)) == pytest.approx(row["area"], abs=1e-12)
    assert SelectiveAccuracy(coverage=0.1).value_of(golden_table(row)) == pytest.approx(row["top10"], abs=1e-12)


@pytest.mark.parametrize("row", [row for row in GOLDEN if row["platt"]], ids=lambda row: row["name"])
def test_platt_scaling_equals_scikit_learn(row: dict[str, Any]) -> None:
    sure, right = np.array(row["sure"]), np.array(row["right"], dtype=np.float64)
    curve = fit(sure, right, np.ones(len(sure)))
    expected = row["platt"]
    if sure[right > 0].min() > sure[right == 0].max():
        assert curve is None, "scikit-learn stops somewhere on the way to an infinite slope"
        return
    assert curve is not None
    assert (curve.slope, curve.intercept) == pytest.approx((expected["slope"], expected["intercept"]), abs=1e-6)
    after = Ece(scale="platt").value_of(golden_table(row))
    assert after == pytest.approx(expected["ece10"], abs=1e-6)
    assert after == pytest.approx(expected["helm_ece10"], abs=1e-3)
    assert Ece(scale="platt", bins=1).value_of(golden_table(row)) == pytest.approx(0, abs=1e-9)
    shown = Ece().details(golden_table(row))["tables"][1]["rows"]
    assert [line[2] for line in shown] == pytest.approx([after, 0], abs=1e-9)
    assert [line[1] for line in shown] == pytest.approx([row["mass"]["10"], row["mass"]["1"]], abs=1e-12)


@given(rows=ROWS.filter(lambda rows: 0 < sum(right for _, right in rows) < len(rows)))
def test_platt_scaling_solves_its_equations(rows: list[tuple[float, int]]) -> None:
    sure, right = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    curve = fit(sure, right, np.ones(len(rows)))
    if curve is None:
        low, high = sure[right > 0], sure[right == 0]
        clip = 1e-12
        assert low.min() >= high.max() - clip or high.min() >= low.max() - clip
        return
    odds = np.log(np.clip(sure, 1e-12, 1 - 1e-12) / (1 - np.clip(sure, 1e-12, 1 - 1e-12)))
    off = 1 / (1 + np.exp(-(curve.slope * odds + curve.intercept))) - right
    assert off.sum() == pytest.approx(0, abs=1e-6)
    assert off @ odds + 1e-10 * curve.slope == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("right", [(1, 1, 1), (0, 0, 0), (0, 1, 1)])
def test_platt_scaling_has_no_curve_where_right_and_wrong_are_parted(right: tuple[int, ...]) -> None:
    rows = list(zip((0.2, 0.5, 0.9), right, strict=True))
    metric = Ece(scale="platt")
    assert metric.value_of(table(rows)) is None
    assert "no curve" in metric.details(table(rows))["no_value"]
    assert "no curve" in Ece().details(table(rows))["notes"][-1]


def test_platt_scaling_of_one_confidence_gives_the_accuracy() -> None:
    curve = fit(np.full(4, 0.9), np.array([1.0, 1.0, 1.0, 0.0]), np.ones(4))
    assert curve == pytest.approx((0.0, math.log(3)))


@given(rows=ROWS, bins=st.integers(1, 12))
def test_width_bins_equal_a_plain_loop(rows: list[tuple[float, int]], bins: int) -> None:
    uppers = [k / bins for k in range(1, bins)] + [math.inf]
    held: dict[int, list[tuple[float, int]]] = {}
    for sure, right in rows:
        held.setdefault(next(k for k, upper in enumerate(uppers) if sure <= upper), []).append((sure, right))
    gaps = [(len(found), abs(sum(s - r for s, r in found)) / len(found)) for found in held.values()]
    expected = sum(count * gap for count, gap in gaps) / len(rows)
    assert Ece(bins=bins, edges="width").value_of(table(rows)) == pytest.approx(expected, abs=1e-12)
    assert Mce(bins=bins, edges="width").value_of(table(rows)) == pytest.approx(max(g for _, g in gaps), abs=1e-12)


@given(rows=ROWS)
def test_one_bin_is_mean_confidence_against_accuracy(rows: list[tuple[float, int]]) -> None:
    sure, right = zip(*rows, strict=True)
    expected = abs(np.mean(sure) - np.mean(right))
    for metric in (Ece(bins=1), Ece(bins=1, edges="width"), Mce(bins=1)):
        assert metric.value_of(table(rows)) == pytest.approx(expected, abs=1e-12)


@given(rows=ROWS, bins=st.integers(1, 12))
def test_the_worst_bin_is_no_better_than_the_mean(rows: list[tuple[float, int]], bins: int) -> None:
    mean, worst = Ece(bins=bins).value_of(table(rows)), Mce(bins=bins).value_of(table(rows))
    assert mean is not None
    assert worst is not None
    assert mean <= worst + 1e-12


@pytest.mark.parametrize("metric", METRICS, ids=str)
@given(rows=ROWS, data=st.data())
def test_range_and_order(metric: Any, rows: list[tuple[float, int]], data: st.DataObject) -> None:
    found = metric.value_of(table(rows))
    assert -1e-12 <= found <= 1 + 1e-12
    assert metric.value_of(table(data.draw(st.permutations(rows)))) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("metric", [*METRICS, Ece(scale="platt")], ids=str)
@given(rows=ROWS, data=st.data())
def test_resamples_by_weight_equal_resamples_by_rows(metric: Any, rows: Any, data: st.DataObject) -> None:
    counts = st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)).filter(any)
    weights = np.array(data.draw(st.lists(counts, min_size=1, max_size=3)), dtype=np.float64)
    if getattr(metric, "scale", "") == "platt":
        # Curves that are all but flat or all but steps round differently; bins may then part elsewhere.
        assume(len({sure for sure, _ in rows}) > 3)
        rows = [(0.05 + 0.9 * round(sure, 1), right) for sure, right in rows]
    found = metric.value_many(table(rows), weights)
    assert found.shape == (len(weights),)
    for got, row in zip(found, weights, strict=True):
        drawn = [one for one, times in zip(rows, row, strict=True) for _ in range(int(times))]
        expected = metric.value_of(table(drawn))
        near = 1e-6 if getattr(metric, "scale", "") == "platt" else 1e-12
        assert (math.isnan(got) and expected is None) or got == pytest.approx(expected, abs=near)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_a_model_that_knows_is_best(metric: Any) -> None:
    knows = [(1.0, 1)] * 5
    assert metric.value_of(table(knows)) == (1.0 if metric.higher_is_better else 0.0)
    if not metric.higher_is_better:
        assert metric.value_of(table([(1.0, 0)] * 5)) == 1.0


@given(rows=ROWS, data=st.data())
def test_ties_count_as_the_mean_over_their_orders(rows: list[tuple[float, int]], data: st.DataObject) -> None:
    rights = [right for _, right in rows]
    tied = SelectiveAccuracy().value_of(table([(0.5, right) for right in rights]))
    assert tied == pytest.approx(sum(rights) / len(rights), abs=1e-12)
    coverage = data.draw(st.floats(0, 1))
    tied = SelectiveAccuracy(coverage=coverage).value_of(table([(0.5, right) for right in rights]))
    assert tied == pytest.approx(sum(rights) / len(rights), abs=1e-12)


def test_the_surest_rows_are_kept() -> None:
    rows = [(0.9, 1), (0.8, 1), (0.7, 0), (0.6, 1), (0.5, 0)]
    assert SelectiveAccuracy(coverage=0.0).value_of(table(rows)) == 1
    assert SelectiveAccuracy(coverage=0.4).value_of(table(rows)) == pytest.approx(2 / 3)
    assert SelectiveAccuracy(coverage=1.0).value_of(table(rows)) == pytest.approx(3 / 5)
    assert SelectiveAccuracy().value_of(table(rows)) == pytest.approx((1 + 1 + 2 / 3 + 3 / 4 + 3 / 5) / 5)
    assert SelectiveAccuracy().details(table(rows))["tables"][0]["rows"][-1] == ["100%", pytest.approx(0.6)]
    assert "same confidence" in SelectiveAccuracy().details(table([(0.5, 1), (0.5, 0)]))["notes"][0]


def test_few_rows_are_warned_about_and_the_diagram_adds_up() -> None:
    few = [(k / 40, k % 2) for k in range(20, 40)]
    for metric in (Ece(bins=4), Mce(bins=4)):
        details = metric.details(table(few))
        assert json.loads(json.dumps(details)) == details
        assert "With fewer than about 300 rows (here 20)" in details["notes"][0]
        shown = details["tables"][0]["rows"]
        assert [row[1] for row in shown] == [5, 5, 5, 5]
        assert shown[0][0] == "0.500 to 0.600"
        assert all(len(row[-1]) == 20 and row[-1].count("┃") == 1 for row in shown)
        assert sum(row[1] * abs(row[4]) for row in shown) / 20 == pytest.approx(Ece(bins=4).value_of(table(few)))
        assert (
            "notes" not in metric.details(table(few * 15)) or "no curve" in metric.details(table(few * 15))["notes"][0]
        )


def test_the_surest_choice_is_the_answer() -> None:
    sample = Sample("1", answer=1, choices=("cat", "dog"))
    lls = (Loglikelihood(math.log(0.2), 1, greedy=False), Loglikelihood(math.log(0.6), 1, greedy=False))
    output = Output("1", "", response=Response(loglikelihoods=lls))
    assert Ece(source="loglikelihoods").stats(sample, output) == pytest.approx((0.75, 1.0))
    assert Ece(source="loglikelihoods", of="positive", positive="cat").stats(sample, output) == pytest.approx((0.25, 0))


def test_a_probability_of_the_positive_label_is_confidence_in_either() -> None:
    assert Ece().stats(Sample("1", answer="no"), Output("1", "0.2")) == (0.8, 1.0)
    assert Ece().stats(Sample("1", answer="no"), Output("1", "0.5")) == (0.5, 0.0)
    spam = Mce(positive="spam", source="json")
    assert spam.stats(Sample("1", answer="ham"), Output("1", "0.2")) == (0.8, 1.0)
    assert Ece(of="positive").stats(Sample("1", answer="no"), Output("1", "0.2")) == (0.2, 0.0)


def test_a_stated_confidence_is_in_the_answer_of_the_output() -> None:
    metric = Ece(source="json", key="sure", answer="label")
    output = Output("1", '{"label": "Dog", "sure": "80%"}')
    assert metric.stats(Sample("1", answer="dog"), output) == pytest.approx((0.8, 1.0))
    assert metric.stats(Sample("1", answer="cat"), output) == pytest.approx((0.8, 0.0))
    row = Sample("1", references=("Paris",), meta={"sure": 0.4})
    assert Mce(source="meta", key="sure").stats(row, Output("1", "paris.")) == (0.4, 1.0)
    boolean = Output("1", '{"label": true, "sure": 0.7}')
    assert metric.stats(Sample("1", answer="true"), boolean) == (0.7, 1.0)


def test_the_likelihood_of_the_whole_output() -> None:
    tokens = (TokenLogprob("Par", math.log(0.5)), TokenLogprob("is", math.log(0.9)))
    output = Output("1", "Paris", response=Response(text="Paris", logprobs=tokens))
    metric = SelectiveAccuracy(source="likelihood")
    assert metric.stats(Sample("1", references=("Paris",)), output) == pytest.approx((0.45, 1.0))
    rounded = Output("1", "Paris", response=Response(text="Paris", logprobs=(TokenLogprob("Paris", 1e-9),)))
    assert metric.stats(Sample("1", references=("Paris",)), rounded) == (1.0, 1.0)
    found = metric.stats(Sample("1", references=("Paris",)), Output("1", "Paris"))
    assert isinstance(found, Skipped)
    assert "logprobs" in found.reason


@pytest.mark.parametrize(
    ("metric", "text", "reason"),
    [
        (Ece(source="json", key="sure", answer="label"), '{"sure": 0.5}', "no label where answer looks"),
        (Ece(source="json", key="sure", answer="label"), '{"label": "a", "sure": 80}', "not between 0 and 1"),
        (Ece(), "1.5", "between 0 and 1"),
        (Ece(of="positive"), "1.5", "between 0 and 1"),
        (Ece(), "sure", "number"),
    ],
)
def test_what_has_no_confidence_is_skipped(metric: Any, text: str, reason: str) -> None:
    found = metric.stats(Sample("1", answer="1"), Output("1", text))
    assert isinstance(found, Skipped)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("cls", "arguments", "said"),
    [
        (Ece, {"bins": 0}, "bins must be at least 1"),
        (Ece, {"source": "likelihood", "of": "positive"}, "of=positive has no meaning"),
        (Mce, {"source": "likelihood", "positive": "x"}, "positive has no meaning"),
        (Mce, {"answer": "x"}, "source=json only"),
        (SelectiveAccuracy, {"coverage": 2.0}, "coverage must be between"),
    ],
)
def test_what_does_not_fit_together_is_said(cls: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        cls(**arguments)


def test_the_interval_of_a_calibration_error_takes_chance_back() -> None:
    class Percentiles(Ece):
        interval = "percentile"

    held = dict.fromkeys((Ece, Percentiles), 0)
    rng = np.random.default_rng(5)
    for _ in range(40):
        sure = rng.uniform(0.53, 1, 300)
        right = (rng.random(300) < sure - 0.03).astype(float)
        for cls in held:
            found = bootstrap_rows(Table([sure.tolist(), right.tolist()], [(), ()]), cls(), resamples=100, seed=1)
            assert found is not None
            assert found.low is not None
            assert found.high is not None
            held[cls] += found.low <= 0.03 <= found.high
            if cls is Ece:
                assert 0 <= found.low <= found.value <= found.high
                assert found.method == "basic bootstrap, 100 resamples"
    assert held[Ece] > 30
    assert held[Percentiles] < 5
