"""Metrics over the repeats of a sample: pass_at, pass_hat, best_of, majority, agreement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import Options, registry, run_eval
from llmkit.errors import ConfigError
from llmkit.metrics import MeanMetric
from llmkit.metrics._repeats import OverRepeats
from llmkit.metrics.agreement import Agreement
from llmkit.metrics.best_of import BestOf
from llmkit.metrics.majority import TIED, Majority
from llmkit.metrics.pass_at import PassAt
from llmkit.metrics.pass_hat import PassHat
from llmkit.types import Failure, Output, Sample, Skipped, Table

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "repeats.json").read_text(encoding="utf-8"))
FAILED = None
SAMPLE = Sample("s", references=("a",))

marks = st.lists(st.booleans(), min_size=1, max_size=12)


def outputs(texts: Sequence[str | None]) -> list[Output]:
    return [
        Output("s", text, repeat, error=Failure("timeout", "too slow") if text is FAILED else None)
        for repeat, text in enumerate(texts)
    ]


def stats(metric: Any, texts: Sequence[str | None], sample: Sample = SAMPLE) -> tuple[float, ...] | Skipped:
    found: tuple[float, ...] | Skipped = metric.stats_over(sample, outputs(texts))
    return found


def score(metric: Any, texts: Sequence[str | None], sample: Sample = SAMPLE) -> float:
    found = stats(metric, texts, sample)
    assert not isinstance(found, Skipped), found
    value: float = metric.sample_value(found)
    return value


def table(rows: Sequence[tuple[float, ...] | Skipped]) -> Table:
    return Table(
        [list(column) for column in zip(*[row for row in rows if not isinstance(row, Skipped)], strict=True)], []
    )


def answers(n: int, c: int) -> list[str]:
    return ["a"] * c + ["b"] * (n - c)


def test_pass_at_equals_humanevals_estimator() -> None:
    for n, c, k, expected in GOLDEN["pass_at"]:
        assert score(PassAt(k), answers(n, c)) == pytest.approx(expected, abs=1e-12), (n, c, k)


def test_pass_hat_equals_the_count_over_all_choices() -> None:
    for n, c, k, expected in GOLDEN["pass_hat"]:
        assert score(PassHat(k), answers(n, c)) == pytest.approx(expected, abs=1e-12), (n, c, k)


def test_best_of_equals_the_mean_over_all_choices() -> None:
    values = GOLDEN["best_of"]["values"]
    sample = Sample("s", references=("0 " * 10,))
    texts = ["0 " * round(10 * value) for value in values]
    of = {"rouge": {"measure": "r"}}
    for k, expected in enumerate(GOLDEN["best_of"]["by_k"], 1):
        assert score(BestOf(of, k), texts, sample) == pytest.approx(expected, abs=1e-12)
    assert score(BestOf(of), texts, sample) == pytest.approx(max(values))


def test_majority_equals_the_vote_of_the_harness() -> None:
    path = Path(__file__).parents[1] / "golden" / "harness.json"
    votes = json.loads(path.read_text("utf-8"))["votes"]
    assert len(votes["repeats"]) == 40
    for texts, winner in zip(votes["repeats"], votes["majority"], strict=True):
        for text in texts:
            assert score(Majority(), texts, Sample("s", references=(text,))) == (text == winner), texts


def test_agreement_equals_fleiss_observed_agreement() -> None:
    for votes, expected in zip(GOLDEN["agreement"]["votes"], GOLDEN["agreement"]["observed"], strict=True):
        assert score(Agreement(), votes) == pytest.approx(expected)


def test_variances_equal_a_one_way_analysis() -> None:
    golden = GOLDEN["variance"]
    metric = BestOf()
    rows = [metric.statistics(0.0, scores, outputs(["x"] * 4)) for scores in golden["scores"]]
    found = metric.details(table(rows))["repeats"]
    assert found["within_variance"] == pytest.approx(golden["within"])
    assert found["between_variance"] == pytest.approx(golden["between"])


@given(right=marks, data=st.data())
def test_laws_of_pass_at_and_pass_hat(right: list[bool], data: st.DataObject) -> None:
    texts = ["a" if one else "b" for one in right]
    mean = sum(right) / len(right)
    assert score(PassAt(1), texts) == pytest.approx(mean)
    assert score(PassHat(1), texts) == pytest.approx(mean)
    ks = range(1, len(texts) + 1)
    at, hat = ([score(cls(k), texts) for k in ks] for cls in (PassAt, PassHat))
    assert all(one <= other for one, other in pairwise(at))
    assert all(one >= other for one, other in pairwise(hat))
    assert all(0 <= low <= high + 1e-12 <= 1 + 1e-12 for low, high in zip(hat, at, strict=True))
    assert at[-1] == float(any(right))
    assert hat[-1] == float(all(right))
    assert [score(BestOf(k=k), texts) for k in ks] == pytest.approx(at)
    shuffled = data.draw(st.permutations(texts))
    assert score(PassAt(len(ks)), shuffled) == at[-1]
    assert PassAt(len(ks)).details(table([stats(PassAt(len(ks)), texts)]))["by_k"] == {
        str(k): pytest.approx(value) for k, value in zip(ks, at, strict=True)
    }


@given(texts=st.lists(st.sampled_from("aabc"), min_size=2, max_size=9), data=st.data())
def test_laws_of_majority_and_agreement(texts: list[str], data: st.DataObject) -> None:
    most = max(texts.count(text) for text in texts)
    winner = next(text for text in texts if texts.count(text) == most)
    assert score(Majority(), texts) == float(winner == "a")
    assert score(BestOf(), texts) >= score(Majority(), texts)
    agreed = score(Agreement(), texts)
    assert 0 <= agreed <= 1
    assert (agreed == 1) == (len(set(texts)) == 1)
    assert score(Agreement(), data.draw(st.permutations(texts))) == agreed
    strict = stats(Majority(ties="skip"), texts)
    tied = sum(texts.count(text) == most for text in set(texts)) > 1
    assert (strict == TIED) == tied


def test_answers_worded_differently_vote_together() -> None:
    sample = Sample("s", references=("42",))
    texts = ["so it is 42.", "41", "The answer: 42", "I do not know"]
    assert score(Majority(vote="number", of="number_match"), texts, sample) == 1.0
    assert score(Agreement(vote="number"), texts, sample) == pytest.approx(1 / 6)
    assert score(Majority(), ["b", "a", "A."]) == 1.0  # "a" and "A." are one answer, scored as the first of them
    assert score(Majority(normalise="none"), ["b", "a", "A."]) == 0.0
    choices = Sample("s", choices=("cat", "dog"), answer=1)
    talk = ["I say B", "It is a dog", "cat", "neither"]
    assert score(Majority(vote="label", of={"accuracy": {"extract": "last"}}), talk, choices) == 1.0
    assert score(Agreement(vote="label"), talk, choices) == pytest.approx(1 / 6)
    assert score(Agreement(vote="label", labels=("yes", "no")), ["yes", "well, yes", "no"]) == pytest.approx(1 / 3)
    assert stats(Agreement(vote="label"), ["a", "b"]) == Skipped(
        "vote=label needs known labels: give labels, or choices in the row"
    )
    assert score(Agreement(extract=r"#(\w+)"), ["x #a", "y #a", "none"]) == pytest.approx(1 / 3)


def test_where_no_answer_names_anything_the_first_is_scored() -> None:
    assert score(Majority(vote="number"), ["a", "b", "c"]) == 1.0
    assert score(Agreement(vote="number"), ["a", "a"]) == 0.0


@pytest.mark.parametrize("metric", [PassAt(2), PassHat(2), BestOf(), Majority(), Agreement()], ids=str)
def test_failed_repeats_are_left_out_and_too_few_are_no_score(metric: OverRepeats) -> None:
    assert score(metric, ["a", FAILED, "a", FAILED]) == 1.0
    assert stats(metric, ["a", FAILED]) == Skipped("repeats with a score: 1, needed: 2")
    details = metric.details(table([stats(metric, ["a", FAILED, "b"]), stats(metric, ["a", "a", "a"])]))  # type: ignore[attr-defined]
    assert json.loads(json.dumps(details)) == details
    if not isinstance(metric, Agreement):
        assert details["repeats"]["not_scored"] == 1
        assert details["repeats"]["flaky"] == 0.5
        assert stats(metric, ["a", "b"], Sample("s")) == Skipped("no reference")
    with pytest.raises(TypeError, match="scores all repeats of a sample together"):
        metric.stats(SAMPLE, Output("s", "a"))


def test_one_sample_alone_has_no_variance_between() -> None:
    found = PassAt(1).details(table([stats(PassAt(1), ["a"])]))["repeats"]
    assert (found["between_variance"], found["within_variance"], found["flaky"]) == (None, None, None)


def test_details_of_majority_say_what_voting_gains() -> None:
    metric = Majority()
    rows = [stats(metric, ["a", "a", "b"]), stats(metric, ["b", "a", "b"]), stats(metric, ["a", "b"])]
    votes = metric.details(table(rows))["votes"]
    assert votes["majority"] == pytest.approx(2 / 3)
    assert votes["mean_of_single_answers"] == pytest.approx((2 / 3 + 1 / 3 + 1 / 2) / 3)
    assert votes["ties"] == pytest.approx(1 / 3)
    assert votes["winner_share"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 2) / 3)


def test_a_threshold_says_what_passes() -> None:
    metric = PassAt(1, of="token_f1", threshold=0.5)
    assert score(metric, ["x", "x y z", "u v x z w"], Sample("s", references=("x y",))) == pytest.approx(2 / 3)
    assert score(PassHat(2, of="ter", threshold=0.0), ["x", "x"], Sample("s", references=("x",))) == 1.0
    assert score(BestOf("ter"), ["x", "y"], Sample("s", references=("x",))) == 0.0
    assert BestOf("ter").higher_is_better is False


def test_what_a_metric_over_repeats_takes_over_from_the_metric_inside() -> None:
    assert Majority(of="token_f1").binary is False
    assert Majority(of="number_match").binary is True
    assert BestOf(k=2).binary is False
    assert Majority(of="bleu").bounds == registry.build("metrics", "bleu").plugin.bounds
    assert PassAt(3).needs == ("references",)
    assert PassAt(3, "accuracy").needs == registry.build("metrics", "accuracy").plugin.needs


@registry.metric("length_in_batches")
@dataclass(frozen=True)
class LengthInBatches(MeanMetric):
    """Characters of an answer, ten outputs at a time; a blank answer has none."""

    batch = 10
    asked: ClassVar[list[int]] = []

    def score(self, sample: Sample, output: Output) -> float:
        raise TypeError("many at once")

    def stats_many(self, pairs: Sequence[tuple[Sample, Output]]) -> list[tuple[float] | Skipped]:
        self.asked.append(len(pairs))
        return [(float(len(output.text)),) if output.text else Skipped("blank") for _, output in pairs]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (BestOf, {}),
        (BestOf, {"k": 2}),
        (Majority, {}),
        *((kind, {"k": 2, "threshold": 3}) for kind in (PassAt, PassHat)),
    ],
)
def test_repeats_of_several_samples_are_scored_together(kind: Any, more: dict[str, Any]) -> None:
    metric = kind(of="length_in_batches", **more)
    texts: list[list[str | None]] = [
        ["a", "abc", "ab"],
        ["", "abcd", "abcd"],
        [FAILED, FAILED, "a"],
        ["", "", ""],
        ["abcd", FAILED, "abc"],
    ]
    groups = [(Sample(str(i)), outputs(some)) for i, some in enumerate(texts)]
    assert metric.batch == 10
    LengthInBatches.asked.clear()
    together = metric.stats_over_many(groups)
    assert LengthInBatches.asked == [12]
    assert together == [metric.stats_over(*group) for group in groups]
    assert [isinstance(one, Skipped) for one in together] == [False, False, True, True, False]


def test_a_metric_that_takes_single_answers_makes_no_batches() -> None:
    assert (BestOf().batch, Majority().batch, PassAt(2).batch) == (0, 0, 0)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pass_at@0", "k is 0: at least one answer is taken"),
        ("best_of@0", "k is 0"),
        ("pass_hat(of=token_f1)", "'token_f1' gives scores between fail and pass"),
        ("pass_at(of=length, threshold=3)", "'length' has no better direction"),
        ("best_of(of=length)", "'length' has no better direction"),
        ("majority(of=exact_mach)", "of: unknown metric 'exact_mach'"),
        ({"majority": {"of": {"token_f1": {"refs": "x"}}}}, "of: token_f1.refs: expected one of"),
        ("best_of(of='pass_at@2')", "'pass_at@2' is over repeats itself"),
        ("agreement(labels=[yes])", "labels have no meaning for vote text"),
        ("majority(extract='(')", "is not a regular expression"),
    ],
)
def test_wrong_arguments_are_refused_with_a_sentence(spec: Any, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        registry.build("metrics", spec, key="metrics[0]")
    assert message in str(refused.value)
    assert str(refused.value).startswith("metrics[0]: ")


def test_signatures_name_everything() -> None:
    inner = "exact_match[normalise:strip,mode:exact,refs:max,extract:,impl:llmkit-"
    assert PassAt(5).signature.startswith(f"k:5|of:{inner}")
    assert registry.build("metrics", "pass_at@5").name == "pass_at@5"
    assert "vote:number|normalise:label|extract:|labels:none|of:" in Majority(vote="number").signature
    assert Agreement().signature.startswith("vote:text|normalise:label|extract:|labels:none|impl:llmkit-")


def test_a_run_with_repeats(tmp_path: Path) -> None:
    bot = (
        "turn = {}\n\ndef answer(sample):\n    number = turn[sample['id']] = turn.get(sample['id'], -1) + 1\n"
        "    if sample['id'] == '3' and number:\n        raise ValueError('no idea')\n"
        "    return 'right' if number < int(sample['id']) else 'wrong'\n"
    )
    (tmp_path / "bot.py").write_text(bot, "utf-8")
    rows = [json.dumps({"id": str(i), "input": f"question {i}", "references": ["right"]}) + "\n" for i in range(4)]
    (tmp_path / "rows.jsonl").write_text("".join(rows), "utf-8")
    (tmp_path / "eval.yaml").write_text(
        "dataset: rows.jsonl\ntarget: {python: 'bot.py:answer'}\nrepeats: 3\nengine: {max_concurrency: 1}\n"
        "metrics: [pass_at@2, pass_hat@2, majority, best_of, agreement, exact_match]\ngate: {coverage: {min: 0}}\n",
        "utf-8",
    )
    run = run_eval(tmp_path / "eval.yaml", options=Options(tmp_path / "run"))
    scores = run.summary["scores"]
    values = {name: entry["value"] for name, entry in scores.items()}
    assert values["pass_at@2"] == pytest.approx((0 + 2 / 3 + 1) / 3)
    assert values["pass_hat@2"] == pytest.approx((0 + 0 + 1 / 3) / 3)
    assert values["majority"] == pytest.approx(1 / 3)
    assert values["best_of"] == pytest.approx(2 / 3)
    assert values["agreement"] == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
    # Row 3 has one answer of three: that is an error, which coverage counts, and no row that the metric skips.
    assert scores["pass_at@2"]["errors"] == 1
    assert scores["pass_at@2"]["reasons"] == {"repeats with a score: 1, needed: 2; failed repeats: 2": 1}
    assert scores["pass_at@2"]["details"]["repeats"]["flaky"] == pytest.approx(2 / 3)
