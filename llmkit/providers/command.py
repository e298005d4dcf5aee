"""A command as the system under test: JSON on stdin, text or JSON on stdout, no shell."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from llmkit.errors import ConfigError, PermanentError, Problem
from llmkit.providers._answers import plain, question, response_of
from llmkit.providers._processes import Worker, once
from llmkit.registry import provider
from llmkit.types import Request, Response


@provider("command")
@dataclass(frozen=True)
class Command:
    """Runs your command: the request as JSON on stdin, the answer as text or JSON on stdout.

    It reads one JSON object with ``input`` (the last user text), ``messages``, ``sample`` (the eval row) and
    ``params``. What it prints is the answer; a JSON object with ``text`` may also hold ``retrieved``,
    ``tokens_in``, ``tokens_out`` and ``cost``. An exit code other than 0 is an error of that row, told with the
    last line of stderr.

    Attributes:
        command: The command, split into words as a shell would, but run without one; or a list of words.
        mode: ``once`` starts a process for each request; ``lines`` keeps processes that answer each line of
            JSON with one line, and starts them anew when they die.
        workers: How many processes ``lines`` keeps.
        cwd: The folder to run in, relative to the config; without it, the working directory.
    """

    command: str | tuple[str, ...]
    mode: Literal["once", "lines"] = "once"
    workers: int = dataclasses.field(default=4, metadata={"identity": False})
    cwd: Path | None = None
    _argv: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)
    _idle: asyncio.LifoQueue[Worker] | None = dataclasses.field(init=False, default=None, repr=False, compare=False)

    cacheable: ClassVar[bool] = False
    journaled: ClassVar[bool] = True
    wants_sample: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Split the command and find its executable, so that a misspelt one is told before anything is asked."""
        try:
            argv = tuple(shlex.split(self.command)) if isinstance(self.command, str) else tuple(self.command)
        except ValueError as error:
            raise _config(f"the command {self.command!r} cannot be split into words: {error}") from None
        if not argv:
            raise _config("the command is empty", "write it as you would in a terminal")
        if self.workers < 1:
            raise _config(f"workers is {self.workers}", "at least 1")
        if self.cwd is not None and not self.cwd.is_dir():
            raise _config(f"no such folder: {self.cwd}", "cwd is relative to the config")
        _check_executable(argv[0], self.cwd or Path())
        object.__setattr__(self, "_argv", argv)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the command names, such as its script: a run is not continued with other ones."""
        named = [(self.cwd or Path()) / word for word in self._argv]
        return tuple(path for path in named if _is_script(path))

    async def complete(self, request: Request) -> Response:
        """Return what the command answered.

        Raises:
            PermanentError: kind ``exit``, ``signal``, ``start``, ``empty`` (it printed nothing) or ``malformed``.
            TransientError: kind ``died``, in mode ``lines``.
        """
        given = _given(request)
        started = time.perf_counter()
        out = await (once(self._argv, self.cwd, given + b"\n") if self.mode == "once" else self._ask(given))
        return self._answer(out, time.perf_counter() - started)

    async def aclose(self) -> None:
        """End the processes that ``lines`` keeps."""
        idle = self._idle
        object.__setattr__(self, "_idle", None)
        if idle is not None:
            await asyncio.gather(*(idle.get_nowait().finish() for _ in range(idle.qsize())))

    async def _ask(self, line: bytes) -> bytes:
        if self._idle is None:
            object.__setattr__(self, "_idle", asyncio.LifoQueue())
            assert self._idle is not None
            for _ in range(self.workers):
                self._idle.put_nowait(Worker(self._argv, self.cwd))
        idle = self._idle
        worker = await idle.get()
        try:
            return await worker.ask(line)
        finally:
            idle.put_nowait(worker)

    def _answer(self, out: bytes, latency: float) -> Response:
        name = self._argv[0]
        try:
            text = out.decode("utf-8").strip("\r\n")
        except UnicodeDecodeError as error:
            message = f"'{name}' printed bytes that are not UTF-8 (byte {error.start})"
            raise PermanentError(message, kind="malformed") from None
        if not text.strip():
            message = f'\'{name}\' printed nothing; an answer that is empty on purpose is {{"text": ""}}'
            raise PermanentError(message, kind="empty")
        return response_of(_meant(text, lines=self.mode == "lines"), f"'{name}'", latency)


_LARGEST_SCRIPT = 10_000_000
"""Bytes; a larger file is a model or data, which would take long to read at every start."""


def _is_script(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= _LARGEST_SCRIPT and os.access(path, os.R_OK)
    except (OSError, ValueError):  # a word that is no path: too long, or with a null character
        return False


def _meant(text: str, *, lines: bool) -> str | Mapping[str, Any]:
    # A bot may well answer in JSON: only an object with a "text", and a JSON text where lines are JSON, is ours.
    if text.lstrip()[0] not in '{"':
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, dict) and "text" in value:
        return value
    return value if lines and isinstance(value, str) else text


def _given(request: Request) -> bytes:
    asked = {
        "input": question(request),
        "messages": plain(request.messages),
        "sample": plain(request.sample),
        "params": plain(request.params),
    }
    return json.dumps(asked, ensure_ascii=False, default=str).encode("utf-8", "replace")


def _check_executable(name: str, cwd: Path) -> None:
    if os.sep not in name:
        if shutil.which(name) is None:
            hint = f"did you mean './{name}'?" if (cwd / name).is_file() else "is it installed, and on the PATH?"
            raise _config(f"no command '{name}'", hint)
        return
    path = cwd / name
    if not path.is_file():
        raise _config(f"no such command: {name}", f"looked for it in {cwd.resolve()}; 'cwd: .' means beside the config")
    if not os.access(path, os.X_OK):
        raise _config(f"'{name}' is not executable", f"chmod +x {name}")


def _config(message: str, hint: str = "") -> ConfigError:
    return ConfigError(problems=[Problem(message, hint=hint)])
