"""Killed, interrupted or out of budget, and run again: nothing answered is asked again, and the bytes are the same."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Done, bench, finish, llmkit, read_rows, results, served, start, until
from tests.fakeserver import Behaviour, FakeServer

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

ROWS = 120
SLOW = Behaviour(latency=0.02, jitter=0.03)
WORDS = ["eval", "c.yaml", "--out", "run"]


@pytest.fixture
def server(running: FakeServer) -> FakeServer:
    running.reset(SLOW)
    return running


@pytest.fixture(scope="module")
def uninterrupted(running: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    running.reset(Behaviour())
    prepare(folder, running)
    assert llmkit(*WORDS, folder=folder).code == 0
    return results(folder / "run")


def prepare(folder: Path, server: FakeServer, **engine: Any) -> None:
    bench(
        folder,
        ROWS,
        target=served(server.base_url),
        slices=["cat"],
        metrics=["exact_match", "token_f1", "bleu", "tokens"],
        engine={"max_concurrency": 6, "cache": False, **engine},
    )


def answered(server: FakeServer) -> int:
    return sum(status == 200 for _, _, status in server.log())


def paid(run: Path) -> list[dict[str, Any]]:
    """Return the answers that an unfinished run holds."""
    return [row for row in read_rows(run / "outputs.jsonl") if "error" not in row]


def asked_twice(server: FakeServer) -> int:
    """Return how many prompts were answered more than once."""
    prompts = [prompt for _, prompt, status in server.log() if status == 200]
    return len(prompts) - len(set(prompts))


def stopped(server: FakeServer, folder: Path, number: int, after: int, words: list[str] = WORDS) -> Done:
    """Start the run, send it a signal once the server has answered so many requests, and return what it said."""
    begun = answered(server)
    process = start(words, folder)
    until(lambda: answered(server) >= begun + after, process)
    process.send_signal(number)
    return finish(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_cleanly_and_the_printed_command_goes_on(
    server: FakeServer, tmp_path: Path, uninterrupted: dict[str, bytes], number: int
) -> None:
    prepare(tmp_path, server)
    done = stopped(server, tmp_path, number, 20)
    assert (done.code, done.out) == (130, "")
    waiting, error, kept, again = done.err.splitlines()
    assert waiting == "stopping: waiting for the answers in flight; Ctrl-C once more drops them"
    assert error == "error: Interrupted. What is finished is kept; run the same command to continue."
    count = int(kept.removeprefix("kept: ").split(" of ")[0])
    assert kept == f"kept: {count} of {ROWS} outputs in run"
    assert count == answered(server)  # what was in flight was finished and kept
    assert again == "to continue, run the same command again: llmkit eval c.yaml --out run"
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["status"] == "interrupted"

    resumed = llmkit(*WORDS, folder=tmp_path)
    assert resumed.code == 0
    assert resumed.err.startswith("continuing run\n")
    assert asked_twice(server) == 0
    assert server.stats()["total"] == ROWS
    assert results(tmp_path / "run") == uninterrupted
    assert not (tmp_path / "run" / "journal.jsonl").exists()


def test_two_signals_stop_at_once(server: FakeServer, tmp_path: Path, uninterrupted: dict[str, bytes]) -> None:
    server.reset(Behaviour(script={"0011": ["hang"]}))
    prepare(tmp_path, server)
    said = tmp_path / "said"
    with said.open("wb") as stderr:
        process = start(WORDS, tmp_path, stderr=stderr)
        try:
            until(lambda: answered(server) >= 20, process)
            process.send_signal(signal.SIGINT)
            until(lambda: b"stopping: " in said.read_bytes(), process)  # it waits for the one that hangs
            process.send_signal(signal.SIGINT)
            done = finish(process)
        finally:
            process.kill()
    assert (done.code, done.out) == (130, "")
    lines = said.read_text().splitlines()
    assert lines[1].startswith("error: Interrupted.")
    assert lines[-1] == "to continue, run the same command again: llmkit eval c.yaml --out run"
    assert llmkit(*WORDS, folder=tmp_path).code == 0
    assert asked_twice(server) < 6  # what the server was sending when the second signal dropped it; six are in flight
    assert results(tmp_path / "run") == uninterrupted


@pytest.mark.parametrize(
    "seed", [1, 2, 3, pytest.param(4, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)]
)
def test_kill_9_at_any_moment_asks_nothing_answered_again_and_ends_in_the_same_bytes(
    server: FakeServer, tmp_path: Path, uninterrupted: dict[str, bytes], seed: int
) -> None:
    """Only what the server was sending at the very moment of the kill may be asked again: nobody had received it."""
    rng = random.Random(seed)
    prepare(tmp_path, server)
    lost = 0
    for _ in range(3):
        done = stopped(server, tmp_path, signal.SIGKILL, rng.randrange(1, 35))
        assert done.code == -signal.SIGKILL
        until(lambda: server.stats()["in_flight"] == 0)
        journal = {row.get("key") for row in complete_lines(tmp_path / "run" / "journal.jsonl")}
        lost += len({prompt for _, prompt, status in server.log() if status == 200}) - len(journal)
        assert lost <= 6 * 3
    assert llmkit(*WORDS, folder=tmp_path).code == 0
    assert asked_twice(server) <= lost
    assert results(tmp_path / "run") == uninterrupted
    assert [row["sample_id"] for row in read_rows(tmp_path / "run" / "outputs.jsonl")] == [
        f"r{number:04d}" for number in range(ROWS)
    ]


def complete_lines(path: Path) -> list[dict[str, Any]]:
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def test_a_torn_journal_line_is_asked_again_and_nothing_else(
    server: FakeServer, tmp_path: Path, uninterrupted: dict[str, bytes]
) -> None:
    prepare(tmp_path, server)
    assert stopped(server, tmp_path, signal.SIGINT, 30).code == 130
    journal = tmp_path / "run" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-25])
    assert llmkit(*WORDS, folder=tmp_path).code == 0
    assert asked_twice(server) == 1
    assert results(tmp_path / "run") == uninterrupted


def test_without_out_the_unfinished_folder_is_found_by_what_it_measures(server: FakeServer, tmp_path: Path) -> None:
    prepare(tmp_path, server)
    words = ["eval", "c.yaml"]
    assert stopped(server, tmp_path, signal.SIGINT, 20, words).code == 130
    assert "continuing" not in llmkit(*words, "--limit", "3", folder=tmp_path).err
    assert "continuing runs/t/" in llmkit(*words, folder=tmp_path).err
    assert "continuing" not in llmkit(*words, "--limit", "3", folder=tmp_path).err


def test_an_unfinished_folder_of_other_data_is_refused(server: FakeServer, tmp_path: Path) -> None:
    prepare(tmp_path, server)
    assert stopped(server, tmp_path, signal.SIGINT, 20).code == 130
    other = llmkit(*WORDS, "--limit", "3", folder=tmp_path)
    assert other.code == 2
    assert "error: run holds an unfinished run of another configuration or data (t, " in other.err


def test_two_runs_never_share_a_folder_and_a_dead_one_holds_none(server: FakeServer, tmp_path: Path) -> None:
    server.reset(Behaviour(script={"0050": ["hang"]}))
    prepare(tmp_path, server)
    first = start(WORDS, tmp_path)
    try:
        until(lambda: answered(server) >= 20, first)
        second = llmkit(*WORDS, folder=tmp_path)
    finally:
        first.kill()
    assert finish(first).code == -signal.SIGKILL
    assert second.code == 2
    [line] = second.err.splitlines()
    assert line.startswith(f"error: another llmkit run (pid {first.pid}, since ")
    assert line.endswith(" is using run; wait for it to end, or choose another folder with --out")
    assert llmkit(*WORDS, folder=tmp_path).code == 0
    assert asked_twice(server) == 0


@pytest.mark.parametrize(("key", "limit"), [("max_requests", 30), ("max_tokens", 400), ("max_cost", 0.0004)])
def test_a_budget_stops_the_run_and_a_higher_one_continues_it(
    server: FakeServer, tmp_path: Path, uninterrupted: dict[str, bytes], key: str, limit: float
) -> None:
    """An answer here is 9 or 10 tokens, at a dollar a million: the stop overshoots by what is in flight at most."""
    prepare(tmp_path, server, **{key: limit})
    (tmp_path / "prices.json").write_text(json.dumps({"fake": {"input": 1, "output": 1, "as_of": "2026-01-01"}}))
    words = [*WORDS, "--set", "prices=prices.json"]
    done = llmkit(*words, folder=tmp_path)
    assert (done.code, done.out) == (6, "")
    assert f"{key}" in done.err
    assert "to continue" in done.err
    tokens = sum(row["response"]["tokens_in"] + row["response"]["tokens_out"] for row in paid(tmp_path / "run"))
    spent = {"max_requests": answered(server), "max_tokens": tokens, "max_cost": tokens / 1e6}[key]
    assert 0.5 * limit < spent <= limit + {"max_requests": 0, "max_tokens": 60, "max_cost": 60 / 1e6}[key]
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "stopped"
    again = llmkit(*words, "--set", f"engine.{key}=1000000", folder=tmp_path)
    assert again.code == 0, again.err
    assert asked_twice(server) == 0
    assert server.stats()["total"] == ROWS
    assert results(tmp_path / "run") == uninterrupted


def test_a_budget_that_is_used_up_stays_used_up(server: FakeServer, tmp_path: Path) -> None:
    prepare(tmp_path, server, max_requests=30)
    assert llmkit(*WORDS, folder=tmp_path).code == 6
    assert llmkit(*WORDS, folder=tmp_path).code == 6
    assert server.stats()["total"] == 30


@pytest.mark.parametrize("workers", [1, 64])
def test_cold_runs_give_the_same_bytes_whatever_the_order_of_answers(
    server: FakeServer, tmp_path: Path, uninterrupted: dict[str, bytes], workers: int
) -> None:
    server.reset(Behaviour(jitter=0.02, seed=workers))
    prepare(tmp_path, server)
    assert llmkit(*WORDS, "--set", f"engine.max_concurrency={workers}", folder=tmp_path).code == 0
    assert results(tmp_path / "run") == uninterrupted
    assert server.stats()["max_in_flight"] <= workers


def test_perturbed_rows_go_on_after_a_kill_too(server: FakeServer, tmp_path: Path) -> None:
    for folder in (tmp_path / "whole", tmp_path / "cut"):
        bench(
            folder,
            40,
            target=served(server.base_url),
            metrics=["exact_match", "bleu"],
            perturb=["typos(rate=0.2)", "spaces(least=2, most=2)", "lowercase"],
            engine={"max_concurrency": 4, "cache": False},
        )
    assert llmkit(*WORDS, folder=tmp_path / "whole").code == 0
    total = len(read_rows(tmp_path / "whole" / "run" / "outputs.jsonl"))
    assert total == server.stats()["total"] > 75
    server.reset(SLOW)
    done = stopped(server, tmp_path / "cut", signal.SIGINT, 30)
    assert f" of {total} outputs in run" in done.err
    assert llmkit(*WORDS, folder=tmp_path / "cut").code == 0
    assert (asked_twice(server), server.stats()["total"]) == (0, total)
    assert results(tmp_path / "cut" / "run") == results(tmp_path / "whole" / "run")
