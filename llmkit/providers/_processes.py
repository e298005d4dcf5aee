"""Child processes of the command target: started without a shell, ended with everything they started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from llmkit.errors import PermanentError, TransientError

_LONGEST_LINE = 1 << 28
_GRACE = 2.0


async def start(argv: Sequence[str], cwd: Path | None) -> asyncio.subprocess.Process:
    """Start a process in a group of its own, all three streams piped.

    Raises:
        PermanentError: kind ``start``, when it cannot be started.
        TransientError: kind ``start``, when the machine is out of processes, memory or files for now.
    """
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=cwd,
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
    except BlockingIOError as error:
        raise TransientError(f"'{argv[0]}' could not be started: {error.strerror}", kind="start") from None
    except OSError as error:
        raise PermanentError(f"'{argv[0]}' could not be started: {error.strerror}", kind="start") from None


async def kill(process: asyncio.subprocess.Process) -> None:
    """End a process and its whole group now, and wait for it; what they wrote is dropped."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    await asyncio.gather(process.wait(), _drain(process.stdout), _drain(process.stderr), return_exceptions=True)


async def _drain(stream: asyncio.StreamReader | None) -> None:
    # Unread output keeps the pipe, and with it the transport, open.
    while stream is not None and await stream.read(1 << 16):
        pass


async def once(argv: Sequence[str], cwd: Path | None, given: bytes) -> bytes:
    """Run a process to its end with ``given`` on stdin; return its stdout.

    Raises:
        PermanentError: kind ``exit`` or ``signal`` with the last line of stderr.
    """
    process = await start(argv, cwd)
    try:
        out, err = await process.communicate(given)  # a process that does not read its stdin is fine
    except BaseException:
        await _settled(kill(process))
        raise
    if process.returncode:
        raise PermanentError(
            ended(argv[0], process.returncode, err), kind="exit" if process.returncode > 0 else "signal"
        )
    return out


async def _settled(ending: object) -> None:
    # A second cancellation must not leave processes behind.
    task = asyncio.ensure_future(ending)  # type: ignore[call-overload]
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)


def ended(name: str, code: int, err: bytes) -> str:
    """Return the sentence that says how a process ended, with the last line it wrote to stderr."""
    how = f"exited with {code}" if code >= 0 else f"was ended by {_signal(-code)}"
    lines = err.decode("utf-8", "replace").strip().splitlines()
    return f"'{name}' {how}: {lines[-1].strip()}" if lines else f"'{name}' {how} and said nothing on stderr"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Worker:
    """A long-lived process that answers one line with one line."""

    def __init__(self, argv: Sequence[str], cwd: Path | None) -> None:
        self._argv = argv
        self._cwd = cwd
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._last_words = b""

    async def ask(self, line: bytes) -> bytes:
        """Send one line and return the answering line without its line end; starts the process when there is none.

        Raises:
            TransientError: kind ``died``: the process ended without an answer. The next call starts a new one.
        """
        try:
            process = await self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # then there is no answer to read
                process.stdin.write(line + b"\n")
                await process.stdin.drain()
            answer = await process.stdout.readline()
        except BaseException:
            # Whatever happened between the line and its answer, the two no longer keep step.
            await _settled(self.stop())
            raise
        if not answer.endswith(b"\n"):
            raise await self._died(process)
        return answer.rstrip(b"\r\n")

    async def stop(self) -> None:
        """End the process, if there is one, with its group."""
        process, listening = self._process, self._listening
        self._process = self._listening = None
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        if process is not None:
            await kill(process)

    async def finish(self) -> None:
        """Close its stdin and give it two seconds to end of its own accord; then end it."""
        process = self._process
        if process is not None and process.stdin is not None and process.returncode is None:
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE)
        await self.stop()

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is not None:
            await self.stop()
        if self._process is None:
            self._last_words = b""
            self._process = await start(self._argv, self._cwd)
            self._listening = asyncio.create_task(self._listen(self._process))
        return self._process

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while said := await process.stderr.read(1 << 16):
            self._last_words = (self._last_words + said)[-4096:]

    async def _died(self, process: asyncio.subprocess.Process) -> TransientError:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # it may only have closed its stdout
        code = await process.wait()
        if self._listening is not None:
            await asyncio.wait([self._listening])
        return TransientError(ended(self._argv[0], code, self._last_words) + " (no answer)", kind="died")
