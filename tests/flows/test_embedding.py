"""Embedders behind a server, driven by the engine: real HTTP, retries, cost, cache."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit import registry
from llmkit.engine import Settings
from llmkit.errors import ConfigError, InfrastructureError
from llmkit.flows.embedding import embedding
from tests.fakeserver import FakeServer
from tests.fakeserver._answers import embedding_of

TEXTS = [f"text number {number}" for number in range(50)]


def made(server: FakeServer, **arguments: Any) -> Any:
    spec = {
        "openai": {"model": "text-embedding-3-small", "base_url": server.base_url, "api_key_env": None, **arguments}
    }
    return registry.build("embedders", spec).plugin


def wanted(texts: list[str], dimensions: int = 8) -> np.ndarray:
    vectors = np.array([embedding_of(text, dimensions) for text in texts], np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_it_is_called_as_one_that_computes(server: FakeServer) -> None:
    with embedding(made(server, batch_texts=8, query_prefix="q: ")) as embedder:
        assert embedder.dimensions is None
        assert np.allclose(embedder.embed(TEXTS, "passage"), wanted(TEXTS), atol=1e-6)
        assert embedder.dimensions == 8
        assert np.allclose(embedder.embed(["x"], "query"), wanted(["q: x"]), atol=1e-6)
        assert embedder.embed([], "passage").shape[0] == 0
        assert embedder.fingerprint == made(server).fingerprint
        assert embedder.tokens > 0  # type: ignore[attr-defined]
        assert 0 < embedder.cost < 0.01  # type: ignore[attr-defined]
        assert len(embedder.spans(["two words"])[0]) == 2
    assert server.stats()["total"] == 8


def test_dimensions_are_asked_for(server: FakeServer) -> None:
    with embedding(made(server, dimensions=3)) as embedder:
        assert np.allclose(embedder.embed(TEXTS[:2], "passage"), wanted(TEXTS[:2], 3), atol=1e-6)
    assert server.requests()[0]["body"]["dimensions"] == 3


def test_it_works_inside_a_running_loop(server: FakeServer) -> None:
    async def main() -> Any:
        with embedding(made(server)) as embedder:
            return embedder.embed(TEXTS[:1], "query")

    assert np.allclose(asyncio.run(main()), wanted(TEXTS[:1]), atol=1e-6)


def test_the_cache_answers_the_second_time(server: FakeServer, tmp_path: Path) -> None:
    for asked in (1, 1):
        with embedding(made(server), cache=tmp_path / "cache.sqlite") as embedder:
            assert np.allclose(embedder.embed(TEXTS, "passage"), wanted(TEXTS), atol=1e-6)
        assert server.stats()["total"] == asked


def test_what_fails_for_a_while_is_asked_again_and_what_fails_for_good_is_a_sentence() -> None:
    with FakeServer(script={"": ["429"]}) as server, embedding(made(server)) as embedder:
        assert np.allclose(embedder.embed(TEXTS[:3], "passage"), wanted(TEXTS[:3]), atol=1e-6)
    with (
        FakeServer(script={"": ["400"]}) as server,
        embedding(made(server), settings=Settings(max_retries=0)) as embedder,
        pytest.raises(InfrastructureError, match=r"text-embedding-3-small could not embed 2 texts: .*not accepted"),
    ):
        embedder.embed(TEXTS[:2], "passage")


def test_one_that_computes_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "w.vec").write_text("a 1 2\n")
    plain = registry.build("embedders", {"fasttext": {"path": str(tmp_path / "w.vec")}}).plugin
    with embedding(plain) as embedder:
        assert embedder is plain
    with pytest.raises(ConfigError, match="neither embed"), embedding(object()):
        pass
