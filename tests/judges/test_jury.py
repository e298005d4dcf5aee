"""jury: one verdict of several, who did not vote counted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import registry
from llmkit.errors import ConfigError
from llmkit.judges.jury import Jury
from llmkit.types import Failure, Judgment, Skipped, Table

TWO: list[str | dict[str, Any]] = ["grade", "grade"]
FAILED = Judgment(Failure("off_form", "no number"))
SKIPPED = Judgment(Skipped("no reference"))


def value(jury: Jury, *votes: float | Judgment) -> Any:
    judgments = [vote if isinstance(vote, Judgment) else Judgment((vote,)) for vote in votes]
    stats = jury.verdict(judgments).stats
    return stats if isinstance(stats, (Failure, Skipped)) else stats[0]


@pytest.mark.parametrize(
    ("combine", "votes", "combined"),
    [
        ("mean", (1, 2, 6), 3.0),
        ("median", (1, 2, 6), 2),
        ("median", (1, 2, 3, 6), 2.5),
        ("majority", (1, 1, 0), 1),
        ("majority", (1, 0), 0.5),
        ("majority", (1, 1, 4, 4, 9), 2.5),
    ],
)
def test_how_votes_become_one(combine: Any, votes: tuple[float, ...], combined: float) -> None:
    assert value(Jury(TWO, combine=combine), *votes) == combined


def test_who_has_no_verdict_does_not_vote_and_below_the_quorum_there_is_none() -> None:
    jury = Jury(TWO, quorum=0.5)
    assert value(jury, 4, FAILED) == 4
    assert value(jury, 4, FAILED, SKIPPED, 6) == 5
    short = value(jury, 4, FAILED, FAILED)
    assert isinstance(short, Failure)
    assert "1 of 3 members" in short.message
    assert isinstance(value(jury, FAILED, FAILED), Failure)
    assert isinstance(value(jury, SKIPPED, SKIPPED), Skipped)
    assert isinstance(value(Jury(TWO, quorum=1), 4, FAILED), Failure)


@given(
    votes=st.lists(st.integers(0, 10), min_size=1, max_size=7), combine=st.sampled_from(["mean", "median", "majority"])
)
def test_the_verdict_lies_among_the_votes_and_their_order_does_not_matter(votes: list[int], combine: Any) -> None:
    jury = Jury(TWO, combine=combine)
    found = value(jury, *votes)
    assert min(votes) <= found <= max(votes)
    assert value(jury, *reversed(votes)) == found
    assert value(jury, *[votes[0]] * 3) == votes[0]


def test_the_report_shows_each_member_and_their_agreement() -> None:
    jury = Jury([{"grade": {"name": "strict"}}, {"grade": {"model": {"openai": {"model": "big"}}}}])
    judged = [
        jury.verdict([Judgment((a,)), b]) for a, b in ((1.0, Judgment((1.0,))), (2.0, Judgment((4.0,))), (3.0, FAILED))
    ]
    rows: list[Any] = [judgment.stats for judgment in judged]
    details = jury.details(Table([list(column) for column in zip(*rows, strict=True)], [()] * 7))
    assert details["tables"][0]["rows"] == [["1: strict", 3, 2.0], ["2: grade by big", 2, 2.5]]
    assert details["notes"] == ["Two members give the same score in 50.0% of cases."]
    assert "no verdict: no number" in judged[2].reason


def test_one_judge_by_several_models() -> None:
    jury = Jury(judge={"grade": {"criteria": "brevity"}}, models=["echo", {"openai": {"model": "b"}}])
    assert jury.jurors == [
        {"grade": {"criteria": "brevity", "model": "echo"}},
        {"grade": {"criteria": "brevity", "model": {"openai": {"model": "b"}}}},
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "one of the two"),
        ({"members": ["grade"]}, "two members or more"),
        ({"judge": "grade"}, "go together"),
        ({"members": TWO, "judge": "grade"}, "one of the two"),
        ({"members": TWO, "quorum": 0}, "quorum is 0"),
    ],
)
def test_arguments_that_make_no_jury_are_one_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        registry.build("judges", {"jury": arguments})
