"""What a model's folder says about itself in the files of sentence-transformers: its steps, pooling and limits.

Source: the folder layout of sentence-transformers (``modules.json``, ``sentence_bert_config.json``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
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
POOLINGS = tuple(_FLAGS.values())
"""Every way to make one vector of the tokens'."""


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """How a folder wants its texts embedded; one without such files wants the mean of all tokens.

    Attributes:
        pooling: How one vector is made of the tokens'; several are put one behind the other.
        prompt_counts: Whether the tokens of a prompt are pooled too.
        dense: Folders of the layers behind the pooling, in order.
        limit: The most tokens of a text; None where no limit is named beside the model's own.
        lower: Whether texts are lower-cased first.
    """

    pooling: tuple[str, ...] = ("mean",)
    prompt_counts: bool = True
    dense: tuple[Path, ...] = ()
    limit: int | None = None
    lower: bool = False


def read_sentence_model(
    folder: Path, *, steps: Collection[str], poolings: Collection[str], most: int, key: str, hint: str
) -> SentenceModel:
    """Return what a folder says.

    Args:
        folder: The model's.
        steps: The kinds of steps that the caller can take: ``Transformer``, ``Pooling``...
        poolings: The poolings that it knows, of `POOLINGS`.
        most: How many of them it can put one behind the other.
        key: What a refusal is about.
        hint: What to do then.

    Raises:
        ConfigError: the folder wants a step or a pooling that the caller does not take.
    """
    modules = read_json(folder / "modules.json") or ()
    named = [(str(one.get("type", "")).rpartition(".")[2], folder / str(one.get("path", ""))) for one in modules]
    if other := [kind for kind, _ in named if kind not in steps]:
        message = f"the model in {folder} has a step that is not taken here: {', '.join(other)}"
        raise ConfigError(problems=[Problem(message, key=key, hint=hint)])
    places = dict(reversed(named))
    pool = _said(places.get("Pooling"), "config.json")
    own = _said(places.get("Transformer", folder), "sentence_bert_config.json")
    modes = _modes(pool)
    if (other := [mode for mode in modes if mode not in poolings]) or len(modes) > most:
        message = f"the model in {folder} is pooled in a way that is not known here: {', '.join(other or modes)}"
        raise ConfigError(problems=[Problem(message, key=key, hint=hint)])
    return SentenceModel(
        pooling=modes,
        prompt_counts=pool.get("include_prompt", True) is not False,
        dense=tuple(at for kind, at in named if kind == "Dense"),
        limit=own.get("max_seq_length"),
        lower=own.get("do_lower_case") is True,
    )


def _said(folder: Path | None, file: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = {} if folder is None else read_json(folder / file) or {}
    return found


def _modes(pool: Mapping[str, Any]) -> tuple[str, ...]:
    named = pool.get("pooling_mode")
    if named:
        return (named,) if isinstance(named, str) else tuple(named)
    on = [key for key, value in pool.items() if key.startswith("pooling_mode_") and value is True]
    unknown = tuple(key for key in on if key not in _FLAGS)
    return unknown or tuple(mode for flag, mode in _FLAGS.items() if flag in on) or ("mean",)


def read_json(path: Path) -> Any:
    """Return what a JSON file of a model holds; None where there is no such file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
