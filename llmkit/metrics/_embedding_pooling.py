"""From a model's folder to one vector a text: how sentence-transformers says that it is pooled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llmkit.errors import ConfigError, Problem
from llmkit.metrics._embedding_texts import Vectors

Pooling = Literal["mean", "cls", "max", "lasttoken"]

_MODES: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "lasttoken",
}
_KNOWN = ("Transformer", "Pooling", "Normalize")


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """How a model's folder wants its texts embedded.

    Attributes:
        pooling: What of the last state is the text's vector.
        limit: The most tokens of a text; None where the folder names no limit of its own.
    """

    pooling: Pooling = "mean"
    limit: int | None = None


def sentence_model(folder: Path) -> SentenceModel:
    """Return what the folder's own files say; the mean of all tokens where it has no such files.

    Raises:
        ConfigError: the folder describes steps that llmkit does not take, such as a further layer.
    """
    modules = _json(folder / "modules.json")
    if not isinstance(modules, list):
        return SentenceModel()
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if other := [kind for kind in kinds if kind not in _KNOWN]:
        message = f"the model in {folder} has a step that this metric does not take: {', '.join(other)}"
        raise ConfigError(problems=[Problem(message, key="folder", hint="serve it, and give base_url")])
    paths = {kind: folder / str(module.get("path", "")) for kind, module in zip(kinds, modules, strict=True)}
    pooling = _json(paths["Pooling"] / "config.json") if "Pooling" in paths else {}
    limit = (_json(folder / "sentence_bert_config.json") or {}).get("max_seq_length")
    return SentenceModel(_pooling(folder, pooling or {}), limit)


def _pooling(folder: Path, config: dict[str, Any]) -> Pooling:
    for mode in _MODES.values():
        if config.get("pooling_mode") == mode:
            return mode
    on = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    if len(on) > 1 or any(key not in _MODES for key in on):
        message = f"the model in {folder} is pooled in a way that this metric does not know: {', '.join(on)}"
        raise ConfigError(problems=[Problem(message, key="folder", hint="serve it, and give base_url")])
    return _MODES[on[0]] if on else "mean"


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def pooled(pooling: Pooling) -> Vectors:
    """Return how each text becomes one vector of length 1, of shape (1, d)."""

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
