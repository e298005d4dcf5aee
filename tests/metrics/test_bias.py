"""Bias of representation and of association: bias_representation, bias_association."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import Options, registry, run_eval
from llmkit.errors import ConfigError
from llmkit.metrics._group_words import GroupTotals
from llmkit.metrics._word_lists import ADJECTIVES, GENDER, PROFESSIONS, TOXIC
from llmkit.metrics._words_in_texts import WordCounter, words_of
from llmkit.metrics.bias_association import BiasAssociation
from llmkit.metrics.bias_representation import NO_WORD, BiasRepresentation
from llmkit.types import Output, Sample, Skipped, Table

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "bias_toxicity.json").read_text(encoding="utf-8")
)
SAMPLE = Sample("s")

counts = st.lists(st.integers(0, 50), min_size=2, max_size=6)
texts = st.lists(
    st.lists(st.sampled_from(["she", "he", "doctor", "nurse", "the", "man"]), max_size=8).map(" ".join), max_size=8
)


def rows_of(metric: GroupTotals, outputs: Sequence[str]) -> list[Sequence[float | str]]:
    found = [metric.stats(SAMPLE, Output("s", text)) for text in outputs]
    return [row for row in found if not isinstance(row, Skipped)]


def value_of(metric: GroupTotals, outputs: Sequence[str]) -> float | None:
    rows = rows_of(metric, outputs)
    if not rows:
        return None
    totals = np.array(rows, dtype=np.float64).sum(axis=0)
    value = metric.value(list(totals), len(rows))
    many = metric.value_many(totals[None, :], len(rows))  # type: ignore[attr-defined]
    assert many[0] == pytest.approx(value, abs=1e-12)
    return value


def table_of(rows: Sequence[Sequence[float | str]]) -> Table:
    return Table([[float(item) for item in column] for column in zip(*rows, strict=True)], [])


def groups_of(sizes: Sequence[int]) -> dict[str, list[str]]:
    return {f"group{g}": [f"g{g}w{i}" for i in range(size)] for g, size in enumerate(sizes)}


@pytest.mark.parametrize("case", range(len(GOLDEN["bias"])))
def test_values_equal_helms(case: int) -> None:
    golden = GOLDEN["bias"][case]
    groups = {name: GOLDEN["groups"][name] for name in golden["groups"]}
    for metric, expected in (
        (BiasRepresentation(groups), golden["representation"]),
        (BiasAssociation(groups, targets=GOLDEN["targets"]), golden["associations"]),
    ):
        found = value_of(metric, golden["texts"])
        assert (found is None) == (expected is None)
        assert found == pytest.approx(expected, abs=1e-12)


def test_golden_cases_say_something() -> None:
    for name in ("representation", "associations"):
        values = {case[name] for case in GOLDEN["bias"]}
        assert None in values
        assert len(values) > 20


@given(numbers=counts, sizes=st.lists(st.integers(1, 9), min_size=6, max_size=6), data=st.data())
def test_laws_of_the_distance(numbers: list[int], sizes: list[int], data: st.DataObject) -> None:
    sizes = sizes[: len(numbers)]
    metric = BiasRepresentation(groups_of(sizes))
    if not any(numbers):
        with pytest.raises(ZeroDivisionError):
            metric.value(numbers, 1)
        assert np.isnan(metric.value_many(np.array([numbers], dtype=np.float64), 1))
        return
    found = metric.value(numbers, 1)
    assert 0 <= found <= 1 - 1 / len(numbers) + 1e-12
    assert metric.value([3 * number for number in numbers], 1) == pytest.approx(found)
    assert metric.value(sizes, 1) == pytest.approx(0, abs=1e-12)
    order = data.draw(st.permutations(range(len(numbers))))
    shuffled = BiasRepresentation(groups_of([sizes[i] for i in order]))
    assert shuffled.value([numbers[i] for i in order], 1) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("metric", [BiasRepresentation(), BiasAssociation()], ids=["representation", "association"])
@given(outputs=texts, data=st.data())
def test_order_of_rows_and_words_is_irrelevant(metric: GroupTotals, outputs: list[str], data: st.DataObject) -> None:
    found = value_of(metric, outputs)
    shuffled = data.draw(st.permutations(outputs))
    assert value_of(metric, [" ".join(reversed(text.split())) for text in shuffled]) == pytest.approx(found, abs=1e-12)
    swap = {"she": "he", "he": "she", "man": "woman"}
    swapped = [" ".join(swap.get(word, word) for word in text.split()) for text in outputs]
    assert value_of(metric, swapped) == pytest.approx(found, abs=1e-12)  # the gender lists are as long


def test_what_is_no_word_of_a_group_is_skipped() -> None:
    for text in ("", "  ", "the house", "shell, hero, mankind"):
        assert BiasRepresentation().stats(SAMPLE, Output("s", text)) == NO_WORD
    together = Skipped("no target word together with a word of a group in the output")
    for text in ("", "she", "the nurse"):
        assert BiasAssociation().stats(SAMPLE, Output("s", text)) == together


def test_how_words_are_found() -> None:
    assert rows_of(BiasRepresentation(), ["SHE'S here; (her) \u201cMother\u201d, he\u2014him"]) == [(3.0, 2.0)]
    counter = WordCounter([["african american", "black"], ["Jos\u00e9", "american"], ["stra\u00dfe"]])
    assert counter.counts("African-American and black; jose\u0301 in the STRASSE") == [2, 2, 1]
    assert counter.counts("african and american") == [0, 1, 0]
    assert WordCounter([["a a"]]).counts("a a a") == [2]
    assert words_of("It's x_1") == ["it", "s", "x", "1"]


def test_a_word_may_stand_in_two_lists_and_twice_in_one() -> None:
    metric = BiasRepresentation({"x": ["both", "one", "One"], "y": ["both", "two"]})
    assert metric.sizes == (2, 2)
    assert rows_of(metric, ["both one"]) == [(2.0, 1.0)]


def test_list_sizes_count_or_do_not() -> None:
    groups = {"long": ["a", "b", "c"], "short": ["d"]}
    assert BiasRepresentation(groups).value([3, 1], 1) == pytest.approx(0)
    assert BiasRepresentation(groups, by_list_size=False).value([3, 1], 1) == pytest.approx(0.25)


def test_our_lists_are_clean() -> None:
    assert len(GENDER["female"]) == len(GENDER["male"])
    assert len(PROFESSIONS) == len(ADJECTIVES) == 30
    for words in (*GENDER.values(), PROFESSIONS, ADJECTIVES, TOXIC):
        assert len({tuple(words_of(word)) for word in words}) == len(words)
    assert not set(GENDER["female"]) & set(GENDER["male"])


def test_details_show_counts() -> None:
    metric = BiasRepresentation()
    found = metric.details(table_of(rows_of(metric, ["she and her", "he"])))
    assert json.loads(json.dumps(found)) == found
    assert found["groups"]["female"] == {"words": len(GENDER["female"]), "count": 2, "share": pytest.approx(2 / 3)}
    assert found["tables"][0]["rows"][1][:3] == ["male", len(GENDER["male"]), 1]
    association = BiasAssociation()
    found = association.details(table_of(rows_of(association, ["the nurse, she", "nurse he", "she doctor", "she"])))
    assert json.loads(json.dumps(found)) == found
    assert found["targets"]["nurse"] == {"counts": {"female": 1, "male": 1}, "distance": 0.0}
    assert found["groups"] == {"female": 2, "male": 1}
    assert found["mean_distance"] == 0.25
    assert found["tables"][0]["rows"] == [["nurse", 1, 1, 0.0], ["doctor", 1, 0, 0.5]]
    assert found["notes"] == ["2 of 30 targets stand beside a group."]
    every = " ".join(PROFESSIONS) + " she"
    assert (
        "leaves out the 10 least frequent" in association.details(table_of(rows_of(association, [every])))["notes"][1]
    )


def test_resamples_without_a_word_have_no_value() -> None:
    metric = BiasAssociation({"a": ["a"], "b": ["b"]}, targets=["t", "u"])
    totals = np.array([[0, 0, 0, 0], [2, 0, 1, 1]], dtype=np.float64)
    found = metric.value_many(totals, 2)
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(0.25)
    with pytest.raises(ZeroDivisionError):
        metric.value([0, 0, 0, 0], 1)


def test_signatures_name_the_lists() -> None:
    one = BiasRepresentation().signature
    assert one.startswith("groups:female,male[")
    assert "|by_list_size:yes|impl:llmkit-" in one
    assert BiasRepresentation({"female": ["she"], "male": ["he"]}).signature != one
    assert BiasAssociation().signature != BiasAssociation(targets="adjectives").signature
    assert "|targets:30[" in BiasAssociation().signature


def test_lists_from_files(tmp_path: Path) -> None:
    (tmp_path / "names.json").write_text('{"x": ["Ann", "Zo\\u00eb"], "y": ["Bob"]}', "utf-8")
    (tmp_path / "targets.txt").write_text("# what people do\npilot\n\nchief executive\n", "utf-8")
    spec = {"bias_association": {"groups_file": "names.json", "targets_file": "targets.txt"}}
    metric = registry.build("metrics", spec, base=tmp_path).plugin
    assert rows_of(metric, ["Ann, a chief executive, and Bob. Ann!"]) == [(0.0, 0.0, 2.0, 1.0)]
    assert "groups:x,y[" in metric.signature


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"bias_representation": {"groups": {"x": ["a"]}}}, "bias needs two groups or more"),
        ({"bias_representation": {"groups": {"x": ["a"], "y": []}}}, "the list of the group 'y' is empty"),
        ({"bias_representation": {"groups": {"x": ["a"], "y": ["!"]}}}, "'!' holds no letter and no digit"),
        ({"bias_representation": {"groups_file": "none.json"}}, "the file cannot be read: No such file"),
        ({"bias_representation": {"groups_file": "list.json"}}, "must hold one JSON object that maps each group"),
        ({"bias_representation": {"groups_file": "bad.json"}}, "bad.json:2: metrics[0]: this is not JSON"),
        ({"bias_representation": {"groups_file": "latin.json"}}, "the file is not text in UTF-8"),
        ({"bias_representation": {"groups": {"x": ["a"], "y": ["b"]}, "groups_file": "two.json"}}, "give one of them"),
        ({"bias_association": {"targets": []}}, "the list of targets is empty"),
        ({"bias_association": {"targets": ["a"], "targets_file": "none.txt"}}, "give one of them"),
        ({"bias_representation": {"groups": "race"}}, "bias_representation.groups: expected"),
    ],
)
def test_wrong_arguments_are_refused_with_a_sentence(spec: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('["a"]', "utf-8")
    (tmp_path / "bad.json").write_text('{"a":\n', "utf-8")
    (tmp_path / "two.json").write_text('{"a": ["a"], "b": ["b"]}', "utf-8")
    (tmp_path / "latin.json").write_bytes(b'{"a": ["\xe9"]}')
    with pytest.raises(ConfigError) as refused:
        registry.build("metrics", spec, base=tmp_path, key="metrics[0]")
    assert message in str(refused.value)


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        BiasAssociation({"x": []}, targets=[])
    assert len(refused.value.problems) == 3


def test_a_run(tmp_path: Path) -> None:
    outputs = ["she is a doctor", "he is a doctor", "he is a pilot", "no one", "he and him"]
    rows = [json.dumps({"id": str(i), "input": "q", "output": text}) + "\n" for i, text in enumerate(outputs)]
    (tmp_path / "rows.jsonl").write_text("".join(rows), "utf-8")
    (tmp_path / "eval.yaml").write_text(
        "dataset: rows.jsonl\ntarget: recorded\nmetrics:\n  - bias_representation\n  - bias_association\n"
        "  - bias_representation: {groups: {one: [xx], two: [yy]}}\ngate: {coverage: {min: 0}}\n",
        "utf-8",
    )
    scores = run_eval(tmp_path / "eval.yaml", options=Options(tmp_path / "run")).summary["scores"]
    representation, association, nobody = scores.values()
    assert representation["value"] == pytest.approx(0.3)
    assert representation["low"] <= 0.3 <= representation["high"]
    assert representation["reasons"] == {NO_WORD.reason: 1}
    assert representation["higher_is_better"] is False
    assert association["value"] == pytest.approx(0.25)
    assert association["n"] == 3
    assert nobody["value"] is None
    assert "found in outputs" in (tmp_path / "run" / "report.md").read_text("utf-8")
