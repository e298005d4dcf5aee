"""An encoder of the BERT family as an ONNX graph, from its weights alone: no PyTorch, no exporter.

Reads model.safetensors and config.json. Of onnxruntime's fused nodes those are used that are faster than their parts:
one for an attention, one for a bias with its GELU.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmkit.embedders._onnx_file import Graph

_NUMBERS = {"F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32}


def encoder(folder: Path) -> Graph:
    """Return the graph: input_ids and attention_mask (batch, tokens) int64 to last_hidden_state (batch, tokens, d)."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = Weights(folder / "model.safetensors")
    tokens = ("batch", "tokens")
    graph = Graph(
        {"input_ids": (np.int64, tokens), "attention_mask": (np.int64, tokens)},
        {"last_hidden_state": (np.float32, (*tokens, int(config["hidden_size"])))},
    )
    state = _embedded(graph, weights, config)
    mask = graph.node("Cast", ["attention_mask"], "mask", to=6)
    for layer in range(int(config["num_hidden_layers"])):
        state = _layer(graph, weights, config, layer, (state, mask))
    graph.node("Identity", [state], "last_hidden_state")
    return graph


def _embedded(graph: Graph, weights: Weights, config: Mapping[str, Any]) -> str:
    # Those of RoBERTa's family count positions from behind the number of the padding.
    first = 0 if config["model_type"] == "bert" else int(config["pad_token_id"]) + 1
    # Every token is of type 0, so the type is part of its position.
    places = weights["embeddings.position_embeddings.weight"][first:]
    if "embeddings.token_type_embeddings.weight" in weights:
        places = places + weights["embeddings.token_type_embeddings.weight"][0]
    graph.constant("words", weights["embeddings.word_embeddings.weight"])
    graph.constant("places", places)
    for name, value in (("zero", [0]), ("one", [1])):
        graph.constant(name, np.array(value, np.int64))
    graph.node("Gather", ["words", "input_ids"], "word")
    shape = graph.node("Shape", ["input_ids"], "shape")
    count = graph.node("Gather", [shape, "one"], "count")
    place = graph.node("Slice", ["places", "zero", count, "zero"], "place")
    graph.node("Add", ["word", place], "placed")
    scale = graph.constant("embeddings.scale", weights["embeddings.LayerNorm.weight"])
    shift = graph.constant("embeddings.shift", weights["embeddings.LayerNorm.bias"])
    return graph.node("LayerNormalization", ["placed", scale, shift], "embedded", axis=-1, epsilon=_epsilon(config))


def _layer(graph: Graph, weights: Weights, config: Mapping[str, Any], layer: int, given: tuple[str, str]) -> str:
    state, mask = given
    own = f"encoder.layer.{layer}."
    parts = [own + f"attention.self.{part}." for part in ("query", "key", "value")]
    names = {
        "qkv": np.concatenate([weights[part + "weight"].T for part in parts], axis=1),
        "qkv_bias": np.concatenate([weights[part + "bias"] for part in parts]),
        "out": weights[own + "attention.output.dense.weight"].T,
        "out_bias": weights[own + "attention.output.dense.bias"],
        "scale": weights[own + "attention.output.LayerNorm.weight"],
        "shift": weights[own + "attention.output.LayerNorm.bias"],
        "up": weights[own + "intermediate.dense.weight"].T,
        "up_bias": weights[own + "intermediate.dense.bias"],
        "down": weights[own + "output.dense.weight"].T,
        "down_bias": weights[own + "output.dense.bias"],
        "last_scale": weights[own + "output.LayerNorm.weight"],
        "last_shift": weights[own + "output.LayerNorm.bias"],
    }
    at = {name: graph.constant(own + name, value) for name, value in names.items()}
    fused, heads = "com.microsoft", int(config["num_attention_heads"])
    seen = graph.node("Attention", [state, at["qkv"], at["qkv_bias"], mask], own + "seen", fused, num_heads=heads)
    mixed = graph.node("MatMul", [seen, at["out"]], own + "mixed")
    told = _summed(graph, (mixed, at["out_bias"], state), (at["scale"], at["shift"]), own + "told", _epsilon(config))
    wide = graph.node("MatMul", [told, at["up"]], own + "wide")
    bent = graph.node("BiasGelu", [wide, at["up_bias"]], own + "bent", fused)
    back = graph.node("MatMul", [bent, at["down"]], own + "back")
    norm = (at["last_scale"], at["last_shift"])
    return _summed(graph, (back, at["down_bias"], told), norm, own + "state", _epsilon(config))


def _summed(graph: Graph, parts: Sequence[str], norm: tuple[str, str], name: str, epsilon: float) -> str:
    """Return the layer norm of a sum; onnxruntime's one node for both takes seven times as long as its two."""
    first, *others = parts
    for number, part in enumerate(others):
        first = graph.node("Add", [first, part], f"{name}.sum{number}")
    return graph.node("LayerNormalization", [first, *norm], name, axis=-1, epsilon=epsilon)


def _epsilon(config: Mapping[str, Any]) -> float:
    return float(config.get("layer_norm_eps", 1e-12))


class Weights:
    """The arrays of a safetensors file, mapped into memory; a name is found under any prefix (``bert.``)."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            self._entries: dict[str, Any] = json.loads(file.read(size))
        self._entries.pop("__metadata__", None)
        self._bytes = np.memmap(path, np.uint8, "r", offset=8 + size)
        self._names = {name.split(".", cut)[-1]: name for cut in (1, 0) for name in self._entries}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        entry = self._entries[self._names[name]]
        start, end = entry["data_offsets"]
        part = self._bytes[start:end]
        if entry["dtype"] == "BF16":
            wide = part.view(np.uint16).astype(np.uint32) << 16
            return np.asarray(wide.view(np.float32).reshape(entry["shape"]))
        return np.asarray(part.view(_NUMBERS[entry["dtype"]]).reshape(entry["shape"]), np.float32)
