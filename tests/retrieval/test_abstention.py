"""Thresholds of confidence: chosen to meet a target, never parting equals; areas and curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from llmkit.retrieval.abstention import Target, Trials, auroc, chosen_threshold, curve, figures
from llmkit.retrieval.confidence import PAIRS, STEMMED, THREES, WORDS, Recalibration, usual_calibration
from llmkit.text.runs import writing_without_spaces

rows = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]), st.booleans(), st.booleans()),
    min_size=1,
    max_size=40,
)


def trials(found: list[tuple[float, bool, bool]]) -> Trials:
    sure, there, holds = (np.array(one) for one in zip(*found, strict=True))
    return Trials(sure.astype(np.float64), holds & there, there)


@given(rows, st.sampled_from([0.0, 0.05, 0.3, 1.0]))
def test_the_lowest_threshold_that_meets_the_target_is_chosen(
    found: list[tuple[float, bool, bool]], share: float
) -> None:
    made = trials(found)

    def met(threshold: float, kind: str) -> bool:
        counts = figures(made, threshold)
        false, without = counts["false"]
        wrong, answered = counts["risk"]
        if kind == "max_false":
            kept = false + 1 <= round(share * (without + 1), 9)
        else:
            kept = wrong + 1 <= round((1 - share) * (answered + 1), 9)
        return kept and answered > wrong

    for kind in ("max_false", "min_precision"):
        threshold = chosen_threshold(made, Target(kind, share))
        fit = [one for one in set(made.sure.tolist()) if met(one, kind)]
        assert (threshold is None) == (not fit)
        if threshold is not None:
            assert threshold <= min(fit)
            assert figures(made, threshold) == figures(made, min(fit))


@pytest.mark.parametrize(("kind", "share", "told"), [("max_false", 0.2, "false"), ("min_precision", 0.8, "risk")])
def test_what_is_promised_is_kept_on_questions_that_were_not_there(kind: Any, share: float, told: str) -> None:
    draw = np.random.default_rng(0)

    def drawn(count: int) -> Trials:
        there = np.arange(count) % 2 == 0
        evidence = draw.normal(1.5 * there)
        return Trials(1 / (1 + np.exp(-evidence)), there & (draw.random(count) < 0.95), there)

    fresh, kept = drawn(20_000), []
    for _ in range(200):
        threshold = chosen_threshold(drawn(80), Target(kind, share))
        if threshold is not None:
            count, total = figures(fresh, threshold)[told]
            kept.append(count / total)
    assert len(kept) > 150
    assert np.mean(kept) <= 0.2


def test_one_right_by_chance_promises_no_precision() -> None:
    sure = np.linspace(0.99, 0.01, 60)
    holds = np.arange(60) % 10 != 1
    assert chosen_threshold(Trials(sure, holds, holds), Target("min_precision", 0.95)) is None
    right = np.arange(60) < 19
    assert chosen_threshold(Trials(sure, right, right), Target("min_precision", 0.95)) == pytest.approx(
        (sure[18] + sure[19]) / 2
    )


@given(rows)
def test_the_area_is_scikit_learns(found: list[tuple[float, bool, bool]]) -> None:
    made = trials(found)
    area = auroc(made.sure, made.holds)
    if made.holds.all() or not made.holds.any():
        assert area is None
    else:
        assert area == pytest.approx(roc_auc_score(made.holds, made.sure))


@given(rows)
def test_along_the_curve_fewer_are_answered(found: list[tuple[float, bool, bool]]) -> None:
    points = curve(trials(found))
    for name in ("coverage", "false"):
        shares = [one[name] for one in points if one[name] is not None]
        assert shares == sorted(shares, reverse=True)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_recalibration_keeps_order_and_by_default_everything(one: float, other: float) -> None:
    assert Recalibration().probability(0.3) == pytest.approx(0.3)
    curve_ = Recalibration(2.0, -1.0)
    assert (curve_.probability(one) <= curve_.probability(other)) or one > other


def test_the_writing_of_a_question_decides_how_it_is_calibrated() -> None:
    assert usual_calibration("How much is it?", "porter") is STEMMED
    assert usual_calibration("Wie viel kostet es?", "unicode61") is WORDS
    assert usual_calibration("退货需要多少天?", "trigram") is PAIRS
    assert usual_calibration("iPhone 的手机壳多少钱一个呢", "trigram") is PAIRS
    assert usual_calibration("ราคาเท่าไหร่", "trigram") is THREES
    assert usual_calibration("What does 退 mean in this sentence?", "trigram") is WORDS
    assert [writing_without_spaces(text) for text in ("", "。。。", "한국어 질문입니다", "日本語でいいですか")] == [
        0,
        0,
        2,
        2,
    ]
