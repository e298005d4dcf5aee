"""People's labels of some answers: what they make of a judge's mean, and of the difference between two runs."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit.errors import ConfigError
from llmkit.flows.compare import compare_runs
from llmkit.report.comparison import comparison_markdown
from llmkit.stats import prediction_powered_difference, prediction_powered_mean
from llmkit.store import open_baseline, open_run, write_baseline
from llmkit.types import Comparison
from tests.cli.command import Done, llmkit, served, write_rows
from tests.fakeserver import Behaviour, FakeServer

COUNT = 200
LABELLED = range(0, COUNT, 4)


def grade(body: Mapping[str, Any]) -> str:
    """Grade as the answer itself says: a judge whose errors the test decides."""
    found = re.search(r"worth (\d+)", str(body["messages"][-1]["content"]))
    return f"So.\nGrade: {found.group(1)}" if found else "Grade: none"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer(Behaviour(answer=grade)) as running:
        yield running


def world(seed: int, shift: float) -> tuple[list[int], list[int]]:
    """Return what people would say of each answer, and what the judge says: kinder, and noisy."""
    rng = random.Random(seed)
    people = [min(10, max(1, round(rng.gauss(5 + shift, 2)))) for _ in range(COUNT)]
    return people, [min(10, max(1, round(one + 1 + rng.gauss(0, 0.8)))) for one in people]


def run(folder: Path, name: str, server: FakeServer, seed: int, shift: float, **keys: Any) -> Done:
    people, judge = world(seed, shift)
    write_rows(folder / f"{name}.jsonl", [
        {"id": f"r{n}", "input": f"question {n}", "output": f"an answer worth {judge[n]}", "lang": "de" if n % 3 else "en"}
        for n in range(COUNT)
    ])  # fmt: skip
    write_rows(folder / f"{name}-labels.jsonl", [{"id": f"r{n}", "label": people[n]} for n in LABELLED])
    whole = {
        "name": "t", "dataset": f"{name}.jsonl", "target": "recorded", "judges": ["grade"],
        "judge_model": served(server.base_url), "human": {"file": f"{name}-labels.jsonl"}, **keys,
    }  # fmt: skip
    (folder / f"{name}.yaml").write_text(json.dumps(whole))
    return llmkit("eval", f"{name}.yaml", "--out", name, "--format", "json", folder=folder)


def near(found: Mapping[str, Any], value: float | None, low: float | None, high: float | None) -> None:
    assert (found["value"], found["low"], found["high"]) == (
        pytest.approx(value), pytest.approx(low), pytest.approx(high),
    )  # fmt: skip


def test_a_judges_mean_is_corrected_by_the_labels_of_some_rows(tmp_path: Path, server: FakeServer) -> None:
    done = run(tmp_path, "a", server, 1, 0.0)
    assert done.code == 0, done.err
    told = done.json["scores"]["grade"]["corrected"]
    people, judge = world(1, 0.0)
    where = np.array(LABELLED)
    expected = prediction_powered_mean(np.array(judge), np.array(people)[where], where, bounds=(1, 10))
    assert expected.corrected is not None
    near(told["corrected"], expected.corrected.value, expected.corrected.low, expected.corrected.high)
    assert told["judge_only"]["value"] == pytest.approx(np.mean(judge))
    assert told["human_only"]["value"] == pytest.approx(np.mean(np.array(people)[where]))
    assert (told["labels"], told["rows"]) == (len(LABELLED), COUNT)
    assert abs(told["corrected"]["value"] - np.mean(people)) < abs(np.mean(judge) - np.mean(people))
    rows = list(open_run(tmp_path / "a").samples)
    assert [row.labels for row in rows[:5]] == [{"grade": people[0]}, {}, {}, {}, {"grade": people[4]}]


@pytest.mark.parametrize("blessed", [False, True])
def test_a_difference_between_two_runs_is_corrected_too(tmp_path: Path, server: FakeServer, blessed: bool) -> None:
    for name, seed, shift in (("a", 1, 0.0), ("b", 2, 1.0)):
        assert run(tmp_path, name, server, seed, shift).code == 0
    base = open_run(tmp_path / "a")
    if blessed:
        write_baseline(base, tmp_path / "base.json")
        base = open_baseline(tmp_path / "base.json")
    comparison = compare_runs(base, open_run(tmp_path / "b"))
    told = comparison.metrics["grade"]["corrected"]
    (people_a, judge_a), (people_b, judge_b) = world(1, 0.0), world(2, 1.0)
    where = np.array(LABELLED)
    sides = np.array(people_a)[where], np.array(people_b)[where]
    expected = prediction_powered_difference(np.array(judge_a), np.array(judge_b), *sides, where, bounds=(1, 10))
    assert expected.corrected is not None
    near(told["corrected"], expected.corrected.value, expected.corrected.low, expected.corrected.high)
    assert told["judge_only"]["value"] == pytest.approx(comparison.metrics["grade"]["difference"]["value"])
    assert told["human_only"]["value"] == pytest.approx(float(np.mean(sides[1] - sides[0])))
    assert told["labels"] == len(LABELLED)
    text = comparison_markdown(comparison)
    assert "corrected by people's labels +" in text
    assert f"{len(LABELLED)} of {COUNT} rows are labelled in both runs" in text
    shown = llmkit("compare", "a", "b", folder=tmp_path)
    assert "grade: corrected by people's labels +" in shown.out + shown.err


def compared(folder: Path) -> Comparison:
    return compare_runs(open_run(folder / "a"), open_run(folder / "b"))


def test_strata_are_the_slices(tmp_path: Path, server: FakeServer) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        assert run(tmp_path, name, server, seed, 0.0, slices=["lang"]).code == 0
    assert compared(tmp_path).metrics["grade"]["corrected"]["strata"] == 2


def test_labels_of_one_systems_answers_are_not_the_others(tmp_path: Path, server: FakeServer) -> None:
    for name in ("a", "b"):
        assert run(tmp_path, name, server, 1 if name == "a" else 2, 0.0, human={"file": "a-labels.jsonl"}).code == 0
    found = compared(tmp_path)
    assert "a label belongs to one system's answer" in found.metrics["grade"]["corrected"]["reason"]
    assert "not corrected by people's labels" in comparison_markdown(found)


def test_runs_without_labels_or_without_a_shared_labelled_row_say_so_or_nothing(
    tmp_path: Path, server: FakeServer
) -> None:
    assert run(tmp_path, "a", server, 1, 0.0).code == 0
    write_rows(tmp_path / "few.jsonl", [{"id": "r1", "label": 4}, {"id": "r2", "label": 6}])
    assert run(tmp_path, "b", server, 2, 0.0, human={"file": "few.jsonl"}).code == 0
    assert compared(tmp_path).metrics["grade"]["corrected"] == {"reason": "no row has labels of both runs' answers"}
    assert run(tmp_path, "c", server, 2, 0.0, human=None).code == 0
    found = compare_runs(open_run(tmp_path / "a"), open_run(tmp_path / "c"))
    assert "corrected" not in found.metrics["grade"]


def test_labels_for_a_judge_that_there_is_not_are_a_problem_of_the_config(tmp_path: Path, server: FakeServer) -> None:
    from llmkit.flows.eval import run_eval

    run(tmp_path, "a", server, 1, 0.0)
    config = json.loads((tmp_path / "a.yaml").read_text())
    (tmp_path / "x.yaml").write_text(json.dumps({**config, "human": {"judges": {"grad": {"file": "a-labels.jsonl"}}}}))
    with pytest.raises(ConfigError, match=r"no judge 'grad' to correct.*did you mean 'grade'"):
        run_eval(tmp_path / "x.yaml")
