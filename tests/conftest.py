"""Fixtures that every room's tests share."""

from __future__ import annotations

from os import environ
from pathlib import Path

import pytest
from hypothesis import settings

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
