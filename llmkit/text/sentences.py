"""Sentences of English prose, by rule: where a full stop ends one, and where it does not.

The rules know titles and other abbreviations, initials, decimals, list numbers, dotted names and inline code.
They are meant for documentation and articles; other languages that end sentences with a full stop, an exclamation
or question mark, or with their full-width forms, fare well, without their abbreviations.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from llmkit.text.markdown import code_spans

# A full stop after these does not end a sentence ...
_NEVER = frozenset(
    "mr mrs ms dr prof rev gen col sgt capt lt gov sen rep st mt ft hon pres eq eqs sec vs cf e.g eg i.e ie viz approx "  # noqa: SIM905  # a word list reads better so
    "ca al eds jan feb apr jun jul aug sep sept oct nov dec".split()
)
# ... after these it does not where a number follows ("No. 7" against "He said no.") ...
_COUNTING = frozenset(["no", "nos", "fig", "figs", "p", "pp", "vol", "vols", "ch", "art", "v", "ed", "mar"])
# ... and after these it does where the next word looks like the start of a sentence.
_MAYBE = frozenset(
    "etc inc ltd co corp jr sr bros dept univ a.m p.m u.s u.k u.n e.u d.c ph.d b.a m.a".split()  # noqa: SIM905  # same
)
_STARTERS = frozenset(
    "a after all also an and as at before both but by despite during each even every finally first for from he her "  # noqa: SIM905  # same
    "here his how however i if in it its later many most my no now of on once one or our she since so some such that "
    "the their then there these they this those though thus to today two under until we what when where which while "
    "who why with yet you your".split()
)
_CLOSERS = "\"'\u201d\u2019\u00bb)\\]*_`"
_OPENERS = "\"'\u201c\u2018\u00ab(\\[*_`"
_END = re.compile(
    f"(?<![.!?\u2026])(?P<mark>[.!?\u2026]++)(?P<close>[{_CLOSERS}]*+)(?=\\s)"
    "|(?P<wide>[\u3002\uff01\uff1f]+[\u300d\u300f\u201d\uff09]*)"
)
_WORD_BEFORE = re.compile(f"[^\\s{_OPENERS}]+$")
_NEXT = re.compile(f"\\s+[{_OPENERS}]*(?P<word>[^\\s{_CLOSERS},;:.!?]*)")
_BLANK_LINE = re.compile(r"\n[ \t]*\n\s*")
_INITIAL = re.compile(r"(?:[A-Z]\.)*[A-Z]")
_NUMBER = re.compile(r"\d{1,2}|[ivx]{1,4}")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return where the sentences of ``text`` stand: (start, end) in characters, in order, without outer white space.

    The spans do not overlap, and what lies between them is white space only. A blank line ends a sentence.
    """
    code = code_spans(text)
    spans: list[tuple[int, int]] = []
    start = 0
    for end in [*_ends(text, code), len(text)]:
        piece = text[start:end]
        if stripped := piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            spans.append((first, first + len(stripped)))
        start = end
    return spans


def split_sentences(text: str) -> list[str]:
    """Return the sentences of ``text``, line breaks inside them kept."""
    return [text[start:end] for start, end in sentence_spans(text)]


def _ends(text: str, code: list[tuple[int, int]]) -> list[int]:
    found = {match.end() for match in _BLANK_LINE.finditer(text)}
    found |= {match.end() for match in _END.finditer(text) if match["wide"] or _is_end(text, match)}
    starts = [first for first, _ in code]
    return sorted(end for end in found if not _inside(end, starts, code))


def _inside(place: int, starts: list[int], spans: list[tuple[int, int]]) -> bool:
    """Tell whether a span holds ``place`` between its ends; spans are in order and do not overlap."""
    before = bisect_left(starts, place)
    return before > 0 and place < spans[before - 1][1]


def _is_end(text: str, match: re.Match[str]) -> bool:
    after = _NEXT.match(text, match.end())
    following = after["word"] if after else ""
    if following[:1].islower():
        # '"Stop!" he said' and "Wait ... what" go on. A name such as iOS may start a sentence, but rarely does.
        return False
    if match["mark"] != "." or match["close"].strip("*_`"):
        return True
    before = _WORD_BEFORE.search(text, max(0, match.start() - 40), match.start())
    word = before.group() if before else ""
    if _NUMBER.fullmatch(word) and _starts_item(text, match.start() - len(word)):
        return False
    return not _abbreviates(word, following)


def _abbreviates(word: str, following: str) -> bool:
    lowered = word.lower()
    if lowered in _COUNTING:
        return following[:1].isdigit()
    if lowered in _MAYBE or _INITIAL.fullmatch(word):
        # "J. Smith", "U.S. Army" and "Acme Inc. Board" go on; "vitamin C. The" ends.
        return bool(following) and following.lower() not in _STARTERS
    return lowered in _NEVER


def _starts_item(text: str, position: int) -> bool:
    before = text[:position].rstrip(" \t")
    if not before or before[-1] in "!?:;\n":
        return True
    words = before[-40:].split()
    return before[-1] == "." and words[-1][:-1].lower() not in _COUNTING
