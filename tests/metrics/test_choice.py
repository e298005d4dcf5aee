"""choice_accuracy and choice_spread: the decision of each program, empties, and laws."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import registry
from llmkit.errors import ConfigError
from llmkit.flows.score import score
from llmkit.metrics._choice import NO_CHOICES, NO_GOLD, NO_UNCONDITIONAL, chosen
from llmkit.metrics.choice_accuracy import ChoiceAccuracy
from llmkit.metrics.choice_spread import ChoiceSpread
from llmkit.types import Output, Response, Sample, Skipped, Table

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "harness.json").read_text("utf-8"))
HARNESS: dict[str, Literal["none", "char", "byte", "pmi"]] = {
    "acc": "none",
    "acc_norm": "char",
    "acc_bytes": "byte",
    "acc_mutual_info": "pmi",
}
CHOICES = ("Rome", "a much longer answer", "東京", "é")
logprobs = st.lists(st.floats(-90, -0.01), min_size=4, max_size=4)


def row(gold: str | int | None = 0, choices: tuple[str, ...] = CHOICES, **meta: Any) -> Sample:
    return Sample("s", "q", choices=choices, answer=gold, meta=meta)


def output(**rules: dict[str, Any]) -> Output:
    return Output("s", "A", response=Response(extra={"choice": rules}))


def pick(rule: str, kept: dict[str, Any], normalise: str = "none") -> Any:
    return chosen(row(), output(**{rule: kept}), rule, normalise)


@pytest.mark.parametrize("rule", ["original", "harness", "harness_continuation", "harness_2023"])
def test_the_likeliest_wins_and_the_first_of_equals(rule: str) -> None:
    assert pick(rule, {"logprobs": [-3.0, -1.0, -1.0, -2.0]}) == 1


def test_a_letter_that_the_original_misses_has_minus_100() -> None:
    assert pick("original", {"logprobs": [None, None, -99.5, None]}) == 2
    assert pick("original", {"logprobs": [None] * 4}) == 0


def test_normalisations_by_hand() -> None:
    kept = {"logprobs": [-4.0, -10.0, -3.0, -2.5], "tokens": [1, 5, 2, 1], "unconditional": [-9.0, -11.0, -3.0, -2.0]}
    # none: -2.5 wins. token: -4, -2, -1.5, -2.5. char: -1, -.5, -1.5, -2.5. byte: -1, -.5, -.5, -1.25. pmi: 5, 1, 0, -.5.
    found = {name: pick("harness_continuation", kept, name) for name in ("none", "token", "char", "byte", "pmi")}
    assert found == {"none": 3, "token": 2, "char": 1, "byte": 1, "pmi": 0}


def test_golden_decisions_of_the_harness() -> None:
    rule: Literal["harness_continuation"] = "harness_continuation"
    accuracies = {}
    for name, normalise in HARNESS.items():
        metric = ChoiceAccuracy(rule, normalise)
        right = []
        for question in GOLDEN["questions"]:
            kept = {"logprobs": question["logprobs"], "unconditional": question["unconditional"]}
            stats = metric.stats(row(question["gold"], tuple(question["choices"])), output(**{rule: kept}))
            assert not isinstance(stats, Skipped)
            assert stats[0] == question["harness"][name], (name, question)
            right.append(float(stats[0]))
        accuracies[name] = sum(right) / len(right)
    assert len(set(accuracies.values())) > 1
    spread = ChoiceSpread(tuple(f"{rule}:{normalise}" for normalise in HARNESS.values()))
    rows = [row(question["gold"], tuple(question["choices"])) for question in GOLDEN["questions"]]
    outputs = [
        output(**{rule: {"logprobs": question["logprobs"], "unconditional": question["unconditional"]}})
        for question in GOLDEN["questions"]
    ]
    kept_rights = [spread.stats(*pair) for pair in zip(rows, outputs, strict=True)]
    rights = [[float(item) for item in one] for one in kept_rights if not isinstance(one, Skipped)]
    totals = [sum(column) for column in zip(*rights, strict=True)]
    assert spread.value(totals, len(rows)) == pytest.approx(max(accuracies.values()) - min(accuracies.values()))


@given(values=logprobs, before=logprobs, tokens=st.lists(st.integers(1, 9), min_size=4, max_size=4))
def test_normalisations_equal_numpys_argmax(values: list[float], before: list[float], tokens: list[int]) -> None:
    kept = {"logprobs": values, "tokens": tokens, "unconditional": before}
    for name, expected in {
        "none": np.array(values),
        "token": np.array(values) / np.array(tokens),
        "char": np.array(values) / np.array([float(len(text)) for text in CHOICES]),
        "byte": np.array(values) / np.array([float(len(text.encode("utf-8"))) for text in CHOICES]),
        "pmi": np.array(values) - np.array(before),
    }.items():
        assert pick("harness_2023", kept, name) == int(np.argmax(expected))


@pytest.mark.parametrize(("text", "right"), [(" B", 1.0), ("B\n", 1.0), ("B.", 0.0), ("b", 0.0), ("", 0.0), ("E", 0.0)])
def test_helm_takes_a_bare_letter_only(text: str, right: float) -> None:
    assert ChoiceAccuracy("helm").stats(row(1), output(helm={"text": text})) == (right, "B", "")


def test_helm_compares_texts_so_that_a_twin_is_right() -> None:
    sample = row(3, ("x", "same ", "y", "same"))
    assert ChoiceAccuracy("helm").stats(sample, output(helm={"text": "B"})) == (1.0, "D", "")
    likely = output(harness={"logprobs": [-3, -1, -3, -2]})
    assert ChoiceAccuracy("harness").stats(sample, likely) == (0.0, "D", "")


@pytest.mark.parametrize(("gold", "letter"), [(2, "C"), ("C", "C"), ("東京", "C"), ("é", "D")])
def test_gold_is_an_index_a_letter_or_a_text(gold: str | int, letter: str) -> None:
    stats = ChoiceAccuracy().stats(row(gold, subject="geography"), output(original={"logprobs": [-3, -3, -1, -3]}))
    assert stats == (float(letter == "C"), letter, "geography")


LIKELY = {"logprobs": [-1.0, -2.0, -3.0, -4.0]}


@pytest.mark.parametrize(
    ("sample", "kept", "metric", "reason"),
    [
        (row(choices=()), output(original=LIKELY), ChoiceAccuracy(), NO_CHOICES.reason),
        (row(None), output(original=LIKELY), ChoiceAccuracy(), NO_GOLD.reason),
        (row(9), output(original=LIKELY), ChoiceAccuracy(), NO_GOLD.reason),
        (row("nothing"), output(original=LIKELY), ChoiceAccuracy(), NO_GOLD.reason),
        (row(), output(original=LIKELY), ChoiceAccuracy("harness"), "nothing for the rule 'harness'"),
        (row(), Output("s", "A"), ChoiceAccuracy(), "nothing for the rule 'original'"),
        (row(), output(original={"unsupported": "it has no log-probabilities"}), ChoiceAccuracy(), "it has no log"),
        (row(), output(original={"logprobs": [-1.0]}), ChoiceAccuracy(), "kept 1 log-probabilities for 4 choices"),
        (row(), output(harness=LIKELY), ChoiceAccuracy("harness", "pmi"), NO_UNCONDITIONAL.reason),
        (
            row(choices=("a", "", "b", "c")),
            output(harness_2023=LIKELY),
            ChoiceAccuracy("harness_2023", "char"),
            "a choice without text has no length",
        ),
    ],
)
def test_what_cannot_be_scored_is_skipped_with_a_reason(
    sample: Sample, kept: Output, metric: ChoiceAccuracy, reason: str
) -> None:
    found = metric.stats(sample, kept)
    assert isinstance(found, Skipped)
    assert reason in found.reason
    spread = ChoiceSpread(("helm", f"{metric.rule}:{metric.normalise}")).stats(
        sample, output(**({} if kept.response is None else dict(kept.response.extra["choice"])), helm={"text": "A"})
    )
    assert isinstance(spread, Skipped)


def test_micro_and_macro_means_and_the_constant_answer() -> None:
    table = Table([[1.0, 1.0, 0.0, 0.0], [0, 0, 1, 0], [0, 0, 0, 1]], [(), ("B", "C"), ("algebra", "anatomy")])
    [means] = ChoiceAccuracy().details(table)["tables"]
    assert means["rows"] == [
        ["all rows (micro)", 0.5, 4],
        ["mean of 2 subjects (macro)", pytest.approx((2 / 3 + 0) / 2), 4],
        ["always B", 0.75, 4],
    ]


def test_gold_in_one_place_is_told_where_letters_are_shown() -> None:
    table = Table([[1.0] * 20, [0] * 20, [0] * 20], [(), ("A",), ("",)])
    assert "the right answer is A in every row" in ChoiceAccuracy().details(table)["warnings"][0]
    assert "warnings" not in ChoiceAccuracy("harness_continuation").details(table)


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), logprobs, logprobs, st.sampled_from("ABCDx")), min_size=1, max_size=8)
)
def test_laws_of_range_order_and_identity(rows: list[tuple[int, list[float], list[float], str]]) -> None:
    def run(items: Sequence[tuple[int, list[float], list[float], str]]) -> dict[str, Any]:
        samples = [row(gold) for gold, *_ in items]
        outputs = [
            output(original={"logprobs": first}, harness={"logprobs": second}, helm={"text": text})
            for _, first, second, text in items
        ]
        names = ["choice_accuracy", "choice_accuracy(rule='harness')", "choice_accuracy(rule='helm')", "choice_spread"]
        return {name: item.estimate for name, item in score(outputs, samples=samples, metrics=names).items()}

    found = run(rows)
    accuracies = [item.value for name, item in found.items() if name != "choice_spread"]
    assert all(0 <= item.value <= 1 for item in found.values())
    assert found["choice_spread"].value == pytest.approx(max(accuracies) - min(accuracies))
    backwards = run(rows[::-1])
    assert {n: item.value for n, item in found.items()} == pytest.approx({n: i.value for n, i in backwards.items()})
    best = [[0.0 if at == gold else -5.0 for at in range(4)] for gold, *_ in rows]
    perfect = run([(gold, values, values, "ABCD"[gold]) for (gold, *_), values in zip(rows, best, strict=True)])
    assert [item.value for item in perfect.values()] == [1, 1, 1, 0]


def test_the_spread_of_rules_that_are_right_as_often_begins_at_0() -> None:
    metric = ChoiceSpread(("original", "helm"))
    assert metric.value([1.0, 2.0, 2.0], 2) == 0.5
    assert metric.value_many(np.array([[1.0, 2.0, 2.0], [0.0, 0.0, 3.0]]), 2).tolist() == [0.5, 0.0]
    right, wrong = [0.0, -5.0, -5.0, -5.0], [-5.0, 0.0, -5.0, -5.0]
    kept = [output(original={"logprobs": right}, helm={"text": "B"})] * 10
    kept += [output(original={"logprobs": wrong}, helm={"text": "A"})] * 9
    found = score(kept, samples=[row(0)] * 19, metrics=["choice_spread(rules=['original', 'helm'])"])
    [spread] = [item.estimate for item in found.values()]
    assert spread is not None
    assert spread.value == pytest.approx(1 / 19)
    assert (spread.low, spread.method) == (0, "tango")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("choice_accuracy(rule='helm', normalise='char')", "generates its answer"),
        ("choice_spread(rules=['original', 'mine'])", "there is no rule 'mine'"),
        ("choice_spread(rules=['original', 'harness:word'])", "no normalisation 'word'"),
        ("choice_spread(rules=['original', 'helm:pmi'])", "generates its answer"),
        ("choice_spread(rules=['original'])", "name at least two"),
        ("choice_spread(rules=['helm', 'helm', 'original'])", "each once"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(spec: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        registry.build("metrics", spec)


def test_the_signature_names_rule_and_normalisation() -> None:
    assert ChoiceAccuracy("harness", "char").signature.startswith(
        "rule:harness|normalise:char|subject:subject|impl:llmkit-"
    )
