"""From the states of a text's tokens to one vector of the text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

from llmkit.metrics._embedding_texts import Vectors
from llmkit.sentence_model import SentenceModel, read_sentence_model

Pooling = Literal["mean", "cls", "max", "lasttoken"]


def sentence_model(folder: Path) -> SentenceModel:
    """Return what the folder's own files say; the mean of all tokens where it has no such files.

    Raises:
        ConfigError: the folder describes steps that this metric does not take, such as a further layer.
    """
    return read_sentence_model(
        folder,
        steps=("Transformer", "Pooling", "Normalize"),
        poolings=get_args(Pooling),
        most=1,
        key="folder",
        hint="serve it, and give base_url",
    )


def pooled(pooling: str) -> Vectors:
    """Return how each text becomes one vector of length 1, of shape (1, d); ``pooling`` is one of `Pooling`."""

    def reduce(layers: Any, mask: Any) -> Any:
        last, kept = layers[-1].float(), mask.unsqueeze(-1)
        if pooling == "mean":
            found = (last * kept).sum(1) / kept.sum(1)
        elif pooling == "max":
            found = last.masked_fill(kept == 0, float("-inf")).max(1).values
        else:
            ends = mask.sum(1) - 1 if pooling == "lasttoken" else mask.sum(1) * 0
            found = last[range(len(last)), ends]
        return (found / found.norm(dim=-1, keepdim=True).clamp_min(1e-12)).unsqueeze(1)

    return Vectors(f"pooled-{pooling}", reduce)
