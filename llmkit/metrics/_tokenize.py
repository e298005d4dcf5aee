"""BLEU's tokenizers: WMT's 13a, none and char written for speed, the others by sacreBLEU itself.

Source of 13a: NIST's mteval-v13a.pl as sacreBLEU reads it. Tests compare both token by token.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Literal, TypeAlias

Tokenizer: TypeAlias = Literal[
    "13a", "none", "char", "intl", "zh", "ja-mecab", "ko-mecab", "flores101", "flores200", "spBLEU-1K"
]

NEEDS = {
    "ja-mecab": ("MeCab", "sacrebleu[ja]"),
    "ko-mecab": ("mecab_ko", "sacrebleu[ko]"),
    "flores101": ("sentencepiece", "sentencepiece"),
    "flores200": ("sentencepiece", "sentencepiece"),
    "spBLEU-1K": ("sentencepiece", "sentencepiece"),
}
"""Tokenizers that need a package: its module, and what to give to pip."""

_SYMBOL = re.compile(r"[!-&(-+/:-@\[-`{-~]")
_PADDED = {chr(code): f" {chr(code)} " for code in range(33, 127)}
_CROWDED = ("..", ".,", ",.", ",,")
# Each begins with its own character, so that the search skips to the next one at the speed of memchr.
_COMMA = re.compile(r",(?:(?<![0-9],)|(?![0-9]))")
_POINT = re.compile(r"\.(?:(?<![0-9]\.)|(?![0-9]))")
_DASH = re.compile(r"-(?<=[0-9]-)")
_AFTER_NON_DIGIT = re.compile(r"([^0-9])([.,])")
_BEFORE_NON_DIGIT = re.compile(r"([.,])([^0-9])")
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


def tokenizer(name: str) -> Callable[[str], list[str]]:
    """Return the function that splits one text (without trailing white space) into tokens."""
    own: dict[str, Callable[[str], list[str]]] = {"13a": thirteen_a, "none": str.split, "char": _characters}
    return own[name] if name in own else partial(_sacrebleu_tokens, name)


def tokenizer_signature(name: str) -> str:
    """Return what the signature prints for a tokenizer; MeCab's name the version of their dictionary."""
    return str(_sacrebleu_tokenizer(name).signature()) if name.endswith("-mecab") else name


def thirteen_a(text: str) -> list[str]:
    """Split a text as mteval-v13a does: symbols apart, points and commas apart unless inside a number."""
    line = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    if "&" in line:
        for entity, character in _ENTITIES:
            line = line.replace(entity, character)
    for symbol in set(_SYMBOL.findall(line)):
        line = line.replace(symbol, _PADDED[symbol])
    if "," in line or "." in line:
        line = _points_and_commas_apart(line)
    if "-" in line:
        line = _DASH.sub(" - ", line)
    return line.split()


def _points_and_commas_apart(line: str) -> str:
    if any(pair in line for pair in _CROWDED):
        return " ".join(map(_crowded_apart, line.split()))
    if "," in line:
        line = _COMMA.sub(" , ", line)
    return _POINT.sub(" . ", line) if "." in line else line


def _crowded_apart(word: str) -> str:
    # Of points in a row the reference's rules see only every other one; here they are followed to the letter.
    if any(pair in word for pair in _CROWDED):
        return _BEFORE_NON_DIGIT.sub(r" \1 \2", _AFTER_NON_DIGIT.sub(r"\1 \2 ", f" {word} "))
    return _POINT.sub(" . ", _COMMA.sub(" , ", word)) if "," in word or "." in word else word


def _characters(text: str) -> list[str]:
    return [character for character in text if not character.isspace()]


@cache
def _sacrebleu_tokenizer(name: str) -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=name).tokenizer


def _sacrebleu_tokens(name: str, text: str) -> list[str]:
    return str(_sacrebleu_tokenizer(name)(text)).split()
