"""An index over a table: its rows are read in their order, whatever their ids."""

from __future__ import annotations

import json
from pathlib import Path

from llmkit.documents import Found
from llmkit.flows.index.plan import Plan
from llmkit.retrieval.index import Index
from tests.cli.command import llmkit


def test_rows_are_read_in_their_order_and_files_by_path() -> None:
    rows = [Found("c", 1, 0, number=2), Found("a", 1, 0, number=3), Found("b", 1, 0, number=1)]
    assert [found.path for found in Plan(added=rows[:2], changed=rows[2:]).work] == ["b", "c", "a"]
    assert [found.path for found in Plan(added=[Found("b", 1, 1), Found("a", 1, 1)]).work] == ["a", "b"]


def test_a_table_is_kept_in_step(tmp_path: Path) -> None:
    def write(rows: list[dict[str, str]]) -> str:
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        built = llmkit("index", "build", "table.yaml", folder=tmp_path)
        assert built.code == 0, built.err
        return built.out

    (tmp_path / "table.yaml").write_text("source: {jsonl: rows.jsonl}\nstore: store\n", encoding="utf-8")
    rows = [{"id": f"r{9 - n}", "text": f"The text of row {n}."} for n in range(10)]
    assert "10 added" in write(rows)
    assert "nothing changed" in write(rows)
    assert "nothing changed" in write(rows[::-1])
    changed = [{**rows[0], "text": "Another text."}, *rows[2:]]
    assert "1 changed" in write(changed)
    with Index.open(tmp_path / "store") as index:
        assert index.meta.documents == 9
