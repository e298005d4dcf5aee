from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.datasets import open_dataset
from llmkit.datasets.select import draw, keep_first
from llmkit.errors import DataError, Problem
from tests.datasets.making import opened, samples, write

ROWS = [{"input": f"q{number}", "n": number} for number in range(40)]


def test_limit_takes_the_first_that_pass_and_stops_reading(tmp_path: Path) -> None:
    rows = [*ROWS[:6], {"input": 5, "n": 9}]
    found = samples(tmp_path, rows, where="n > 1", limit=3)
    assert [sample.input for sample in found] == ["q2", "q3", "q4"]


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 10))
def test_limit_counts_rows_and_not_problems(bad: list[bool], limit: int) -> None:
    rows = [(line, Problem("x") if wrong else {"input": "q"}) for line, wrong in enumerate(bad, 1)]
    kept = list(keep_first(rows, limit))
    assert kept == rows[: len(kept)]
    assert sum(not isinstance(row, Problem) for _, row in kept) == min(limit, bad.count(False))


@given(st.integers(0, 50), st.integers(1, 60), st.integers(-5, 1000))
def test_a_draw_has_its_size_and_depends_on_the_seed_only(rows: int, n: int, seed: int) -> None:
    numbered = [(line, {"input": line}) for line in range(rows)]
    drawn = draw(numbered, n, seed)
    assert len(drawn) == min(n, rows)
    assert drawn <= set(range(rows))
    assert drawn == draw(iter(numbered), n, seed)


@given(st.permutations(range(20)), st.integers(0, 99))
def test_a_draw_does_not_depend_on_the_order_of_the_rows(order: list[int], seed: int) -> None:
    rows = [(line, {"input": line}) for line in order]
    base = [(line, {"input": line}) for line in range(20)]
    assert {order[at] for at in draw(rows, 7, seed)} == draw(base, 7, seed)


def test_every_row_is_drawn_about_as_often() -> None:
    rows = [(line, {"input": line}) for line in range(20)]
    times = [0] * 20
    for seed in range(2000):
        for position in draw(rows, 5, seed):
            times[position] += 1
    # Binomial with mean 500 and standard deviation 19.4: five of them either side.
    assert all(400 < count < 600 for count in times)


def test_a_sample_keeps_the_order_and_can_be_read_again(tmp_path: Path) -> None:
    dataset = opened(tmp_path, ROWS, sample={"n": 10, "seed": 3})
    first = [sample.line for sample in dataset]
    assert first == sorted(first)
    assert len(set(first)) == 10
    assert [sample.line for sample in dataset] == first
    other = [sample.line for sample in opened(tmp_path, ROWS, sample={"n": 10, "seed": 4})]
    assert other != first


def test_a_row_added_displaces_at_most_one(tmp_path: Path) -> None:
    before = {sample.input for sample in samples(tmp_path, ROWS, sample={"n": 10})}
    after = {sample.input for sample in samples(tmp_path, [{"input": "new"}, *ROWS], sample={"n": 10})}
    assert len(before - after) <= 1


def test_where_comes_first_then_limit_then_sample(tmp_path: Path) -> None:
    found = samples(tmp_path, ROWS, where="n >= 10", limit=8, sample={"n": 5, "seed": 1})
    assert len(found) == 5
    assert all(10 <= sample.meta["n"] < 18 for sample in found)


def test_the_draw_does_not_depend_on_who_answered(tmp_path: Path) -> None:
    drawn = [
        samples(
            tmp_path,
            [{"q": f"q{n}", "output": f"{who} {n}"} for n in range(40)],
            sample={"n": 9},
            fields={"input": "q"},
        )
        for who in ("one", "other")
    ]
    assert [sample.input for sample in drawn[0]] == [sample.input for sample in drawn[1]]
    # Where there is nothing but answers, they alone tell the rows apart.
    answers = samples(tmp_path, [{"output": f"a{n}", "lang": "en"} for n in range(40)], sample={"n": 9})
    assert [sample.line for sample in answers] != list(range(1, 10))


def test_a_sample_larger_than_the_set_is_the_set(tmp_path: Path) -> None:
    assert len(samples(tmp_path, ROWS, sample={"n": 1000})) == 40


@pytest.mark.parametrize("options", [{"sample": {"n": 5}}, {"limit": 30}, {"where": "n > 3"}])
def test_problems_outlive_selection(tmp_path: Path, options: dict[str, object]) -> None:
    name = write(tmp_path, ROWS[:10])
    with (tmp_path / name).open("a") as file:
        file.write("not json\n")
    with pytest.raises(DataError, match=r"set\.jsonl:11: not JSON"):
        list(open_dataset({"path": name, **options}, base=tmp_path))
