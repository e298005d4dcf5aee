"""Fakes for tests of your own plug-ins: scripted and flaky providers, a memory in a dict, a fake clock."""

from __future__ import annotations

from llmkit.testing.clock import FakeClock
from llmkit.testing.dialogues import converse
from llmkit.testing.memory import MemoryDict
from llmkit.testing.providers import FlakyProvider, Reply, ScriptedProvider

__all__ = ["FakeClock", "FlakyProvider", "MemoryDict", "Reply", "ScriptedProvider", "converse"]
