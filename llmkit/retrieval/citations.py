"""Citations in an answer: ``[n]`` resolves to the n-th passage, or is not shown.

``[1]``, ``[1, 3]``, ``[1][3]`` and ``[2-4]`` are read, and what models write in their place: ``[ 1 ]``, ``[1, 3,]``,
``[passage 1]``, ``[^1]``, the same in lenticular brackets. Inside code they are code. A number that no passage has is
taken out of the text and told; a sentence is not taken out with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmkit.text.markdown import code_spans
from llmkit.text.sentences import sentence_spans

_MARK = re.compile(
    r"(?P<gap>[ \t]*)[\[\u3010]\s*(?:\^|(?:passages?|sources?)\s+)?"
    r"(?P<numbers>\d{1,4}(?:\s*(?:[,;\u2013-]|and)\s*\d{1,4})*)\s*[,;]?\s*(?:\u2020[^\]\u3011\n]*)?[\]\u3011](?!\()",
    re.IGNORECASE,
)
_PART = re.compile(r"(\d+)(?:\s*[\u2013-]\s*(\d+))?")
_QUOTE = re.compile('"([^"\n]{8,})"|\u201c([^\u201d\n]{8,})\u201d')
_WORD = re.compile(r"\w")
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Citation:
    """A mark in the text, text[start:end], and the passages (numbers from 1) that it names."""

    start: int
    end: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cited:
    """An answer whose every citation resolves.

    Attributes:
        text: The answer without white space around it, marks that resolve in one form (``[1][3]``), others taken out.
        citations: Where the marks stand in ``text``.
        unresolved: Numbers that were cited and that no passage has, as often as they were.
    """

    text: str
    citations: tuple[Citation, ...]
    unresolved: tuple[int, ...]

    @property
    def numbers(self) -> list[int]:
        """The passages that are cited, in the order of their first citation."""
        return list(dict.fromkeys(number for citation in self.citations for number in citation.numbers))


@dataclass(frozen=True, slots=True)
class CitationQuality:
    """How an answer cites; None where there is nothing to measure.

    Attributes:
        validity: Share of cited numbers that are a passage's.
        coverage: Share of sentences with a citation.
        exactness: Share of quotations (of 8 characters or more) that a cited passage holds word for word.
    """

    validity: float | None
    coverage: float | None
    exactness: float | None


def resolve_citations(answer: str, passages: int) -> Cited:
    """Return the answer with the citations that name one of so many passages, and no others."""
    answer = answer.strip()
    code = code_spans(answer)
    parts: list[str] = []
    found: list[Citation] = []
    unresolved: list[int] = []
    at = length = 0
    for match in _MARK.finditer(answer):
        mark = match.end("gap")
        if any(start <= mark < end for start, end in code):
            continue
        named = _numbers(match["numbers"])
        good = [number for number in dict.fromkeys(named) if 1 <= number <= passages]
        unresolved += [number for number in named if not 1 <= number <= passages]
        shown = "".join(f"[{number}]" for number in good)
        before = answer[at : match.start()] + (match["gap"] if good else "")
        if not length:  # a mark that was taken out of the beginning leaves its space
            before = before.lstrip()
        parts += [before, shown]
        length += len(before)
        if good:
            found.append(Citation(length, length + len(shown), tuple(good)))
        length += len(shown)
        at = match.end()
    rest = answer[at:] if length else answer[at:].lstrip()
    return Cited("".join([*parts, rest]).rstrip(), tuple(found), tuple(unresolved))


def quoted(quotations: Sequence[tuple[str, int]]) -> Cited:
    """Return an answer made of quotations, a line each, each with the mark of the passage (from 1) that it is from.

    What stands in brackets inside a quotation is the document's own, and no citation.
    """
    text = ""
    found: list[Citation] = []
    for quotation, number in quotations:
        text += f"{chr(10) if text else ''}{quotation} "
        mark = f"[{number}]"
        found.append(Citation(len(text), len(text) + len(mark), (number,)))
        text += mark
    return Cited(text, tuple(found), ())


def citation_quality(cited: Cited, passages: Sequence[str]) -> CitationQuality:
    """Return how well an answer cites: whether numbers exist, sentences have one, quotations are exact."""
    good = sum(len(citation.numbers) for citation in cited.citations)
    named = good + len(cited.unresolved)
    covered, sentences = _covered(cited)
    whole = [_plain(passages[number - 1]) for number in cited.numbers]
    quotes = [_plain(match[1] or match[2]) for match in _QUOTE.finditer(cited.text)]
    exact = sum(any(quote in text for text in whole) for quote in quotes)
    return CitationQuality(
        validity=good / named if named else None,
        coverage=covered / sentences if sentences else None,
        exactness=exact / len(quotes) if quotes else None,
    )


def _covered(cited: Cited) -> tuple[int, int]:
    """Return how many sentences are cited, and how many there are; a mark behind the full stop is of that sentence."""
    spans: list[list[int]] = []
    for start, end in sentence_spans(cited.text):
        bare = "".join(
            " " if any(mark.start <= at < mark.end for mark in cited.citations) else cited.text[at]
            for at in range(start, end)
        )
        if _WORD.search(bare) is None and spans:
            spans[-1][1] = end
            continue
        first = next((at for at, letter in enumerate(bare, start) if _WORD.match(letter)), start)
        if spans and any(mark.start >= start and mark.end <= first for mark in cited.citations):
            spans[-1][1] = first
            spans.append([first, end])
        else:
            spans.append([start, end])
    covered = sum(any(start <= mark.start < end for mark in cited.citations) for start, end in spans)
    return covered, len(spans)


def _numbers(written: str) -> list[int]:
    found: list[int] = []
    for part in _PART.finditer(written):
        first = int(part[1])
        last = int(part[2]) if part[2] else first
        found += range(first, last + 1) if first <= last < first + _MOST else [first, last]
    return found


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".,;:!?")
