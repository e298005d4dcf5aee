from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.datasets import few_shot
from llmkit.errors import DataError
from llmkit.types import Sample

POOL = [Sample(id=f"s{number}", input=f"q{number}", references=("a",)) for number in range(30)]


@given(st.integers(1, 20), st.integers(0, 50), st.integers(0, 29), st.sampled_from(["first", "random"]))
def test_every_row_gets_n_examples_and_never_itself(n: int, seed: int, asked: int, pick: str) -> None:
    picker = few_shot(POOL, n=n, pick=pick, seed=seed)  # type: ignore[arg-type]
    shots = picker(POOL[asked])
    assert len(shots) == len({shot.id for shot in shots}) == n
    assert POOL[asked] not in shots
    assert shots == few_shot(iter(POOL), n=n, pick=pick, seed=seed)(POOL[asked])  # type: ignore[arg-type]


def test_first_takes_the_first() -> None:
    picker = few_shot(POOL, n=2)
    assert [shot.id for shot in picker(POOL[9])] == ["s0", "s1"]
    assert [shot.id for shot in picker(POOL[0])] == ["s1", "s2"]


def test_a_draw_depends_on_the_seed_and_not_on_the_order() -> None:
    asked = Sample(id="x", input="x")
    drawn = [few_shot(POOL, n=5, pick="random", seed=seed)(asked) for seed in range(20)]
    assert len({tuple(shot.id for shot in shots) for shots in drawn}) > 15
    assert few_shot(POOL[::-1], n=5, pick="random", seed=3)(asked) == drawn[3]


def test_an_example_with_the_same_input_gives_the_answer_away() -> None:
    asked = Sample(id="other", input="q0")
    assert [shot.id for shot in few_shot(POOL, n=2)(asked)] == ["s1", "s2"]


def test_rows_without_an_answer_and_repeated_inputs_do_not_serve() -> None:
    pool = [
        Sample(id="no", input="a"),
        Sample(id="talk", input="first", turns=("second",), references=("to the second",)),
        POOL[0],
        Sample(id="again", input="q0", references=("b",)),
        Sample(id="zero", input="z", answer=0),
    ]
    assert [shot.id for shot in few_shot(pool, n=2)(POOL[5])] == ["s0", "zero"]


def test_too_few_examples_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        few_shot([*POOL[:3], Sample(id="no", input="a")], n=5, source="dev.jsonl")
    assert str(caught.value) == (
        "dev.jsonl: few_shot asks for 5 examples, and only 3 rows have one input of their own and an answer "
        "(lower few_shot.n or pick from another set)"
    )


def test_the_digest_tells_the_examples() -> None:
    assert few_shot(POOL, n=3).digest == few_shot(POOL[:5], n=3).digest
    assert few_shot(POOL, n=3).digest != few_shot(POOL[1:], n=3).digest
    assert few_shot(POOL, n=0)(POOL[0]) == ()
