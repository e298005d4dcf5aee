"""Ensembles from the command line: real servers, failures, interruption, earlier runs, scoring again, refusals."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import bench, finish, llmkit, read_rows, results, rows, served, start, until, write_rows
from tests.fakeserver import Behaviour, FakeServer

ROWS = 40
GOOD = Behaviour()
OFTEN_WRONG = Behaviour(answers={f"question {number:04d}": "else" for number in range(0, ROWS, 3)})
HALF_BROKEN = Behaviour(script={f"question {number:04d}": ["400"] * 9 for number in range(0, ROWS, 2)})


@pytest.fixture(scope="module")
def running() -> Iterator[list[FakeServer]]:
    with FakeServer() as one, FakeServer() as two, FakeServer() as three:
        yield [one, two, three]


@pytest.fixture
def servers(running: list[FakeServer]) -> list[FakeServer]:
    for server, behaviour in zip(running, (GOOD, OFTEN_WRONG, HALF_BROKEN), strict=True):
        server.reset(behaviour)
    return running


def three(servers: list[FakeServer], **more: Any) -> dict[str, Any]:
    names = ("good", "wrong", "broken")
    return {"members": {name: served(server.base_url) for name, server in zip(names, servers, strict=True)}, **more}


def prepared(folder: Path, ensemble: dict[str, Any], **keys: Any) -> Path:
    engine = {"cache": False, "max_concurrency": 4}
    return bench(folder, ROWS, **{"target": None, "ensemble": ensemble, "engine": engine, **keys})


def summary(folder: Path) -> Any:
    return json.loads((folder / "run" / "summary.json").read_text())


WORDS = ("eval", "c.yaml", "--out", "run")


def test_three_servers_one_of_which_fails_half_the_time(servers: list[FakeServer], tmp_path: Path) -> None:
    prepared(tmp_path, three(servers), metrics=["exact_match", "bleu", "tokens"], slices=["cat"], cluster="cat")
    done = llmkit(*WORDS, folder=tmp_path)
    assert done.code == 0, done.err
    found = summary(tmp_path)
    told = found["ensemble"]
    assert told["rows"] == {
        "rows": ROWS,
        "all_answered": 20,
        "some_failed": 20,
        "none_answered": 0,
        "no_vote": 0,
        "ties": 7,  # every sixth row: the wrong one says 'else', the broken one fails; the first listed wins
        "named_by_no_member": 0,
    }
    members = told["members"]
    assert (members["broken"]["answered"], members["broken"]["failed"]) == (20, 20)
    assert members["broken"]["failures"] == {"http_400": 20}
    assert members["good"]["with_the_winner"] == ROWS
    alone = members["good"]["scores"]["exact_match"]
    together = found["scores"]["exact_match"]
    assert (alone["value"], alone["low"], alone["high"]) == (together["value"], together["low"], together["high"])
    assert alone["difference"]["value"] == 0
    lost = members["wrong"]["scores"]["exact_match"]["difference"]
    right = [number % 5 != 0 for number in range(ROWS)]
    wrong = [("else" if number % 3 == 0 else "x") == ("else" if number % 5 == 0 else "x") for number in range(ROWS)]
    assert lost["value"] == pytest.approx((sum(right) - sum(wrong)) / ROWS)
    assert lost["method"].startswith("t, 3 clusters")
    assert members["broken"]["scores"]["exact_match"]["n"] == 20
    assert told["best"] == {"exact_match": "good", "bleu": "good", "tokens": "wrong"}  # it says less
    assert "flatters" in told["notes"][0]
    assert told["agreement"]["pairs"][0] == ["good", "wrong", pytest.approx(26 / 40)]
    assert found["scores"]["tokens"]["value"] > members["good"]["scores"]["tokens"]["value"]
    assert found["slices"]["cat"]["values"].keys() == {"c0", "c1", "c2"}
    assert "broken failed on 20 rows and had no vote there: 20 http_400" in done.out
    assert "good (best)" in done.out
    assert "majority|members:good,wrong,broken|vote:text" in done.out
    page = (tmp_path / "run" / "report.md").read_text()
    assert "## The ensemble" in page
    assert "| good (best) |" in page
    html = (tmp_path / "run" / "report.html").read_text()
    assert "The ensemble" in html
    assert "good (best)" in html
    assert "majority|members:good,wrong,broken" in html
    assert not (tmp_path / "run" / "members.jsonl").exists()
    assert all(server.stats()["total"] == ROWS for server in servers)


def test_outputs_hold_the_members_answers_and_are_combined_anew_without_asking(
    servers: list[FakeServer], tmp_path: Path
) -> None:
    prepared(tmp_path, three(servers))
    assert llmkit(*WORDS, folder=tmp_path).code == 0
    first, *_ = read_rows(tmp_path / "run" / "outputs.jsonl")
    assert first["text"] == "question 0000"
    kept = first["response"]["extra"]["members"]
    assert kept["wrong"]["text"] == "else"
    assert kept["broken"]["error"]["kind"] == "http_400"
    asked = [server.stats()["total"] for server in servers]
    again = llmkit("eval", "c.yaml", "--out", "same", "--outputs", "run", folder=tmp_path)
    assert again.code == 0
    assert results(tmp_path / "same")["scores.jsonl"] == results(tmp_path / "run")["scores.jsonl"]
    weights = '{"good": 1, "wrong": 3, "broken": 1}'
    changed = ("--set", "ensemble.combine=weighted", "--set", f"ensemble.weights={weights}")
    assert llmkit("eval", "c.yaml", "--out", "other", "--outputs", "run", *changed, folder=tmp_path).code == 0
    assert read_rows(tmp_path / "other" / "outputs.jsonl")[0]["text"] == "else"
    bench(tmp_path / "alone", ROWS)
    plain = llmkit("eval", "alone/c.yaml", "--out", "plain", "--outputs", "run", "--format", "json", folder=tmp_path)
    assert plain.json["scores"]["exact_match"] == summary(tmp_path)["scores"]["exact_match"]
    assert [server.stats()["total"] for server in servers] == asked


def test_scoring_again_needs_a_run_that_holds_the_members(servers: list[FakeServer], tmp_path: Path) -> None:
    bench(tmp_path, ROWS)
    assert llmkit(*WORDS, folder=tmp_path).code == 0
    prepared(tmp_path, three(servers))
    done = llmkit("eval", "c.yaml", "--out", "new", "--outputs", "run", folder=tmp_path)
    assert done.code == 2
    assert done.err == "error: run holds no answers of the members good, wrong, broken: it is no run of an ensemble\n"
    assert not (tmp_path / "new").exists()


def answered(servers: list[FakeServer]) -> int:
    return sum(status == 200 for server in servers for _, _, status in server.log())


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_killed_and_run_again_nobody_is_asked_twice(servers: list[FakeServer], tmp_path: Path, number: int) -> None:
    whole = tmp_path / "whole"
    prepared(whole, three(servers))
    assert llmkit(*WORDS, folder=whole).code == 0
    for server in servers:
        server.reset(Behaviour(latency=0.02, answers=server.state.behaviour.answers))
    servers[2].reset(Behaviour(latency=0.02, script=HALF_BROKEN.script))
    shutil.copy(whole / "set.jsonl", tmp_path / "set.jsonl")
    shutil.copy(whole / "c.yaml", tmp_path / "c.yaml")
    process = start(WORDS, tmp_path)
    until(lambda: answered(servers) >= 30, process)
    process.send_signal(number)
    done = finish(process)
    assert done.code == (130 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        kept = next(line for line in done.err.splitlines() if line.startswith("kept: "))
        count = int(kept.removeprefix("kept: ").split(" of ")[0])
        assert 0 < count < ROWS
    assert llmkit(*WORDS, folder=tmp_path).code == 0
    for server in servers:
        prompts = [prompt for _, prompt, status in server.log() if status == 200]
        assert len(prompts) - len(set(prompts)) <= (4 if number == signal.SIGKILL else 0)
    assert results(tmp_path / "run") == results(whole / "run")


def test_a_member_from_an_earlier_run_is_read_and_not_asked(servers: list[FakeServer], tmp_path: Path) -> None:
    bench(tmp_path, ROWS, target=served(servers[1].base_url), engine={"cache": False})
    assert llmkit("eval", "c.yaml", "--out", "old", folder=tmp_path).code == 0
    asked = servers[1].stats()["total"]
    ensemble = {"members": {"old": {"run": "old"}, "good": served(servers[0].base_url)}}
    prepared(tmp_path, ensemble)
    done = llmkit(*WORDS, folder=tmp_path)
    assert done.code == 0, done.err
    assert servers[1].stats()["total"] == asked
    assert servers[0].stats()["total"] == ROWS
    assert [row["text"] for row in read_rows(tmp_path / "run" / "outputs.jsonl")] == [
        row["text"] for row in read_rows(tmp_path / "old" / "outputs.jsonl")
    ]  # of two that differ the first wins
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["members"]["old"] == "run('old')"
    assert "run: old" in (tmp_path / "run" / "config.yaml").read_text()


def test_an_earlier_run_that_lacks_rows_is_refused_before_anything_is_asked(
    servers: list[FakeServer], tmp_path: Path
) -> None:
    bench(tmp_path, ROWS - 3)
    assert llmkit("eval", "c.yaml", "--out", "old", folder=tmp_path).code == 0
    ensemble = {"members": {"old": {"run": "old"}, "good": served(servers[0].base_url)}}
    prepared(tmp_path, ensemble)
    changed = rows(ROWS)
    changed[1]["input"] = "another question"
    write_rows(tmp_path / "set.jsonl", changed)
    done = llmkit(*WORDS, folder=tmp_path)
    assert done.code == 2
    lacks, other = done.err.splitlines()
    assert "outputs of rows of set.jsonl that it lacks: 3, the first 'r0037'" in lacks
    assert "rows of set.jsonl that were other rows when it was made: 1, the first 'r0001'" in other
    assert not (tmp_path / "run").exists()
    assert servers[0].stats()["total"] == 0


def test_a_member_that_never_answers_is_no_member(servers: list[FakeServer], tmp_path: Path) -> None:
    servers[2].reset(Behaviour(script={"": ["400"] * ROWS}))
    prepared(tmp_path, three(servers))
    done = llmkit(*WORDS, folder=tmp_path)
    assert done.code == 3
    assert "Members of the ensemble never answered, at first 'broken' because" in done.err
    servers[2].reset(Behaviour())
    assert llmkit(*WORDS, folder=tmp_path).code == 0
    assert servers[0].stats()["total"] == servers[2].stats()["total"] == ROWS


def test_a_dry_run_counts_the_questions_to_every_member(servers: list[FakeServer], tmp_path: Path) -> None:
    prepared(tmp_path, three(servers), repeats=2)
    done = llmkit("eval", "c.yaml", "--dry-run", "--format", "json", folder=tmp_path)
    assert done.json["requests"] == 3 * 2 * ROWS
    assert done.json["cost"] is None
    assert all(server.stats()["total"] == 0 for server in servers)


def test_a_budget_holds_for_all_members_together(servers: list[FakeServer], tmp_path: Path) -> None:
    prepared(tmp_path, three(servers), engine={"cache": False, "max_requests": 30})
    assert llmkit(*WORDS, folder=tmp_path).code == 6
    assert sum(server.stats()["total"] for server in servers) == 30


def test_repeats_are_combined_one_by_one_and_scored_together(servers: list[FakeServer], tmp_path: Path) -> None:
    prepared(tmp_path, three(servers), repeats=2, metrics=["exact_match", "pass_at(k=2)", "majority"])
    assert llmkit(*WORDS, folder=tmp_path).code == 0
    found = summary(tmp_path)
    assert found["scores"]["majority"]["value"] == 0.8
    assert found["ensemble"]["members"]["good"]["scores"]["majority"]["value"] == 0.8
    assert found["ensemble"]["members"]["good"]["scores"]["exact_match"]["n"] == 2 * ROWS
    assert found["ensemble"]["rows"]["rows"] == 2 * ROWS


def test_reworded_rows_are_combined_by_what_the_rows_as_they_are_taught(
    servers: list[FakeServer], tmp_path: Path
) -> None:
    ensemble = three(servers, combine="weighted", weights="accuracy", folds=2)
    prepared(tmp_path, ensemble, perturb=["lowercase"], metrics=["exact_match"])
    lines = [{**row, "input": str(row["input"]).capitalize()} for row in rows(ROWS)]
    write_rows(tmp_path / "set.jsonl", lines)
    wrong = {f"uestion {n:04d}": "else" for n in range(0, ROWS, 3)}
    for server, behaviour in zip(
        servers, (Behaviour(), Behaviour(answers=wrong), Behaviour(answer="else")), strict=True
    ):
        server.reset(behaviour)
    done = llmkit(*WORDS, folder=tmp_path)
    assert done.code == 0, done.err
    found = summary(tmp_path)
    assert found["robustness"]["perturbations"]["lowercase"]["changed"] == ROWS
    assert found["ensemble"]["rows"]["rows"] == ROWS
    assert found["ensemble"]["members"]["good"]["answered"] == ROWS
    plain = tmp_path / "plain"
    prepared(plain, ensemble, metrics=["exact_match"])
    write_rows(plain / "set.jsonl", lines)
    assert llmkit(*WORDS, folder=plain).code == 0
    assert summary(plain)["ensemble"] == found["ensemble"]
    again = llmkit("eval", "c.yaml", "--out", "again", "--outputs", "run", folder=tmp_path)
    assert again.code == 0
    assert results(tmp_path / "again") == results(tmp_path / "run")


def test_judges_judge_the_combined_answer_only(servers: list[FakeServer], tmp_path: Path) -> None:
    with FakeServer(answer="Fine.\nGrade: 7") as judge:
        model = {"openai": {"model": "judge", "base_url": judge.base_url}}
        prepared(tmp_path, three(servers), metrics=["exact_match"], judges=["grade"], judge_model=model)
        done = llmkit(*WORDS, folder=tmp_path)
        assert done.code == 0, done.err
        found = summary(tmp_path)
        assert found["scores"]["grade"]["n"] == ROWS
        assert list(found["ensemble"]["members"]["good"]["scores"]) == ["exact_match"]
        assert judge.stats()["total"] <= ROWS
        again = llmkit("eval", "c.yaml", "--out", "again", "--outputs", "run", "--no-cache", folder=tmp_path)
        assert again.code == 0, again.err
        assert results(tmp_path / "again") == results(tmp_path / "run")
    assert servers[0].stats()["total"] == ROWS


def test_stacking_end_to_end_with_metrics_in_batches(servers: list[FakeServer], tmp_path: Path) -> None:
    (tmp_path / "plug.py").write_text(BATCHED)
    labelled = [{**row, "references": ["x" if n % 2 else "y"]} for n, row in enumerate(rows(ROWS))]
    ensemble = three(servers, combine="stacking", labels=["x", "y"], folds=4)
    prepared(tmp_path, ensemble, metrics=["accuracy(labels=['x', 'y'])", "batched"], plugins=["plug.py"])
    write_rows(tmp_path / "set.jsonl", labelled)
    for server, every in zip(servers, (2, 3, 5), strict=True):
        said = {f"question {n:04d}": ("x" if n % 2 else "y") if n % every else "x" for n in range(ROWS)}
        server.reset(Behaviour(answers=said))
    done = llmkit(*WORDS, folder=tmp_path)
    assert done.code == 0, done.err
    told = summary(tmp_path)["ensemble"]
    assert told["labels"] == {"y": 20, "x": 20}
    assert told["features"] == dict.fromkeys(("good", "wrong", "broken"), "votes")
    assert "stacking|" in told["signature"]
    assert "folds:4|learnt:on the other folds' rows|seed:0" in told["signature"]
    for member in told["members"].values():
        assert member["scores"]["batched"]["value"] == member["scores"]["accuracy(labels=['x', 'y'])"]["value"]


def test_stacked_choices_have_probabilities_that_can_be_scored(servers: list[FakeServer], tmp_path: Path) -> None:
    for server in servers:
        server.reset(Behaviour())
    members = {name: served(server.base_url) for name, server in zip("ab", servers, strict=False)}
    metrics = ["accuracy", "brier(source='loglikelihoods')"]
    prepared(tmp_path, {"members": members, "combine": "stacking", "vote": "label"}, ask="choices", metrics=metrics)
    words = ["up", "down", "left"]
    lines = [
        {"id": f"r{n}", "input": f"Where to, {n}? ", "choices": words[n % 3 :] + words[: n % 3], "answer": -n % 3}
        for n in range(ROWS)
    ]  # the right choice is always 'up', whose likelihood never changes
    write_rows(tmp_path / "set.jsonl", lines)
    done = llmkit(*WORDS, folder=tmp_path)
    assert done.code == 0, done.err
    found = summary(tmp_path)
    assert found["ensemble"]["features"] == {"a": "log-probabilities", "b": "log-probabilities"}
    assert found["scores"]["accuracy"]["value"] == 1.0
    brier = found["scores"]["brier(source='loglikelihoods')"]
    assert brier["n"] == ROWS
    assert brier["value"] < found["ensemble"]["members"]["a"]["scores"]["brier(source='loglikelihoods')"]["value"]
    again = llmkit("eval", "c.yaml", "--out", "again", "--outputs", "run", folder=tmp_path)
    assert again.code == 0, again.err
    assert results(tmp_path / "again") == results(tmp_path / "run")


BATCHED = '''
from dataclasses import dataclass
from llmkit.metrics import MeanMetric, metric

@metric("batched")
@dataclass(frozen=True)
class Batched(MeanMetric):
    """Whether the output is the reference, 7 rows at a time."""
    batch = 7

    def score(self, sample, output):
        raise AssertionError

    def stats_many(self, pairs):
        assert len(pairs) <= 7
        return [(float(output.text == sample.references[0]),) for sample, output in pairs]
'''


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"target": "echo"}, "'target' and 'ensemble' do not go together"),
        ({"ensemble.combine": "weighted"}, "'weights' and 'combine: weighted' go together"),
        ({"ensemble.weights": {"one": 1}}, "'weights' and 'combine: weighted' go together"),
        ({"ensemble.combine": "weighted", "ensemble.weights": {"one": 1}}, "each member, and 'two' has none"),
        (
            {"ensemble.combine": "weighted", "ensemble.weights": {"one": 1, "two": 1, "tow": 1}},
            "each member, and 'tow' is no member",
        ),
        ({"ensemble.combine": "weighted", "ensemble.weights": {"one": 0, "two": 0}}, "'weights' are all 0"),
        ({"ensemble.combine": "stacking", "ensemble.vote": "number"}, "numbers are none; write vote: label"),
        ({"ensemble.labels": ["a", "b"], "ensemble.vote": "text"}, "'labels' have no meaning for 'vote: text'"),
        ({"ensemble.members": {}}, "ensemble.members: needs at least 1"),
        ({"ensemble.members.one": {"run": "nowhere"}}, "ensemble.members.one: nowhere does not exist"),
        ({"ensemble.members.one": "ecko"}, "unknown provider 'ecko' (did you mean 'echo'?)"),
        ({"ensemble.members.two": "echo"}, "ensemble.members.two: 'two' is the same target as 'one'"),
        ({"ensemble.extract": "("}, "ensemble: extract"),
        ({"ensemble.vote": "label"}, "ensemble.vote: 'vote: label' needs known labels, and no row has 'choices'"),
        ({"ask": "references", "metrics": ["perplexity"]}, "ask: an ensemble combines answers"),
        ({"ensemble.combine": "stacking"}, "some of the 5 folds would be learnt from rows of one gold label"),
        ({"ensemble.combine": "stacking", "cluster": "cat"}, "5 folds need as many values of 'cat' with a gold label"),
    ],
)
def test_what_cannot_be_combined_is_refused_in_a_sentence(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    if sentence.startswith("some of the 5 folds"):
        lines = [{**row, "references": ["x" if number else "y"]} for number, row in enumerate(rows(30))]
    else:
        lines = rows(30)
    prepared(tmp_path, {"members": {"one": "echo", "two": {"echo": {"text": "else"}}}})
    write_rows(tmp_path / "set.jsonl", lines)
    words = [word for key, value in changes.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    done = llmkit(*WORDS, *words, folder=tmp_path)
    assert done.code == 2, done.out
    assert sentence in done.err
    assert not (tmp_path / "run").exists()


def test_labels_that_are_all_alike_teach_nothing(tmp_path: Path) -> None:
    prepared(tmp_path, {"members": {"one": "echo"}, "combine": "stacking"})
    write_rows(tmp_path / "set.jsonl", [{**row, "references": ["same"]} for row in rows(10)])
    done = llmkit(*WORDS, folder=tmp_path)
    assert done.code == 2
    assert "every row has the same gold label 'same', so there is nothing to learn" in done.err


def test_without_target_and_ensemble_one_of_them_is_asked_for(tmp_path: Path) -> None:
    bench(tmp_path, target=None)
    done = llmkit(*WORDS, folder=tmp_path)
    assert done.err.startswith("error: c.yaml: target: the key 'target' is missing")
