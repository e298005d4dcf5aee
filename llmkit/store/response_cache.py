"""The response cache: answers kept between runs and shared by processes, in one SQLite file.

A cache may make a run cheaper and must never make it fail. So a file that is not ours, or damaged, is refused when it
is opened, before anything is asked; trouble that comes later (a full disk, damage) is put into ``warnings`` once and
the run goes on without the cache. Answers not yet written when the process is killed are in the run's journal.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llmkit.closing import Closing
from llmkit.errors import InfrastructureError
from llmkit.store.cache_file import connect, insert, prepare
from llmkit.store.records import response_from_dict
from llmkit.types import Response

BATCH_SECONDS: Final = 0.2
BATCH_ROWS: Final = 256
_INHERITED: list[sqlite3.Connection] = []  # a forked child must neither use nor close its parent's connections


@dataclass(frozen=True, slots=True)
class CacheSize:
    """How many responses a cache holds, and the bytes of its files."""

    responses: int
    bytes: int


class ResponseCache(Closing):
    """A `llmkit.protocols.Memory` in a SQLite file in WAL mode, safe for several processes.

    `put` only remembers; a background thread writes batches of `BATCH_ROWS`, or what `BATCH_SECONDS` gathered, in one
    transaction. `get` sees this process's own puts at once and those of others when they are written. Records are
    frozen: do not change a dict inside a response after putting it.

    Attributes:
        path: The file; folders above it are made.
        warnings: Sentences about why the cache is not used, or no longer; at most one for each cause.

    Raises InfrastructureError where the file exists and is no cache, is damaged, or was made by a newer llmkit.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.warnings: list[str] = []
        self._usable = True
        self._pid = os.getpid()
        self._start()
        self._reader: sqlite3.Connection | None = self._open()

    def _start(self) -> None:
        """Set up what belongs to one process."""
        self._pending: dict[str, Response] = {}
        self._writing: dict[str, Response] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._hurry = False
        self._closing = False
        self._thread: threading.Thread | None = None

    def _open(self) -> sqlite3.Connection | None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = connect(self.path)
        except (OSError, sqlite3.OperationalError) as error:
            self._give_up(f"cannot open it ({error})")
            return None
        try:
            prepare(connection, self.path)
        except sqlite3.OperationalError as error:  # read-only, full, locked for too long
            connection.close()
            self._give_up(f"cannot write it ({error})")
            return None
        except sqlite3.DatabaseError as error:
            connection.close()
            raise InfrastructureError(
                f"{self.path} is not a response cache, or is damaged ({error}); "
                "remove it (with its -wal and -shm files) or choose another file, and run again"
            ) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_up(self, why: str) -> None:
        self._usable = False
        self.warnings.append(f"working without the response cache {self.path}: {why}")

    def get(self, key: str) -> Response | None:
        """Return the response remembered for ``key``, or None."""
        if self._pid != os.getpid():
            self._after_fork()
        if not self._usable:
            return None
        with self._lock:
            found = self._pending.get(key) or self._writing.get(key)
            if found is not None or self._reader is None:
                return found
            try:
                row = self._reader.execute("SELECT body FROM responses WHERE key = ?", (key,)).fetchone()
            except sqlite3.DatabaseError as error:
                self._give_up(f"cannot read it ({error}); if this stays so, remove it")
                return None
        if row is None:
            return None
        try:
            return response_from_dict(json.loads(row[0]))
        except (ValueError, KeyError, TypeError, AttributeError):  # one damaged row is one question asked again
            return None

    def put(self, key: str, response: Response) -> None:
        """Remember a response; it is written within `BATCH_SECONDS`."""
        if self._pid != os.getpid():
            self._after_fork()
        if not self._usable:
            return
        with self._lock:
            self._pending[key] = response
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_batches, name="llmkit-cache", daemon=True)
                self._thread.start()
            elif len(self._pending) in {1, BATCH_ROWS}:
                self._changed.notify_all()

    def flush(self) -> None:
        """Return when everything put so far is in the file."""
        if self._pid != os.getpid():
            return
        with self._lock:
            self._hurry = True
            self._changed.notify_all()
            while self._usable and self._thread is not None and (self._pending or self._writing):
                self._changed.wait()
            self._hurry = False

    def close(self) -> None:
        """Write what is left and release the file; safe to call twice, and from a forked child."""
        if self._pid != os.getpid():
            return
        self.flush()
        with self._lock:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._usable = False

    def size(self) -> CacheSize:
        """Return how many responses are in the file, and the bytes it takes with its log."""
        self.flush()
        if self._reader is None:
            return CacheSize(0, 0)
        with self._lock:
            count = self._reader.execute("SELECT count(*) FROM responses").fetchone()[0]
        files = (self.path, Path(f"{self.path}-wal"))
        return CacheSize(int(count), sum(file.stat().st_size for file in files if file.exists()))

    def clear(self) -> int:
        """Forget every response, shrink the file, and return how many there were."""
        return self._delete("DELETE FROM responses", ())

    def prune(self, older_than: float) -> int:
        """Forget responses written more than ``older_than`` seconds ago, shrink the file, return how many."""
        return self._delete("DELETE FROM responses WHERE written < ?", (time.time() - older_than,))

    def _delete(self, statement: str, values: tuple[float, ...]) -> int:
        self.flush()
        if self._reader is None:
            return 0
        with self._lock:
            try:
                count = self._reader.execute(statement, values).rowcount
                self._reader.execute("VACUUM")
                self._reader.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.DatabaseError as error:
                raise InfrastructureError(f"cannot shrink the response cache {self.path}: {error}") from error
        return count

    def _write_batches(self) -> None:
        writer: sqlite3.Connection | None = None
        try:
            writer = connect(self.path)
            writer.execute("PRAGMA synchronous = NORMAL")
            while self._take_batch():
                insert(writer, self._writing, self.warnings)
                with self._lock:
                    self._writing = {}
                    self._changed.notify_all()
            writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            with self._lock:
                self._give_up(f"cannot write it ({error})")
                self._pending, self._writing = {}, {}
                self._changed.notify_all()
        finally:
            if writer is not None:
                writer.close()

    def _take_batch(self) -> bool:
        """Wait for a batch and move it from pending to writing; False when there is nothing left to do."""
        with self._lock:
            while not self._pending:
                if self._closing:
                    return False
                self._changed.wait()
            end = time.monotonic() + BATCH_SECONDS
            while len(self._pending) < BATCH_ROWS and not (self._hurry or self._closing):
                rest = end - time.monotonic()
                if rest <= 0:
                    break
                self._changed.wait(rest)
            self._writing, self._pending = self._pending, {}
        return True

    def _after_fork(self) -> None:
        """Start afresh in a forked child; what was pending is the parent's to write."""
        if self._reader is not None:
            _INHERITED.append(self._reader)
        self._pid = os.getpid()
        self._start()
        self._reader = self._open() if self._usable else None
