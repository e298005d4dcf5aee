"""An index as one file for other programs: Parquet or JSONL, a row a chunk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from llmkit.errors import UsageError
from llmkit.retrieval.failures import writing
from llmkit.retrieval.index import Index

_AT_ONCE: Final = 2000
FORMATS: Final = (".parquet", ".jsonl")


def export_index(folder: Path, out: Path, *, vectors: bool = False) -> int:
    """Write every chunk to ``out`` and return how many there are.

    A row has path, title, headings, ordinal, start, end, page, text, meta (in Parquet as JSON text), and vector where
    wanted. The file appears whole or not at all.

    Raises:
        UsageError: the file's ending says neither Parquet nor JSONL, or vectors are wanted and there are none.
        InfrastructureError: the disk refused.
    """
    if out.suffix not in FORMATS:
        raise UsageError(f"cannot tell the format from '{out.name}': end it in .parquet or .jsonl")
    with Index.open(folder) as index:
        if vectors:
            index.vectors()
        draft = out.with_name(f".{out.name}.{os.getpid()}.tmp")
        with writing(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            try:
                rows = _rows(index, vectors=vectors)
                count = _parquet(draft, rows) if out.suffix == ".parquet" else _jsonl(draft, rows)
                draft.replace(out)
            finally:
                draft.unlink(missing_ok=True)
    return count


def _rows(index: Index, *, vectors: bool) -> Iterator[dict[str, Any]]:
    array, places = index.vectors() if vectors else (None, None)
    for chunk in index.every():
        row: dict[str, Any] = {
            "path": chunk.path,
            "title": chunk.title,
            "headings": list(chunk.headings),
            "ordinal": chunk.ordinal,
            "start": chunk.start,
            "end": chunk.end,
            "page": chunk.page,
            "text": chunk.text,
            "meta": dict(chunk.meta),
        }
        if array is not None and places is not None:
            row["vector"] = array[places[chunk.number]].tolist()
        yield row


def _jsonl(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for count, row in enumerate(rows, start=1):  # noqa: B007 - it is returned
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count


def _parquet(path: Path, rows: Iterator[dict[str, Any]]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "path": pa.string(), "title": pa.string(), "headings": pa.list_(pa.string()), "ordinal": pa.int32(),
        "start": pa.int64(), "end": pa.int64(), "page": pa.int32(), "text": pa.string(), "meta": pa.string(),
        "vector": pa.list_(pa.float32()),
    }  # fmt: skip
    count, writer = 0, None
    try:
        while batch := list(islice(rows, _AT_ONCE)):
            for row in batch:
                row["meta"] = json.dumps(row["meta"], ensure_ascii=False)
            schema = pa.schema([(name, types[name]) for name in batch[0]])
            table = pa.Table.from_pylist(batch, schema=schema)
            if writer is None:
                writer = pq.ParquetWriter(path, schema)
            writer.write_table(table)
            count += len(batch)
        if writer is None:
            pq.write_table(
                pa.table({name: pa.array([], kind) for name, kind in types.items() if name != "vector"}), path
            )
    finally:
        if writer is not None:
            writer.close()
    return count
