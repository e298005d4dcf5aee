"""The fake server in a thread, in the running loop, or in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakeserver._behaviour import Behaviour
from tests.fakeserver._server import State, close, listen

ROOT = Path(__file__).resolve().parents[2]


class FakeServer:
    """A fake server in this process: ``with`` runs it in a thread, ``async with`` in the running loop.

    Keyword arguments are `Behaviour`'s. ``base_url`` ends with ``/v1``; ``root`` is the address without it.
    """

    def __init__(self, behaviour: Behaviour | None = None, **settings: Any) -> None:
        self.state = State(behaviour or Behaviour(**settings))
        self.port = 0
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def stats(self) -> dict[str, Any]:
        """Return the counts; see `State.stats`."""
        return self.state.stats()

    def log(self) -> list[tuple[float, str, int]]:
        """Return (seconds, prompt, status) of the finished requests, in order; long prompts are shortened."""
        return list(self.state.log)

    def requests(self) -> list[dict[str, Any]]:
        """Return the last requests with path, headers and body."""
        return self.state.requests()

    def reset(self, behaviour: Behaviour | None = None) -> None:
        """Forget what was counted; go on with another behaviour when one is given."""
        self.state.clear()
        if behaviour is not None:
            self.state.behaviour = behaviour

    async def __aenter__(self) -> Self:
        self._server, self.port = await listen(self.state, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        await close(self._server, self.state)

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(self._loop, ready), name="fakeserver", daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the fake server did not start within 10 s")
        return self

    def _serve(self, loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(self.__aenter__())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(self.__aexit__())
        loop.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class SpawnedServer:
    """A fake server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port
        self.root = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.root}/v1"

    def _ask(self, method: str, path: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path)
            return json.loads(connection.getresponse().read())

    def stats(self) -> dict[str, Any]:
        """Return the counts, and the CPU seconds that the process has used."""
        stats: dict[str, Any] = self._ask("GET", "/_stats")
        return stats

    def log(self) -> list[tuple[float, str, int]]:
        """Return (seconds, prompt, status) of the finished requests, in order."""
        return [(at, prompt, status) for at, prompt, status in self._ask("GET", "/_log")]

    def requests(self) -> list[dict[str, Any]]:
        """Return the last requests with path, headers and body."""
        rows: list[dict[str, Any]] = self._ask("GET", "/_requests")
        return rows

    def reset(self) -> None:
        """Forget what was counted."""
        self._ask("POST", "/_reset")

    def close(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def spawn(**settings: Any) -> SpawnedServer:
    """Start ``python -m tests.fakeserver`` and return when it listens. ``answer`` must be a text here."""
    command = [sys.executable, "-m", "tests.fakeserver", "--port", "0", "--settings", json.dumps(_plain(settings))]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.strip().isdigit():
        process.wait(10)
        raise RuntimeError("the fake server did not start")
    return SpawnedServer(process, int(line))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
