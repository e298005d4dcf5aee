"""What a product's documentation is told about how often the system is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import DataError, UsageError
from llmkit.flows.show import parse_age, put_between
from llmkit.report.limitations import limitations, limitations_markdown
from tests.report.making import entry, manifest, rich_run, summary

NOW = datetime(2026, 5, 30, 12, tzinfo=UTC)


def test_a_yes_or_no_scorer_gives_a_share_of_wrong_answers_with_the_interval_turned_round() -> None:
    run = replace(rich_run(), summary=summary({"exact_match": entry("exact_match", 0.8, low=0.7, high=0.875, n=75)}))
    assert limitations(run, {"exact_match"}).how_often == (
        "By exact_match, the system fails in 20.0% of cases (75 outputs, 95% interval 12.5% to 30.0%).",
    )


def test_where_less_is_better_the_value_itself_is_the_share() -> None:
    found = entry("toxicity", 0.04, low=0.02, high=0.08, higher_is_better=False, n=200)
    run = replace(rich_run(), summary=summary({"toxicity": found}))
    assert limitations(run, {"toxicity"}).how_often == (
        "By toxicity, the system is flagged in 4.0% of cases (200 outputs, 95% interval 2.0% to 8.0%).",
    )


def test_a_graded_scorer_gives_its_score_and_its_direction() -> None:
    run = replace(rich_run(), summary=summary({"token_f1": entry("token_f1", 0.5, low=None, high=None, n=1)}))
    assert limitations(run, ()).how_often == ("By token_f1, the system scores 0.500 (1 output; higher is better).",)


def test_what_has_no_value_is_said_to_have_none() -> None:
    run = replace(rich_run(), summary=summary({"f1": entry("f1", None, n=0)}))
    assert limitations(run, {"f1"}).how_often == ("f1 has no value for these outputs.",)


def test_scorers_without_a_direction_or_with_a_unit_are_no_limitations() -> None:
    scores = {"length": entry("length", higher_is_better=None), "cost": entry("cost", unit="$", higher_is_better=False)}
    found = limitations(replace(rich_run(), summary=summary(scores)), ())
    assert (found.how_often, found.judged, found.where) == ((), (), ())


def test_the_worst_parts_are_named_and_small_ones_are_not() -> None:
    def part(value: float, n: int) -> dict[str, object]:
        return {"rows": n, "scores": {"f1": {"value": value, "low": None, "high": None, "n": n}}}

    values = {"a": part(0.9, 50), "b": part(0.2, 30), "c": part(0.0, 4), "d": part(0.5, 5)}
    slices = {"topic": {"values": values, "left_out": 0}, "one": {"values": {"a": part(0.1, 9)}, "left_out": 0}}
    run = replace(rich_run(), summary=summary({"f1": entry("f1")}, slices=slices))
    assert limitations(run, {"f1"}).where == (
        "By topic, f1 is worst for b (80.0% wrong, n = 30); d (50.0% wrong, n = 5); a (10.0% wrong, n = 50).",
    )


def test_failed_outputs_are_told_apart_from_wrong_ones() -> None:
    run = replace(
        rich_run(), summary=summary({"f1": entry("f1")}, outputs={"ok": 95, "error": 5, "errors": {"timeout": 5}})
    )
    assert limitations(run, ()).how_often[-1] == "No answer arrived to 5 questions (5.0%); they are in no score."


def test_signatures_are_put_into_words() -> None:
    name = "rouge(variant='L')"
    signature = f"{name}|variant:L|refs:max|impl:llmkit-0.1.0|n:75|ci:t|level:0.95|seed:0"
    run = replace(rich_run(), summary=summary({name: entry(name, signature=signature)}))
    assert limitations(run, ()).judged == (f"{name}: variant L, refs max; computed by llmkit 0.1.0; interval: t.",)


@pytest.mark.parametrize(
    ("age", "stale"), [("90d", True), ("91d", False), ("2160h", True), ("13w", False), ("12w", True)]
)
def test_a_run_older_than_asked_is_stale(age: str, stale: bool) -> None:
    found = limitations(rich_run(), (), now=NOW, max_age=parse_age(age))
    assert bool(found.stale) is stale
    if age == "90d":
        assert found.stale == (
            "These figures are stale: measured on 2026-03-01, 90 days ago, and no more than 90 days is allowed."
        )


def test_a_run_of_an_unknown_day_is_stale() -> None:
    run = replace(rich_run(), manifest=manifest(started="", finished=""))
    assert "does not say when" in limitations(run, (), now=NOW, max_age=timedelta(days=1)).stale


def test_as_markdown_nothing_strangers_named_is_markup() -> None:
    evil = "<script>|*x*`[y](z)"
    run = replace(rich_run(), summary=summary({evil: entry(evil)}), manifest=manifest(target=evil))
    text = limitations_markdown(limitations(run, {evil}))
    assert "<script>" not in text
    assert "&lt;script>\\|\\*x\\*\\`\\[y](z)" in text


@pytest.mark.parametrize("text", ["", "90", "d", "-3d", "90 days", "1e9d", "9" * 30 + "w"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="age"):
        parse_age(text)


@given(before=st.text(max_size=40), after=st.text(max_size=40), first=st.text(max_size=20), second=st.text(max_size=20))
def test_only_what_stands_between_the_markers_changes(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, first: str, second: str
) -> None:
    path = tmp_path_factory.mktemp("into") / "README.md"
    begin, end = "<!-- llmkit limitations of qa: begin -->", "<!-- llmkit limitations of qa: end -->"
    whole = f"{before}{begin}\n{first.strip()}\n{end}{after}".encode("utf-8", "replace")
    path.write_bytes(whole)
    put_between(path, "qa", second)
    assert path.read_bytes() == f"{before}{begin}\n{second.strip()}\n{end}{after}".encode("utf-8", "replace")


def test_without_markers_the_block_goes_to_the_end_with_markers(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("# Product\n", "utf-8")
    put_between(path, "a -- b", "one")
    put_between(path, "other", "two")
    put_between(path, "a -- b", "three")
    assert path.read_text("utf-8") == (
        "# Product\n\n<!-- llmkit limitations of a - b: begin -->\nthree\n<!-- llmkit limitations of a - b: end -->\n"
        "\n<!-- llmkit limitations of other: begin -->\ntwo\n<!-- llmkit limitations of other: end -->\n"
    )


def test_half_a_pair_of_markers_is_refused_and_the_file_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    text = "x <!-- llmkit limitations of qa: begin --> y"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match="not one pair"):
        put_between(path, "qa", "block")
    assert path.read_text("utf-8") == text
