"""The embedder openai: what it asks for, and what it makes of the answers; no server here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import registry
from llmkit.errors import ConfigError, PermanentError
from llmkit.types import Request, Response


def made(**arguments: Any) -> Any:
    return registry.build("embedders", {"openai": {"model": "m", **arguments}}).plugin


def numbers(text: str) -> tuple[float, ...]:
    return (float(len(text)) + 1, float(sum(map(ord, text)) % 97), 1.0)


def answered(embedder: Any, texts: list[str], role: str = "passage") -> tuple[list[Request], Any]:
    dialogue = embedder.asks(texts, role)
    try:
        requests = next(dialogue)
    except StopIteration as end:
        return [], end.value
    replies = [Response(embeddings=tuple(numbers(text) for text in request.texts)) for request in requests]
    with pytest.raises(StopIteration) as ended:
        dialogue.send(replies)
    return requests, ended.value.value


@given(st.lists(st.text(max_size=40), max_size=30), st.integers(1, 5), st.integers(1, 30))
def test_each_text_gets_its_vector_whatever_shares_a_request(texts: list[str], most: int, tokens: int) -> None:
    embedder = made(batch_texts=most, batch_tokens=tokens)
    requests, vectors = answered(embedder, texts)
    assert len(vectors) == len(texts)
    for text, vector in zip(texts, vectors, strict=True):
        wanted = np.array(numbers(text))
        assert np.allclose(vector, wanted / np.linalg.norm(wanted), atol=1e-6)
    for request in requests:
        assert request.kind == "embedding"
        assert len(request.texts) <= most
        assert len(request.texts) == 1 or sum(len(s) for s in embedder.spans(request.texts)) <= tokens
    sent = [text for request in requests for text in request.texts]
    assert len(sent) == len(set(sent)) == len(set(texts))


def test_prefixes_and_dimensions_are_sent() -> None:
    embedder = made(query_prefix="query: ", instruction={"domain": "law"}, dimensions=256)
    [request], _ = answered(embedder, ["x"], "query")
    assert request.texts == ("query: x",)
    assert request.params == {"dimensions": 256}
    [request], _ = answered(embedder, ["x"], "passage")
    assert request.texts == ("Represent the law document for retrieval: x",)


def test_the_target_and_the_fingerprint() -> None:
    embedder = made(base_url="http://127.0.0.1:1/v1", api_key_env=None, provider={"headers": {"a": "b"}})
    wanted = {"model": "m", "api_key_env": None, "headers": {"a": "b"}, "base_url": "http://127.0.0.1:1/v1"}
    assert embedder.target == {"openai": wanted}
    registry.build("providers", embedder.target)
    same = made(base_url="http://127.0.0.1:1/v1", batch_texts=3, query_prefix="q")
    assert same.fingerprint == embedder.fingerprint
    assert (
        len(
            {
                made(**one).fingerprint
                for one in ({}, {"dimensions": 3}, {"passage_prefix": "p"}, {"base_url": "http://x"})
            }
        )
        == 4
    )


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        (((1.0, 2.0),), "asked for 2 vectors, got 1"),
        (((1.0, 2.0), (1.0,)), "of different lengths"),
        (((1.0, 2.0), (1.0, float("nan"))), "what is no number"),
    ],
)
def test_answers_that_are_no_vectors(embeddings: Any, message: str) -> None:
    dialogue = made().asks(["a", "b"], "query")
    next(dialogue)
    with pytest.raises(PermanentError, match=message):
        dialogue.send([Response(embeddings=embeddings)])


def test_tokens_are_counted_approximately() -> None:
    [spans] = made().spans(["Embeddings, 2024!"])
    assert [tuple(one) for one in spans.tolist()] == [(0, 5), (5, 10), (10, 11), (12, 15), (15, 16), (16, 17)]
    assert made().spans([""])[0].shape == (0, 2)


def test_arguments_out_of_range() -> None:
    with pytest.raises(ConfigError, match=r"dimensions: must be at least 1, got 0\n.*batch_texts: must be at least 1"):
        made(dimensions=0, batch_texts=0)
