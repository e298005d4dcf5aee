"""selfcheck: sentences that other answers do not bear out."""

from __future__ import annotations

import pytest

from llmkit.judges.selfcheck import Selfcheck
from llmkit.testing import converse
from llmkit.types import Failure, Judgment, Output, Request, Sample, Skipped
from tests.fakejudges import fenced

SAMPLE = Sample("q", "Who?")


def outputs(*texts: str | None) -> list[Output]:
    return [
        Output("q", text, repeat, error=None if text is not None else Failure("timeout", "late"))
        for repeat, text in enumerate(texts)
    ]


def model(request: Request) -> str:
    """Support a sentence where the text holds its last word."""
    material = fenced({"messages": request.messages})
    if "unreadable" in material["text"]:
        return "hm"
    lines = [line.split(". ", 1) for line in material["items"].splitlines()]
    return "\n".join(f"{n}: {'yes' if text.split()[-1].strip('.') in material['text'] else 'no'}" for n, text in lines)


def judged(*texts: str | None) -> Judgment:
    return converse(Selfcheck().judge_over(SAMPLE, outputs(*texts)), model)[0]


def test_the_share_of_answers_that_do_not_support_each_sentence() -> None:
    found = judged("He was born in Rome. He died in Oslo.", "Rome, yes.", "Rome and Oslo.", "Paris.", "Oslo.")
    assert found.stats == (pytest.approx((0.5 + 0.5) / 2), 4.0, 0.0)
    assert found.reason.splitlines()[0] == "0.50: He was born in Rome."


def test_an_answer_without_a_verdict_is_left_out_and_counted() -> None:
    found = judged("It is Rome.", "Rome", "unreadable", None, " ")
    assert found.stats == (0.0, 1.0, 1.0)
    assert "1 of 2" in found.reason
    assert isinstance(judged("It is Rome.", "unreadable").stats, Failure)


def test_empties() -> None:
    assert judged("", "Rome").stats == Skipped("empty answer")
    assert judged("It is Rome.", None).stats == Skipped("no other answer to compare with")
    assert isinstance(judged(None, "Rome").stats, Failure)


def test_it_needs_repeats_and_lower_is_better() -> None:
    assert Selfcheck.min_repeats == 2
    assert Selfcheck.higher_is_better is False
    with pytest.raises(TypeError, match="judge_over"):
        converse(Selfcheck().judge(SAMPLE, Output("q", "x")), [])
