"""Fixtures that every room's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from os import environ
from pathlib import Path

import pytest
from hypothesis import settings

from tests.fakeserver import Behaviour, FakeServer

# A deadline would make a law fail on a busy machine. The same examples every time: a run that fails was broken by the
# change, not by the draw; HYPOTHESIS_PROFILE=explore draws anew.
settings.register_profile("house", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile(environ.get("HYPOTHESIS_PROFILE", "house"))

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data with published figures; tests that read it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the real data of ../shared/data, which is not beside this checkout")
    return SHARED


@pytest.fixture(scope="module")
def running() -> Iterator[FakeServer]:
    """An OpenAI-compatible server on loopback, one for the tests of a file."""
    with FakeServer() as server:
        yield server


@pytest.fixture
def server(running: FakeServer) -> FakeServer:
    """The same, as if it had just been started; it answers with what it is asked."""
    running.reset(Behaviour())
    return running
