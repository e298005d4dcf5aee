"""What is derived from a generation: approximate indexes, words for another engine. Made anew whenever it is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmkit import registry
from llmkit.errors import LlmkitError
from llmkit.flows.index.options import BuildOptions, Step
from llmkit.hashing import digest
from llmkit.retrieval.failures import writing
from llmkit.retrieval.gc import collect
from llmkit.retrieval.records import IndexMeta
from llmkit.retrieval.store import IndexStore
from llmkit.retrieval.tantivy import ENGINE, write_words

if TYPE_CHECKING:
    from numpy import float32, int64
    from numpy.typing import NDArray

    from llmkit.retrieval.index import Index

EXACT_BELOW: Final = 200_000
"""Vectors below which `auto` searches exactly: milliseconds, and nothing to go wrong."""


def derive(store: IndexStore, vector: Any, options: BuildOptions | None = None) -> None:
    """Build the approximate index that ``vector`` asks for, where the last generation has none or has another.

    Args:
        store: The writer; its last generation is read.
        vector: ``exact``, ``auto``, or a spec of the kind ``vectors``.
        options: Who is told.
    """
    meta = store.meta
    if meta is None:
        return
    known = json.loads(store.value("derived") or "{}")
    wanted = _wanted(store, meta, vector)
    name = f"ann-{meta.generation}-{store.epoch}-{digest(wanted)[:8]}"
    if known == {"spec": wanted, "folder": name} and (store.folder / name).is_dir():
        return
    if wanted is None or registry.build("vectors", wanted).plugin.exact:
        if known:
            forget_derived(store)
        return
    if options is not None:
        options.tell(Step("deriving", 0, 0))
    from llmkit.retrieval.index import Index

    with Index.open(store.folder) as index:
        _make(wanted, index, store.folder / name)
    with store.transaction() as sql:
        noted = json.dumps({"spec": wanted, "folder": name})
        sql.execute("INSERT OR REPLACE INTO meta VALUES ('derived', ?)", (noted,))
    store.tidy()


def derived_fault(folder: Path) -> str | None:
    """Return a sentence where the approximate index of the last generation cannot be read; None where it can.

    One whose package or plug-in is missing is not looked at: who searches it is told so then.
    """
    import numpy as np

    from llmkit.retrieval.index import Index

    with suppress(LlmkitError), Index.open(folder) as index:
        derived = index.derived()
        if derived is not None:
            made, (vectors, _) = registry.build("vectors", derived.spec).plugin, index.vectors()
            try:
                made.load(derived.folder, vectors, np.arange(len(vectors), dtype=np.int64))
            except (ValueError, OSError):
                return f"{derived.folder.name} is damaged; every vector is searched in its place"
    return None


def forget_derived(store: IndexStore) -> None:
    """Have the next build derive the approximate index anew."""
    with store.transaction() as sql:
        sql.execute("DELETE FROM meta WHERE name = 'derived'")
    store.tidy()


def _wanted(store: IndexStore, meta: IndexMeta, vector: Any) -> Any:
    """Return the spec of the approximate index that the last generation is to have; None for exact search."""
    if not store.epoch or vector in ("exact", "none"):
        return None
    if vector == "auto":
        vector = (meta.tuned or {}).get("choice")
        if vector in (None, "exact") or _count(store) < EXACT_BELOW:
            return None
    return vector


def _count(store: IndexStore) -> int:
    """Return how many vectors chunks have."""
    import numpy as np

    places = np.frombuffer(store.value("places") or b"", dtype="<i4")
    return len(np.unique(places[places >= 0]))


def derive_words(store: IndexStore, engine: str, options: BuildOptions | None = None) -> None:
    """Write the words of the last generation for the lexical ``engine``, where it is another than FTS5.

    Raises:
        MissingExtraError: the engine's package is not installed.
    """
    meta, tokenizer, known = store.meta, store.value("lexical"), store.value("words")
    if meta is None:
        return
    name = f"words-{meta.generation}-{tokenizer}" if tokenizer and engine == ENGINE else None
    if known == name and (name is None or (store.folder / name).is_dir()):
        store.tidy()  # of the generation before, whose engine may have been another
        return
    if name is not None:
        if options is not None:
            options.tell(Step("deriving", 0, 0))
        chunks = store.connection.execute("SELECT number, lead || char(10) || text FROM chunks ORDER BY number")
        _whole(store.folder / name, lambda draft: write_words(draft, chunks, tokenizer))
    with store.transaction() as sql:
        sql.execute("DELETE FROM meta WHERE name = 'words'")
        if name is not None:
            sql.execute("INSERT INTO meta VALUES ('words', ?)", (name,))
    store.tidy()


def _make(spec: Any, index: Index, folder: Path) -> None:
    """Build an approximate index of an index's vectors in a folder, which is there whole or not at all."""
    vectors, rows = live_vectors(index)
    made = registry.build("vectors", spec).plugin
    made.build(vectors, rows)
    _whole(folder, made.save)


def _whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Write a folder that is there whole or not at all."""
    draft = folder.with_name(f"{folder.name}.tmp")
    with writing(draft):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        write(draft)
        shutil.rmtree(folder, ignore_errors=True)  # made, and not noted before a kill
        draft.replace(folder)


def collect_dead(folder: Path) -> int:
    """Drop the vectors that no chunk of an index needs, derive its approximate index anew, return how many went.

    Raises:
        UsageError: there is no index in the folder, or it was never built to its end.
        ConfigError: its approximate index is a plug-in's, and that is not there; nothing was dropped.
    """
    from llmkit.retrieval.index import Index

    with Index.open(folder) as index:
        meta = index.meta
    vector = meta.config.get("vector", "auto")
    if vector != "exact" and (vector != "auto" or meta.tuned):
        home = Path(meta.source).parent if meta.source else Path()
        registry.load_plugins([home / file for file in meta.config.get("plugins", ())])
    with IndexStore(folder) as store:
        store.epoch = int(store.value("epoch") or 0)
        gone = collect(store)
        derive(store, vector)
    return gone


def live_vectors(index: Index) -> tuple[NDArray[float32], NDArray[int64]]:
    """Return the vectors that chunks have, shape (n, d), and their rows in the file, in order."""
    import numpy as np

    vectors, places = index.vectors()
    rows = np.unique(places[places >= 0])
    return (vectors if len(rows) == len(vectors) else vectors[rows]), rows
