from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmkit import registry
from llmkit.errors import ConfigError, PermanentError, TransientError
from llmkit.providers._threads import Threads
from llmkit.providers.python import Python
from llmkit.types import Passage, Request, Response

CODE = """
import asyncio
import functools
from llmkit.errors import TransientError
from llmkit.types import Response

def answer(question):
    return question.upper()

async def slowly(question):
    await asyncio.sleep(0)
    return question + "!"

def sampled(text, sample):
    return f"{text} {sample['id']} {sample['meta']['k']}"

def sample_first(sample, text):
    return f"{text} {sample['id']}"

def chat(messages, params):
    return f"{len(messages)} {messages[0]['content']} {params}"

def rich(text):
    return {"text": text, "tokens_in": 3, "tokens_out": 1, "cost": 0.5, "finish": "stop", "note": "kept",
            "retrieved": [{"id": "d1", "text": "one", "score": 2, "page": 7}, "two"]}

def whole(text):
    return Response(text=text, model="m")

def awaitable(text):
    return slowly(text)

def fails(text):
    raise ValueError("no luck")

def quits(text):
    raise SystemExit(3)

def asks_again(text):
    raise TransientError("busy", kind="busy")

def nothing(text):
    return None

def wrong(text):
    return {"answer": "x"}

def odd_retrieved(text):
    return {"text": "x", "retrieved": [3]}

def odd_tokens(text):
    return {"text": "x", "tokens_in": "many"}

def two(text, other):
    return text

def none():
    return "x"

class Bot:
    def __call__(self, text):
        return "bot " + text
    async def reply(self, text):
        return "reply " + text

class Waiting:
    async def __call__(self, text):
        return "waiting " + text

bot = Bot()
waiting = Waiting()
partly = functools.partial(lambda word, text: word + text, "partly ")
upper = str.upper
constant = 3
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    file = tmp_path / "app_under_test.py"
    file.write_text(CODE)
    yield file
    for name in set(sys.modules) - before:
        if name.startswith("llmkit_target_") or name.endswith("_under_test"):
            del sys.modules[name]


def _ask(target: Python, text: str = "hi", **more: Any) -> Response:
    async def once() -> Response:
        try:
            return await target.complete(Request(messages=({"role": "user", "content": text},), **more))
        finally:
            await target.aclose()

    return asyncio.run(once())


def _target(app: Path, function: str) -> Python:
    return Python(app.with_name(f"{app.name}:{function}"))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("answer", "HI"),
        ("slowly", "hi!"),
        ("awaitable", "hi!"),
        ("sampled", "hi s1 v"),
        ("sample_first", "hi s1"),
        ("chat", "1 hi {'seed': 1}"),
        ("bot", "bot hi"),
        ("bot.reply", "reply hi"),
        ("waiting", "waiting hi"),
        ("partly", "partly hi"),
        ("upper", "HI"),
        ("whole", "hi"),
    ],
)
def test_a_function_is_called_by_its_signature(app: Path, function: str, expected: str) -> None:
    sample = {"id": "s1", "input": "hi", "meta": {"k": "v"}}
    assert _ask(_target(app, function), sample=sample, params={"seed": 1}).text == expected


@pytest.mark.parametrize("function", ["answer", "sample_first", "bot", "bot.reply", "waiting", "partly", "upper"])
def test_the_file_of_the_code_is_known_whatever_is_called(app: Path, function: str) -> None:
    assert _target(app, function).files == (() if function == "upper" else (app,))


def test_the_config_names_a_module_or_a_file_beside_it(app: Path) -> None:
    for written in ("app_under_test:answer", "app_under_test.py:answer"):
        built = registry.build("providers", {"python": written}, base=app.parent)
        assert _ask(built.plugin).text == "HI"
        assert built.name == f"python(target='{written}')"


def test_a_module_of_the_working_directory_is_found(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(app.parent)
    assert _ask(Python(Path("app_under_test:answer"))).text == "HI"


def test_a_mapping_brings_passages_figures_and_extras(app: Path) -> None:
    response = _ask(_target(app, "rich"))
    assert (response.tokens_in, response.tokens_out, response.cost, response.finish) == (3, 1, 0.5, "stop")
    assert response.retrieved == (Passage("d1", "one", 2.0, {"page": 7}), Passage("1", "two"))
    assert response.extra == {"note": "kept"}
    assert response.latency > 0


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        ("fails", "exception", r"ValueError: no luck \(app_under_test.py:\d+\)"),
        ("quits", "exception", "SystemExit: 3"),
        ("nothing", "malformed", r"app_under_test.py:nothing: returned nothing \(None\); expected a text"),
        ("wrong", "malformed", "no 'text' in the mapping"),
        ("odd_retrieved", "malformed", r"'retrieved\[0\]' is a number; expected a text, or a mapping"),
        ("odd_tokens", "malformed", "'tokens_in' is a text; expected a number"),
    ],
)
def test_a_function_that_fails_is_an_error_of_the_row(app: Path, function: str, kind: str, message: str) -> None:
    with pytest.raises(PermanentError, match=message) as caught:
        _ask(_target(app, function))
    assert caught.value.kind == kind


def test_the_line_of_the_exception_is_the_users(app: Path) -> None:
    line = CODE.splitlines().index('    raise ValueError("no luck")') + 1
    with pytest.raises(PermanentError) as caught:
        _ask(_target(app, "fails"))
    assert str(caught.value) == f"ValueError: no luck (app_under_test.py:{line})"


def test_a_function_may_ask_to_be_asked_again(app: Path) -> None:
    with pytest.raises(TransientError, match="busy"):
        _ask(_target(app, "asks_again"))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("anser", "has no function 'anser' .did you mean 'answer'?"),
        ("constant", "is not a function but a value of type int"),
        ("two", "wants 'other', which nothing can fill"),
        ("none", "takes no argument"),
    ],
)
def test_a_wrong_function_is_told_before_anything_is_asked(app: Path, function: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _target(app, function)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("app_under_test", "names no function .write module:function"),
        ("app_under_tset.py:answer", "no such file: .*did you mean 'app_under_test.py'?"),
        ("app_under_tset:answer", "no module named 'app_under_tset' .did you mean 'app_under_test'?"),
        ("broken_under_test:f", r"'broken_under_test' failed to import: .*\(broken_under_test.py:2\)"),
        ("broken_under_test.py:f", r"failed to import: ZeroDivisionError: .*\(broken_under_test.py:2\)"),
        (
            "needy_under_test:f",
            "'needy_under_test' failed to import: ModuleNotFoundError: No module named 'nowhere_at_all'",
        ),
        ("syntax_under_test.py:f", r"failed to import: SyntaxError: .*\(syntax_under_test.py:1\)"),
    ],
)
def test_a_wrong_module_is_told_with_its_line(app: Path, written: str, message: str) -> None:
    (app.parent / "broken_under_test.py").write_text("a = 1\nb = a / 0\n")
    (app.parent / "needy_under_test.py").write_text("import nowhere_at_all\n")
    (app.parent / "syntax_under_test.py").write_text("def f(:\n")
    with pytest.raises(ConfigError, match=message) as caught:
        registry.build("providers", {"python": written}, base=app.parent, key="target.python")
    assert caught.value.problems[0].key == "target.python"


def test_calls_run_side_by_side_up_to_the_number_of_threads(tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=30)

    async def scenario() -> list[int]:
        threads = Threads(3, "test")
        try:
            return await asyncio.gather(*(threads.run(together.wait) for _ in range(6)))
        finally:
            threads.close()

    assert sorted(asyncio.run(scenario())) == [0, 0, 1, 1, 2, 2]


def test_a_call_that_hangs_costs_no_thread_once_it_is_given_up() -> None:
    release, running = threading.Event(), threading.Event()

    def hang() -> None:
        running.set()
        release.wait(30)

    async def scenario() -> str:
        threads = Threads(1, "test")
        hanging = asyncio.create_task(threads.run(hang))
        queued = asyncio.create_task(threads.run(lambda: "next"))
        await asyncio.to_thread(running.wait, 30)
        hanging.cancel()
        try:
            return await queued
        finally:
            release.set()
            threads.close()

    assert asyncio.run(scenario()) == "next"


def test_a_queued_call_that_is_given_up_is_never_made() -> None:
    made: list[int] = []
    release = threading.Event()

    async def scenario() -> None:
        threads = Threads(1, "test")
        first = asyncio.create_task(threads.run(lambda: release.wait(30)))
        second = asyncio.create_task(threads.run(lambda: made.append(2)))
        await asyncio.sleep(0)
        second.cancel()
        third = asyncio.create_task(threads.run(lambda: made.append(3)))
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(first, third)
        threads.close()

    asyncio.run(scenario())
    assert made == [3]
