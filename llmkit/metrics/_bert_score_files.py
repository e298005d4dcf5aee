"""What the installed bert-score knows about models: the layer to take, and the baselines to rescale with.

Both are read from its files. Importing the package would take seconds and pull in plotting.
"""

from __future__ import annotations

import ast
import csv
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path


@lru_cache(maxsize=1)
def package() -> Path | None:
    """Return the folder of the installed bert-score, or None."""
    found = find_spec("bert_score")
    return Path(found.origin).parent if found is not None and found.origin else None


@lru_cache(maxsize=1)
def layers() -> dict[str, int]:
    """Return the layer that bert-score takes by default, by model name; empty where it is not installed."""
    folder = package()
    if folder is None:
        return {}
    tree = ast.parse((folder / "utils.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "model2layers":
            found = ast.literal_eval(node.value)
            return {str(name): int(layer) for name, layer in found.items()}
    return {}


def baseline_file(language: str, model: str) -> Path | None:
    """Return bert-score's own file of baselines for a model, or None where it has none."""
    folder = package()
    path = None if folder is None else folder / "rescale_baseline" / language / f"{model}.tsv"
    return path if path is not None and path.is_file() else None


def read_baseline(path: Path, layer: int) -> dict[str, float]:
    """Return the baselines of precision, recall and f of a layer, as ``p``, ``r``, ``f``.

    Raises:
        ValueError: the file has no such layer, or is not of this kind.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row[0]: row[1:4] for row in csv.reader(file) if len(row) == 4}  # noqa: PLR2004 - LAYER,P,R,F
    if str(layer) not in rows:
        raise ValueError(f"{path.name} has no baseline for layer {layer}")
    return dict(zip("prf", map(float, rows[str(layer)]), strict=True))
