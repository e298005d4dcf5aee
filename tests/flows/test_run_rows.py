"""The rows of a run, put together again whatever the order in which scorers wrote."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import UsageError
from llmkit.flows.run_rows import run_rows
from llmkit.types import (
    Exchange,
    Failure,
    Output,
    Passage,
    Response,
    Run,
    Sample,
    SampleRow,
    Score,
    Transcript,
)

SCORERS = ("f1", "bert", "grade")


def made(count: int, repeats: int, lags: dict[str, int], *, salt: str = "") -> Run:
    """Return a run whose scorers write so many samples behind the answers; a negative lag writes after all of them."""
    ids = [f"s{i}" for i in range(count)]
    lines: list[tuple[int, int, Score]] = []
    for place, sample_id in enumerate(ids):
        for order, name in enumerate(SCORERS):
            lag = lags[name]
            when = place + lag if lag >= 0 else count + order
            rows = [Score(sample_id, name, float(place), repeat=r) for r in range(1 if name == "grade" else repeats)]
            lines += [(when, order, row) for row in rows]
    lines.sort(key=lambda line: line[:2])
    return Run(
        "runs/x",
        {},
        {"scores": dict.fromkeys(SCORERS), "slices": {"cat": {}}},
        outputs=[Output(one, f"said {one}{salt}", r) for one in ids for r in range(repeats)],
        scores=[score for _, _, score in lines],
        samples=[
            SampleRow(Sample(one, f"ask {one}", meta={"cat": i % 2, "more": "m"}), f"digest-{one}")
            for i, one in enumerate(ids)
        ],
    )


@given(
    count=st.integers(0, 12),
    repeats=st.integers(1, 3),
    lags=st.fixed_dictionaries({name: st.integers(-1, 4) for name in SCORERS}),
)
def test_every_sample_has_all_its_outputs_and_scores(count: int, repeats: int, lags: dict[str, int]) -> None:
    rows = list(run_rows(made(count, repeats, lags)))
    assert [row["id"] for row in rows] == [f"s{i}" for i in range(count)]
    for place, row in enumerate(rows):
        assert [output["repeat"] for output in row["outputs"]] == list(range(repeats))
        assert {name: [score["value"] for score in every] for name, every in row["scores"].items()} == {
            "f1": [place] * repeats,
            "bert": [place] * repeats,
            "grade": [place],
        }


def test_slices_are_named_as_in_the_summary_and_the_rest_is_meta() -> None:
    row = next(run_rows(made(1, 1, dict.fromkeys(SCORERS, 0))))
    assert row["slices"] == {"cat": "0"}
    assert row["meta"] == {"more": "m"}


@given(order=st.permutations(range(5)))
def test_another_run_is_paired_by_id_and_content_in_any_order(order: list[int]) -> None:
    lags = dict.fromkeys(SCORERS, 0)
    run, base = made(5, 1, lags), made(5, 1, lags, salt=" before")
    base = replace(
        base,
        samples=[list(base.samples)[i] for i in order],
        outputs=[list(base.outputs)[i] for i in order],
        scores=[score for i in order for score in base.scores if score.sample_id == f"s{i}"],
    )
    rows = list(run_rows(run, base))
    assert [row["base"]["outputs"][0]["text"] for row in rows] == [f"said s{i} before" for i in range(5)]
    assert [row["base"]["scores"]["f1"][0]["value"] for row in rows] == list(range(5))


def test_a_row_whose_content_changed_has_no_pair() -> None:
    lags = dict.fromkeys(SCORERS, 0)
    run = made(2, 1, lags)
    first, second = run.samples
    base = replace(made(2, 1, lags), samples=[first, replace(second, digest="other")])
    assert [row["base"] is None for row in run_rows(run, base)] == [False, True]


def test_what_was_not_waited_for_has_no_latency_and_failures_keep_their_words() -> None:
    run = made(1, 3, dict.fromkeys(SCORERS, 0))
    passage = Passage("d", "text", 0.5)
    outputs = [
        Output("s0", "a", 0, Response("a", latency=0.5, cost=0.1), retrieved=(passage,)),
        Output("s0", "b", 1, Response("b", latency=0.5, cost=0.1, cached=True)),
        Output("s0", None, 2, error=Failure("timeout", "too late")),
    ]
    row = next(run_rows(replace(run, outputs=outputs)))
    assert [(one["latency"], one["cost"]) for one in row["outputs"]] == [(0.5, 0.1), (None, None), (None, None)]
    assert row["outputs"][0]["retrieved"] == [{"id": "d", "text": "text", "score": 0.5}]
    assert row["outputs"][2]["error"] == {"kind": "timeout", "message": "too late"}


def test_judges_words_stand_with_their_sample() -> None:
    run = made(3, 1, dict.fromkeys(SCORERS, 0))
    said = Exchange(({"role": "user", "content": "right?"},), "yes")
    run = replace(run, transcripts=[Transcript("s0", "grade", (said,)), Transcript("s2", "grade", (said, said))])
    found = [row.get("judgments") for row in run_rows(run)]
    assert found[1] is None
    assert [len(one["grade"][0]["exchange"]) for one in (found[0], found[2]) if one] == [1, 2]


def test_a_run_of_before_samples_were_kept_has_ids_and_outputs() -> None:
    run = replace(made(2, 2, dict.fromkeys(SCORERS, 0)), samples=[])
    rows = list(run_rows(run))
    assert [(row["id"], len(row["outputs"]), len(row["scores"]["f1"])) for row in rows] == [("s0", 2, 2), ("s1", 2, 2)]


def test_a_folder_that_somebody_shuffled_is_refused() -> None:
    run = made(3, 1, dict.fromkeys(SCORERS, 0))
    with pytest.raises(UsageError, match="not in the order of its samples"):
        list(run_rows(replace(run, outputs=list(run.outputs)[::-1])))
