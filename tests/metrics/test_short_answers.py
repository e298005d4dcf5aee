from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import ConfigError
from llmkit.metrics import NO_REFERENCE, MeanMetric
from llmkit.metrics.contains import Contains
from llmkit.metrics.exact_match import ExactMatch
from llmkit.metrics.number_match import NumberMatch
from llmkit.metrics.regex_match import RegexMatch
from llmkit.metrics.token_f1 import TokenF1
from llmkit.text.normalise import helm
from llmkit.types import Output, Sample, Skipped

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "short_answers.json").read_text(encoding="utf-8"))["rows"]
GREP = json.loads((Path(__file__).parents[1] / "golden" / "searches.json").read_text("utf-8"))
WORDY = st.text(alphabet="abAB th,.1-\n", max_size=20)


def score(metric: MeanMetric, output: str, *references: str) -> float | bool | Skipped:
    return metric.score(Sample("s", references=references), Output("s", output))


def reason(found: object) -> str:
    assert isinstance(found, Skipped)
    return found.reason


@pytest.mark.parametrize(
    ("metric", "column"),
    [
        (ExactMatch(normalise="squad"), "squad_exact"),
        (TokenF1(), "squad_f1"),
        (ExactMatch(), "helm_exact_match"),
        (ExactMatch(normalise="helm"), "helm_quasi_exact_match"),
        (ExactMatch(mode="prefix"), "helm_prefix_exact_match"),
        (ExactMatch(normalise="helm", mode="prefix"), "helm_quasi_prefix_exact_match"),
        (TokenF1(count="set", normalise="helm"), "helm_f1_score"),
    ],
)
def test_equals_the_reference_programs(metric: MeanMetric, column: str) -> None:
    compared = 0
    for row in GOLDEN:
        # HELM scores an empty output 0 whatever the reference, and lets an empty reference begin every output.
        if column.startswith("helm_") and not (row["helm_normalised"] and helm(row["gold"])):
            continue
        assert score(metric, row["output"], row["gold"]) == pytest.approx(row[column], abs=1e-12), row
        compared += 1
    assert compared > 200


@pytest.mark.parametrize(
    ("flags", "settings"),
    [("-F", {"ignore_case": False}), ("-Fi", {}), ("-Fiw", {"whole_words": True})],
)
def test_contains_finds_what_grep_finds(flags: str, settings: dict[str, Any]) -> None:
    for text, found in GREP["contains"][flags].items():
        metric = Contains(**settings)
        assert [score(metric, line, text) for line in GREP["lines"]] == found, text


@pytest.mark.parametrize(
    ("flags", "settings"), [("-P", {}), ("-Pi", {"ignore_case": True}), ("-Px", {"mode": "fullmatch"})]
)
def test_regex_match_finds_what_grep_finds(flags: str, settings: dict[str, Any]) -> None:
    for pattern, found in GREP["regex"][flags].items():
        assert [score(RegexMatch(pattern, **settings), line) for line in GREP["lines"]] == found, pattern
        assert [score(RegexMatch(**settings), line, pattern) for line in GREP["lines"]] == found, pattern


@given(output=WORDY, text=WORDY.filter(bool), more=WORDY)
def test_laws_of_regex_match(output: str, text: str, more: str) -> None:
    pattern = re.escape(text)
    assert score(RegexMatch(pattern), f"{output}{text}{more}") == 1
    assert score(RegexMatch(pattern), output) == (text in output)
    covered, found = (score(RegexMatch(pattern, mode), output) for mode in ("fullmatch", "search"))
    assert covered == (text == output.strip())
    assert covered <= found  # type: ignore[operator]
    assert score(RegexMatch(), output, "x", pattern) >= found  # type: ignore[operator]


@pytest.mark.parametrize(
    ("metric", "output", "references", "expected"),
    [
        (ExactMatch(), " Paris\n", ["Paris"], 1),
        (ExactMatch(), "paris", ["Paris"], 0),
        (ExactMatch(normalise="none"), "Paris ", ["Paris"], 0),
        (ExactMatch(normalise=("first_line", "lower")), "Paris\nQ: next", ["paris"], 1),
        (ExactMatch(), "", [""], 1),
        (ExactMatch(), "", ["x"], 0),
        (ExactMatch(), "x", [""], 0),
        (ExactMatch(mode="prefix"), "Yes, it is", ["Yes"], 1),
        (ExactMatch(mode="prefix"), "x", [""], 0),
        (ExactMatch(mode="prefix"), "", [""], 1),
        (ExactMatch(refs="max"), "b", ["a", "b"], 1),
        (ExactMatch(refs="first"), "b", ["a", "b"], 0),
        (ExactMatch(refs="mean"), "b", ["a", "b"], 0.5),
        (ExactMatch(extract=r"answer is (\w+)"), "So the answer is B. Or C.", ["B"], 1),
        (ExactMatch(extract=r"\d+"), "so 42 it is", ["42"], 1),
        (ExactMatch(extract=r"\d+"), "none", [""], 0),
        (ExactMatch(extract=r"x(y)?"), "x", [""], 1),
        (Contains(), "It is in PARIS, France", ["Paris"], 1),
        (Contains(ignore_case=False), "It is in PARIS, France", ["Paris"], 0),
        (Contains(), "the party", ["art"], 1),
        (Contains(whole_words=True), "the party", ["art"], 0),
        (Contains(whole_words=True), "the Art.", ["art"], 1),
        (Contains(), "red", ["red", "blue"], 1),
        (Contains(match="all"), "red", ["red", "blue"], 0),
        (Contains(match="all"), "blue and red", ["red", "blue"], 1),
        (Contains(), "red", ["blue", ""], 0),
        (Contains(), "", ["x"], 0),
        (Contains("sorry"), "I am Sorry", [], 1),
        (Contains(("a", "b"), match="all"), "a", ["ignored"], 0),
        (RegexMatch(r"^\d{4}$"), "2020", [], 1),
        (RegexMatch(r"\d{4}"), "in 2020.", [], 1),
        (RegexMatch(r"\d{4}", mode="fullmatch"), "in 2020.", [], 0),
        (RegexMatch(r"\d{4}", mode="fullmatch"), "2020\n", [], 1),
        (RegexMatch("YES", ignore_case=True), "yes", [], 1),
        (RegexMatch(), "colour", ["flavou?r", "colou?r"], 1),
        (RegexMatch(), "", ["colou?r"], 0),
        (NumberMatch(), "She pays 3 * 14 = $42.", ["42"], 1),
        (NumberMatch(), "42 then 43", ["42"], 0),
        (NumberMatch(take="first"), "42 then 43", ["42"], 1),
        (NumberMatch(), "1,000", ["it is 3, so #### 1000"], 1),
        (NumberMatch(), "no idea", ["42"], 0),
        (NumberMatch(), "", ["42"], 0),
        (NumberMatch(), "0.333", ["1/3"], 0),
        (NumberMatch(abs_tol=0.001), "0.333", ["1/3"], 1),
        (NumberMatch(rel_tol=0.01), "99.5", ["100"], 1),
        (NumberMatch(rel_tol=0.01), "98.5", ["100"], 0),
        (NumberMatch(), "7", ["none", "7"], 1),
        (NumberMatch(after="####"), "#### 7\nThat took 3 steps", ["9"], 0),
        (NumberMatch(after="####", take="first"), "5 #### 7\nThat took 3 steps", ["1 #### 7"], 1),
        (NumberMatch(after="####"), "7", ["7"], 0),
        (TokenF1(), "the blue cat", ["a blue dog"], 0.5),
        (TokenF1(), "blue blue", ["blue blue green"], 0.8),
        (TokenF1(count="set"), "blue blue", ["blue blue green"], 2 / 3),
        (TokenF1(), "", ["the"], 1),
        (TokenF1(), "", ["x"], 0),
        (TokenF1(normalise="none"), "The", ["the"], 0),
        (TokenF1(refs="mean"), "x", ["x", "y"], 0.5),
        (TokenF1(refs="first"), "y", ["x", "y"], 0),
    ],
)
def test_scores(metric: MeanMetric, output: str, references: list[str], expected: float) -> None:
    assert score(metric, output, *references) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", [ExactMatch(), Contains(), RegexMatch(), NumberMatch(), TokenF1()])
def test_without_a_reference_there_is_no_score(metric: MeanMetric) -> None:
    assert score(metric, "x") == NO_REFERENCE
    assert metric.needs == ("references",)


def test_what_needs_no_reference_says_so() -> None:
    assert not Contains("x").needs
    assert not RegexMatch("x").needs


def test_a_reference_that_cannot_be_used_skips_its_sample_with_the_reason() -> None:
    assert reason(score(NumberMatch(), "42", "many")) == "no number in the reference"
    assert reason(score(Contains(), "x", "", "")) == "every reference is empty"
    assert reason(score(RegexMatch(), "x", "a", "(")).startswith("reference '(' is not a regular expression: missing )")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RegexMatch("(a"), "pattern: '(a' is not a regular expression: missing )"),
        (lambda: ExactMatch(extract="["), "extract: '[' is not a regular expression: unterminated"),
        (lambda: ExactMatch(normalise="upper"), "unknown normalisation 'upper'"),
        (lambda: TokenF1(normalise=("strip", "squat")), "unknown normalisation 'squat'"),
        (lambda: Contains(("x", "")), "texts: an empty text is in every answer"),
        (lambda: NumberMatch(abs_tol=-1), "abs_tol: a tolerance is a finite number of at least 0, got -1"),
        (lambda: NumberMatch(rel_tol=float("nan")), "rel_tol: a tolerance is a finite number of at least 0, got nan"),
    ],
)
def test_a_wrong_argument_is_a_config_error(make: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.problems[0].message.startswith(message)


def test_binary_is_claimed_only_where_it_holds() -> None:
    assert all(metric.binary for metric in (ExactMatch(), Contains(), RegexMatch(), NumberMatch()))
    assert not ExactMatch(refs="mean").binary
    assert not TokenF1().binary


def test_the_signature_names_every_setting() -> None:
    expected = "normalise:first_line,squad|mode:exact|refs:max|extract:|impl:"
    assert ExactMatch(normalise=("first_line", "squad")).signature.startswith(expected)


METRICS = (
    ExactMatch(),
    ExactMatch(normalise="squad", mode="prefix"),
    ExactMatch(refs="mean"),
    Contains(),
    Contains(match="all", whole_words=True),
    NumberMatch(),
    TokenF1(),
    TokenF1(count="set", refs="mean"),
)


@given(st.sampled_from(METRICS), WORDY, st.lists(WORDY, max_size=3))
def test_scores_lie_between_0_and_1_and_binary_ones_at_the_ends(
    metric: MeanMetric, output: str, references: list[str]
) -> None:
    found = score(metric, output, *references)
    if not isinstance(found, Skipped):
        assert 0 <= found <= 1
        assert not metric.binary or found in {0, 1}


@given(st.sampled_from(METRICS), WORDY)
def test_the_reference_itself_is_a_best_answer(metric: MeanMetric, reference: str) -> None:
    found = score(metric, reference, reference)
    assert isinstance(found, Skipped) or found == 1


@given(st.sampled_from(METRICS[:2] + METRICS[3:7]), WORDY, st.permutations(["ab", "b a", "a, b.", "1"]))
def test_the_order_of_references_does_not_matter_to_the_best(
    metric: MeanMetric, output: str, references: list[str]
) -> None:
    assert score(metric, output, *references) == score(metric, output, *sorted(references))


@given(st.sampled_from(METRICS), st.lists(st.tuples(WORDY, WORDY), min_size=1, max_size=8))
def test_the_corpus_value_is_the_mean_of_sample_values(metric: MeanMetric, rows: list[tuple[str, str]]) -> None:
    found = [metric.stats(Sample("s", references=(reference,)), Output("s", output)) for output, reference in rows]
    stats = [item for item in found if not isinstance(item, Skipped)]
    if stats:
        totals = [sum(item[0] for item in stats)]
        values = [metric.sample_value(item) for item in stats]
        assert metric.value(totals, len(stats)) == pytest.approx(sum(values) / len(values))
