"""What a test registers is forgotten after it; what it made the house load stays, because modules stay loaded too."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from llmkit.registry import owners


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    before = dict(owners.registered)
    yield
    loaded = {name: cls for name, cls in owners.registered.items() if cls.__module__.startswith("llmkit.")}
    owners.registered.clear()
    owners.registered.update(loaded | before)
    owners.forget_installed()
    for module in [m for m in sys.modules if m.startswith("llmkit_plugin_")]:
        del sys.modules[module]
