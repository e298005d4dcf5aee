"""Tournaments: recorded systems, every two of them judged, ratings that know who is better."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from llmkit.errors import DataError, UsageError
from llmkit.flows.standings import Game, read_games, standings
from tests import fakejudges
from tests.cli.command import llmkit, read_rows, served, start, until, write_config, write_rows
from tests.fakeserver import Behaviour, FakeServer

SYSTEMS = {"weak": 0.2, "middle": 0.5, "strong": 0.8}


@pytest.fixture
def server(running: FakeServer) -> FakeServer:
    running.reset(Behaviour(answer=fakejudges.fair()))
    return running


def prepare(folder: Path, server: FakeServer, count: int = 30, **keys: Any) -> list[str]:
    """Write systems that differ in quality, and return the players as words of the command line."""
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "set.jsonl", [{"id": f"r{n}", "input": f"question {n}"} for n in range(count)])
    for name, quality in SYSTEMS.items():
        said = [quality + 0.35 * (((n * 37 + len(name) * 11) % 21) / 10 - 1) for n in range(count)]
        rows = [
            {"id": f"r{n}", "output": f"{name} {n} quality={min(1, max(0, q)):.3f}{'.' * (n * len(name) % 7)}"}
            for n, q in enumerate(said)
        ]
        write_rows(folder / f"{name}.jsonl", rows)
    given: dict[str, Any] = {"judges": ["pairwise"], "judge_model": served(server.base_url), "target": "echo"}
    engine = {"cache": False, "max_concurrency": 8, **keys.pop("engine", {})}
    write_config(folder, metrics=None, engine=engine, **{**given, **keys})
    return [word for name in SYSTEMS for word in ("--player", f"{name}={name}.jsonl")]


def test_the_better_system_is_rated_higher(tmp_path: Path, server: FakeServer) -> None:
    players = prepare(tmp_path, server)
    words = ["tournament", "c.yaml", *players, "--out", "t", "--baseline", "middle"]
    done = llmkit(*words, "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    found = done.json
    assert [entry["system"] for entry in found["systems"]] == ["strong", "middle", "weak"]
    assert found["games"] == 30 * 3
    assert len(server.log()) == 30 * 3 * 2
    assert found["win_rates"]["strong"]["weak"] > 0.8
    best = found["systems"][0]["bradley_terry"]
    assert best["low"] < best["value"] < best["high"]
    assert found["against_baseline"]["strong"]["win_rate"]["value"] > 0.5
    against = found["against_baseline"]["strong"]
    assert (against["length_controlled"] is None) == bool(against["note"])
    assert len(read_rows(tmp_path / "t" / "games.jsonl")) == 90
    text = llmkit(*words, "--overwrite", folder=tmp_path, env={"COLUMNS": "80"})
    assert "Bradley-Terry" in text.out
    assert max(map(len, text.out.splitlines()[:5])) <= 80
    assert "| strong |" in (tmp_path / "t" / "report.md").read_text()
    assert '<th scope="row">strong</th>' in (tmp_path / "t" / "report.html").read_text()
    assert llmkit("report", "t", folder=tmp_path, env={"COLUMNS": "80"}).out == text.out
    refused = llmkit("compare", "t", "t", folder=tmp_path)
    assert refused.code == 2
    assert "is a tournament" in refused.err


def test_pairs_are_drawn_by_the_seed_and_the_row(tmp_path: Path, server: FakeServer) -> None:
    players = prepare(tmp_path, server)
    first = llmkit("tournament", "c.yaml", *players, "--pairs", "1", "--out", "a", "--format", "json", folder=tmp_path)
    assert first.json["games"] == 30
    drawn = [(row["row"], row["a"], row["b"]) for row in read_rows(tmp_path / "a" / "games.jsonl")]
    assert len({pair[1:] for pair in drawn}) == 3
    llmkit("tournament", "c.yaml", *players, "--pairs", "1", "--out", "b", folder=tmp_path)
    assert drawn == [(row["row"], row["a"], row["b"]) for row in read_rows(tmp_path / "b" / "games.jsonl")]


def test_a_killed_tournament_goes_on_where_it_was(tmp_path: Path, server: FakeServer) -> None:
    server.reset(Behaviour(answer=fakejudges.fair(), latency=0.02))
    players = prepare(tmp_path, server)
    process = start(["tournament", "c.yaml", *players, "--out", "t"], tmp_path)
    until(lambda: len(server.log()) > 60, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = len((tmp_path / "t" / "journal.jsonl").read_text().splitlines())
    server.reset(Behaviour(answer=fakejudges.fair()))
    done = llmkit("tournament", "c.yaml", *players, "--out", "t", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    assert done.json["games"] == 90
    assert len(server.log()) <= 180 - kept + 16  # what was in flight at the kill


def test_games_without_a_verdict_count_for_nobody_and_fail_the_command(tmp_path: Path, server: FakeServer) -> None:
    server.reset(Behaviour(answer=fakejudges.sometimes(fakejudges.off_menu(), fakejudges.fair(), 0.3)))
    players = prepare(tmp_path, server)
    done = llmkit("tournament", "c.yaml", *players, "--out", "t", "--format", "json", folder=tmp_path)
    assert done.code == 3
    found = done.json
    assert found["games"] + sum(found["failed"].values()) == found["asked"] == 90
    assert set(found["failed"]) == {"off_menu"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["c.yaml"], "two players or more"),
        (["c.yaml", "--player", "weak"], "write NAME=PATH"),
        (["c.yaml", "--player", "x=weak.jsonl", "--player", "x=strong.jsonl"], "two players are called 'x'"),
        (["c.yaml", "--player", "x=weak.jsonl", "--player", "y=part.jsonl"], "'y' has no answer to 1 rows, first 'r0'"),
        (
            ["c.yaml", "--player", "x=weak.jsonl", "--player", "y=strong.jsonl", "--baseline", "z"],
            "nobody is called 'z'",
        ),
        ([], "one of the two"),
        (["--games", "none.jsonl"], "none.jsonl"),
    ],
)
def test_a_wrong_command_is_one_sentence(tmp_path: Path, server: FakeServer, words: list[str], sentence: str) -> None:
    prepare(tmp_path, server, 3)
    write_rows(tmp_path / "part.jsonl", [{"id": "r1", "output": "x"}, {"id": "r2", "output": "x"}])
    done = llmkit("tournament", *words, folder=tmp_path)
    assert done.code == 2
    assert sentence in done.err, done.err
    assert server.log() == []


def test_a_config_without_a_pairwise_judge_is_refused(tmp_path: Path, server: FakeServer) -> None:
    players = prepare(tmp_path, server, 3, judges=["grade"])
    done = llmkit("tournament", "c.yaml", *players, folder=tmp_path)
    assert done.code == 2
    assert "one pairwise judge" in done.err


def test_recorded_games_need_no_judge(tmp_path: Path) -> None:
    games: list[dict[str, Any]] = [
        {"a": "x", "b": "y", "winner": "x", "row": "1"},
        {"a": "y", "b": "x", "winner": "tie", "row": "2"},
        {"a": "y", "b": "z", "winner": "a", "row": "3"},
        {"a": "z", "b": "x", "score": 0.75, "row": "4"},
    ]
    write_rows(tmp_path / "g.jsonl", games)
    done = llmkit("tournament", "--games", "g.jsonl", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    assert done.json["win_rates"]["x"] == {"y": 0.75, "z": 0.25}
    assert done.json["ties"] == 1


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"a": "x"}, "names of two systems"),
        ({"a": "x", "b": "x", "winner": "x"}, "plays against itself"),
        ({"a": "x", "b": "y", "winner": "q"}, "expected 'x', 'y', a, b or tie"),
        ({"a": "x", "b": "y", "score": 2}, "expected a number from 0"),
        ([1], "names of two systems"),
    ],
)
def test_rows_that_are_no_games_are_named(tmp_path: Path, row: Any, sentence: str) -> None:
    path = tmp_path / "g.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=sentence):
        read_games(path)


def test_swapping_sides_changes_nothing() -> None:
    games = [Game("x", "y", 1.0, "1"), Game("y", "z", 1.0, "2"), Game("z", "x", 0.5, "3"), Game("y", "x", 1.0, "4")]
    swapped = [Game(game.b, game.a, 1 - game.score, game.row) for game in games]
    one, other = standings(games, orders=100), standings(swapped, orders=100)
    assert one["win_rates"] == other["win_rates"]
    for mine, theirs in zip(one["systems"], other["systems"], strict=True):
        assert mine["bradley_terry"]["value"] == pytest.approx(theirs["bradley_terry"]["value"])


def test_a_tournament_of_one_is_refused() -> None:
    with pytest.raises(UsageError, match="two systems"):
        standings([])


def test_a_budget_stop_says_how_many_games_are_kept(tmp_path: Path, server: FakeServer) -> None:
    players = prepare(tmp_path, server, engine={"max_requests": 30})
    done = llmkit("tournament", "c.yaml", *players, "--out", "t", folder=tmp_path)
    assert done.code == 6, done.err
    assert json.loads((tmp_path / "t" / "manifest.json").read_text())["status"] == "stopped"
    kept = len(read_rows(tmp_path / "t" / "games.jsonl"))
    assert 0 < kept < 30 * 3
    assert f"kept: {kept} of 90 outputs in t" in done.err
