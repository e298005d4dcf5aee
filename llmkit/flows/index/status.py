"""What an index holds, how old it is, and what its last runs did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from llmkit.errors import MissingExtraError
from llmkit.retrieval.index import Index
from llmkit.retrieval.known import failures_of
from llmkit.retrieval.schema import connect_reader

_RUNS = "SELECT started, finished, generation, counts, tokens, cost, version FROM runs ORDER BY id DESC LIMIT ?"


def index_status(folder: Path, runs: int = 5) -> dict[str, Any]:
    """Return what `llmkit index status` prints, as plain data.

    Raises:
        UsageError: there is no index in the folder.
        InfrastructureError: it is damaged, or of another schema.
    """
    with Index.open(folder) as index, closing(connect_reader(folder)) as sql:
        meta = index.meta
        derived = index.derived()
        engine = _engine(index)
        rows = sql.execute("SELECT coalesce(sum(rows), 0) FROM epochs WHERE fingerprint = ?", (meta.embed_fingerprint,))
        vectors = int(rows.fetchone()[0])
        live = int(sql.execute("SELECT count(DISTINCT key) FROM chunks").fetchone()[0])
        staged = int(sql.execute("SELECT count(*) FROM staged_documents").fetchone()[0])
        failures = dict(sorted(failures_of(sql).items()))
        last = [_run(row) for row in sql.execute(_RUNS, (runs,))]
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {
        "name": meta.name,
        "folder": str(folder),
        "generation": meta.generation,
        "built": meta.built,
        "documents": meta.documents,
        "chunks": meta.chunks,
        "truncated": meta.truncated,
        "oldest": meta.oldest,
        "newest": meta.newest,
        "fields": dict(meta.fields),
        "embed": meta.config.get("embed"),
        "dimensions": meta.dimensions,
        "vectors": vectors,
        "dead_vectors": max(0, vectors - live) if meta.embed_fingerprint else 0,
        "lexical": (meta.config.get("lexical") or {}).get("tokenizer"),
        "lexical_engine": engine or None,
        "vector_index": None if derived is None else derived.spec,
        "calibrated": None if meta.calibrated is None else _calibrated(meta.calibrated),
        "unpublished": staged,
        "bytes": size,
        "bytes_per_chunk": round(size / meta.chunks) if meta.chunks else 0,
        "failures": {path: one.error for path, one in failures.items()},
        "held": {path: list(one.holds) for path, one in failures.items() if one.holds},
        "runs": last,
    }


def _engine(index: Index) -> str:
    """Return who finds words, also where the engine's package is not installed."""
    try:
        return index.engine
    except MissingExtraError as error:
        return error.extra


def _run(row: Any) -> dict[str, Any]:
    started, finished, generation, counts, tokens, cost, version = row
    return {
        "started": started,
        "finished": finished,
        "generation": generation,
        **json.loads(counts),
        "tokens": tokens,
        "cost": cost,
        "version": version,
    }


def _calibrated(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("generation", "threshold", "target", "coverage", "false", "auroc")}


def status_lines(status: dict[str, Any]) -> list[str]:
    """Return a status as lines for people."""
    documents = f"{status['documents']:,} in {status['chunks']:,} chunks"
    dated = f", dated {status['oldest']} to {status['newest']}" if status["oldest"] else ""
    vectors = "none: lexical only"
    if status["dimensions"]:
        dead = f", {status['dead_vectors']:,} without a chunk" if status["dead_vectors"] else ""
        cut = f", {status['truncated']:,} of texts cut off" if status["truncated"] else ""
        vectors = f"{status['vectors']:,} of length {status['dimensions']}{dead}{cut}"
    lines = [
        f"{status['name']}  {status['folder']}",
        f"generation  {status['generation']}, built {status['built']}",
        f"documents   {documents}{dated}",
        f"vectors     {vectors}",
        f"lexical     {status['lexical']}{', by tantivy' if status['lexical_engine'] == 'tantivy' else ''}",
        f"size        {status['bytes'] / 1e6:,.1f} MB, {status['bytes_per_chunk']:,} bytes a chunk",
    ]
    if status["vector_index"]:
        lines.append(f"searched by {status['vector_index']}")
    if status["calibrated"]:
        one = status["calibrated"]
        stale = "" if one["generation"] == status["generation"] else "; the index has changed since"
        lines.append(f"calibrated  answers from {one['threshold']:.2f} on, by generation {one['generation']}{stale}")
    if status["unpublished"]:
        lines.append(f"unpublished {status['unpublished']:,} documents of a build that was stopped; build again")
    if status["failures"]:
        lines.append(f"failed      {len(status['failures']):,} documents cannot be read")
        lines += [f"  {path}: {error}" for path, error in list(status["failures"].items())[:10]]
    if status["held"]:
        count = sum(map(len, status["held"].values()))
        lines.append(f"held        {count:,} documents that are gone stay, since failed ones may be the same")
    for run in status["runs"]:
        did = ", ".join(f"{run[name]:,} {name}" for name in ("added", "changed", "moved", "removed") if run.get(name))
        lines.append(f"run         {run['started']}  {did or 'nothing changed'}")
    return lines
