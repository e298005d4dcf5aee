"""The price book: what is packaged, what users add."""

from __future__ import annotations

import json
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from llmkit.engine import PriceBook
from llmkit.errors import ConfigError


def test_every_packaged_entry_is_dated_and_sane() -> None:
    rows = json.loads(resources.files("llmkit.engine").joinpath("prices.json").read_text(encoding="utf-8"))
    assert len(rows) > 40
    for row in rows.values():
        assert date.fromisoformat(row["as_of"]) <= date(2026, 12, 31)
        assert 0 < row["input"] <= 200
        assert row.get("cached", 0) <= row["input"]
        assert row["output"] == 0 or row["output"] >= row["input"]


@pytest.mark.parametrize(
    ("model", "like"),
    [
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4-0613", "gpt-4"),
        ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("claude-3-5-haiku@20241022", "claude-3-5-haiku"),
        ("gemini-1.5-pro-002", "gemini-1.5-pro"),
    ],
)
def test_a_snapshot_costs_as_its_model(model: str, like: str) -> None:
    book = PriceBook.load()
    assert book.price(model) == book.price(like) is not None


def test_an_exact_entry_wins_over_a_shorter_name() -> None:
    book = PriceBook.load()
    assert book.price("gpt-4o-2024-05-13") != book.price("gpt-4o")
    assert book.price("gpt-4o-mini-2024-07-18") != book.price("gpt-4o")


@pytest.mark.parametrize(
    "model", ["", "gpt-4.5-preview", "gpt-5.9", "gpt-4o-audio-preview", "ft:gpt-4o-mini:org", "gpt"]
)
def test_another_model_with_the_same_beginning_is_unknown(model: str) -> None:
    assert not PriceBook.load().knows(model)


def test_cost_is_dollars_for_a_million_tokens() -> None:
    book = PriceBook.load()
    assert book.cost("gpt-4o", 1_000_000, 1_000_000) == pytest.approx(12.50)
    assert book.cost("gpt-4o", 1_000_000, 0, 1_000_000) == pytest.approx(1.25)
    assert book.cost("gpt-4-turbo", 1_000_000, 0, 1_000_000) == pytest.approx(10.0)  # no discount known
    assert book.cost("nobody", 1, 1) is None
    assert book.cost("gpt-4o", None, 1) is None
    assert book.cost("text-embedding-3-small", 1_000_000, None) == pytest.approx(0.02)


def test_users_add_and_replace_entries(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.json"
    first.write_text("mine: {input: 1, output: 2}\ngpt-4o: {input: 3, output: 4, cached: 1}\n", encoding="utf-8")
    second.write_text('{"mine": {"input": 0, "output": 0, "as_of": "2026-01-01"}}', encoding="utf-8")
    book = PriceBook.load(first, second)
    assert book.cost("mine", None, None) == 0.0
    assert book.cost("gpt-4o", 1_000_000, 0) == 3.0
    assert book.knows("gpt-4o-mini")
    assert PriceBook.load().cost("gpt-4o", 1_000_000, 0) == 2.5


def test_every_problem_of_every_file_is_named(tmp_path: Path) -> None:
    bad, broken, flat = tmp_path / "bad.yaml", tmp_path / "broken.json", tmp_path / "list.yaml"
    bad.write_text(
        "a: {input: -1, otput: 2}\nb: 3\nc: {input: 1, output: .inf}\nd: {input: yes, output: 1}\n", encoding="utf-8"
    )
    broken.write_text("{", encoding="utf-8")
    flat.write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        PriceBook.load(bad, tmp_path / "missing.yaml", broken, flat)
    places = [(Path(problem.file).name, problem.key) for problem in caught.value.problems]
    assert places == [
        ("bad.yaml", "a.otput"),
        ("bad.yaml", "a.input"),
        ("bad.yaml", "a.output"),
        ("bad.yaml", "b"),
        ("bad.yaml", "c.output"),
        ("bad.yaml", "d.input"),
        ("missing.yaml", ""),
        ("broken.json", ""),
        ("list.yaml", ""),
    ]
    assert "known: input, output, cached, as_of" in str(caught.value)
