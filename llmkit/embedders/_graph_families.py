"""Which models a graph can be made for; asked at every start, so it loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FAMILIES = ("bert", "roberta", "xlm-roberta", "camembert")
"""Model types that a graph can be made for."""

GRAPH_VERSION = 2
"""Of the graph; another one is written anew."""


def problem(config: Mapping[str, Any]) -> str:
    """Return why no graph can be made for a model's config.json; empty where one can."""
    kind = config.get("model_type")
    if kind not in FAMILIES:
        return f"a graph can be made for {', '.join(FAMILIES)}, not for '{kind}'"
    if config.get("hidden_act", "gelu") != "gelu":
        return f"its activation is '{config['hidden_act']}', a graph can be made for 'gelu'"
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        return "its positions are not absolute"
    return ""
