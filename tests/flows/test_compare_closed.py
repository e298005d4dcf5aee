"""What a comparison must not wave through: scores that are missing on either side, rules that stand twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmkit import Options, run_eval
from llmkit.config.gate import Gate
from llmkit.errors import DataError
from llmkit.flows.compare import compare_runs
from llmkit.store import write_baseline
from llmkit.types import Run

Make = Callable[..., Run]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return what makes a run of recorded answers; those that are None were never given."""

    def made(name: str, answers: Sequence[str | None], **keys: Any) -> Run:
        rows = [
            {"id": f"r{n}", "input": f"q{n}", "references": ["yes"], **({} if one is None else {"output": one})}
            for n, one in enumerate(answers)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        whole = {"name": "t", "dataset": f"{name}.jsonl", "target": "recorded", "metrics": ["exact_match"], **keys}
        (tmp_path / f"{name}.yaml").write_text(json.dumps(whole))
        return run_eval(tmp_path / f"{name}.yaml", options=Options(out=tmp_path / name))

    return made


@pytest.mark.parametrize("blessed", [False, True])
def test_a_base_without_the_scores_hides_no_drop(make: Make, tmp_path: Path, *, blessed: bool) -> None:
    base = make("a", [None] * 50 + ["yes"] * 50)
    candidate = make("b", ["no"] * 50 + ["yes"] * 50, gate={"all": {"max_drop": 0.1}})
    write_baseline(base, tmp_path / "base.json")
    found = compare_runs(tmp_path / "base.json" if blessed else base, candidate)
    assert found.exit_code == 3
    assert "only 50.0% of the base's outputs have a score of exact_match, below the floor of 98.0%" in found.reasons
    assert compare_runs(base, candidate, gate=Gate.model_validate({"coverage": {"min": 0.5}})).exit_code == 0


def test_a_candidate_without_the_scores_is_told_so(make: Make) -> None:
    found = compare_runs(make("a", ["yes"] * 20), make("b", [None] * 10 + ["yes"] * 10))
    assert found.exit_code == 3
    assert "coverage 50.0% is below the floor of 98.0%" in found.reasons


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:15], "exact_match has 30 scores by its summary, and 15 are there"),
        (lambda _: [], "exact_match has 30 scores by its summary, and 0 are there"),
        (lambda lines: [*lines[1:], lines[1]], "exact_match has two scores of one output"),
    ],
)
def test_scores_that_were_lost_or_doubled_are_refused(
    make: Make, change: Callable[[list[str]], list[str]], said: str
) -> None:
    base, candidate = make("a", ["yes"] * 30), make("b", ["yes"] * 15 + ["no"] * 15)
    scores = Path(candidate.path, "scores.jsonl")
    scores.write_text("".join(f"{line}\n" for line in change(scores.read_text().splitlines())))
    for runs in ((base, candidate), (candidate, base)):
        with pytest.raises(DataError, match=said):
            compare_runs(*runs)


def test_rules_that_stand_in_two_places_are_refused() -> None:
    rules = {"scorers": {"exact_match": {"min": 0.9}}, "exact_match": {"max_drop": 0.1}}
    with pytest.raises(ValueError, match="exact_match stands in 'scorers' and beside it"):
        Gate.model_validate(rules)


def test_equal_corpus_values_are_not_said_to_differ_by_nothing(make: Make) -> None:
    runs = [make(name, ["yes"] * 30, metrics=["bleu"]) for name in "ab"]
    assert compare_runs(*runs).metrics["bleu"]["note"] == "No score changed on 30 samples."
