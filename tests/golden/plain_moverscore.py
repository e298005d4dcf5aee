"""MoverScore the way the paper's released program goes about it, for goldens and benchmarks.

The program itself needs pytorch-pretrained-bert, a GPU and a model that its authors host. This follows its two
versions step by step (batches of 256 in the given order, padded to the longest; every pair solved by pyemd over the
nodes of both texts together) with any model of transformers, on the CPU.

pip install pyemd==1.1.0
"""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from pyemd import emd

BATCH = 256


class PlainMoverScore:
    """One model, one setting; ``layers`` 5 and squared distances as in moverscore.py, 1 and euclidean as in its v2."""

    def __init__(self, folder: Path, *, n: int = 1, layers: int = 5, euclidean: bool = False, idf: bool = True) -> None:
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModel.from_pretrained(folder).eval()
        self.n, self.layers, self.euclidean, self.idf = n, layers, euclidean, idf

    def read(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.tokenizer.encode(text, truncation=True) for text in texts]

    def frequencies(self, texts: Sequence[list[int]]) -> dict[int, float]:
        counts = Counter(number for ids in texts for number in set(ids))
        return {number: math.log((len(texts) + 1) / (count + 1)) for number, count in counts.items()}

    def embed(self, texts: Sequence[list[int]]) -> Any:
        width = max(map(len, texts))
        ids = torch.tensor([text + [self.tokenizer.pad_token_id] * (width - len(text)) for text in texts])
        mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts])
        with torch.no_grad():
            found = self.model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        states = torch.stack(found[-self.layers :])
        states = states / states.norm(dim=-1, keepdim=True)
        return torch.cat([states.min(0).values, states.mean(0), states.max(0).values], -1)

    def grams(self, ids: list[int], rows: Any, weights: dict[int, float]) -> tuple[Any, list[float]]:
        pieces = self.tokenizer.convert_ids_to_tokens(ids)
        kept = [i for i, piece in enumerate(pieces) if "##" not in piece and piece not in set(string.punctuation)]
        size = min(self.n, len(kept))
        vectors, masses = [], []
        for start in range(len(kept) - size + 1):
            window = kept[start : start + size]
            shares = torch.tensor([weights[ids[i]] if self.idf else 1.0 for i in window])
            vectors.append((shares / (shares.sum() + 1e-5)).unsqueeze(-1).mul(rows[window]).sum(0))
            masses.append(float(shares.sum()))
        return torch.stack(vectors), masses

    def score(self, outputs: Sequence[str], references: Sequence[str]) -> list[float]:
        left, right = self.read(outputs), self.read(references)
        of_left, of_right = self.frequencies(left), self.frequencies(right)
        found = []
        for start in range(0, len(left), BATCH):
            ours, theirs = left[start : start + BATCH], right[start : start + BATCH]
            mine, others = self.embed(ours), self.embed(theirs)
            found += [
                1 - self.cost(self.grams(theirs[i], others[i], of_right), self.grams(ours[i], mine[i], of_left))
                for i in range(len(ours))
            ]
        return found

    def cost(self, one: tuple[Any, list[float]], other: tuple[Any, list[float]]) -> float:
        nodes = torch.cat([one[0], other[0]])
        nodes = nodes / (nodes.norm(dim=-1, keepdim=True) + 1e-6)
        squares = (nodes**2).sum(1)
        distances = (squares[:, None] + squares[None] - 2 * nodes @ nodes.T).clamp(min=0)
        if self.euclidean:
            distances = distances.sqrt()
        masses = np.zeros((2, len(nodes)))
        masses[0, : len(one[1])] = one[1]
        masses[1, len(one[1]) :] = other[1]
        masses /= masses.sum(axis=1, keepdims=True) + 1e-5
        return float(emd(masses[0], masses[1], distances.double().numpy()))
