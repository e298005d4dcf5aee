"""What a model's folder says about itself, in the files of sentence-transformers: pooling, layers, prompts, limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmkit.errors import ConfigError, Problem

_FLAGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "lasttoken",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
}
_KNOWN = ("Transformer", "Pooling", "Normalize", "Dense")
_WITH_OFFSET = frozenset(["roberta", "xlm-roberta", "camembert", "longformer", "mpnet", "xlm-roberta-xl"])
_QUERY = ("query",)
_PASSAGE = ("document", "passage", "corpus")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder with an embedding model.

    Attributes:
        path: The folder.
        config: Its config.json.
        pooling: How one vector is made of the tokens'; several are put one behind the other.
        prompt_counts: Whether the tokens of a prompt are pooled too.
        dense: Folders of the layers behind the pooling, in order.
        dimensions: How long a vector is.
        limit: The most tokens of a text, special ones included.
        lower: Whether texts are lower-cased first.
        prompts: What is put before a query and before a passage.
    """

    path: Path
    config: Mapping[str, Any]
    pooling: tuple[str, ...] = ("mean",)
    prompt_counts: bool = True
    dense: tuple[Path, ...] = ()
    dimensions: int = 0
    limit: int = 512
    lower: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)

    def weights(self) -> Path | None:
        """Return the ONNX file, where there is one."""
        places = (self.path / "model.onnx", self.path / "onnx" / "model.onnx")
        return next((path for path in places if path.is_file()), None)


def read_folder(path: Path) -> ModelFolder:
    """Return what a model's folder says about itself.

    Raises:
        ConfigError: it is no such folder, or describes steps that are not taken here.
    """
    for name in ("config.json", "tokenizer.json"):
        if not (path / name).is_file():
            what = f"has no {name}" if path.is_dir() else "is no folder"
            hint = "give the folder of a model as downloaded from a hub: config.json, tokenizer.json and its weights"
            raise ConfigError(problems=[Problem(f"{path} {what}", key="model", hint=hint)])
    config = _json(path / "config.json") or {}
    modules = _json(path / "modules.json") or [{"type": "Transformer", "path": ""}]
    steps = [(str(one.get("type", "")).rpartition(".")[2], path / str(one.get("path", ""))) for one in modules]
    if other := [kind for kind, _ in steps if kind not in _KNOWN]:
        message = f"the model in {path} has a step that is not taken here: {', '.join(other)}"
        raise ConfigError(problems=[Problem(message, key="model", hint="use the embedder sentence_transformers")])
    own = next((_json(at / "sentence_bert_config.json") for kind, at in steps if kind == "Transformer"), None) or {}
    pool = next((_json(at / "config.json") for kind, at in steps if kind == "Pooling"), None) or {}
    modes = _modes(path, pool)
    dense = tuple(at for kind, at in steps if kind == "Dense")
    width = int(config.get("hidden_size") or config.get("d_model") or config.get("dim") or 0) * len(modes)
    if dense:
        width = int((_json(dense[-1] / "config.json") or {}).get("out_features", width))
    return ModelFolder(
        path=path,
        config=config,
        pooling=modes,
        prompt_counts=pool.get("include_prompt", True) is not False,
        dense=dense,
        dimensions=width,
        limit=_limit(path, config, own.get("max_seq_length")),
        lower=own.get("do_lower_case") is True,
        prompts=_prompts(_json(path / "config_sentence_transformers.json") or {}),
    )


def _modes(path: Path, pool: Mapping[str, Any]) -> tuple[str, ...]:
    named = pool.get("pooling_mode")
    if named:
        modes = (named,) if isinstance(named, str) else tuple(named)
    else:
        on = [key for key, value in pool.items() if key.startswith("pooling_mode_") and value is True]
        modes = tuple(mode for flag, mode in _FLAGS.items() if flag in on)
        if unknown := [key for key in on if key not in _FLAGS]:
            modes = tuple(unknown)
    if other := [mode for mode in modes if mode not in _FLAGS.values()]:
        message = f"the model in {path} is pooled in a way that is not known here: {', '.join(other)}"
        raise ConfigError(problems=[Problem(message, key="model", hint="use the embedder sentence_transformers")])
    return modes or ("mean",)


def _limit(path: Path, config: Mapping[str, Any], own: int | None) -> int:
    places = int(config.get("max_position_embeddings") or 512)
    if config.get("model_type") in _WITH_OFFSET:
        places -= 2
    named = (_json(path / "tokenizer_config.json") or {}).get("model_max_length") or places
    return min(int(own or min(named, places)), places if config.get("max_position_embeddings") else int(own or places))


def _prompts(config: Mapping[str, Any]) -> dict[str, str]:
    found = config.get("prompts") or {}
    default = str(found.get(config.get("default_prompt_name"), ""))
    return {
        "query": next((str(found[name]) for name in _QUERY if found.get(name)), default),
        "passage": next((str(found[name]) for name in _PASSAGE if found.get(name)), default),
    }


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
