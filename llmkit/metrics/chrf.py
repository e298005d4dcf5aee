"""chrF: character n-gram F-score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmkit.errors import ConfigError, Problem
from llmkit.metrics._base import NO_REFERENCE
from llmkit.metrics._ngrams import in_common, ngrams
from llmkit.metrics._sacrebleu import SacrebleuMetric
from llmkit.registry import metric
from llmkit.types import Output, Sample, Skipped

if TYPE_CHECKING:
    from numpy.typing import NDArray

Counts = list[Counter[object]]

_TINY = 1e-16
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
        given = self._counts(output.text or "")
        rows = [tuple(_matches(given, self._counts(reference))) for reference in sample.references]
        return rows[0] if len(rows) == 1 else max(rows, key=lambda row: self.value(row, 1))

    def _counts(self, text: str) -> Counts:
        text = text.lower() if self.lowercase else text
        characters = text if self.whitespace else "".join(text.split())
        counts: Counts = [
            Counter([characters[i : i + n] for i in range(len(characters) - n + 1)])
            for n in range(1, self.char_order + 1)
        ]
        if self.word_order:
            words = [part for word in text.split() for part in _apart(word)]
            counts += [Counter(ngrams(words, n)) for n in range(1, self.word_order + 1)]
        return counts

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


def _matches(given: Counts, expected: Counts) -> Iterator[int]:
    for ours, theirs in zip(given, expected, strict=True):
        # An order that the reference is too short for asks nothing of the output.
        yield ours.total() if theirs else 0
        yield theirs.total()
        yield in_common(ours, theirs)


def _apart(word: str) -> list[str]:
    """Split one punctuation mark off the end of a word, or else off its beginning."""
    if len(word) > 1 and word[-1] in _PUNCTUATION:
        return [word[:-1], word[-1]]
    if len(word) > 1 and word[0] in _PUNCTUATION:
        return [word[0], word[1:]]
    return [word]
