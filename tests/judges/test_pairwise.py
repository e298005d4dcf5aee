"""pairwise: both orders, ties where they disagree, and what each form of verdict makes of a game."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.judges.pairwise import Pairwise
from llmkit.stats import length_controlled_win_rate
from llmkit.testing import converse
from llmkit.types import Failure, Output, Request, Response, Sample, Skipped, Table, TokenLogprob
from tests import fakejudges
from tests.cli.command import llmkit, read_rows, served, write_config, write_rows
from tests.fakeserver import Behaviour, FakeServer

SAMPLE = Sample("q", "Which?", meta={"opponent": "theirs quality=0.2"}, references=("gold",))
OUTPUT = Output("q", "mine quality=0.9")


def played(judge: Pairwise, said: list[str]) -> tuple[float, ...]:
    judgment, _ = converse(judge.judge(SAMPLE, OUTPUT), list(said))
    assert not isinstance(judgment.stats, (Failure, Skipped)), judgment.stats
    return tuple(float(item) for item in judgment.stats)


@pytest.mark.parametrize(
    ("said", "preference", "games"),
    [
        (("A", "B"), 1.0, (1.0, 1.0)),
        (("B", "A"), 0.0, (0.0, 0.0)),
        (("A", "A"), 0.5, (1.0, 0.0)),
        (("B", "B"), 0.5, (0.0, 1.0)),
        (("tie", "tie"), 0.5, (0.5, 0.5)),
        (("A", "tie"), 0.5, (1.0, 0.5)),
    ],
)
def test_a_win_needs_both_orders(said: tuple[str, str], preference: float, games: tuple[float, float]) -> None:
    stats = played(Pairwise(), [f"Verdict: {label}" for label in said])
    assert stats[:3] == (preference, *games)
    assert stats[3:5] == (len(OUTPUT.text or ""), len("theirs quality=0.2"))


def test_each_order_is_shown_once_and_both_are_asked_at_the_same_time() -> None:
    dialogue = Pairwise().judge(SAMPLE, OUTPUT)
    requests = next(dialogue)
    assert len(requests) == 2
    shown = [fakejudges.fenced({"messages": request.messages}) for request in requests]
    assert [(s["answer A"], s["answer B"]) for s in shown] == [
        ("mine quality=0.9", "theirs quality=0.2"),
        ("theirs quality=0.2", "mine quality=0.9"),
    ]
    assert shown[0]["reference answer"] == "gold"
    dialogue.close()


def test_one_order_is_drawn_by_the_pair_and_not_by_chance() -> None:
    firsts = []
    for number in range(200):
        sample = Sample(f"q{number}", "Which?", meta={"opponent": "theirs"})
        orders = [Pairwise(orders="one").judge(sample, Output(sample.id, "mine")) for _ in range(2)]
        shown = [fakejudges.fenced({"messages": next(order)[0].messages})["answer A"] for order in orders]
        assert shown[0] == shown[1]
        firsts.append(shown[0] == "mine")
    assert 70 < sum(firsts) < 130


def test_grades_are_averaged_over_the_orders() -> None:
    said = ["Grade A: 8\nGrade B: 4", "Grade A: 6\nGrade B: 5"]
    stats = played(Pairwise(verdict="scores"), said)
    assert stats[0] == 1.0  # 6.5 against 5
    assert stats[1:3] == (1.0, 0.0)
    assert stats[5:] == (6.5, 5.0)


def test_json_verdicts() -> None:
    assert played(Pairwise(form="json"), [json.dumps({"reason": "x", "verdict": v}) for v in "AB"])[0] == 1.0
    said = [json.dumps({"reason": "x", "a": 1, "b": 3}), json.dumps({"reason": "x", "a": 3, "b": 1})]
    assert played(Pairwise(verdict="scores", form="json"), said)[0] == 0.0


def letters(a: float, b: float, text: str = "A") -> Response:
    top = tuple((token, math.log(p)) for token, p in ((" A", a), ("B", b), ("C", 0.01)) if p > 0)
    return Response(text=text, logprobs=(TokenLogprob(text, top[0][1], top),))


def test_log_probabilities_become_a_preference() -> None:
    judgment, [first, _] = converse(
        Pairwise(verdict="logprob").judge(SAMPLE, OUTPUT), [letters(0.6, 0.2), letters(0.3, 0.6)]
    )
    assert judgment.stats[0] == pytest.approx((0.75 + 2 / 3) / 2)  # type: ignore[index]
    assert first.params["max_tokens"] == 1
    assert first.params["top_logprobs"] == 20
    missing, _ = converse(Pairwise(verdict="logprob").judge(SAMPLE, OUTPUT), [letters(0.6, 0), letters(0.6, 0)])
    assert missing.stats[1:3] == (1.0, 0.0)  # type: ignore[index]


@pytest.mark.parametrize(
    ("response", "kind"),
    [(Response(text="A"), "no_logprobs"), (letters(0, 0, "C"), "off_menu")],
)
def test_log_probabilities_without_the_letters_are_no_verdict(response: Response, kind: str) -> None:
    judgment, _ = converse(Pairwise(verdict="logprob").judge(SAMPLE, OUTPUT), [response, letters(0.5, 0.5)])
    assert isinstance(judgment.stats, Failure)
    assert judgment.stats.kind == kind


def test_one_game_without_a_verdict_is_no_verdict() -> None:
    said = {True: "Verdict: A", False: "Verdict: both of them"}
    judgment, requests = converse(
        Pairwise().judge(SAMPLE, OUTPUT),
        lambda request: said[fakejudges.fenced({"messages": request.messages})["answer A"].startswith("mine")],
    )
    assert isinstance(judgment.stats, Failure)
    assert judgment.stats.kind == "off_menu"
    assert len(requests) == 3


def test_a_row_without_the_opponents_answer_is_an_error_and_no_win() -> None:
    judgment, asked = converse(Pairwise().judge(Sample("q", "x"), OUTPUT), [])
    assert isinstance(judgment.stats, Failure)
    assert asked == []


def test_conversations_are_compared_whole() -> None:
    sample = Sample("q", "First?", turns=("Second?",), meta={"opponent": "t2", "opponent_turns": ("t1", "t2")})
    dialogue = Pairwise().judge(sample, Output("q", "m2", turns=("m1", "m2")))
    shown = fakejudges.fenced({"messages": next(dialogue)[0].messages})
    assert shown["answer A"] == "m1\n\n(user) Second?\n\nm2"
    assert shown["answer B"] == "t1\n\n(user) Second?\n\nt2"
    dialogue.close()


@given(own=st.floats(0, 1), other=st.floats(0, 1), by=st.floats(0, 1))
def test_swapping_the_systems_turns_the_result_round_whatever_the_judge_prefers(
    own: float, other: float, by: float
) -> None:
    judge = fakejudges.prefers_first(by)

    def reply(request: Request) -> str:
        return str(judge({"messages": request.messages}))

    texts = f"m quality={own:.3f}", f"t quality={other:.3f}"
    results = []
    for mine, theirs in (texts, texts[::-1]):
        judgment, _ = converse(Pairwise().judge(Sample("q", "x", meta={"opponent": theirs}), Output("q", mine)), reply)
        results.append(float(judgment.stats[0]))  # type: ignore[index]
    assert results[0] == 1 - results[1]


def test_the_report_counts_and_owns_up_to_disagreement() -> None:
    columns = [[1.0, 0.5, 0.5, 0.0], [1.0, 1.0, 0.5, 0.0], [1.0, 0.0, 0.5, 0.0], *[[1.0] * 4] * 4]
    details = Pairwise().details(Table(columns, [()] * 7))
    assert details["tables"][0]["rows"] == [["wins", 1, 0.25], ["ties", 2, 0.5], ["losses", 1, 0.25]]
    assert "disagree on 1 of 4 pairs (25.0%); the first answer is favoured in 1 of them" in details["notes"][0]


def test_how_hard_a_question_is_goes_into_the_length_controlled_rate(tmp_path: Path) -> None:
    with FakeServer(Behaviour(answer=fakejudges.prefers_longer(0.3))) as server:
        rng = random.Random(4)
        hard = [round(rng.gauss(0, 1), 3) for _ in range(60)]  # the opponent is the worse, the harder the question
        rows = []
        for number, how in enumerate(hard):
            qualities = rng.random(), min(1.0, max(0.0, rng.random() - how))
            own, other = (f"quality={quality:.3f} " + "word " * rng.randint(1, 60) for quality in qualities)
            rows.append({"id": f"r{number}", "input": f"q {number}", "output": own, "opponent": other})
        found = []
        for known in (60, 59):
            write_rows(tmp_path / "set.jsonl", [
                {**row, **({"hard": hard[number]} if number < known else {})} for number, row in enumerate(rows)
            ])  # fmt: skip
            write_config(
                tmp_path, target="recorded", metrics=None, judges=[{"pairwise": {"difficulty": "hard"}}],
                judge_model=served(server.base_url),
            )  # fmt: skip
            done = llmkit("eval", "c.yaml", "--out", f"run{known}", "--format", "json", folder=tmp_path)
            assert done.code == 0, done.err
            (entry,) = done.json["scores"].values()
            found.append(entry["details"])
            [win_rates] = [table["rows"] for table in entry["details"]["tables"] if table["title"] == "Win rates"]
            assert win_rates[0] == ["win rate", entry["value"], entry["low"], entry["high"]]
        stats = [row["stats"] for row in read_rows(tmp_path / "run60" / "scores.jsonl")]
        preferences, own_lengths, other_lengths = (np.array([row[place] for row in stats]) for place in (0, 3, 4))
        controlled = length_controlled_win_rate(preferences, other_lengths, own_lengths, difficulty=np.array(hard))
        plain = length_controlled_win_rate(preferences, other_lengths, own_lengths)
        assert controlled.win_rate is not None
        assert plain.win_rate is None
        with_it, without = (one["win_rate"]["length_controlled"] for one in found)
        assert with_it["value"] == pytest.approx(controlled.win_rate.value)
        assert without is None
        said = " ".join(found[1]["notes"])
        assert "1 row of unknown difficulty" in said
        assert f"No length-controlled win rate: {plain.reason}." in said
