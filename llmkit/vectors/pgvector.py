"""Approximate search in PostgreSQL with pgvector."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from llmkit.errors import ConfigError, InfrastructureError, MissingKeyError, Problem
from llmkit.registry import vector_index
from llmkit.vectors._base import Searched, portions

_FILE = "pgvector.json"
_KEPT = 2  # tables of the last builds, so that who reads the one before can go on
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_MOST_EFFORT = 1000  # pgvector's own limit of hnsw.ef_search


@vector_index("pgvector")
@dataclass(frozen=True)
class Pgvector(Searched):
    """A table of PostgreSQL with the extension pgvector; what it proposes is scored again with the vectors themselves.

    Each build fills a table of its own and indexes it in one transaction; the tables of the last two builds are kept.
    PostgreSQL holds no words for BM25 here: the lexical leg of a search stays in the index's own file.

    Attributes:
        url_env: The environment variable that holds the connection's address, ``postgresql://user:password@host/name``.
        table: What the tables' names begin with.
        kind: ``hnsw``, ``ivfflat``, or ``none``: every vector, by the server.
        refine: Candidates that are scored for each result wanted.
        links: Links of a node of the graph (HNSW's m).
        build_effort: Candidates while the graph is built (ef_construction).
        effort: Candidates while it is searched (ef_search).
        lists: Lists of ``ivfflat``; the square root of the number of vectors where absent.
        probes: Lists that a search looks into.
    """

    packages: ClassVar[tuple[str, ...]] = ("psycopg", "pgvector")
    extra: ClassVar[str] = "pg"

    url_env: str = "DATABASE_URL"
    table: str = "llmkit_vectors"
    kind: Literal["hnsw", "ivfflat", "none"] = "hnsw"
    refine: int = 4
    links: int = 16
    build_effort: int = 64
    effort: int = 100
    lists: int | None = None
    probes: int = 32

    def __post_init__(self) -> None:
        """Refuse what cannot be a table's name."""
        super().__post_init__()
        if not _NAME.fullmatch(self.table):
            message = f"'{self.table}' cannot name a table: use up to 40 small letters, digits and _"
            raise ConfigError(problems=[Problem(message, key="table")])

    def _build(self, vectors: Any) -> str:
        name = f"{self.table}_{time.time_ns():x}"
        count, width = vectors.shape
        with self._connected() as connection, connection.transaction():
            connection.execute(f"CREATE TABLE {name} (place bigint NOT NULL, v vector({width}) NOT NULL)")
            _copy(connection, name, vectors, 0)
            if self.kind == "hnsw":
                with_ = f"(m = {self.links}, ef_construction = {self.build_effort})"
                connection.execute(f"CREATE INDEX ON {name} USING hnsw (v vector_ip_ops) WITH {with_}")
            elif self.kind == "ivfflat":
                lists = max(1, self.lists or int(count**0.5))
                connection.execute(f"CREATE INDEX ON {name} USING ivfflat (v vector_ip_ops) WITH (lists = {lists})")
            self._drop_old(connection)
        return name

    def _drop_old(self, connection: Any) -> None:
        pattern = f"^{self.table}_[0-9a-f]{{14,16}}$"
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename ~ %s", (pattern,)
        ).fetchall()
        for (name,) in sorted(found)[:-_KEPT]:
            connection.execute(f"DROP TABLE {name}")

    def _add(self, vectors: NDArray[np.float32], start: int) -> str:
        with self._connected() as connection, connection.transaction():
            _copy(connection, self.native, vectors, start)
        return str(self.native)

    def _near(self, queries: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        found = np.full((len(queries), count), -1, np.int64)
        question = f"SELECT place FROM {self.native} ORDER BY v <#> %s LIMIT {int(count)}"  # noqa: S608 - our own name
        with self._connected() as connection, connection.transaction():
            if self.kind == "hnsw":
                connection.execute(f"SET LOCAL hnsw.ef_search = {min(_MOST_EFFORT, max(self.effort, count))}")
                connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")
            elif self.kind == "ivfflat":
                connection.execute(f"SET LOCAL ivfflat.probes = {self.probes}")
            for row, query in enumerate(queries):
                places = [place for (place,) in connection.execute(question, (query,)).fetchall()]
                found[row, : len(places)] = places
        return found

    def _save(self, folder: Path) -> None:
        (folder / _FILE).write_text(json.dumps({"table": self.native}), encoding="utf-8")

    def _load(self, folder: Path) -> str:
        name = str(json.loads((folder / _FILE).read_text(encoding="utf-8"))["table"])
        with self._connected() as connection:
            there = connection.execute("SELECT to_regclass(%s)", (name,)).fetchone()
        if there is None or there[0] is None:
            raise ValueError(f"the database has no table {name} any more; build the index anew")
        return name

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        import psycopg
        from pgvector.psycopg import register_vector

        address = os.environ.get(self.url_env)
        if not address:
            raise MissingKeyError(f"the address of the database is not set: export {self.url_env}")
        try:
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                register_vector(connection)
                yield connection
        except psycopg.Error as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InfrastructureError(f"the database of {self.url_env} failed: {first}") from error


def _copy(connection: Any, name: str, vectors: Any, first: int) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {name} (place, v) FROM STDIN WITH (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["int8", "vector"])
        for start, part in portions(vectors):
            for place, vector in enumerate(part, first + start):
                copy.write_row((place, vector))
