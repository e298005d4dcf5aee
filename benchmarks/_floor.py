"""The least time that a BERT's vectors can take: its multiplications, at the speed of a plain product of the same shapes.

No program that computes them in this precision on one core of this processor is faster, however it sorts, packs or
starts; what another program takes, divided by this, is the most that any can be ahead of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

ROWS = 512
"""Tokens of the products that are timed."""


def operations(lengths: Sequence[int], folder: str, layers: int) -> float:
    """Return the multiplications and additions for texts of so many tokens: weights, and attention over each text."""
    matrices = shapes(folder)
    weights = sum(inputs * outputs for inputs, outputs in matrices)
    return 2.0 * layers * sum(length * weights + 2 * length * length * matrices[0][0] for length in lengths)


def shapes(folder: str) -> list[tuple[int, int]]:
    """Return the (inputs, outputs) of a layer's matrices."""
    config = json.loads(Path(folder, "config.json").read_text("utf-8"))
    width, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    return [(width, width)] * 4 + [(width, inner), (inner, width)]


def products_a_second(folder: str, precision: str) -> float:
    """Return the operations a second of one core in products of the layers' shapes, weights laid out beforehand."""
    import torch

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    inside = torch.ops.mkldnn
    lay_out, multiply = inside._reorder_linear_weight, inside._linear_pointwise  # noqa: SLF001 - as llmkit uses them
    threads, seconds, done = torch.get_num_threads(), 0.0, 0.0
    torch.set_num_threads(1)
    for inputs, outputs in shapes(folder):
        states, weight = torch.randn(ROWS, inputs, dtype=dtype), torch.randn(outputs, inputs, dtype=dtype)
        laid_out = lay_out(weight, ROWS)
        best = float("inf")
        for _ in range(50):
            start = time.perf_counter()
            multiply(states, laid_out, None, "none", [], "")
            best = min(best, time.perf_counter() - start)
        seconds += best
        done += 2.0 * ROWS * inputs * outputs
    torch.set_num_threads(threads)
    return done / seconds
