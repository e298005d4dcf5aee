"""Random signs and random draws of rows for means, quickly.

Signs are drawn as packed bits, eight rows a byte: for every eight rows the 256 possible signed sums are made once and
then looked up ("method of the four Russians"), so a flipped row costs about a seventh of a nanosecond.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXACT = 16
"""Up to so many changed rows (or clusters), all 2^n sign patterns are gone through."""

_BYTE = 8
_PATTERNS = 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").T - 1.0
_CHUNK_BYTES = 16 << 20
_DRAWS = 1 << 17  # made at a time, so that they stay in the processor's cache
_FEW = 1 << 20
_TIE = 1e-11  # sums this close (as a share of the largest) are one sum, rounded differently


def resamples_for(tests: int, level: float = 0.95) -> int:
    """Return how many random sign flips let the smallest possible p survive Holm's adjustment over so many tests."""
    return max(10_000, ceil(round(20 * tests / (1 - level), 6)))


def flip_p(differences: Floats, *, resamples: int, seed: int) -> tuple[float, str]:
    """Return the two-sided p of the sign-flip test of "runs may be swapped sample by sample", and how it was made.

    The statistic is the absolute sum. Exact over all patterns with up to `EXACT` non-zero differences, else
    (count + 1) / (resamples + 1), which keeps the level for any number of resamples (Phipson and Smyth 2010,
    Statistical Applications in Genetics and Molecular Biology 9:39). Neither the order of the differences nor their
    common sign changes p.
    """
    changed = np.sort(np.abs(differences[differences != 0]))
    if not len(changed):
        return 1.0, "sign flips: nothing changed"
    edge = abs(float(differences.sum())) - _TIE * float(changed.sum())
    if len(changed) <= EXACT:
        sums = np.zeros(1)
        for value in changed:
            sums = np.concatenate([sums - value, sums + value])
        return float((np.abs(sums) >= edge).mean()), f"sign flips, all {len(sums)}"
    count = int((np.abs(flipped_sums(changed, resamples, np.random.default_rng(seed))) >= edge).sum())
    return (count + 1) / (resamples + 1), f"sign flips, {resamples} random"


def flipped_sums(values: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Return sums of values with random signs, shape (resamples,)."""
    blocks = -(-len(values) // _BYTE)
    padded = np.zeros(blocks * _BYTE)
    padded[: len(values)] = values
    sums = np.zeros(resamples)
    step = max(1, _CHUNK_BYTES // (resamples + 256 * _BYTE))
    for start in range(0, blocks, step):
        rows = padded[start * _BYTE : (start + step) * _BYTE].reshape(-1, _BYTE)
        tables = rows @ _PATTERNS
        bits = rng.integers(0, 256, size=(len(rows), resamples), dtype=np.uint8)
        for table, picked in zip(tables, bits, strict=True):
            sums += table.take(picked)
    return sums


def resampled_means(columns: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Return means of bootstrap resamples of rows, one draw serving all columns: (n, k) -> (resamples, k)."""
    n = len(columns)
    if columns.shape[1] == 1 and n < _FEW:
        return _means_of_one(columns[:, 0], resamples, rng)[:, None]
    means = np.empty((resamples, columns.shape[1]))
    step = max(1, _CHUNK_BYTES // (8 * n))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, n, size=(size, n))
        counts = np.empty((size, n))
        for row in range(size):
            counts[row] = np.bincount(drawn[row], minlength=n)
        means[start : start + size] = counts @ columns
    return means / n


def _means_of_one(values: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Return the same for one column of fewer than `_FEW` rows, twice as fast.

    A row is picked by the top of 32 random bits times n (Lemire 2019, ACM TOMACS 29:3, without its rejection step): a
    row's chance is 1 / n to within one part in 2^32 / n: nothing beside the chance in so many resamples.
    """
    n = len(values)
    means = np.empty(resamples)
    step = max(1, _DRAWS // n)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        bits = rng.integers(0, 1 << 64, size=(size * n + 1) // 2, dtype=np.uint64).view(np.uint32)
        rows = bits[: size * n].astype(np.uint64)
        rows *= np.uint64(n)
        rows >>= np.uint64(32)
        means[start : start + size] = values.take(rows.view(np.int64), mode="clip").reshape(size, n).mean(axis=1)
    return means
