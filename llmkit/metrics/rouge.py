"""ROUGE: how much of the references a summary's words cover."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Literal, TypeAlias, cast

from llmkit.errors import ConfigError, Problem
from llmkit.metrics._base import NO_REFERENCE, MeanMetric, References, over_references
from llmkit.metrics._ngrams import overlap
from llmkit.metrics._porter import stem
from llmkit.metrics._sequences import lcs_length, lcs_places, positions, weighted_lcs
from llmkit.metrics._skip_bigrams import shared_skip_bigrams, skip_bigrams
from llmkit.registry import metric
from llmkit.types import Output, Sample, Skipped

Lines: TypeAlias = tuple[tuple[str, ...], ...]

EMPTY_REFERENCE = Skipped("empty reference")
ONE_WORD = Skipped("no reference of two words or more, so no skip-bigram")
_LONGEST_CACHED = 10_000
_PLAIN = bytes(
    ord(chr(code).lower()) if code < 128 and (chr(code).isalnum() or code == 10) else 32  # noqa: PLR2004 - a line feed
    for code in range(256)
)
"""ASCII in lower case, with a space for whatever is neither a letter, a digit nor a line feed."""


@metric("rouge")
@dataclass(frozen=True)
class Rouge(MeanMetric):
    """Share of n-grams, skip-bigrams or of the longest common subsequence that output and references have in common.

    Recall r = common / reference, precision p = common / output, f = 2pr / (p + r). Words are runs of a-z and 0-9
    after lower-casing. References without a word are left out; a sample with no other is skipped. An output without a
    word scores 0. ROUGE-W takes f(k) = k^weight: with a run of k matches next to one another counting f(k) in the
    common subsequence, recall = f^-1(common / f(reference words)), and precision likewise.

    Range 0 to 1, higher is better; the corpus value is the mean over samples.

    Source: Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries". 1 to 9, L and Lsum equal rouge-score
    0.1.2. S and SU equal Lin's program ROUGE-1.5.5, which treats the whole text as one sentence and counts, for SU,
    each word but the last once more (for the pair with a mark at the beginning). W is the paper's formula; ROUGE-1.5.5
    weighs the reference's length twice, so that its recall of a text against itself is less than 1.

    Use it for summaries and long answers with several references. Do not use it for text that is not in a-z
    letters (other scripts vanish), for short factual answers (token_f1), or as a measure of truth: a fluent
    false summary can score high. It tracks human judgment poorly on open-ended text: on SummEval's summaries,
    Spearman's correlation of ROUGE-2 with experts is .16 to .29.

    Attributes:
        variant: 1 to 9 counts n-grams of that length, each as often as it stands on both sides; L takes the longest
            common subsequence of the whole texts; Lsum takes, for each line of the reference, the union of its longest
            common subsequences with the lines of the output (put one sentence on a line). S counts skip-bigrams: pairs
            of words in order, with at most ``gap`` words between them; SU counts single words too; W is L with a
            higher weight for matches next to one another. References of one word have no skip-bigram and are left out.
        measure: Recall, precision, or f, their harmonic mean.
        stemmer: Compare word stems (Porter).
        refs: The best of the references by the measure, their mean, or the first.
        gap: For S and SU, the most words between the two of a pair; null for any number.
        weight: For W, the exponent of a run's length, at least 1; 1 makes W the same as L.
    """

    variant: int | Literal["L", "Lsum", "S", "SU", "W"] = 1
    measure: Literal["f", "p", "r"] = "f"
    stemmer: bool = False
    refs: References = "max"
    gap: int | None = 4
    weight: float = 1.2

    needs = ("references",)
    bounds = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Refuse a variant that does not exist, and read a written ``"2"`` as 2."""
        if isinstance(self.variant, str) and self.variant.isdecimal():
            object.__setattr__(self, "variant", int(self.variant))
        problems = []
        if self.variant not in {*range(1, 10), "L", "Lsum", "S", "SU", "W"}:
            problems.append(f"there is no ROUGE-{self.variant}: variant is a digit from 1 to 9, L, Lsum, S, SU or W")
        elif self.gap != Rouge.gap and not self._skips:
            problems.append(f"gap has no meaning for ROUGE-{self.variant}: it is for S and SU")
        elif self.weight != Rouge.weight and self.variant != "W":
            problems.append(f"weight has no meaning for ROUGE-{self.variant}: it is for W")
        if self.gap is not None and self.gap < 0:
            problems.append(f"gap is {self.gap}: it is at least 0, or null for any number of words")
        if not self.weight >= 1:
            problems.append(f"weight is {self.weight}: it is at least 1")
        if problems:
            raise ConfigError(problems=[Problem(message) for message in problems])

    @property
    def _skips(self) -> bool:
        return self.variant in {"S", "SU"}

    @property
    def settings(self) -> dict[str, Any]:
        """The fields that the variant has a use for."""
        unused = {*(() if self._skips else ("gap",)), *(() if self.variant == "W" else ("weight",))}
        return {name: value for name, value in super().settings.items() if name not in unused}

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return the score over the sample's references."""
        if not sample.references:
            return NO_REFERENCE
        references = sample.references[:1] if self.refs == "first" else sample.references
        if self.variant == "S" or self.variant == "SU":  # noqa: PLR1714 - quicker than a set made for each row
            return self._skipping(references, output.text or "")
        targets = [target for text in references if any(target := read(text, stemmer=self.stemmer))]
        if not targets:
            return EMPTY_REFERENCE
        candidate = read(output.text or "", stemmer=self.stemmer)
        return over_references(self.refs, lambda target: self._against(target, candidate), targets)

    def _against(self, target: Lines, candidate: Lines) -> float:
        if self.variant == "Lsum":
            return _measured(self.measure, *_union_hits(target, candidate))
        left, right = _flat(target), _flat(candidate)
        if self.variant == "L":
            return _measured(self.measure, lcs_length(left, right), len(left), len(right))
        if self.variant == "W":
            return self._weighted(left, right)
        n = cast("int", self.variant)
        return _measured(self.measure, overlap(right, [left], n), len(left) - n + 1, len(right) - n + 1)

    def _skipping(self, references: Sequence[str], text: str) -> float | Skipped:
        targets = [words for reference in references if (words := words_of(reference, stemmer=self.stemmer))]
        pairs = [words for words in targets if len(words) > 1]
        if not pairs:
            return ONE_WORD if targets else EMPTY_REFERENCE
        given = words_of(text, stemmer=self.stemmer)
        gap, single = self.gap, self.variant == "SU"
        several = skip_bigrams(len(given), gap, single=single)

        def against(words: list[str]) -> float:
            hits = shared_skip_bigrams(words, given, gap, single=single)
            return _measured(self.measure, hits, skip_bigrams(len(words), gap, single=single), several)

        return against(pairs[0]) if len(pairs) == 1 else over_references(self.refs, against, pairs)

    def _weighted(self, left: Sequence[str], right: Sequence[str]) -> float:
        # The inverse of f takes the roots of both sides of a fraction: f^-1(common / f(n)) = f^-1(common) / n.
        same = left == right  # without the rounding of a power and its root
        common = len(left) if same else weighted_lcs(left, right, self.weight) ** (1 / self.weight)
        return _measured(self.measure, common, len(left), len(right))


def _measured(measure: str, hits: float, expected: int, given: int) -> float:
    if not hits:
        return 0.0
    precision, recall = min(hits / given, 1.0), min(hits / expected, 1.0)
    if measure == "f":
        return 2 * precision * recall / (precision + recall)
    return precision if measure == "p" else recall


def read(text: str, *, stemmer: bool) -> Lines:
    """Return the words of each line of a text; remembered for a while, as several variants read the same text."""
    return (remembered if len(text) <= _LONGEST_CACHED else _read)(text, stemmer)


def words_of(text: str, *, stemmer: bool) -> list[str]:
    """Return the words of a text, whatever line they stand on."""
    words = _plain(text).split()
    return list(map(stem, words)) if stemmer else words


def _plain(text: str) -> str:
    # One byte a character: whatever is not ASCII becomes "?", and with all other non-words a space.
    lower = text if text.isascii() else text.lower()  # the table knows A to Z, but not what else becomes a letter
    return lower.encode("ascii", "replace").translate(_PLAIN).decode("ascii")


def _read(text: str, stemmer: bool) -> Lines:  # noqa: FBT001 - positional for the cache's sake
    plain = _plain(text)
    lines = [line.split() for line in plain.split("\n")] if "\n" in plain else [plain.split()]
    return tuple([tuple(map(stem, line) if stemmer else line) for line in lines])


remembered = lru_cache(maxsize=128)(_read)


def _flat(lines: Lines) -> tuple[str, ...]:
    return lines[0] if len(lines) == 1 else tuple(chain.from_iterable(lines))


def _union_hits(target: Lines, candidate: Lines) -> tuple[int, int, int]:
    """Return the hits of ROUGE-Lsum, and the number of words of target and candidate.

    A word of the output can be hit only as often as it stands there, however many lines of the reference share it.
    """
    hit: Counter[str] = Counter()
    for line in target:
        hit.update(_union(line, candidate))
    given = Counter(chain.from_iterable(candidate))
    hits = sum(min(count, given[word]) for word, count in hit.items())
    return hits, sum(map(len, target)), sum(map(len, candidate))


def _union(line: tuple[str, ...], candidate: Lines) -> Sequence[str]:
    places_of = positions(line)
    union = 0
    for other in candidate:
        if not places_of.keys().isdisjoint(other):
            union |= lcs_places(places_of, len(line), other)
    return [word for i, word in enumerate(line) if union >> i & 1]
