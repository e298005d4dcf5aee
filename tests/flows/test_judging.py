"""Judges inside a run: over HTTP, cached, resumed, paid once, and honest about what they did not say."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import fakejudges
from tests.cli.command import bench, finish, llmkit, read_rows, results, served, start, until, write_config, write_rows
from tests.fakeserver import Behaviour, FakeServer


def verdict(body: Mapping[str, Any]) -> str:
    """Answer as a judge where the question is a judge's, and as an echo elsewhere."""
    text = str(body["messages"][-1]["content"])
    if "Grade:" not in text:
        return text
    return "Right.\nGrade: 10" if text.count("question 0") >= 2 and "else" not in text else "Wrong.\nGrade: 1"


@pytest.fixture
def server(running: FakeServer) -> FakeServer:
    running.reset(Behaviour(answer=verdict))
    return running


def judged(folder: Path, server: FakeServer, count: int = 10, **keys: Any) -> Path:
    engine = {"cache": False, **keys.pop("engine", {})}
    given = {"target": served(server.base_url), "judge_model": served(server.base_url, max_tokens=50)}
    return bench(folder, count, **{**given, "judges": ["grade"], "metrics": None, "engine": engine, **keys})


def test_every_answer_is_graded_and_what_was_said_is_kept(tmp_path: Path, server: FakeServer) -> None:
    judged(tmp_path, server, metrics=["exact_match"])
    done = llmkit("eval", "c.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    grade = done.json["scores"]["grade"]
    assert grade["value"] == pytest.approx((8 * 10 + 2 * 1) / 10)
    assert grade["n"] == 10
    assert "model:fake@" in grade["signature"]
    assert done.json["scores"]["exact_match"]["value"] == 0.8
    said = read_rows(tmp_path / "run" / "judgments.jsonl")
    assert len(said) == 10
    assert said[1]["exchanges"][0]["text"] == "Right.\nGrade: 10"
    graded = [row for row in read_rows(tmp_path / "run" / "scores.jsonl") if row["scorer"] == "grade"]
    assert all(row["reason"] for row in graded)


def test_a_judge_that_is_killed_halfway_pays_only_what_is_missing(tmp_path: Path, server: FakeServer) -> None:
    judged(tmp_path / "whole", server, 60)
    assert llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path / "whole").code == 0
    server.reset(Behaviour(answer=verdict, latency=0.02, jitter=0.02))
    judged(tmp_path / "cut", server, 60, engine={"max_concurrency": 4})
    process = start(["eval", "c.yaml", "--out", "run"], tmp_path / "cut")
    until(lambda: len(server.log()) > 50, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = len((tmp_path / "cut" / "run" / "journal.jsonl").read_text().splitlines())
    server.reset(Behaviour(answer=verdict))
    assert llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path / "cut").code == 0
    in_flight = 4  # requests of the killed process that the server still answers
    assert kept > 40
    assert len(server.log()) <= 120 - kept + in_flight
    assert results(tmp_path / "cut" / "run") == results(tmp_path / "whole" / "run")


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path: Path, server: FakeServer) -> None:
    server.reset(Behaviour(answer=verdict, latency=0.05))
    judged(tmp_path, server, 60, engine={"max_concurrency": 2})
    process = start(["eval", "c.yaml", "--out", "run"], tmp_path)
    until(lambda: len(server.log()) > 10, process)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.code == 130
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "interrupted"


def test_verdicts_out_of_form_are_errors_with_the_raw_text_and_fail_the_coverage(
    tmp_path: Path, server: FakeServer
) -> None:
    def sullen(body: Mapping[str, Any]) -> str:
        text = str(body["messages"][-1]["content"])
        return "I'd rather not." if "That cannot be used" in text or "question 0003" in text else verdict(body)

    server.reset(Behaviour(answer=sullen))
    judged(tmp_path, server)
    done = llmkit("eval", "c.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert done.code == 3
    grade = done.json["scores"]["grade"]
    assert (grade["n"], grade["errors"], grade["coverage"]) == (9, 1, 0.9)
    assert grade["faults"] == {"grade gave no verdict: off_form": 1}
    [row] = [row for row in read_rows(tmp_path / "run" / "scores.jsonl") if row.get("status") == "error"]
    assert "I'd rather not." in row["reason"]
    assert "value" not in row


def test_answers_of_an_earlier_run_are_judged_without_asking_the_target(tmp_path: Path, server: FakeServer) -> None:
    judged(tmp_path, server, judges=None, metrics=["exact_match"])
    assert llmkit("eval", "c.yaml", "--out", "first", folder=tmp_path).code == 0
    server.reset(Behaviour(answer=verdict))
    judged(tmp_path, server)
    done = llmkit("eval", "c.yaml", "--outputs", "first", "--out", "second", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    assert len(server.log()) == 10
    assert done.json["scores"]["grade"]["n"] == 10


def test_a_dry_run_counts_the_judges_questions(tmp_path: Path, server: FakeServer) -> None:
    judged(tmp_path, server, judges=["grade", {"grade": {"criteria": "brevity", "name": "brief"}}])
    plan = llmkit("eval", "c.yaml", "--dry-run", "--format", "json", folder=tmp_path).json
    assert plan["requests"] == 30
    assert server.log() == []


def test_a_judge_without_a_model_two_of_one_name_and_a_wrong_model_are_one_list_of_problems(tmp_path: Path) -> None:
    write_rows(tmp_path / "set.jsonl", [{"id": "a", "input": "x"}])
    write_config(
        tmp_path,
        metrics=None,
        judges=[
            "grade",
            {"grade": {"model": {"openai": {"modl": "m"}}, "name": "two"}},
            {"grade": {"model": "recorded"}},
        ],
    )
    done = llmkit("eval", "c.yaml", folder=tmp_path)
    assert done.code == 2
    for part in ("no model to ask", "judge_model", "'modl'", "answers rows of an eval set"):
        assert part in done.err, done.err
    write_config(tmp_path, metrics=None, judges=["grade", "grade"], judge_model=served("http://localhost:1/v1"))
    done = llmkit("eval", "c.yaml", folder=tmp_path)
    assert done.code == 2
    assert "two scorers would be listed as 'grade'" in done.err


def test_a_judge_of_the_targets_own_family_is_warned_about_and_refused_on_demand(
    tmp_path: Path, server: FakeServer
) -> None:
    kin = {
        "target": served(server.base_url, model="llama-3-8b"),
        "judge_model": served(server.base_url, model="Llama-2"),
    }
    bench(tmp_path, 3, metrics=None, judges=["grade"], **kin)
    done = llmkit("eval", "c.yaml", "--no-cache", folder=tmp_path)
    assert "of the target's family (Llama)" in done.err
    done = llmkit("eval", "c.yaml", "--no-cache", "--quiet", "--out", "again", folder=tmp_path)
    assert "of the target's family" not in done.err
    page, report = ((tmp_path / "again" / name).read_text("utf-8") for name in ("report.html", "report.md"))
    for shown in (done.out, report, page.replace("&#39;", "'")):
        assert "of the target's family (Llama): models favour answers like" in " ".join(shown.split())
    bench(tmp_path, 3, metrics=None, judges=["grade"], forbid_self_judging=True, **kin)
    done = llmkit("eval", "c.yaml", folder=tmp_path)
    assert done.code == 2
    assert "forbid_self_judging" in done.err


def test_the_same_model_is_one_lane_and_one_question_is_paid_once(tmp_path: Path, server: FakeServer) -> None:
    """Two repeats with one answer are one question to the judge."""
    judged(tmp_path, server, 5, repeats=3, target="echo")
    done = llmkit("eval", "c.yaml", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    assert len(server.log()) == 5
    assert done.json["scores"]["grade"]["n"] == 15


def test_a_jury_asks_each_members_own_model(tmp_path: Path, server: FakeServer) -> None:
    members = [{"grade": {"model": served(server.base_url, model=model)}} for model in ("a", "b", "c")]
    judged(tmp_path, server, 5, target="echo", judge_model=None, judges=[{"jury": {"members": members}}])
    done = llmkit("eval", "c.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    [(name, entry)] = done.json["scores"].items()
    assert name.startswith("jury(")
    assert entry["value"] == pytest.approx((4 * 10 + 1) / 5)
    assert [row[1:] for row in entry["details"]["tables"][0]["rows"]] == [[5, 8.2]] * 3
    assert entry["details"]["alpha"]["value"] == 1.0
    assert len(server.log()) == 15
    assert len(read_rows(tmp_path / "run" / "judgments.jsonl")[0]["exchanges"]) == 3


def test_two_systems_are_compared_by_what_an_earlier_run_answered(tmp_path: Path, server: FakeServer) -> None:
    server.reset(Behaviour(answer=fakejudges.judging(lambda text, first: float("better" in text))))
    rows = [{"id": f"r{n}", "input": "x", "output": f"{n} {'better' if n < 7 else 'worse'}"} for n in range(10)]
    write_rows(tmp_path / "set.jsonl", rows)
    write_rows(
        tmp_path / "other.jsonl", [{"id": f"r{n}", "output": f"{n} {'better' if n > 4 else 'bad'}"} for n in range(10)]
    )
    write_config(
        tmp_path,
        target="recorded",
        metrics=None,
        judges=[{"pairwise": {"opponent": "other.jsonl", "name": "duel"}}],
        judge_model=served(server.base_url),
    )
    done = llmkit("eval", "c.yaml", "--no-cache", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    duel = done.json["scores"]["duel"]
    assert duel["value"] == pytest.approx((5 + 2 * 0.5) / 10)  # 5 wins, 2 ties, 3 losses
    assert len(server.log()) == 18  # two pairs are the same text twice: one question in both orders
    assert "opponent:" in duel["signature"]
    rates = {row[0]: row[1:] for row in duel["details"]["tables"][1]["rows"]}
    assert rates["win rate"][0] == duel["value"]
    assert rates["pairs whose verdict changes with the order"][0] == 0
    assert duel["details"]["win_rate"]["ties"] == 2


def test_evaluation_steps_are_written_once_and_asked_for_by_nobody_again(tmp_path: Path, server: FakeServer) -> None:
    def rating(body: Mapping[str, Any]) -> str:
        text = str(body["messages"][-1]["content"])
        return "1. Read.\n2. Rate." if "Write the steps" in text else "4" if "as one whole number" in text else text

    server.reset(Behaviour(answer=rating))
    judge = {"geval": {"criteria": "coherence", "probabilities": "never", "samples": 2, "name": "coherence"}}
    judged(tmp_path, server, 4, target="echo", judges=[judge])
    plan = llmkit("eval", "c.yaml", "--dry-run", "--format", "json", folder=tmp_path)
    assert plan.code == 0, plan.err
    first = llmkit("eval", "c.yaml", "--format", "json", folder=tmp_path)
    assert first.code == 0, first.err
    [steps] = (tmp_path / "judges").glob("coherence-*.steps.yaml")
    assert str(steps.name) in first.err
    assert len(server.log()) == 1 + 4 * 2
    again = llmkit("eval", "c.yaml", "--format", "json", folder=tmp_path)
    assert len(server.log()) == 1 + 4 * 2 * 2
    assert again.json["scores"] == first.json["scores"]
    steps.write_text(steps.read_text().replace("Rate.", "Rate well."))
    third = llmkit("eval", "c.yaml", "--format", "json", folder=tmp_path).json
    assert third["scores"]["coherence"]["signature"] != first.json["scores"]["coherence"]["signature"]


def test_a_judge_of_all_repeats_sees_them_together(tmp_path: Path, server: FakeServer) -> None:
    asked: dict[str, int] = {}

    def answer(body: Mapping[str, Any]) -> str:
        text = str(body["messages"][-1]["content"])
        if fakejudges.is_judging(body):
            return "1: no" if "guess 2" in fakejudges.fenced(body)["text"] else "1: yes"
        asked[text] = asked.get(text, 0) + 1
        return f"guess {asked[text]} of {text}."

    server.reset(Behaviour(answer=answer))
    judged(tmp_path, server, 4, repeats=3, judges=["selfcheck"], target=served(server.base_url, seed=1))
    done = llmkit("eval", "c.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    entry = done.json["scores"]["selfcheck"]
    assert entry["n"] == 4
    assert 0 <= entry["value"] <= 0.5
    assert len(server.log()) == 4 * 3 + 4 * 2
    assert len([row for row in read_rows(tmp_path / "run" / "scores.jsonl") if row["scorer"] == "selfcheck"]) == 4
    plan = llmkit("eval", "c.yaml", "--dry-run", "--format", "json", folder=tmp_path).json
    assert plan["requests"] == 4 * 3 + 4 * 2


def test_a_judge_that_prefers_what_is_long_is_seen_through(tmp_path: Path, server: FakeServer) -> None:
    """Equal answers, one of them padded: the win rate is high, the length-controlled one is not."""
    server.reset(Behaviour(answer=fakejudges.prefers_longer(0.5)))
    rows, others = [], []
    for number in range(120):
        quality = 0.3 + 0.4 * ((number * 37) % 101) / 101
        other = 0.3 + 0.4 * ((number * 53) % 103) / 103
        padding = (number * 13) % 90 - 15
        rows.append({"id": f"r{number}", "input": "x", "output": f"quality={quality:.3f} " + "y" * max(0, padding)})
        others.append({"id": f"r{number}", "output": f"quality={other:.3f} " + "y" * max(0, -padding)})
    write_rows(tmp_path / "set.jsonl", rows)
    write_rows(tmp_path / "other.jsonl", others)
    judge = {"pairwise": {"opponent": "other.jsonl", "name": "duel"}}
    write_config(tmp_path, target="recorded", metrics=None, judges=[judge], judge_model=served(server.base_url))
    done = llmkit("eval", "c.yaml", "--no-cache", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    rates = done.json["scores"]["duel"]["details"]["win_rate"]
    assert rates["value"] > 0.6
    assert abs(rates["length_controlled"]["value"] - 0.5) < abs(rates["value"] - 0.5)
    assert rates["length_controlled"]["low"] < 0.5 < rates["length_controlled"]["high"]


def test_the_demonstration_runs_without_a_key_and_tells_right_from_wrong(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    env = {"OPENAI_API_KEY": ""}
    asked = ("eval", root / "configs" / "judged.yaml", "--no-cache", "--format", "json")
    done = llmkit(*asked, "--out", "run", folder=tmp_path, env=env)
    assert done.code == 0, done.err
    scores = done.json["scores"]
    assert {name: entry["errors"] for name, entry in scores.items()} == {"agrees": 0, "faithfulness": 0}
    assert scores["faithfulness"]["value"] == 1.0, "extracts are faithful"
    echoed = llmkit(*asked, "--out", "echo", "--set", "target=echo", folder=tmp_path, env=env)
    assert echoed.json["scores"]["agrees"]["value"] < 0.3 < scores["agrees"]["value"]
    assert echoed.json["scores"]["faithfulness"]["skipped"] == scores["agrees"]["n"], "it retrieved nothing"
