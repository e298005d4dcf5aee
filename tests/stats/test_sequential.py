from __future__ import annotations

from math import inf, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmkit.stats import ConfidenceSequence, settle_drop, settle_value, split_alpha

near = pytest.approx
scores = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def plain(values: list[float], *, total: int | None, alpha: float, steps: int) -> tuple[float, float]:
    """The hedged capital process, one mean and one score at a time."""
    alive = []
    for mean in np.linspace(0, 1, steps + 1):
        above = below = 0.0
        total_seen = squares = 0.0
        out = False
        for i, score in enumerate(values):
            variance = (0.25 + squares) / (i + 1)
            bet = sqrt(2 * log(2 / alpha) / (variance * (i + 1) * log(i + 2)))
            to_come = mean if total is None else (total * mean - total_seen) / (total - i)
            if not -1e-9 <= to_come <= 1 + 1e-9:
                out = True
                break
            to_come = min(1.0, max(0.0, to_come))
            above += log(1 + min(bet, 0.5 / to_come if to_come else inf) * (score - to_come))
            below += log(1 - min(bet, 0.5 / (1 - to_come) if to_come < 1 else inf) * (score - to_come))
            out = out or max(above, below) >= log(2 / alpha)
            total_seen += score
            squares += (score - (0.5 + total_seen) / (i + 2)) ** 2
        alive.append(not out)
    kept = np.flatnonzero(alive)
    return max(0, kept[0] - 1) / steps, min(steps, kept[-1] + 1) / steps


@pytest.mark.parametrize("total", [None, 80, 200])
@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_it_is_the_hedged_capital_process(total: int | None, share: float) -> None:
    values = (np.random.default_rng(3).random(80) < share).astype(float)
    found = ConfidenceSequence(0, 1, total=total, steps=50).update(values[:60])
    low, high = plain(values[:60].tolist(), total=total, alpha=0.05, steps=50)
    if total is not None:
        low, high = max(low, values[:60].sum() / total), min(high, (values[:60].sum() + total - 60) / total)
    assert found == near((low, high), abs=1e-9)


@example([5e-324, 0.0], 1, True)
@given(scores, st.integers(1, 10), st.booleans())
def test_it_does_not_matter_how_many_come_at_once(values: list[float], size: int, finite: bool) -> None:
    total = len(values) + 3 if finite else None
    at_once, in_parts = (ConfidenceSequence(0, 1, total=total, steps=100) for _ in range(2))
    at_once.update(values)
    for start in range(0, len(values), size):
        in_parts.update(values[start : start + size])
    assert in_parts.interval == near(at_once.interval, abs=0.0101)
    assert in_parts.n == at_once.n == len(values)
    assert in_parts.mean == near(np.mean(values))


@given(scores)
def test_it_only_narrows_and_mirrors(values: list[float]) -> None:
    sequence, mirrored = ConfidenceSequence(0, 1, steps=100), ConfidenceSequence(0, 1, steps=100)
    last = sequence.interval
    for value in values:
        low, high = sequence.update(value)
        assert last[0] <= low <= high <= last[1]
        last = low, high
    other = mirrored.update([1 - value for value in values])
    assert (1 - other[1], 1 - other[0]) == near(last, abs=0.0101)


@given(st.lists(st.floats(-2, 3), min_size=1, max_size=40))
def test_the_mean_of_all_samples_is_known_when_all_are_asked(values: list[float]) -> None:
    sequence = ConfidenceSequence(-2, 3, total=len(values))
    sequence.update(values[:-1])
    sequence.update(values[-1:])
    assert sequence.interval == near((np.mean(values), np.mean(values)), abs=1e-9)


def test_a_known_number_of_samples_narrows_it() -> None:
    values = np.random.default_rng(0).random(90)
    finite, endless = ConfidenceSequence(0, 1, total=100), ConfidenceSequence(0, 1)
    low, high = finite.update(values)
    wider = endless.update(values)
    assert high - low < 0.6 * (wider[1] - wider[0])
    assert low <= values.mean() <= high


def test_samples_without_a_score_are_left_out() -> None:
    sequence = ConfidenceSequence(0, 1, total=4)
    sequence.update([1, 0, 1])
    sequence.leave_out()
    assert sequence.update([]) == near((2 / 3, 2 / 3))
    with pytest.raises(ValueError, match="1 samples cannot be left out"):
        sequence.leave_out()


def test_thresholds_are_told_apart_exactly() -> None:
    found = ConfidenceSequence(0, 1, at=(0.8012345,), steps=10)
    low, _ = found.update(np.ones(40))
    assert low == near(0.8012345)
    assert settle_value(found.interval, least=0.8012345) is True


def test_what_cannot_be_is_refused() -> None:
    for bounds in ((0, inf), (nan, 1), (1, 0), (1, 1)):
        with pytest.raises(ValueError, match="finite range"):
            ConfidenceSequence(*bounds)
    with pytest.raises(ValueError, match="at least one sample"):
        ConfidenceSequence(0, 1, total=0)
    with pytest.raises(ValueError, match="alpha and the stake"):
        ConfidenceSequence(0, 1, alpha=1.0)
    for bad in (nan, inf, 1.5):
        with pytest.raises(ValueError, match="must lie between 0 and 1"):
            ConfidenceSequence(0, 1).update([0.5, bad])
    with pytest.raises(ValueError, match="there are 2 samples, and 3 scores"):
        ConfidenceSequence(0, 1, total=2).update([1, 1, 1])
    with pytest.raises(ValueError, match="at least one gate"):
        split_alpha(0.05, 0)
    assert split_alpha(0.05, 5) == near(0.01)


@pytest.mark.parametrize(
    ("interval", "margin", "verdict"),
    [
        ((0.01, 0.2), 0.0, "improved"),
        ((-0.01, 0.2), 0.02, "pass"),
        ((-0.01, 0.2), 0.0, None),
        ((-0.2, -0.01), 0.0, "regressed"),
        ((-0.2, -0.01), 0.02, None),
        ((-0.2, -0.05), 0.02, "regressed"),
        ((0.0, 0.0), 0.0, None),
    ],
)
def test_an_interval_settles_a_drop(interval: tuple[float, float], margin: float, verdict: str | None) -> None:
    assert settle_drop(interval, margin=margin) == verdict
    assert settle_drop((-interval[1], -interval[0]), margin=margin, higher_is_better=False) == verdict


def test_an_interval_settles_a_threshold() -> None:
    assert settle_value((0.8, 0.9), least=0.8) is True
    assert settle_value((0.7, 0.79), least=0.8) is False
    assert settle_value((0.7, 0.9), least=0.8) is None
    assert settle_value((0.7, 0.9), most=0.95) is True
    assert settle_value((0.7, 0.9), least=0.5, most=0.6) is False


@pytest.mark.slow
@pytest.mark.parametrize("total", [None, 300])
def test_it_misses_at_any_time_in_at_most_5_percent(total: int | None) -> None:
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(400):
        values = (rng.random(300) < 0.9) * rng.beta(8, 2, 300)
        truth = 0.72 if total is None else values.mean()
        low, high = ConfidenceSequence(0, 1, total=total, at=(truth,), steps=40).update(values[:250])
        missed += not low <= truth <= high
    assert missed <= 400 * 0.05 + 3 * sqrt(400 * 0.05 * 0.95)


def test_a_hundred_thousand_scores() -> None:
    values = np.random.default_rng(0).random(100_000)
    low, high = ConfidenceSequence(0, 1, steps=200).update(values)
    assert low < 0.5 < high
    assert high - low < 0.02
