from __future__ import annotations

from math import nan

import numpy as np
import pytest

from llmkit.stats import Claim, decide, decide_all, paired_difference

near = pytest.approx


def shifted(shift: float, *, n: int = 200, noise: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Base and candidate whose differences have exactly this mean."""
    rng = np.random.default_rng(seed)
    change = rng.normal(size=n)
    change = (change - change.mean()) / change.std() * noise + shift
    base = rng.random(n)
    return base, base + change


@pytest.mark.parametrize(
    ("shift", "margin", "verdict"),
    [
        (0.05, 0.0, "improved"),
        (0.0, 0.02, "pass"),
        (0.0, 0.0, "inconclusive"),
        (-0.05, 0.0, "regressed"),
        (-0.05, 0.02, "regressed"),
        (-0.02, 0.05, "pass"),
        (-0.01, 0.02, "inconclusive"),
    ],
)
def test_verdicts_in_either_direction(shift: float, margin: float, verdict: str) -> None:
    base, candidate = shifted(shift)
    assert decide(paired_difference(base, candidate), margin=margin).verdict == verdict
    lower = paired_difference(-base, -candidate)
    assert decide(lower, margin=margin, higher_is_better=False).verdict == verdict


def test_a_small_certain_drop_passes_with_a_note() -> None:
    base, candidate = shifted(-0.02)
    assert decide(paired_difference(base, candidate), margin=0.05).note == (
        "A small drop is certain; it is within the margin."
    )


def test_what_is_clear_alone_may_be_chance_among_many() -> None:
    weak = Claim(paired_difference(*shifted(-0.0165)))
    assert decide_all({"weak": weak})["weak"].verdict == "regressed"
    many = {f"nothing {k}": Claim(paired_difference(*shifted(0.0, seed=k))) for k in range(1, 10)}
    among = decide_all({"weak": weak, **many})["weak"]
    assert among.verdict == "inconclusive"
    assert among.p is not None
    assert weak.result.p is not None
    assert among.p == near(10 * weak.result.p)
    assert decide_all({"weak": weak, **many}, how="none")["weak"].verdict == "regressed"


def test_a_doubt_says_what_could_be_seen_and_what_would_settle_it() -> None:
    result = paired_difference(*shifted(-0.01))
    found = decide(result, margin=0.0)
    assert result.error is not None
    assert found.mde == near(2.82 * result.error, rel=0.01)
    assert found.mde_sure == near(3.63 * result.error, rel=0.01)
    assert found.needed_samples == near(200 * (2.8016 * result.error / 0.01) ** 2, abs=1)
    assert f"About {found.needed_samples} samples would settle it" in found.note
    assert found.needed_repeats is None


def test_repeats_settle_what_is_noise_and_not_what_is_not() -> None:
    rng = np.random.default_rng(0)
    samples = np.repeat(np.arange(300), 2)
    noisy = [rng.normal(0, 0.3, 600) - shift for shift in (0.0, 0.02)]
    found = decide(paired_difference(*noisy, samples=(samples, samples)), margin=0.03)
    assert found.verdict == "inconclusive"
    assert found.needed_repeats is not None
    assert found.needed_repeats > 2
    own = np.repeat(rng.normal(-0.005, 0.3, 300), 2)
    steady = paired_difference(noisy[0] / 100, noisy[0] / 100 + own, samples=(samples, samples))
    assert decide(steady).needed_repeats is None


def test_no_result_of_five_samples_is_certain() -> None:
    found = decide(paired_difference(np.ones(5), np.zeros(5), binary=False))
    assert found.verdict == "inconclusive"
    few = decide(paired_difference([0.9, 0.8, 0.7, 0.9, 0.6], [0.1, 0.2, 0.1, 0.2, 0.1]))
    assert few.verdict == "inconclusive"
    assert few.mde is None
    assert few.note.startswith("5 samples are too few for any difference to be certain.")
    clusters = decide(paired_difference(np.arange(8.0), np.arange(8.0) ** 1.5, clusters=np.arange(8) // 2))
    assert clusters.note.startswith("4 clusters are too few")


def test_a_margin_that_is_none_is_refused() -> None:
    result = paired_difference([1.0, 2], [1.0, 3])
    for bad in (-0.1, nan, float("inf")):
        with pytest.raises(ValueError, match="a margin must be a number of at least 0"):
            decide(result, margin=bad)


def test_nothing_to_judge_is_nothing_judged() -> None:
    assert decide_all({}) == {}
