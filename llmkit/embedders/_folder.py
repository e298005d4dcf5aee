"""What a model's folder says about itself, in the files of sentence-transformers: pooling, layers, prompts, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmkit.errors import ConfigError, Problem
from llmkit.sentence_model import POOLINGS, read_json, read_sentence_model

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
    config = read_json(path / "config.json") or {}
    said = read_sentence_model(
        path,
        steps=("Transformer", "Pooling", "Normalize", "Dense"),
        poolings=POOLINGS,
        most=len(POOLINGS),
        key="model",
        hint="use the embedder sentence_transformers",
    )
    width = int(config.get("hidden_size") or config.get("d_model") or config.get("dim") or 0) * len(said.pooling)
    if said.dense:
        width = int((read_json(said.dense[-1] / "config.json") or {}).get("out_features", width))
    return ModelFolder(
        path=path,
        config=config,
        pooling=said.pooling,
        prompt_counts=said.prompt_counts,
        dense=said.dense,
        dimensions=width,
        limit=_limit(path, config, said.limit),
        lower=said.lower,
        prompts=_prompts(read_json(path / "config_sentence_transformers.json") or {}),
    )


def _limit(path: Path, config: Mapping[str, Any], own: int | None) -> int:
    places = int(config.get("max_position_embeddings") or 512)
    if config.get("model_type") in _WITH_OFFSET:
        places -= 2
    named = (read_json(path / "tokenizer_config.json") or {}).get("model_max_length") or places
    return min(int(own or min(named, places)), places if config.get("max_position_embeddings") else int(own or places))


def _prompts(config: Mapping[str, Any]) -> dict[str, str]:
    found = config.get("prompts") or {}
    default = str(found.get(config.get("default_prompt_name"), ""))
    return {
        "query": next((str(found[name]) for name in _QUERY if found.get(name)), default),
        "passage": next((str(found[name]) for name in _PASSAGE if found.get(name)), default),
    }
