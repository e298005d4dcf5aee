"""Approximate indexes: derived from a generation's vectors, published by a rename, made anew whenever they are lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmkit import registry
from llmkit.flows.index.options import BuildOptions, Step
from llmkit.retrieval.failures import writing
from llmkit.retrieval.gc import collect
from llmkit.retrieval.index import Index
from llmkit.retrieval.store import IndexStore

if TYPE_CHECKING:
    from numpy import float32, int64
    from numpy.typing import NDArray

EXACT_BELOW: Final = 200_000
"""Vectors below which `auto` searches exactly: milliseconds, and nothing to go wrong."""

AUTO: Final = "faiss"


def derive(store: IndexStore, vector: Any, options: BuildOptions | None = None) -> None:
    """Build the approximate index that ``vector`` asks for, where the last generation has none.

    Args:
        store: The writer; its last generation is read.
        vector: ``exact``, ``auto``, or a spec of the kind ``vectors``.
        options: Who is told.
    """
    meta = store.meta
    if not store.epoch or meta is None or vector in ("exact", "none") or _is_there(store):
        return
    if vector == "auto" and not meta.tuned:
        return
    with Index.open(store.folder) as index:
        vectors, rows = live_vectors(index)
        if vector == "auto":
            tuned = (meta.tuned or {}).get("choice")
            if len(rows) < EXACT_BELOW or tuned is None or tuned == "exact":
                return
            vector = tuned
        if options is not None:
            options.tell(Step("deriving", 0, 0))
        made = registry.build("vectors", vector).plugin
        if made.exact:
            return
        made.build(vectors, rows)
        name = f"ann-{meta.generation}-{store.epoch}"
        draft = store.folder / f"{name}.tmp"
        with writing(draft):
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            made.save(draft)
            shutil.rmtree(store.folder / name, ignore_errors=True)  # made, and not noted before a kill
            draft.replace(store.folder / name)
    with store.transaction() as sql:
        known = json.dumps({"spec": vector, "folder": name})
        sql.execute("INSERT OR REPLACE INTO meta VALUES ('derived', ?)", (known,))
    store.tidy()


def collect_dead(folder: Path) -> int:
    """Drop the vectors that no chunk of an index needs, derive its approximate index anew, return how many went.

    Raises:
        UsageError: there is no index in the folder, or it was never built to its end.
        ConfigError: its approximate index is a plug-in's, and that is not there; nothing was dropped.
    """
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


def _is_there(store: IndexStore) -> bool:
    """Return whether the last generation has its approximate index, and nobody has removed the folder."""
    known = store.value("derived")
    return bool(known) and (store.folder / json.loads(known)["folder"]).is_dir()


def live_vectors(index: Index) -> tuple[NDArray[float32], NDArray[int64]]:
    """Return the vectors that chunks have, shape (n, d), and their rows in the file, in order."""
    import numpy as np

    vectors, places = index.vectors()
    rows = np.unique(places[places >= 0])
    return (vectors if len(rows) == len(vectors) else vectors[rows]), rows
