"""A question as an expression of SQLite's FTS5."""

from __future__ import annotations

import unicodedata
from itertools import product
from typing import Final

from llmkit.text.bm25 import STOP_WORDS
from llmkit.text.runs import grams, is_unspaced, word_spans

TRIGRAM = "trigram"
LEXICAL: Final = {
    "porter": "porter unicode61 remove_diacritics 2",
    "unicode61": "unicode61 remove_diacritics 2",
    TRIGRAM: "trigram",
}
"""Tokenizers of the lexical index: what is written in the config -> what FTS5 is told."""

_MOST_WORDS = 200
_GRAM = 3


def phrases_of(query: str, tokenizer: str = "porter") -> list[str]:
    """Return the words of a query that the lexical index is asked for; a chunk is found by any of them.

    Function words are left out where others stand: each would be looked up in nearly every chunk and tell little. A
    word that is said twice counts twice, as in BM25 of the book: on CACM, whose queries are sentences, that is worth
    .045 of MAP. Of very long queries the first words count. The tokenizer ``trigram`` finds parts of words from three
    characters on; shorter ones are `short_of`.
    """
    words = _telling(query)
    if tokenizer == TRIGRAM:
        words = [gram for word in words for gram in grams(word) if len(gram) >= _GRAM]
    return words[:_MOST_WORDS]


def match_of(query: str, tokenizer: str = "porter") -> str:
    """Return `phrases_of` as an FTS5 expression, each quoted, so that nothing in it is an operator; empty for none."""
    return " OR ".join(f'"{word}"' for word in phrases_of(query, tokenizer))


def short_of(query: str) -> list[str]:
    """Return the parts of the query, each once, that trigrams cannot look up and that tell something.

    Those are the pairs of characters of Chinese, Japanese and Korean; short words of other writings only where the
    query has nothing else.
    """
    found = [gram for word in _telling(query) for gram in grams(word)]
    longer = any(len(gram) >= _GRAM or is_unspaced(gram) for gram in found)
    short = [gram for gram in found if len(gram) < _GRAM and (is_unspaced(gram) or not longer)]
    return list(dict.fromkeys(short))[:_MOST_WORDS]


def cases_of(text: str) -> tuple[str, ...]:
    """Return a text of one or two characters in every mixture of small letters and capitals that is as long."""
    forms = [
        sorted({one for one in (character, character.lower(), character.upper()) if len(one) == 1})
        for character in text
    ]
    return tuple("".join(mixed) for mixed in product(*forms))


def _telling(query: str) -> list[str]:
    text = unicodedata.normalize("NFC", query)
    words = [text[start:end].lower() for start, end in word_spans(text, names=True)]
    return [word for word in words if word not in STOP_WORDS] or words
