from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from llmkit import registry
from llmkit.errors import ConfigError, PermanentError, TransientError
from llmkit.providers.command import Command
from llmkit.types import Passage, Request, Response

T = TypeVar("T")
ECHO_LINES = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)["input"]
    if asked == "die":
        print("dying words", file=sys.stderr)
        sys.exit(7)
    if asked == "hang":
        import time
        time.sleep(600)
    print(json.dumps({"text": asked.upper(), "pid": os.getpid()}), flush=True)
"""


def _code(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def _request(text: str = "hi", **more: Any) -> Request:
    return Request(messages=({"role": "user", "content": text},), **more)


def _run(target: Command, scenario: Callable[[Command], Awaitable[T]]) -> T:
    async def closing() -> T:
        try:
            return await scenario(target)
        finally:
            await target.aclose()

    return asyncio.run(closing())


def _ask(target: Command, request: Request | None = None) -> Response:
    return _run(target, lambda t: t.complete(request or _request()))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # another process makes it true, which cannot set an Event
            await asyncio.sleep(0.005)


def _gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def test_the_command_reads_json_and_its_output_is_the_answer() -> None:
    code = "import json,sys; d=json.load(sys.stdin); print(d['input'], d['sample']['id'], d['params']['seed'], len(d['messages']))"
    response = _ask(Command(_code(code)), _request("né", sample={"id": "s1"}, params={"seed": 4}))
    assert response.text == "né s1 4 1"
    assert response.latency > 0


def test_the_command_may_answer_in_json() -> None:
    printed = {"text": "yes", "retrieved": [{"id": "d", "text": "t", "score": 1}], "tokens_out": 2, "cost": 0.1}
    response = _ask(Command(_code(f"print({json.dumps(printed)!r})")))
    assert response.text == "yes"
    assert response.retrieved == (Passage("d", "t", 1.0),)
    assert (response.tokens_out, response.cost) == (2, 0.1)


@pytest.mark.parametrize("printed", ['{"label": "x"}', "[1, 2]", '"quoted"', "{not json", "plain\nlines"])
def test_json_that_is_not_ours_is_the_answer_itself(printed: str) -> None:
    assert _ask(Command(_code(f"print({printed!r})"))).text == printed


def test_a_text_is_split_without_a_shell(tmp_path: Path) -> None:
    code = "import sys; print(sys.argv[1:])"
    command = f"""{sys.executable} -c '{code}' "two words" '$HOME' ';' '>' x"""
    assert _ask(Command(command)).text == "['two words', '$HOME', ';', '>', 'x']"


def test_a_script_beside_the_config_is_run_there(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    script = folder / "bot"
    script.write_text(f"#!{sys.executable}\nimport os\nprint(os.getcwd())\n")
    script.chmod(0o755)
    built = registry.build("providers", {"command": {"command": "./bot", "cwd": "."}}, base=folder)
    assert _ask(built.plugin).text == str(folder)


def test_the_files_of_a_command_are_known(tmp_path: Path) -> None:
    for name in ("bot.py", "rules.txt"):
        (tmp_path / name).write_text("x")
    words = (sys.executable, "bot.py", "-c", "x" * 5000, "rules.txt", "absent.txt", ".")
    found = Command(words, cwd=tmp_path).files
    assert [path for path in found if path != Path(sys.executable)] == [tmp_path / "bot.py", tmp_path / "rules.txt"]


def test_a_command_that_does_not_read_its_input_is_fine() -> None:
    big = _request("x" * 1_000_000)
    assert _ask(Command(_code("print('done')")), big).text == "done"


def test_megabytes_go_in_and_out() -> None:
    code = "import sys; d=sys.stdin.read(); sys.stderr.write('e' * 300_000); print(len(d) > 3_000_000, 'x' * 3_000_000)"
    text = _ask(Command(_code(code)), _request("y" * 3_000_000)).text
    assert text.startswith("True xxx")
    assert len(text) == 3_000_005


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("import sys; print('a', file=sys.stderr); sys.exit('last words')", "exit", "exited with 1: last words"),
        ("import sys; sys.exit(3)", "exit", "exited with 3 and said nothing on stderr"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "signal", "was ended by SIGTERM"),
        ("pass", "empty", "printed nothing"),
        ("import sys; sys.stdout.buffer.write(b'\\xff')", "malformed", "not UTF-8"),
        ("print('{\"text\": 3}')", "malformed", "'text' is a number; expected a text"),
    ],
)
def test_a_command_that_fails_is_an_error_of_the_row(code: str, kind: str, message: str) -> None:
    with pytest.raises(PermanentError, match=message) as caught:
        _ask(Command(_code(code)))
    assert caught.value.kind == kind


def test_an_answer_that_is_empty_on_purpose_is_one() -> None:
    assert _ask(Command(_code("""print('{"text": ""}')"""))).text == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"command": "no-such-command-here --x"}, "no command 'no-such-command-here' .is it installed"),
        ({"command": "./nowhere"}, "no such command: ./nowhere"),
        ({"command": "./plain", "cwd": "."}, "'./plain' is not executable .chmod"),
        ({"command": "plain", "cwd": "."}, "no command 'plain' .did you mean './plain'?"),
        ({"command": "  "}, "the command is empty"),
        ({"command": "bot 'open"}, "cannot be split into words"),
        ({"command": "ls", "cwd": "gone"}, "no such folder"),
        ({"command": "ls", "workers": 0}, "workers is 0"),
    ],
)
def test_a_wrong_command_is_told_before_anything_is_asked(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    (tmp_path / "plain").write_text("x")
    with pytest.raises(ConfigError, match=message):
        registry.build("providers", {"command": arguments}, base=tmp_path)


def test_giving_up_ends_the_whole_process_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"f = open({str(pids)!r} + '.new', 'w'); f.write(f'{{os.getpid()}} {{child.pid}}'); f.close();"
        f"os.rename({str(pids)!r} + '.new', {str(pids)!r}); time.sleep(600)"
    )

    async def scenario(target: Command) -> list[int]:
        task = asyncio.create_task(target.complete(_request()))
        await _until(lambda: pids.exists() or task.done())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        found = [int(pid) for pid in pids.read_text().split()]
        await _until(lambda: all(map(_gone, found)))
        return found

    assert len(_run(Command(_code(code)), scenario)) == 2


def test_lines_keeps_its_processes() -> None:
    async def scenario(target: Command) -> list[Response]:
        return list(await asyncio.gather(*(target.complete(_request(f"q{n}")) for n in range(40))))

    answers = _run(Command(_code(ECHO_LINES), mode="lines", workers=2), scenario)
    assert [answer.text for answer in answers] == [f"Q{n}" for n in range(40)]
    assert len({answer.extra["pid"] for answer in answers}) <= 2


def test_lines_takes_text_json_text_and_long_lines() -> None:
    code = (
        "import sys\nfor number, line in enumerate(sys.stdin):\n"
        "    print(['plain', '\"a\\\\nb\"', 'x' * 1_000_000][number], flush=True)"
    )

    async def scenario(target: Command) -> list[str]:
        return [(await target.complete(_request())).text for _ in range(3)]

    first, second, third = _run(Command(_code(code), mode="lines", workers=1), scenario)
    assert (first, second, len(third)) == ("plain", "a\nb", 1_000_000)


def test_a_process_that_dies_is_told_and_replaced() -> None:
    async def scenario(target: Command) -> tuple[str, str]:
        with pytest.raises(TransientError, match="exited with 7: dying words") as caught:
            await target.complete(_request("die"))
        return caught.value.kind, (await target.complete(_request("again"))).text

    assert _run(Command(_code(ECHO_LINES), mode="lines", workers=1), scenario) == ("died", "AGAIN")


def test_a_process_that_died_between_two_requests_is_replaced_silently() -> None:
    async def scenario(target: Command) -> tuple[Response, Response]:
        first = await target.complete(_request("a"))
        os.kill(first.extra["pid"], 9)
        await _until(lambda: _gone(first.extra["pid"]))
        assert target._idle is not None
        worker = target._idle.get_nowait()
        target._idle.put_nowait(worker)
        assert worker._process is not None
        await worker._process.wait()
        return first, await target.complete(_request("b"))

    first, second = _run(Command(_code(ECHO_LINES), mode="lines", workers=1), scenario)
    assert second.text == "B"
    assert first.extra["pid"] != second.extra["pid"]


def test_a_request_that_is_given_up_leaves_no_answer_to_the_next() -> None:
    async def scenario(target: Command) -> str:
        before = await target.complete(_request("before"))
        task = asyncio.create_task(target.complete(_request("hang")))
        await _until(lambda: target._idle is not None and target._idle.empty())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert _gone(before.extra["pid"])
        return (await target.complete(_request("after"))).text

    assert _run(Command(_code(ECHO_LINES), mode="lines", workers=1), scenario) == "AFTER"


def test_closing_ends_the_processes() -> None:
    async def scenario(target: Command) -> int:
        return int((await target.complete(_request("a"))).extra["pid"])

    assert _gone(_run(Command(_code(ECHO_LINES), mode="lines", workers=3), scenario))
