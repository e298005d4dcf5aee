"""Vectors that no chunk needs any more: how many there are, and a file without them."""

from __future__ import annotations

from typing import Final

from llmkit.retrieval.failures import writing
from llmkit.retrieval.publish import places_of
from llmkit.retrieval.store import IndexStore
from llmkit.retrieval.vector_file import append_rows, open_rows, vector_path

_AT_ONCE: Final = 4096


def dead_share(store: IndexStore) -> float:
    """Return the share of the vectors that serve which no chunk has; 0 without vectors."""
    epoch = int(store.value("epoch") or 0)
    rows = store.rows("SELECT rows FROM epochs WHERE epoch = ?", (epoch,))
    if not rows or not rows[0][0]:
        return 0.0
    import numpy as np

    places = np.frombuffer(store.value("places") or b"", dtype="<i4")
    return float(1 - len(np.unique(places[places >= 0])) / rows[0][0])


def collect(store: IndexStore) -> int:
    """Write the vectors that chunks have to a new file, go over to it in one transaction, and return how many went.

    Those that a build made before it was killed are kept for the next. Readers that are open keep the old file until
    they close. Approximate indexes are to be derived anew.
    """
    old = int(store.value("epoch") or 0)
    if not old:
        return 0
    dimensions, rows = store.rows("SELECT dimensions, rows FROM epochs WHERE epoch = ?", (old,))[0]
    new = store.rows("SELECT max(epoch) FROM epochs")[0][0] + 1
    path = vector_path(store.folder, new)
    vectors = open_rows(vector_path(store.folder, old), rows, dimensions)
    with writing(path):
        path.unlink(missing_ok=True)  # left by a process that was killed
    with store.transaction() as sql:
        sql.execute("CREATE TEMP TABLE IF NOT EXISTS live (row INTEGER PRIMARY KEY)")
        sql.execute("DELETE FROM live")
        for table in ("chunks", "staged_chunks", "staged_keys"):  # a build that was killed has paid for the last two
            sql.execute(
                f"INSERT OR IGNORE INTO live SELECT v.row FROM {table} c "  # noqa: S608 - three constants
                "JOIN vectors v ON v.key = c.key AND v.epoch = ?",
                (old,),
            )
        sql.execute("DELETE FROM vectors WHERE epoch = ? AND row NOT IN (SELECT row FROM live)", (old,))
        at, last = 0, -1
        while True:
            found = [
                row
                for (row,) in sql.execute("SELECT row FROM live WHERE row > ? ORDER BY row LIMIT ?", (last, _AT_ONCE))
            ]
            if not found:
                break
            last = found[-1]
            append_rows(path, vectors[found], at)
            at += len(found)
        sql.execute(
            "UPDATE vectors SET epoch = ?1, row = n.place "
            "FROM (SELECT row, row_number() OVER (ORDER BY row) - 1 AS place FROM live) AS n "
            "WHERE vectors.epoch = ?2 AND n.row = vectors.row",
            (new, old),
        )
        fingerprint = sql.execute("SELECT fingerprint FROM epochs WHERE epoch = ?", (old,)).fetchone()[0]
        sql.execute("DELETE FROM epochs WHERE epoch = ?", (old,))
        sql.execute("INSERT INTO epochs VALUES (?, ?, ?, ?)", (new, fingerprint, dimensions, at))
        places, _ = places_of(sql, new)
        values = {"epoch": new, "places": places}
        sql.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())
        sql.execute("DELETE FROM meta WHERE name = 'derived'")
    store.epoch = new
    del vectors
    store.tidy()
    return int(rows - at)
