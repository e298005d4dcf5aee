"""What the config tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmkit.config import EvalConfig, load_eval_config
from llmkit.errors import ConfigError
from llmkit.registry import owners

Load = Callable[..., EvalConfig]
Refusal = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a config from its text (or bytes), as ``eval.yaml``."""

    def make(text: str | bytes, *overrides: str) -> EvalConfig:
        path = tmp_path / "eval.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_eval_config(path, overrides)

    return make


@pytest.fixture
def refusal(load: Load, tmp_path: Path) -> Refusal:
    """Returns the lines that a user reads about a bad config, without the folder."""

    def read(text: str | bytes, *overrides: str) -> list[str]:
        with pytest.raises(ConfigError) as refused:
            load(text, *overrides)
        assert refused.value.exit_code == 2
        return str(refused.value).replace(f"{tmp_path}/", "").splitlines()

    return read


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """Forgets the plug-ins that a test's config brought."""
    before = dict(owners.registered)
    yield
    for name in set(owners.registered) - set(before):
        if owners.registered[name].__module__.startswith("llmkit_plugin_"):
            del owners.registered[name]
