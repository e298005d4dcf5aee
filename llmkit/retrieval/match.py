"""A question as an expression of SQLite's FTS5."""

from __future__ import annotations

import unicodedata

from llmkit.text.bm25 import STOP_WORDS
from llmkit.text.runs import grams, is_unspaced, word_spans

TRIGRAM = "trigram"
_MOST_WORDS = 200
_GRAM = 3


def match_of(query: str, tokenizer: str = "porter") -> str:
    """Return the expression that finds a chunk by any word of the query; empty where the query has no word.

    Words are quoted, so that nothing in a question is an operator. Function words are left out where others stand:
    each would be looked up in nearly every chunk and tell little. A word that is said twice counts twice, as in BM25 of
    the book: on CACM, whose queries are sentences, that is worth .045 of MAP. Of very long queries the first words
    count. The tokenizer ``trigram`` finds parts of words from three characters on; shorter ones are `short_of`.
    """
    words = _telling(query)
    if tokenizer == TRIGRAM:
        words = [gram for word in words for gram in grams(word) if len(gram) >= _GRAM]
    return " OR ".join(f'"{word}"' for word in words[:_MOST_WORDS])


def short_of(query: str) -> list[str]:
    """Return the parts of the query, each once, that trigrams cannot look up and that tell something.

    Those are the pairs of characters of Chinese, Japanese and Korean; short words of other writings only where the
    query has nothing else.
    """
    found = [gram for word in _telling(query) for gram in grams(word)]
    longer = any(len(gram) >= _GRAM or is_unspaced(gram) for gram in found)
    short = [gram for gram in found if len(gram) < _GRAM and (is_unspaced(gram) or not longer)]
    return list(dict.fromkeys(short))[:_MOST_WORDS]


def _telling(query: str) -> list[str]:
    text = unicodedata.normalize("NFC", query)
    words = [text[start:end].lower() for start, end in word_spans(text, names=True)]
    return [word for word in words if word not in STOP_WORDS] or words
