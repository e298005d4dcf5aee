"""The journal of one run: what was answered is on disk before anyone counts on it.

One line a response, ``{"crc":"<CRC-32 of the rest>","key":...,"response":{...}}``. Every `Journal.put` is written at
once by the system call itself, so killing the process loses nothing; groups are fsynced, so losing power loses
at most the last quarter of a second. Texts stay on disk: memory holds one number a record.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

from llmkit.closing import Closing
from llmkit.errors import InfrastructureError
from llmkit.store.files import disk_error, sync_folder, write_all
from llmkit.store.records import response_from_dict, response_to_dict, to_json
from llmkit.types import Response

SYNC_SECONDS = 0.25
"""How long a group of records may wait for its fsync."""

_HEAD = b'{"crc":"'
_BODY = len(_HEAD) + 8 + len(b'",')  # where the checked part begins
_KEY = b'"key":"'
_MASK = (1 << 60) - 1  # a hash of 60 bits is two digits of a Python int, 32 bytes
_BLOCK = 1 << 13


class Journal(Closing):
    """A `llmkit.protocols.Memory` in an append-only file.

    Opening an existing file reads every line once (about 1.5 s for a million records) and mends what a crash left: a
    torn last line is cut off, a damaged line is skipped. One process may have it open; `FolderLock` sees to that.

    Attributes:
        path: The file.
        records: How many different keys it holds.
        torn: 1 where the last line was torn and cut off on opening, else 0.
        corrupt: Damaged lines that were skipped on opening.

    Raises InfrastructureError where the file cannot be read or written, or is not a journal.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.torn = 0
        self.corrupt = 0
        self._places: dict[int, int] = {}  # hash of the key -> offset; the line itself proves the key
        self._lock = threading.Lock()
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: InfrastructureError | None = None
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            self._descriptor = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise disk_error(error, self.path) from error
        try:
            self._size = self._scan()
        except OSError as error:
            os.close(self._descriptor)
            raise disk_error(error, self.path) from error
        except BaseException:
            os.close(self._descriptor)
            raise
        sync_folder(self.path.parent)

    @property
    def records(self) -> int:
        """How many different keys it holds."""
        return len(self._places)

    def _scan(self) -> int:
        """Index every sound line and return the size of the file once its torn end is cut off."""
        offset = 0
        line = b""
        with self.path.open("rb", buffering=1 << 20) as file:
            for line in file:
                key = _key_of(line)
                if key is not None:
                    self._places[hash(key) & _MASK] = offset
                elif line.endswith(b"\n"):
                    self.corrupt += 1
                offset += len(line)
        self._refuse_foreign(line)
        if not line or line.endswith(b"\n"):
            return offset
        if _key_of(line) is not None:  # whole but for its line end: the answer is paid for, keep it
            write_all(self._descriptor, b"\n")
            return offset + 1
        self.torn = 1
        os.ftruncate(self._descriptor, offset - len(line))
        os.fsync(self._descriptor)
        return offset - len(line)

    def _refuse_foreign(self, last: bytes) -> None:
        """Cut nothing off a file that was never ours."""
        torn_of_ours = last.startswith(_HEAD) or _HEAD.startswith(last) or not last.strip(b"\0")
        if not self._places and (self.corrupt or not torn_of_ours):
            raise InfrastructureError(
                f"{self.path} is not a journal of llmkit, or all of it is damaged; move it away and run again"
            )

    def get(self, key: str) -> Response | None:
        """Return the response remembered for ``key``, or None."""
        offset = self._places.get(hash(key) & _MASK)
        if offset is None:
            return None
        try:
            row = json.loads(self._line_at(offset))
        except OSError as error:
            raise InfrastructureError(f"cannot read {self.path}: {error.strerror}; mend that and run again") from error
        except ValueError:  # damaged since it was indexed: ask again rather than stop
            return None
        return response_from_dict(row["response"]) if row["key"] == key else None

    def put(self, key: str, response: Response) -> None:
        """Write the response to the file at once.

        Raises InfrastructureError where the disk refuses it (the file then ends with the last whole record), and
        ValueError where a number in the response is not finite.
        """
        body = to_json({"key": key, "response": response_to_dict(response)})[1:]
        line = b'%b%08x",%b\n' % (_HEAD, crc32(body), body)
        with self._lock:
            if self._failure is not None:
                raise self._failure
            try:
                write_all(self._descriptor, line)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, self._size)
                raise disk_error(error, self.path) from error
            self._places[hash(key) & _MASK] = self._size
            self._size += len(line)
        if not self._dirty.is_set():
            self._dirty.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._sync_groups, name="llmkit-journal", daemon=True)
                self._thread.start()

    def keys(self) -> Iterator[str]:
        """Yield every key once, reading the file; for those who ask what a run had finished."""
        for offset in list(self._places.values()):
            key = _key_of(self._line_at(offset))
            if key is not None:
                yield key

    def flush(self) -> None:
        """Return when everything put so far would survive a power cut."""
        if self._failure is not None:
            raise self._failure
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise disk_error(error, self.path) from error

    def close(self) -> None:
        """Sync and release the file; safe to call twice."""
        if self._descriptor < 0:
            return
        self._closing.set()
        self._dirty.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self.flush()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    def _sync_groups(self) -> None:
        while True:
            self._dirty.wait()
            self._dirty.clear()  # before looking at `_closing`: cleared after, it could swallow what `close` sets
            if self._closing.wait(SYNC_SECONDS):
                return
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                self._failure = disk_error(error, self.path)
                return

    def _line_at(self, offset: int) -> bytes:
        block = self._read(_BLOCK, offset)
        end = block.find(b"\n")
        while end < 0:
            more = self._read(max(_BLOCK, len(block)), offset + len(block))
            if not more:
                return block
            end = more.find(b"\n")
            end = end if end < 0 else len(block) + end
            block += more
        return block[: end + 1]

    def _read(self, size: int, offset: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, size, offset)
        with self._lock:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, size)


def _key_of(line: bytes) -> str | None:
    """Return the key of a sound line (with or without its line end), None where the checksum does not agree."""
    if not line.startswith(_HEAD) or line[_BODY : _BODY + len(_KEY)] != _KEY:
        return None
    body = memoryview(line)[_BODY:-1] if line.endswith(b"\n") else memoryview(line)[_BODY:]
    if line[len(_HEAD) : _BODY] != b'%08x",' % crc32(body):
        return None
    start = _BODY + len(_KEY)
    raw = line[start : line.index(b'"', start)]
    if b"\\" not in raw:
        return raw.decode()
    row: dict[str, Any] = json.loads(line)
    return str(row["key"])
