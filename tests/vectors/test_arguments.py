"""Back-ends refuse what cannot be, before anything is built; and 8 bits cost quality only where they are shared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit import registry
from llmkit.errors import ConfigError, InfrastructureError, MissingExtraError, MissingKeyError
from llmkit.vectors import _base
from tests.vectors.backends import BACKENDS, built, made, truth


@pytest.mark.parametrize("name", sorted({spec.partition("(")[0] for spec in BACKENDS} - {"exact"}))
def test_a_missing_package_is_named_with_its_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_base, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=rf"'{name}' needs .* pip install 'llmkit\[\w+\]'"):
        registry.build("vectors", name)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("faiss(refine=0)", "refine: must be at least 1, got 0"),
        ("usearch(links=-1)", "links: must be at least 1, got -1"),
        ("hnswlib(effort=0)", "effort: must be at least 1, got 0"),
        ("pgvector(table='no; table')", "cannot name a table"),
    ],
)
def test_arguments_out_of_range(spec: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_base, "find_spec", lambda _: True)
    with pytest.raises(ConfigError, match=message):
        registry.build("vectors", spec)


def test_the_database_s_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    index = built("pgvector", key="")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(MissingKeyError, match="export DATABASE_URL"):
        index.build(made(3), np.arange(3))
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:secret@127.0.0.1:1/none")
    with pytest.raises(InfrastructureError, match="the database of DATABASE_URL failed") as raised:
        index.build(made(3), np.arange(3))
    assert "secret" not in str(raised.value)


@pytest.mark.slow
def test_tables_of_the_last_two_builds_are_kept(database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    first: Any = None
    for number in range(3):
        index = built("pgvector(table='kept')")
        index.build(made(20), np.arange(20))
        (tmp_path / str(number)).mkdir()
        index.save(tmp_path / str(number))
        first = first or index
    again = built("pgvector(table='kept')")
    again.load(tmp_path / "1", made(20), np.arange(20))
    with pytest.raises(ValueError, match="build the index anew"):
        again.load(tmp_path / "0", made(20), np.arange(20))


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["faiss", "usearch", "hnswlib"])
def test_a_damaged_file_is_a_sentence(spec: str, tmp_path: Path) -> None:
    index = built(spec)
    index.build(made(200), np.arange(200))
    index.save(tmp_path)
    [file] = [path for path in tmp_path.iterdir() if path.suffix != ".npy"]
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="cannot be read"):
        built(spec).load(tmp_path, made(200), np.arange(200))


@pytest.mark.slow
def test_one_range_for_all_dimensions_loses_what_a_range_for_each_keeps() -> None:
    vectors = made(4000, 64)
    vectors[:, 0] += 6  # a few dimensions of real models are far larger than the others
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, asked = np.arange(4000), vectors[::200]
    wanted = truth(vectors, rows, asked, 10)

    def recall(kind: str) -> float:
        index = built(f"faiss(kind='{kind}')")
        index.build(vectors, rows)
        near = index._near(asked, 10)
        return float(np.mean([len(set(own) & set(best)) / 10 for own, best in zip(near.tolist(), wanted, strict=True)]))

    assert recall("sq8") > 0.95
    assert recall("sq8_uniform") < recall("sq8") - 0.1
