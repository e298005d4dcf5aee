"""chrF: character n-gram F-score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmkit.errors import ConfigError, Problem
from llmkit.metrics._base import NO_REFERENCE
from llmkit.metrics._char_ngrams import shared_ngrams
from llmkit.metrics._ngrams import in_common, ngrams
from llmkit.metrics._sacrebleu import SacrebleuMetric
from llmkit.registry import metric
from llmkit.types import Output, Sample, Skipped

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TINY = 1e-16
_LONG = 50
"""Characters of two texts from which on sorting numbers is quicker than counting slices."""
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


@metric("chrf")
@dataclass(frozen=True)
class Chrf(SacrebleuMetric):
    """F-score of character n-grams, with word n-grams as chrF++ (``word_order: 2``), as sacreBLEU computes it.

    chrF = 100 * (1 + beta^2) * P * R / (beta^2 * P + R): P and R are the means over n-gram orders of precision and
    recall, each summed over the corpus before dividing. Orders that a side is too short for are left out. Of several
    references a sample counts the one that scores best.

    Range 0 to 100, higher is better. The corpus value is made of totals; it is not the mean of the samples' scores.

    Source: Popovic 2015, "chrF: character n-gram F-score for automatic MT evaluation"; 2017, "chrF++: words helping
    character n-grams"; values and signature equal sacreBLEU's.

    Use it for translations, above all into languages with rich word forms, and for short texts where BLEU finds no
    4-gram. Do not use it for answers that can be right in other words.

    Attributes:
        char_order: Longest character n-grams.
        word_order: Longest word n-grams; 2 makes chrF++.
        beta: How much more recall weighs than precision; a value other than 2 is added to the signature, which
            sacreBLEU's does not show.
        lowercase: Ignore case.
        whitespace: Keep spaces as characters.
        eps_smoothing: Keep the orders that a side is too short for, as chrF++.py does.
    """

    char_order: int = 6
    word_order: int = 0
    beta: int = 2
    lowercase: bool = False
    whitespace: bool = False
    eps_smoothing: bool = False

    def __post_init__(self) -> None:
        """Refuse orders that leave nothing to count."""
        wrong = self.char_order < 0 or self.word_order < 0 or self.char_order + self.word_order < 1
        problems = [Problem("char_order and word_order count n-grams: none below 0, and one above")] if wrong else []
        if self.beta <= 0:
            problems.append(Problem("beta weighs recall against precision and is above 0"))
        if problems:
            raise ConfigError(problems=problems)

    @property
    def conditions(self) -> Mapping[str, Any]:
        """Case, effective order, n-gram orders and white space, in sacreBLEU's words."""
        conditions = {
            "case": "lc" if self.lowercase else "mixed",
            "eff": not self.eps_smoothing,
            "nc": self.char_order,
            "nw": self.word_order,
            "space": self.whitespace,
        }
        return conditions if self.beta == Chrf.beta else {**conditions, "beta": self.beta}

    def stats(self, sample: Sample, output: Output) -> tuple[float, ...] | Skipped:
        """Return for each order the output's n-grams, the reference's, and the shared ones: three numbers an order."""
        if not sample.references:
            return NO_REFERENCE
        given = self._read(output.text or "")
        rows = [self._against(given, self._read(reference)) for reference in sample.references]
        return rows[0] if len(rows) == 1 else max(rows, key=lambda row: self.value(row, 1))

    def _read(self, text: str) -> tuple[str, list[str]]:
        text = text.lower() if self.lowercase else text
        words = [part for word in text.split() for part in _apart(word)] if self.word_order else []
        return text if self.whitespace else "".join(text.split()), words

    def _against(self, given: tuple[str, list[str]], expected: tuple[str, list[str]]) -> tuple[float, ...]:
        text, words = given
        other, others = expected
        shared = [*_shared(text, other, self.char_order), *_shared_words(words, others, self.word_order)]
        sizes = [(len(text) - n, len(other) - n) for n in range(self.char_order)]
        sizes += [(len(words) - n, len(others) - n) for n in range(self.word_order)]
        row: list[float] = []
        for (ours, theirs), common in zip(sizes, shared, strict=True):
            # An order that the reference is too short for asks nothing of the output.
            row += (max(ours, 0), theirs, common) if theirs > 0 else (0, 0, 0)
        return tuple(row)

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return corpus chrF from summed statistics."""
        factor = self.beta**2
        orders = self.char_order + self.word_order
        smoothed = precisions = recalls = 0.0
        effective = 0
        for i in range(0, 3 * orders, 3):
            given, expected, shared = totals[i : i + 3]
            precision = shared / given if given else _TINY
            recall = shared / expected if expected else _TINY
            weight = factor * precision + recall
            smoothed += (1 + factor) * precision * recall / weight if weight else _TINY
            if given and expected:
                precisions += precision
                recalls += recall
                effective += 1
        if self.eps_smoothing:
            return 100 * smoothed / orders
        if not precisions + recalls:
            return 0.0
        precisions /= effective
        recalls /= effective
        # In this order, so that the last digit is sacreBLEU's too.
        return 100 * ((1 + factor) * precisions * recalls / (factor * precisions + recalls))

    def value_many(self, totals: NDArray[Any], n: int) -> NDArray[Any]:
        """Return `value` of each row of totals, shape (m, 3 x orders), as shape (m,): for resampling."""
        import numpy as np

        table = np.asarray(totals, dtype=np.float64).reshape(len(totals), -1, 3)
        given, expected, shared = table[:, :, 0], table[:, :, 1], table[:, :, 2]
        factor = self.beta**2
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(given > 0, shared / given, _TINY)
            recall = np.where(expected > 0, shared / expected, _TINY)
            weight = factor * precision + recall
            if self.eps_smoothing:
                each = np.where(weight > 0, (1 + factor) * precision * recall / weight, _TINY)
                return np.asarray(100 * each.mean(axis=1))
            both = (given > 0) & (expected > 0)
            effective = np.maximum(both.sum(axis=1), 1)
            precision = (precision * both).sum(axis=1) / effective
            recall = (recall * both).sum(axis=1) / effective
            weight = factor * precision + recall
            return np.where(weight > 0, 100 * (1 + factor) * precision * recall / weight, 0.0)


def _shared(text: str, other: str, longest: int) -> list[int]:
    found = shared_ngrams(text, other, longest) if len(text) + len(other) >= _LONG and longest else None
    if found is not None:
        return found
    return [in_common(_slices(text, n), _slices(other, n)) for n in range(1, longest + 1)]


def _slices(text: str, n: int) -> Counter[object]:
    return Counter([text[i : i + n] for i in range(len(text) - n + 1)])


def _shared_words(words: list[str], others: list[str], longest: int) -> list[int]:
    return [in_common(Counter(ngrams(words, n)), Counter(ngrams(others, n))) for n in range(1, longest + 1)]


def _apart(word: str) -> list[str]:
    """Split one punctuation mark off the end of a word, or else off its beginning."""
    if len(word) > 1 and word[-1] in _PUNCTUATION:
        return [word[:-1], word[-1]]
    if len(word) > 1 and word[0] in _PUNCTUATION:
        return [word[0], word[1:]]
    return [word]
