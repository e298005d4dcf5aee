"""Sets for tests: rows written to a file, opened, and the problems they give."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llmkit.datasets import Dataset, census, open_dataset
from llmkit.types import Sample


def write(folder: Path, rows: Iterable[Any], name: str = "set.jsonl") -> str:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return name


def opened(folder: Path, rows: Iterable[Any], **options: Any) -> Dataset:
    return open_dataset({"path": write(folder, rows), **options}, base=folder)


def samples(folder: Path, rows: Iterable[Any], **options: Any) -> list[Sample]:
    return list(opened(folder, rows, **options))


def sentences(folder: Path, dataset: Dataset) -> list[str]:
    return census(dataset).report().replace(f"{folder}/", "").splitlines()
