"""Closing a journal ends, at whichever moment of its syncing thread it comes."""

from __future__ import annotations

import threading
from pathlib import Path

from llmkit.store import Journal
from llmkit.types import Response

DEADLINE = 10.0


class _DecidedJustBefore(threading.Event):
    """Its first ``wait`` finds the event unset, and returns only after it and ``after`` were set."""

    def __init__(self, after: threading.Event) -> None:
        super().__init__()
        self.waiting = threading.Event()
        self._after = after

    def wait(self, timeout: float | None = None) -> bool:
        if self.waiting.is_set():
            return super().wait(timeout)
        found = self.is_set()
        self.waiting.set()
        super().wait(DEADLINE)
        self._after.wait(DEADLINE)
        return found


def test_a_close_between_the_look_and_the_sync_is_not_missed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    closing = _DecidedJustBefore(journal._dirty)
    journal._closing = closing
    journal.put("k", Response("text"))
    assert closing.waiting.wait(DEADLINE)
    closer = threading.Thread(target=journal.close, daemon=True)
    closer.start()
    closer.join(DEADLINE)
    assert not closer.is_alive()
