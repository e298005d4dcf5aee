"""What members of an ensemble vote for, which votes are right, and what probabilities labels have."""

from __future__ import annotations

from math import exp, log

import pytest

from llmkit.errors import ConfigError
from llmkit.metrics import Ballots
from llmkit.types import Loglikelihood, Output, Response, Sample, Skipped, TokenLogprob

CHOICES = ("Paris", "Rome", "Oslo")


def said(text: str) -> Output:
    return Output("a", text)


def test_votes_are_read_as_majority_reads_them() -> None:
    outputs = [said("The answer is B."), said("Paris"), said("none of them")]
    assert Ballots(vote="label").votes(Sample("a", choices=CHOICES), outputs) == ["B", "A", None]
    assert Ballots().votes(Sample("a"), [said("  Paris. "), said("paris"), said("")]) == ["paris", "paris", None]
    assert Ballots(vote="number").votes(Sample("a"), [said("6 x 7 = 42"), said("no")]) == [42.0, None]
    assert isinstance(Ballots(vote="label").votes(Sample("a"), outputs), Skipped)
    with pytest.raises(ConfigError, match="labels have no meaning for vote text"):
        Ballots(labels=("a", "b"))


@pytest.mark.parametrize(
    ("ballots", "sample", "right"),
    [
        (Ballots(vote="label"), Sample("a", choices=CHOICES, answer=1), ("B",)),
        (Ballots(vote="label", labels=("Yes", "No")), Sample("a", answer="yes"), ("Yes",)),
        (Ballots(vote="label", labels=("Yes", "No")), Sample("a", references=("no",)), ("No",)),
        (Ballots(), Sample("a", references=("Paris", "paris!", "City of Light")), ("paris", "city of light")),
        (Ballots(), Sample("a", choices=CHOICES, answer=2), ("oslo",)),
        (Ballots(vote="number"), Sample("a", references=("about 1,000", "1000.0")), (1000.0,)),
    ],
)
def test_right_votes_are_the_answer_then_the_references(
    ballots: Ballots, sample: Sample, right: tuple[object, ...]
) -> None:
    assert ballots.right(sample) == right


@pytest.mark.parametrize("ballots", [Ballots(), Ballots(vote="number"), Ballots(vote="label", labels=("a", "b"))])
def test_without_gold_no_vote_is_right(ballots: Ballots) -> None:
    assert isinstance(ballots.right(Sample("a")), Skipped)
    assert isinstance(ballots.right(Sample("a", references=(" ",))), Skipped)


def test_probabilities_come_from_choices_else_from_tokens() -> None:
    ballots, sample = Ballots(vote="label"), Sample("a", choices=("yes", "no"))
    choices = Response("yes", loglikelihoods=(Loglikelihood(-1.0, 1, True), Loglikelihood(-2.0, 1, False)))
    found = ballots.probabilities(sample, Output("a", "yes", response=choices))
    assert found == pytest.approx({"A": 1 / (1 + exp(-1)), "B": 1 / (1 + exp(1))})
    tokens = Response(
        "B", logprobs=(TokenLogprob("B", log(0.6), ((" B", log(0.1)), ("B", log(0.6)), ("A", log(0.3)))),)
    )
    assert ballots.probabilities(sample, Output("a", "B", response=tokens)) == pytest.approx({"A": 0.3, "B": 0.7})
    assert isinstance(ballots.probabilities(sample, Output("a", "B", response=Response("B"))), Skipped)
    assert isinstance(ballots.probabilities(sample, Output("a", "B")), Skipped)
    assert isinstance(Ballots().probabilities(sample, Output("a", "B", response=tokens)), Skipped)
