"""ndcg, map, mrr, recall_at, precision_at, r_precision and hit_rate equal trec_eval's measures, ties and all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import registry
from llmkit.errors import ConfigError
from llmkit.flows.summarise import Design, estimate
from llmkit.flows.tally import Tally
from llmkit.metrics._retrieval import RankingMetric
from llmkit.metrics.hit_rate import HitRate
from llmkit.metrics.map import MeanAveragePrecision
from llmkit.metrics.mrr import MeanReciprocalRank
from llmkit.metrics.ndcg import Ndcg
from llmkit.metrics.precision_at import PrecisionAt
from llmkit.metrics.r_precision import RPrecision
from llmkit.metrics.recall_at import RecallAt
from llmkit.types import Output, Passage, Ranked, Sample, Skipped, Table

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "retrieval.json").read_text("utf-8"))
QUESTIONS = GOLDEN["questions"]
Grades = Mapping[str, float]


def measures(level: int = 1) -> dict[str, RankingMetric]:
    """Return our metrics by pytrec_eval's names."""
    found: dict[str, RankingMetric] = {
        "map": MeanAveragePrecision(relevance=level),
        "recip_rank": MeanReciprocalRank(relevance=level),
        "Rprec": RPrecision(level),
        "ndcg": Ndcg(),
    }
    for k in (1, 3, 10):
        found[f"ndcg_cut_{k}"] = Ndcg(k)
        found[f"map_cut_{k}"] = MeanAveragePrecision(k, level)
        found[f"P_{k}"] = PrecisionAt(k, level)
        found[f"recall_{k}"] = RecallAt(k, level)
        found[f"success_{k}"] = HitRate(k, level)
    return found


EVERY = list(measures().values())


def passages(scores: Mapping[str, float]) -> tuple[Passage, ...]:
    """Return results best first; those of equal score stand in the order of the mapping."""
    return tuple(Passage(name, "", scores[name]) for name in sorted(scores, key=lambda name: -scores[name]))


def stats(metric: RankingMetric, qrels: Any, results: Sequence[Passage]) -> tuple[float, ...] | Skipped:
    return metric.stats(Sample("q", meta={"qrels": qrels}), Output("q", "", retrieved=tuple(results)))


def score(metric: RankingMetric, qrels: Any, results: Sequence[Passage]) -> float | str:
    found = stats(metric, qrels, results)
    return found.reason if isinstance(found, Skipped) else found[0]


def ids(*names: str) -> tuple[Passage, ...]:
    return tuple(Passage(name, "") for name in names)


@pytest.mark.parametrize("level", [1, 2])
def test_golden_values_of_pytrec_eval(level: int) -> None:
    metrics = measures(level)
    compared = 0
    for question, figures in zip(QUESTIONS, GOLDEN["pytrec_eval"][str(level)], strict=True):
        for name, figure in figures.items():
            if (metric := metrics.get(name)) is None:
                continue
            found = score(metric, question["qrels"], passages(question["run"]))
            if isinstance(found, str):
                assert found == "no document is relevant to the question"
                assert figure == 0
            else:
                assert found == pytest.approx(figure, abs=1e-12), (name, question)
                compared += 1
    assert compared > 300


def test_golden_values_of_ir_measures() -> None:
    metrics: dict[str, RankingMetric] = {
        "nDCG(judged_only=True)@5": Ndcg(5, judged_only=True),
        "AP(judged_only=True)": MeanAveragePrecision(judged_only=True),
        "nDCG(gains={0:0,1:1,2:3,3:7})@5": Ndcg(5, "exponential"),
        "RR@5": MeanReciprocalRank(5),
        "RR(rel=2)@5": MeanReciprocalRank(5, 2),
    }
    compared = 0
    for question, figures in zip(QUESTIONS, GOLDEN["ir_measures"], strict=True):
        if min(question["qrels"].values()) < 0:
            continue  # it counts a grade below 0 as judged, against trec_eval
        tied = len(set(question["run"].values())) < len(question["run"])
        for name, figure in figures.items():
            found = score(metrics[name], question["qrels"], passages(question["run"]))
            # RR with a depth is MS MARCO's script there, which leaves ties in the order of the file.
            if not isinstance(found, str) and not (tied and name.startswith("RR")):
                assert found == pytest.approx(figure, abs=1e-12), (name, question)
                compared += 1
    assert compared > 60


names = st.sampled_from([f"d{i}" for i in range(12)] + ["é", "\U0001f600", "\ufffd"])
grades = st.dictionaries(names, st.integers(-1, 4), min_size=1)
runs = st.dictionaries(names, st.sampled_from([0.5, 1.0, 1.5, 2.0, -1.0]), min_size=1)


# With no grade of 0 or more trec_eval's ndcg_cut reads memory that it never set.
@given(grades.filter(lambda found: max(found.values()) >= 0), runs)
def test_values_equal_pytrec_eval_with_ties(qrels: Grades, run: Mapping[str, float]) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="needs pytrec-eval-terrier")
    wanted = {"map", "map_cut.1,3,10", "ndcg", "ndcg_cut.1,3,10", "recip_rank", "Rprec"}
    wanted |= {f"{name}.1,3,10" for name in ("P", "recall", "success")}
    figures = pytrec_eval.RelevanceEvaluator({"q": qrels}, wanted).evaluate({"q": run})["q"]
    metrics = measures()
    assert set(figures) == set(metrics)
    for name, figure in figures.items():
        found = score(metrics[name], qrels, passages(run))
        assert found == pytest.approx(figure, abs=1e-12) if not isinstance(found, str) else figure == 0, name


@given(grades.filter(lambda found: max(found.values()) > 0), st.lists(names, unique=True))
def test_every_score_is_from_0_to_1_and_the_ideal_order_is_best(qrels: Grades, run: list[str]) -> None:
    ideal = sorted(qrels, key=lambda name: -qrels[name])
    for metric in EVERY:
        found, best = score(metric, qrels, ids(*run)), score(metric, qrels, ids(*ideal))
        assert isinstance(found, float)
        assert isinstance(best, float)
        assert 0 <= found <= best <= 1 + 1e-12
        if isinstance(metric, (Ndcg, MeanReciprocalRank, HitRate, RPrecision)):
            assert best == pytest.approx(1)


@given(grades.filter(lambda found: max(found.values()) > 0), st.lists(names, unique=True, min_size=2), st.data())
def test_a_relevant_document_moved_up_never_lowers_a_score(qrels: Grades, run: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(run) - 1))
    if qrels.get(run[at], 0) < qrels.get(run[at - 1], 0):
        return
    swapped = [*run[: at - 1], run[at], run[at - 1], *run[at + 1 :]]
    for metric in EVERY:
        before, after = score(metric, qrels, ids(*run)), score(metric, qrels, ids(*swapped))
        assert isinstance(before, float)
        assert isinstance(after, float)
        assert after >= before - 1e-12


@given(grades, runs, st.randoms(use_true_random=False))
def test_neither_the_order_of_a_tie_nor_that_of_judgments_moves_a_score(qrels: Grades, run: Any, rng: Any) -> None:
    shuffled_run, shuffled_qrels = list(run.items()), list(qrels.items())
    rng.shuffle(shuffled_run)
    rng.shuffle(shuffled_qrels)
    for metric in EVERY:
        assert score(metric, qrels, passages(run)) == score(metric, dict(shuffled_qrels), passages(dict(shuffled_run)))


@given(st.lists(st.tuples(grades, runs), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_questions_does_not_matter(rows: list[tuple[Grades, Any]], rng: Any) -> None:
    shuffled = rows.copy()
    rng.shuffle(shuffled)
    values = []
    for chosen in (rows, shuffled):
        tally = Tally("map", MeanAveragePrecision())
        for number, (qrels, run) in enumerate(chosen):
            sample = Sample(str(number), meta={"qrels": qrels})
            tally.add(number, sample, Output(str(number), "", retrieved=passages(run)))
        found = estimate(tally, Design()) if tally.ok else None
        values.append(found and pytest.approx(found.value))
    assert values[0] == values[1]


def test_results_without_scores_stay_in_their_order() -> None:
    assert score(MeanReciprocalRank(), {"b": 1}, ids("b", "c", "d")) == 1
    assert score(MeanReciprocalRank(), {"b": 1}, [Passage(name, "", 1.0) for name in "bcd"]) == pytest.approx(1 / 3)


def test_the_order_given_wins_over_scores_that_grow() -> None:
    # Distances, best first: a retriever may call these its scores.
    assert score(MeanReciprocalRank(), {"b": 1}, [Passage("b", "", 0.1), Passage("c", "", 0.4)]) == 1


def test_a_document_found_twice_counts_where_it_stands_first() -> None:
    assert score(PrecisionAt(2), {"a": 1, "b": 1}, ids("a", "a", "b")) == 1
    assert score(RecallAt(1), {"a": 1, "b": 1}, ids("a", "a", "b")) == 0.5


def test_precision_counts_places_that_are_not_filled() -> None:
    assert score(PrecisionAt(5), {"a": 1}, ids("a")) == 0.2


def test_judged_only_takes_out_what_nobody_judged() -> None:
    results = ids("x", "y", "a", "n")
    assert score(MeanReciprocalRank(), {"a": 1, "n": 0}, results) == pytest.approx(1 / 3)
    assert score(MeanReciprocalRank(judged_only=True), {"a": 1, "n": 0}, results) == 1


def test_gains_by_name() -> None:
    results = ids("b", "a")
    assert score(Ndcg(gains={"1": 3, "2": 9}), {"a": 2, "b": 1}, results) == pytest.approx(
        (3 + 9 / 1.584962500721156) / (9 + 3 / 1.584962500721156)
    )
    assert Ndcg(gains={"1": 3.0}).signature != Ndcg().signature


@pytest.mark.parametrize("metric", EVERY)
def test_a_question_without_results_counts_0_and_one_without_relevant_documents_not_at_all(
    metric: RankingMetric,
) -> None:
    assert score(metric, {"a": 1}, ()) == 0
    assert score(metric, {"a": 0}, ids("a")) == "no document is relevant to the question"
    assert score(metric, {}, ids("a")) == "no document is relevant to the question"


@pytest.mark.parametrize("qrels", ["a", 3, [["a"]], {"a": "high"}, {"a": None}])
def test_judgments_of_another_form_are_no_judgments(qrels: Any) -> None:
    reason = "'qrels' is neither a mapping from ids to grades nor a list of ids"
    assert score(MeanAveragePrecision(), qrels, ids("a")) == reason


def test_judgments_may_be_a_list_and_may_stand_elsewhere() -> None:
    sample = Sample("q", meta={"gold": {"documents": ["a", 7]}, "x.y": ["b"]}, contexts=("the  text\nof a",))
    output = Output("q", "", retrieved=(Passage("7", "other"), Passage("z", "the text of a ")))
    assert MeanReciprocalRank(qrels="gold.documents").stats(sample, output)[0] == 1  # type: ignore[index]
    assert MeanReciprocalRank(qrels="meta.gold.documents").stats(sample, output)[0] == 1  # type: ignore[index]
    assert MeanReciprocalRank(qrels="x.y").stats(sample, output)[0] == 0  # type: ignore[index]
    assert MeanReciprocalRank(qrels="contexts").stats(sample, output)[0] == 0.5  # type: ignore[index]
    assert MeanReciprocalRank().stats(sample, output) == Skipped("the row has no 'qrels'")
    assert MeanReciprocalRank(qrels="contexts").stats(Sample("q"), output) == Skipped("the row has no contexts")


def test_metrics_that_look_in_different_fields_do_not_mix_them_up() -> None:
    sample = Sample("q", meta={"qrels": ["a"], "other": ["b"]})
    output = Output("q", "", retrieved=ids("a", "b"))
    for _ in range(2):
        assert MeanReciprocalRank().stats(sample, output)[0] == 1  # type: ignore[index]
        assert MeanReciprocalRank(qrels="other").stats(sample, output)[0] == 0.5  # type: ignore[index]


def details(metric: RankingMetric, rows: Sequence[tuple[Any, Sequence[Passage]]]) -> dict[str, Any]:
    found = [stats(metric, qrels, results) for qrels, results in rows]
    columns = list(zip(*[row for row in found if not isinstance(row, Skipped)], strict=True))
    return metric.details(Table(columns, [()] * len(columns)))


def test_details_say_how_far_the_judgments_reach() -> None:
    rows = [({"a": 1, "b": 0}, ids("a", "x", "b")), ({"a": 1}, ids("a", "b", "c"))]
    table = details(PrecisionAt(2), rows)["tables"][0]
    found = dict(zip(table["columns"], table["rows"][0], strict=True))
    assert found == {
        "questions": 2,
        "without results": 0,
        "with no judged result": 0,
        "judged results in the top 2": "50.0%",
    }
    assert "warnings" not in details(PrecisionAt(2), rows)


def test_ids_that_do_not_match_are_warned_about() -> None:
    rows = [({"a": 1}, ids("a.txt", "b.txt")), ({"b": 1}, ids("b.txt")), ({"c": 1}, ids("c")), ({"c": 1}, ())]
    assert details(MeanAveragePrecision(), rows)["warnings"] == [
        "1 of 4 questions have no results and count 0",
        "not one result is judged for 2 of 3 questions: the judgments are few, or ids of documents are written in two ways",
    ]


@pytest.mark.parametrize(("strange", "warned"), [(0, 0), (1, 0), (2, 1), (10, 1)])
def test_ids_that_match_in_part_are_warned_about(strange: int, warned: int) -> None:
    rows = [({"a": 1}, ids("A" if number < strange else "a")) for number in range(10)]
    assert len(details(MeanAveragePrecision(), rows).get("warnings", ())) == warned


@pytest.mark.parametrize("written", ["ndcg@0", "map@0", "recall_at@0", "precision_at@0", "hit_rate@0", "mrr@0"])
def test_a_depth_of_nothing_is_refused(written: str) -> None:
    with pytest.raises(ConfigError, match="k: must be at least 1, got 0"):
        registry.build("metrics", written)


def test_other_arguments_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="relevance: must be at least 1, got 0"):
        RPrecision(relevance=0)
    with pytest.raises(ConfigError, match="every grade must be a number"):
        Ndcg(gains={"high": 3.0})
    with pytest.raises(ConfigError, match="a gain must be 0 or more"):
        Ndcg(gains={"1": -1.0})


def test_specs_round_trip_and_carry_gains() -> None:
    built = registry.build("metrics", {"ndcg": {"k": 10, "gains": {1: 3, 2: 9}}})
    assert built.plugin.gains == {"1": 3.0, "2": 9.0}
    assert registry.build("metrics", built.name).plugin == built.plugin
    assert registry.build("metrics", "ndcg@10").plugin == Ndcg(10)


@pytest.mark.parametrize(("written", "meant"), [("recall@10", "recall_at@10"), ("precision@5", "precision_at@5")])
def test_a_label_metric_with_a_depth_names_the_one_that_was_meant(written: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean '{meant}'"):
        registry.build("metrics", written)


@given(
    scores=st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([0.0, 0.5, 1.0, 2.0])),
    qrels=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(-1, 2), min_size=1),
)
def test_a_ranking_held_as_columns_scores_as_its_passages_do(scores: dict[str, float], qrels: dict[str, int]) -> None:
    best = sorted(((score, name) for name, score in scores.items()), reverse=True)
    columns = Ranked([name for _, name in best], [score for score, _ in best])
    plain: Sequence[Passage] = tuple(Passage(name, "", score) for score, name in best)
    assert columns == plain
    assert columns[1:] == plain[1:]
    assert (len(columns), bool(columns)) == (len(plain), bool(plain))
    assert columns == Ranked(list(columns.ids), list(columns.scores)) != (*plain, Passage("z", ""))
    sample = Sample("q", meta={"qrels": qrels})
    for metric in EVERY:
        found = metric.stats(sample, Output("q", "", retrieved=columns))
        assert found == metric.stats(sample, Output("q", "", retrieved=plain))


def test_columns_of_a_ranking_are_of_one_length() -> None:
    with pytest.raises(ValueError, match="2 ids have 1 scores"):
        Ranked(["a", "b"], [1.0])
    assert repr(Ranked(["a"], [1.0])) == "Ranked(['a'], [1.0])"
    assert Ranked(["a"], [1.0])[0] == Passage("a", "", 1.0)
