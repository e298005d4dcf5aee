"""From the vectors of a text's tokens to the text's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmkit.errors import ConfigError, Problem

Floats = NDArray[np.float32]


def pooled(states: Floats, mask: NDArray[Any], modes: Sequence[str]) -> Floats:
    """Return vectors (texts, d * modes) of states (texts, tokens, d); ``mask`` says which tokens count."""
    return np.concatenate([_one(states, mask, mode) for mode in modes], axis=1)


def _one(states: Floats, mask: NDArray[Any], mode: str) -> Floats:
    texts = np.arange(len(states))
    if mode == "cls":
        return np.asarray(states[texts, mask.argmax(axis=1)], np.float32)
    if mode == "lasttoken":
        return np.asarray(states[texts, mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)], np.float32)
    if mode == "max":
        kept = np.where(mask[:, :, None] > 0, states, np.float32(-np.inf))
        return np.asarray(kept.max(axis=1), np.float32)
    weights = mask.astype(np.float32)
    if mode == "weightedmean":
        weights *= np.arange(1, mask.shape[1] + 1, dtype=np.float32)
    total = np.maximum(weights.sum(axis=1, keepdims=True), np.float32(1e-9))
    summed = (weights[:, None, :] @ states)[:, 0]
    return np.asarray(summed / (np.sqrt(total) if mode == "mean_sqrt_len_tokens" else total), np.float32)


def normalised(vectors: Floats) -> Floats:
    """Return vectors of length 1; a vector of nothing stays one."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)


class Dense:
    """A layer behind the pooling, from its own folder."""

    def __init__(self, folder: Path) -> None:
        from llmkit.embedders._bert_graph import Weights

        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = str(config.get("activation_function", "Identity")).rpartition(".")[2]
        if kind not in {"Identity", "Tanh"} or not (folder / "model.safetensors").is_file():
            message = f"the layer in {folder} cannot be computed here"
            raise ConfigError(problems=[Problem(message, key="model", hint="use the embedder sentence_transformers")])
        weights = Weights(folder / "model.safetensors")
        self._matrix = weights["linear.weight"].T
        self._bias = weights["linear.bias"] if "linear.bias" in weights else np.float32(0)
        self._tanh = kind == "Tanh"

    def __call__(self, vectors: Floats) -> Floats:
        found = vectors @ self._matrix + self._bias
        return np.asarray(np.tanh(found) if self._tanh else found, np.float32)
