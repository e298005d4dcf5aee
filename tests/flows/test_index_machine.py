"""Documents come, go, move and swap, and builds are killed anywhere: the index still equals a fresh build.

Builds run in processes of their own, which end by SIGKILL before a statement of SQL, or before or after a write to the
vector file. Another process reads all the while: it sees whole generations only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from llmkit.errors import UsageError
from llmkit.flows.index.build import build_index
from llmkit.flows.index.parts import Parts, Safety
from llmkit.retrieval.checks import faults
from llmkit.retrieval.gc import collect
from llmkit.retrieval.index import Index
from llmkit.retrieval.store import IndexStore
from tests.flows.index_source import Words, parts_of
from tests.retrieval.made_index import HashEmbedder

store_module: Any = sys.modules[IndexStore.__module__]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="builds are killed in forked processes"),
]

NAMES = ["a.txt", "b.txt", "c.txt", "sub/d.txt", "sub/e.txt"]
WORDS = ["alpha", "beta", "gamma", "delta", "epsilon"]
PARAGRAPH = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
TEXT = st.lists(PARAGRAPH, min_size=1, max_size=5).map("\n\n".join)


def content_of(index: Index) -> list[tuple[str, int, int, str]]:
    return sorted((chunk.path, chunk.start, chunk.end, chunk.text) for chunk in index.every())


def digest_of(content: object) -> str:
    return hashlib.blake2b(repr(content).encode(), digest_size=8).hexdigest()


def in_process(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked process and return its pid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads of NumPy's are idle
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def killed_at(moment: int, parts: Parts) -> None:
    """Build, and die at the given event; the events are statements of SQL and writes of vectors."""
    left = [moment]

    def event(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def connect(folder: Path, *, real: Any = store_module.connect_writer) -> Any:
        connection = real(folder)
        connection.set_trace_callback(event)
        return connection

    def append(*given: Any, real: Any = store_module.append_rows) -> Any:
        event()
        found = real(*given)
        event()
        return found

    store_module.connect_writer = connect
    store_module.append_rows = append
    build_index(parts)


def watch(folder: Path, stop: Path, out: Path) -> None:
    """Write the digest of each generation that is seen, and whether its vectors are those of its texts."""
    seen: set[tuple[int, str]] = set()
    with out.open("w", buffering=1) as file:
        while out.exists() and not stop.exists():
            time.sleep(0.002)
            with suppress(UsageError), Index.open(folder) as index:
                content = content_of(index)
                state = (index.meta.generation, digest_of(content))
                vectors, rows = index.vectors()
                version = index.meta.embed_fingerprint or ""
                made = HashEmbedder(version=version.rsplit("-", 1)[1])
                for chunk in index.every():
                    if not np.array_equal(vectors[rows[chunk.number]], made.embed([chunk.text], "passage")[0]):
                        file.write(f"wrong vector of {chunk}\n")
                if state not in seen:
                    file.write(f"{state[1]}\n")
                    seen.add(state)


class IndexMachine(RuleBasedStateMachine):
    """Files in a folder, an index of them, and whoever kills builds."""

    @initialize(texts=st.lists(TEXT, min_size=2, max_size=4))
    def begin(self, texts: list[str]) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="llmkit-machine-"))
        self.root = self.base / "texts"
        self.clock = 1_500_000_000
        self.version = "1"
        self.states: set[str] = {digest_of([])}
        for name, text in zip(NAMES, texts, strict=False):
            self.put(name, text)
        self.watcher = in_process(lambda: watch(self.base / "index", self.base / "stop", self.base / "seen"))

    @property
    def there(self) -> list[Path]:
        return sorted(self.root.rglob("*.txt"))

    def put(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.clock += 10
        os.utime(path, (self.clock, self.clock))

    def parts(self, folder: str = "index") -> Parts:
        embedder = HashEmbedder(version=self.version)
        safe = Safety(max_delete_ratio=1.0)
        return parts_of(self.root, self.base / folder, embedder, tokenizer=Words(), safety=safe)

    @contextmanager
    def noted(self) -> Iterator[Parts]:
        """Note what the next generation holds: what lies in the folder now."""
        parts = self.parts()
        found = []
        for path in self.there:
            document = parts.source.load(_Found(path.relative_to(self.root).as_posix()))
            for chunk in parts.chunker.cut(document, parts.tokenizer):
                found.append((document.path, chunk.start, chunk.end, document.text[chunk.start : chunk.end]))  # noqa: PERF401
        self.states.add(digest_of(sorted(found)))
        yield parts

    @rule(name=st.sampled_from(NAMES), text=TEXT)
    def write(self, name: str, text: str) -> None:
        self.put(name, text)

    @rule(pick=st.integers(0, 9), line=PARAGRAPH)
    def edit(self, pick: int, line: str) -> None:
        path = self.there[pick % len(self.there)]
        self.put(path.relative_to(self.root).as_posix(), f"{path.read_text()}\n\n{line}")

    @rule(pick=st.integers(0, 9), name=st.sampled_from(NAMES))
    def rename(self, pick: int, name: str) -> None:
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        self.there[pick % len(self.there)].rename(target)

    @precondition(lambda self: len(self.there) > 1)
    @rule(pick=st.integers(0, 9))
    def swap(self, pick: int) -> None:
        first, second = self.there[pick % len(self.there)], self.there[(pick + 1) % len(self.there)]
        first.rename(self.base / "aside")
        second.rename(first)
        (self.base / "aside").rename(second)

    @rule(pick=st.integers(0, 9), name=st.sampled_from(NAMES))
    def duplicate(self, pick: int, name: str) -> None:
        self.put(name, self.there[pick % len(self.there)].read_text())

    @precondition(lambda self: len(self.there) > 1)
    @rule(pick=st.integers(0, 9))
    def delete(self, pick: int) -> None:
        self.there[pick % len(self.there)].unlink()

    @rule(version=st.sampled_from("12"))
    def change_embedder(self, version: str) -> None:
        self.version = version

    @rule(moment=st.integers(0, 140))
    def build_and_kill(self, moment: int) -> None:
        with self.noted() as parts:
            pid = in_process(lambda: killed_at(moment, parts))
            status = os.waitpid(pid, 0)[1]
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0

    @rule()
    def build(self) -> None:
        with self.noted() as parts:
            build_index(parts)
        self.holds()

    @rule()
    def clean_up(self) -> None:
        with suppress(UsageError), IndexStore(self.base / "index") as store:
            if store.meta is not None:
                collect(store)

    def holds(self) -> None:
        """The index equals one that is built of the same files from nothing."""
        shutil.rmtree(self.base / "fresh", ignore_errors=True)
        build_index(replace(self.parts(), folder=self.base / "fresh"))
        with Index.open(self.base / "index") as index, Index.open(self.base / "fresh") as fresh:
            assert content_of(index) == content_of(fresh)
            for query in WORDS:
                assert hits(index, query) == hits(fresh, query)
        with IndexStore(self.base / "index") as store:
            assert list(faults(store, title_prefix=True)) == []
        parts = self.parts()
        build_index(parts)
        assert parts.embedder is not None
        assert parts.embedder.calls == []  # type: ignore[attr-defined]

    def teardown(self) -> None:
        if not hasattr(self, "base"):
            return
        try:
            with self.noted() as parts:
                build_index(parts)
            self.holds()
            self.stop()
            seen = (self.base / "seen").read_text().splitlines()
            assert [line for line in seen if line not in self.states] == []
        finally:
            self.stop()
            shutil.rmtree(self.base, ignore_errors=True)

    def stop(self) -> None:
        if self.watcher:
            (self.base / "stop").touch()
            watcher, self.watcher = self.watcher, 0
            assert os.waitpid(watcher, 0)[1] == 0


class _Found:
    def __init__(self, path: str) -> None:
        self.path = path


def hits(index: Index, query: str) -> list[tuple[float, str, int]]:
    found = index.lexical(query, 100)
    chunks = index.chunks([number for number, _ in found])
    return sorted((-round(score, 9), chunk.path, chunk.start) for (_, score), chunk in zip(found, chunks, strict=True))


IndexMachine.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=15,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
TestIndexMachine = IndexMachine.TestCase
