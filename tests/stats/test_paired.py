from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.stats import PairedResult, bca_interval, decide, mcnemar_p, mean_estimate, paired_difference
from llmkit.stats.curves import ScoreCurve
from llmkit.stats.resampling import flip_p, flipped_sums, resampled_means

scipy_stats = pytest.importorskip("scipy.stats")
scipy_optimize = pytest.importorskip("scipy.optimize")

near = pytest.approx
grades = st.floats(0, 1).map(lambda x: round(x, 3))
pairs_of_grades = st.lists(st.tuples(grades, grades), min_size=2, max_size=40)
pairs_of_answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60)


def compared(pairs: list[tuple[float, float]] | list[tuple[bool, bool]], **options: object) -> PairedResult:
    rows = np.array(pairs, dtype=float)
    return paired_difference(rows[:, 0], rows[:, 1], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [3, 8, 12])
def test_few_differences_have_scipys_exact_permutation_p(n: int) -> None:
    changes = np.random.default_rng(n).normal(0.4, 1, n)
    theirs = scipy_stats.permutation_test(
        (changes,), np.sum, permutation_type="samples", n_resamples=inf, alternative="two-sided"
    )
    found, test = flip_p(changes, resamples=100, seed=0)
    assert found == near(theirs.pvalue)
    assert test == f"sign flips, all {2**n}"


def test_many_differences_have_scipys_p_to_within_chance() -> None:
    changes = np.random.default_rng(1).normal(0.12, 1, 300)
    theirs = scipy_stats.permutation_test(
        (changes,),
        np.sum,
        permutation_type="samples",
        n_resamples=20_000,
        rng=np.random.default_rng(2),
        vectorized=False,
    )
    found, _ = flip_p(changes, resamples=100_000, seed=0)
    assert found == near(theirs.pvalue, abs=5 * np.sqrt(found * (1 - found) / 20_000))


def test_random_signs_are_fair_and_independent() -> None:
    values = np.array([1.0, 2, 4, 8, 16, 32, 64, 128, 256])
    sums = flipped_sums(values, 51_200, np.random.default_rng(5))
    counts = np.bincount(((sums + 511) / 2).astype(int), minlength=512)
    assert len(counts) == 512
    assert scipy_stats.chisquare(counts).pvalue > 1e-4


def test_resampled_means_are_those_of_the_drawn_rows() -> None:
    columns = np.random.default_rng(0).random((30, 3))
    drawn = np.random.default_rng(9).integers(0, 30, size=(200, 30))
    assert resampled_means(columns, 200, np.random.default_rng(9)) == near(columns[drawn].mean(axis=1))


@pytest.mark.parametrize("n", [1, 7, 1000])
def test_every_row_of_one_column_is_drawn_as_often(n: int) -> None:
    powers = np.random.default_rng(0).random(n)
    means = resampled_means(powers[:, None], 400_000 // n, np.random.default_rng(1))[:, 0]
    assert len(means) == 400_000 // n
    error = powers.std() / np.sqrt(400_000)
    assert means.mean() == near(powers.mean(), abs=4 * error + 1e-12)
    assert means.std() == near(powers.std() / np.sqrt(n), rel=4 / np.sqrt(2 * len(means)), abs=1e-12)
    for row in range(min(n, 7)):
        alone = (np.arange(n) == row).astype(float)
        drawn = resampled_means(alone[:, None], 400_000 // n, np.random.default_rng(2)).sum() * n
        expected = (400_000 // n) * n / n
        assert drawn == near(expected, abs=4 * np.sqrt(expected) + 1e-6)


@pytest.mark.parametrize("n", [10, 60])
def test_the_bca_interval_is_scipys(n: int) -> None:
    values = np.random.default_rng(n).exponential(size=n)
    theirs = scipy_stats.bootstrap(
        (values,), np.mean, n_resamples=40_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    low, high = bca_interval(values, resamples=40_000, widened=False)
    assert (low, high) == near((theirs.low, theirs.high), abs=0.03 * (theirs.high - theirs.low))
    wider = bca_interval(values, resamples=40_000)
    assert wider[0] < low < high < wider[1]


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_mid_p_is_the_exact_p_less_half_the_observed(gained: int, lost: int) -> None:
    found = mcnemar_p(gained, lost)
    if gained + lost == 0:
        assert found == 1.0
        return
    exact = scipy_stats.binomtest(min(gained, lost), gained + lost).pvalue
    observed = scipy_stats.binom.pmf(gained, gained + lost, 0.5)
    assert found == near(1.0 if gained == lost else exact - observed)


def plain_score(gained: int, lost: int, n: int, x: float) -> float:
    """The score statistic with the likelihood under "the difference is x" maximised by brute force."""
    same = n - gained - lost

    def unlikely(share: float) -> float:
        gain = share + x
        rest = 1 - gain - share
        return -float(
            scipy_stats.multinomial.logpmf([gained, lost, same], n, [gain, share, rest])
            if min(gain, share, rest) > 0
            else -inf
        )

    low, high = max(0.0, -x), (1 - x) / 2
    share = scipy_optimize.minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return float((gained - lost - n * x) / np.sqrt(n * (2 * share + x - x * x)))


@pytest.mark.parametrize(("gained", "lost", "n"), [(12, 2, 50), (3, 7, 40), (5, 0, 30), (1, 1, 10), (9, 9, 20)])
def test_tangos_interval_ends_where_the_score_reaches_the_normal_quantile(gained: int, lost: int, n: int) -> None:
    low, high = ScoreCurve(gained, lost, n).interval(0.95)
    assert plain_score(gained, lost, n, low) == near(1.959964, abs=2e-4)
    assert plain_score(gained, lost, n, high) == near(-1.959964, abs=2e-4)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.sampled_from([0.8, 0.95, 0.999]))
def test_tangos_interval_is_a_difference_of_shares_and_holds_the_estimate(
    gained: int, lost: int, same: int, level: float
) -> None:
    n = gained + lost + same
    if n == 0:
        return
    curve = ScoreCurve(gained, lost, n)
    low, high = curve.interval(level)
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    assert low < high
    other = ScoreCurve(lost, gained, n).interval(level)
    assert (-high, -low) == near(other, abs=1e-9)
    if low > -1:
        assert curve.below(low) == near((1 - level) / 2, abs=1e-6)
    if high < 1:
        assert curve.above(high) == near((1 - level) / 2, abs=1e-6)


def test_yes_no_runs_without_a_change_have_the_interval_of_none_in_n() -> None:
    found = paired_difference(np.ones(100), np.ones(100), binary=True)
    edge = 1.959964**2 / (100 + 1.959964**2)
    assert (found.difference.low, found.difference.high) == near((-edge, edge), rel=1e-5)
    assert (found.p, found.up, found.down, found.effect) == (1.0, 0, 0, None)


def test_graded_differences_have_the_t_interval() -> None:
    rng = np.random.default_rng(4)
    base = rng.random(80)
    candidate = base + rng.normal(0.02, 0.1, 80)
    found = paired_difference(base, candidate, interval="t")
    theirs = scipy_stats.ttest_rel(candidate, base).confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == near((theirs.low, theirs.high))
    assert found.difference.method == "t"
    assert found.error is not None
    assert found.effect is not None
    assert found.effect.value == near((candidate - base).mean() / (candidate - base).std(ddof=1))


def test_skewed_differences_have_a_bootstrap_interval() -> None:
    rng = np.random.default_rng(4)
    base = np.zeros(60)
    candidate = rng.exponential(size=60) ** 2
    found = paired_difference(base, candidate)
    assert found.difference.method == "bca bootstrap, 10000 resamples"
    assert (found.difference.low, found.difference.high) == near(bca_interval(np.sort(candidate)))


def test_clusters_give_the_clustered_interval_and_flip_together() -> None:
    rng = np.random.default_rng(8)
    base, clusters = rng.random(60), np.repeat(np.arange(12), 5)
    candidate = base + np.repeat(rng.normal(0.05, 0.1, 12), 5)
    found = paired_difference(base, candidate, clusters=clusters)
    alone = mean_estimate(candidate - base, binary=False, clusters=clusters)
    assert (found.difference.low, found.difference.high) == near((alone.low, alone.high))
    assert found.difference.method == alone.method == "t, 12 clusters"
    sums = np.add.reduceat(candidate - base, np.arange(0, 60, 5))
    assert found.p == flip_p(sums, resamples=1, seed=0)[0]
    assert (found.test, found.units) == ("sign flips, all 4096, by cluster", 12)


def test_repeats_are_averaged_and_their_noise_is_told_apart() -> None:
    rng = np.random.default_rng(2)
    own, samples = rng.normal(size=400), np.repeat(np.arange(400), 4)
    base = own[samples] + rng.normal(0, 0.5, 1600)
    candidate = own[samples] + np.repeat(rng.normal(0.1, 0.3, 400), 4) + rng.normal(0, 0.5, 1600)
    found = paired_difference(base, candidate, samples=(samples, samples))
    plain = paired_difference(base.reshape(-1, 4).mean(axis=1), candidate.reshape(-1, 4).mean(axis=1))
    assert found.difference == plain.difference
    assert (found.n, found.p) == (400, plain.p)
    assert found.variance is not None
    assert found.variance.within == near(2 * 0.25, rel=0.1)
    assert found.variance.between == near(0.09, rel=0.3)
    assert found.variance.repeats == near(4)


def test_repeats_in_any_order_and_number_belong_to_their_samples() -> None:
    base = paired_difference([0.0, 1, 1, 0], [1.0, 1, 0], samples=([5, 5, 2, 9], [2, 5, 9]), binary=True)
    assert (base.n, base.up, base.down, base.binary) == (3, 1, 0, False)
    assert base.difference.value == near((0 + 0.5 + 0) / 3)


@given(pairs_of_grades, st.randoms())
def test_swapped_runs_and_shuffled_rows_say_the_same(pairs: list[tuple[float, float]], random: object) -> None:
    found = compared(pairs, bounds=(0, 1), interval="t")
    swapped = compared([(b, a) for a, b in pairs], bounds=(0, 1), interval="t")
    assert swapped.difference.value == near(-found.difference.value, abs=1e-12)
    assert swapped.p == found.p
    assert (swapped.up, swapped.down) == (found.down, found.up)
    if found.difference.low is not None and found.difference.high is not None:
        assert (swapped.difference.low, swapped.difference.high) == near(
            (-found.difference.high, -found.difference.low), abs=1e-9
        )
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = compared(shuffled, bounds=(0, 1), interval="t")
    assert again.p == found.p
    assert again.difference.value == near(found.difference.value, abs=1e-12)


@given(pairs_of_answers)
def test_swapped_yes_no_runs_say_the_same(pairs: list[tuple[bool, bool]]) -> None:
    found, swapped = compared(pairs, binary=True), compared([(b, a) for a, b in pairs], binary=True)
    assert swapped.p == found.p
    assert swapped.difference.value == -found.difference.value
    verdict, other = decide(found).verdict, decide(swapped).verdict
    assert (verdict == "improved") == (other == "regressed")
    assert (verdict == "regressed") == (other == "improved")
    assert decide(swapped, higher_is_better=False).verdict == verdict


@given(st.lists(grades, min_size=1, max_size=40), st.sampled_from([None, (0.0, 1.0)]), st.booleans())
def test_a_run_beside_itself_does_not_differ(
    scores: list[float], bounds: tuple[float, float] | None, clustered: bool
) -> None:
    clusters = np.arange(len(scores)) // 3 if clustered else None
    found = paired_difference(scores, scores, bounds=bounds, clusters=clusters)
    assert found.difference.value == 0
    assert (found.up, found.down) == (0, 0)
    assert found.p in (1.0, None)
    assert decide(found).verdict == "pass"


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_scores_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(
        ValueError, match="1 of the candidate run's 2 scores are not finite numbers: leave those samples out"
    ):
        paired_difference([1.0, 2.0], [1.0, bad])


def test_rows_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="the base run has no scores"):
        paired_difference([], [])
    with pytest.raises(ValueError, match="the base has 2 scores and the candidate 3"):
        paired_difference([1.0, 2], [1.0, 2, 3])
    with pytest.raises(ValueError, match="must be one column"):
        paired_difference([[1.0]], [[2.0]])
    with pytest.raises(ValueError, match="must be 0 or 1"):
        paired_difference([0.5, 1], [1.0, 1], binary=True)
    with pytest.raises(ValueError, match="have not scored the same samples"):
        paired_difference([1.0, 2], [1.0, 2], samples=([1, 2], [1, 3]))
    with pytest.raises(ValueError, match="the code of its sample"):
        paired_difference([1.0, 2], [1.0, 2], samples=([1, 2], [1]))
    with pytest.raises(ValueError, match="cluster codes"):
        paired_difference([1.0, 2], [1.0, 2], clusters=[1])


def test_one_sample_and_one_cluster_have_no_interval_and_no_p() -> None:
    for found in (paired_difference([1.0], [0.0]), paired_difference([1.0, 1], [0.0, 0.5], clusters=[3, 3])):
        assert (found.difference.low, found.difference.high, found.p, found.curve) == (None, None, None, None)
        decision = decide(found)
        assert decision.verdict == "inconclusive"
        assert decision.note.startswith("no interval: one ")


def test_equal_differences_have_only_the_range_to_go_by() -> None:
    open_ended = paired_difference(np.zeros(20), np.ones(20))
    assert (open_ended.difference.low, open_ended.difference.method) == (None, "none: all differences are equal")
    bounded = paired_difference(np.zeros(20), np.full(20, 0.5), bounds=(0, 1))
    low, high = bounded.difference.low, bounded.difference.high
    assert low is not None
    assert high is not None
    assert 0 < low < 0.5 < high < 1
    assert decide(bounded).verdict == "improved"


def test_few_changes_leave_room_for_those_not_seen() -> None:
    candidate = np.zeros(200)
    candidate[0] = 0.01
    bounded = paired_difference(np.zeros(200), candidate, bounds=(0, 1))
    assert bounded.difference.method.endswith("widened: few differ")
    assert bounded.difference.low is not None
    assert bounded.difference.low < -0.018
    assert decide(bounded, margin=0.005).verdict == "inconclusive"
    assert decide(bounded, margin=0.05).verdict == "pass"


@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_all_right_beside_all_wrong_is_certain(answer: float) -> None:
    found = paired_difference(np.full(40, answer), np.full(40, 1 - answer), binary=True)
    assert abs(found.difference.value) == 1
    assert decide(found).verdict == ("regressed" if answer else "improved")


def test_a_million_rows() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(1_000_000)
    candidate = base + rng.exponential(0.1, 1_000_000) - 0.1
    found = paired_difference(base, candidate, resamples=1000)
    assert found.n == 1_000_000
    assert found.difference.low is not None
    assert found.difference.high is not None
    assert found.difference.high - found.difference.low == near(2 * 1.96 * 0.1 / 1000, rel=0.05)
