"""The fake server does what its settings say; other rooms' tests lean on it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any

import pytest

from tests.fakeserver import FAULTS, Behaviour, FakeServer, spawn


def post(port: int, path: str, body: Any, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", path, json.dumps(body), headers=dict(headers or {}))
        answer = connection.getresponse()
        raw = answer.read()
        try:
            return answer.status, json.loads(raw)
        except ValueError:
            return answer.status, raw


def ask(port: int, prompt: str, **params: Any) -> tuple[int, Any]:
    return post(
        port, "/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": prompt}], **params}
    )


def test_echoes_the_last_user_message_and_counts_it() -> None:
    with FakeServer() as server:
        assert ask(server.port, "héllo 👋")[1]["choices"][0]["message"]["content"] == "héllo 👋"
        assert server.stats()["prompts"] == {"héllo 👋": 1}
        assert [(prompt, status) for _, prompt, status in server.log()] == [("héllo 👋", 200)]


def test_canned_answers_prefer_the_exact_question_then_the_longest_part() -> None:
    answers = {"capital": "some city", "capital of France": "Paris", "exact": "yes"}
    with FakeServer(answers=answers) as server:
        texts = [
            ask(server.port, p)[1]["choices"][0]["message"]["content"]
            for p in ("The capital of France?", "exact", "none")
        ]
    assert texts == ["Paris", "yes", "none"]


def test_a_function_may_answer_with_a_tool_call() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    with FakeServer(answer=lambda body: {"tool_calls": [call]}) as server:
        choice = ask(server.port, "x")[1]["choices"][0]
    assert choice["message"]["tool_calls"] == [call]
    assert choice["finish_reason"] == "tool_calls"


def test_the_script_fails_the_first_requests_of_a_prompt_only() -> None:
    with FakeServer(script={"France": ["500", "429", "ok", "400"]}) as server:
        assert [ask(server.port, "France?")[0] for _ in range(5)] == [500, 429, 200, 400, 200]
        assert ask(server.port, "Spain?")[0] == 200
        assert server.stats()["faults"] == {"500": 1, "429": 1, "400": 1}


def test_fault_rates_depend_on_seed_and_prompt_not_on_order() -> None:
    behaviour = Behaviour(faults={"500": 0.3, "429": 0.2}, seed=7)
    drawn = [behaviour.fault(f"p{i}", 0) for i in range(4000)]
    assert drawn == [Behaviour(faults={"500": 0.3, "429": 0.2}, seed=7).fault(f"p{i}", 0) for i in range(4000)]
    names = [fault[0] for fault in drawn if fault]
    assert abs(names.count("500") / 4000 - 0.3) < 0.03
    assert abs(names.count("429") / 4000 - 0.2) < 0.03


@pytest.mark.parametrize(
    ("fault", "error"), [("drop", (RemoteDisconnected, ConnectionError)), ("truncated", IncompleteRead)]
)
def test_connections_break_as_told(fault: str, error: type[HTTPException]) -> None:
    with FakeServer(script={"": [fault]}) as server, pytest.raises(error):
        ask(server.port, "x")


def test_every_named_fault_that_answers_sends_its_status() -> None:
    for name, fault in FAULTS.items():
        if fault.mode == "reply":
            with FakeServer(script={"": [name]}) as server:
                assert ask(server.port, "x")[0] == fault.status, name


def test_a_wrong_key_is_refused_in_either_header() -> None:
    with FakeServer(api_key="right") as server:
        body = {"messages": [{"role": "user", "content": "x"}]}
        sent = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer right"}, {"api-key": "right"}]
        assert [post(server.port, "/v1/chat/completions", body, headers)[0] for headers in sent] == [401, 401, 200, 200]


def test_requests_that_make_no_sense_get_400_and_unknown_paths_404() -> None:
    with FakeServer() as server:
        assert post(server.port, "/v1/chat/completions", {"messages": []})[0] == 400
        assert post(server.port, "/v1/chat/completions", [])[0] == 400
        assert post(server.port, "/v1/nothing", {"input": "x"})[0] == 404


def test_a_spawned_server_answers_and_is_counted() -> None:
    with spawn(answer="constant", script={"a": ["500"]}) as server:
        assert [ask(server.port, "a")[0] for _ in range(2)] == [500, 200]
        assert server.stats()["statuses"] == {"500": 1, "200": 1}
        assert len(server.log()) == 2
        assert server.requests()[0]["body"]["messages"][0]["content"] == "a"
        server.reset()
        assert server.stats()["total"] == 0


def test_it_runs_in_the_current_loop_and_measures_what_is_in_flight() -> None:
    async def main() -> dict[str, Any]:
        async with FakeServer(latency=0.02) as server:
            await asyncio.gather(*(asyncio.to_thread(ask, server.port, f"p{i}") for i in range(4)))
            return server.stats()

    stats = asyncio.run(main())
    assert stats["total"] == 4
    assert 1 <= stats["max_in_flight"] <= 4
    assert stats["in_flight"] == 0


def test_a_request_that_hangs_ends_with_its_connection() -> None:
    with FakeServer(script={"": ["hang"]}) as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=0.2)
        connection.request("POST", "/v1/chat/completions", json.dumps({"messages": [{"role": "user", "content": "x"}]}))
        with pytest.raises(TimeoutError):
            connection.getresponse()
        assert server.stats()["in_flight"] == 1
        connection.close()


def test_a_request_that_arrives_in_pieces_is_read_whole() -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 1_000_000}]}).encode()
    with FakeServer() as server, contextlib.closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.putrequest("POST", "/v1/chat/completions")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        for start in range(0, len(body), 70_001):
            connection.send(body[start : start + 70_001])
        assert len(json.loads(connection.getresponse().read())["choices"][0]["message"]["content"]) == 1_000_000
