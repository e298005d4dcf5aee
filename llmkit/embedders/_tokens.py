"""A model's own tokenizer: where tokens start and end, and the numbers that the model reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer


class Tokens:
    """The tokenizer.json of a folder."""

    def __init__(self, folder: Path, *, limit: int, lower: bool) -> None:
        self._whole = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._whole.no_truncation()
        self._whole.no_padding()
        self._cut = Tokenizer.from_str(self._whole.to_str())
        self._cut.enable_truncation(limit)
        self._lower = lower

    def spans(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Return for each text an array of shape (tokens, 2): where each token starts and ends, in characters."""
        found = self._whole.encode_batch(list(texts), add_special_tokens=False)
        return [np.array(one.offsets, np.int64).reshape(-1, 2) for one in found]

    def numbers(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token numbers of each text, special ones included, cut at the limit."""
        given = [text.lower() for text in texts] if self._lower else list(texts)
        encode: Any = getattr(self._cut, "encode_batch_fast", self._cut.encode_batch)
        return [one.ids for one in encode(given)]
