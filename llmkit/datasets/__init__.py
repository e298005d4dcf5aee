"""Eval sets: any file or hub set as a stream of samples, every bad row named, the whole set checked before a run."""

from __future__ import annotations

from llmkit.datasets.census import Census, Missing, census, field_getter
from llmkit.datasets.dataset import Dataset
from llmkit.datasets.few_shot import FewShot, few_shot
from llmkit.datasets.opening import open_dataset
from llmkit.datasets.rows import row_digest

__all__ = [
    "Census",
    "Dataset",
    "FewShot",
    "Missing",
    "census",
    "few_shot",
    "field_getter",
    "open_dataset",
    "row_digest",
]
