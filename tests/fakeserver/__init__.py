"""An OpenAI-compatible server of our own, over real HTTP on loopback, for tests and benchmarks.

Three ways to run it, one set of settings (`Behaviour`)::

    with FakeServer(latency=0.01) as server: ...        # in a thread of this process
    async with FakeServer() as server: ...              # in the running event loop
    with spawn(latency=0.05) as server: ...             # a process of its own (python -m tests.fakeserver)

All three have ``base_url``, ``stats()``, ``log()``, ``requests()`` and ``reset()``. Standard library only.
"""

from __future__ import annotations

from tests.fakeserver._behaviour import FAULTS, Behaviour, Fault
from tests.fakeserver._run import FakeServer, SpawnedServer, spawn

__all__ = ["FAULTS", "Behaviour", "FakeServer", "Fault", "SpawnedServer", "spawn"]
