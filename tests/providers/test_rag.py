"""The arguments of the target rag; what it does is tested with the flow (tests/flows/test_rag.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmkit import registry
from llmkit.errors import ConfigError
from llmkit.providers.rag import Rag


def test_rag_round_trips_and_refuses_what_means_nothing(tmp_path: Path) -> None:
    built = registry.build("providers", {"rag": {"index": "ix", "generate": {"echo": {}}}}, base=tmp_path)
    assert isinstance(built.plugin, Rag)
    assert built.plugin.modes == ("retrieval_augmented",)
    wrong: list[dict[str, Any]] = [
        {"modes": []},
        {"weights": {"direct": 1}},
        {"temperature": -1},
        {"fuse": "rag_sequence"},
    ]
    for keys in wrong:
        with pytest.raises(ConfigError):
            registry.build("providers", {"rag": {"index": "ix", "generate": "echo", **keys}}, base=tmp_path)
