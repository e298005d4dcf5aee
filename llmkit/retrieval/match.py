"""A question as an expression of SQLite's FTS5."""

from __future__ import annotations

import re

from llmkit.text.bm25 import STOP_WORDS

_WORD = re.compile(r"\w+")
_MOST_WORDS = 200


def match_of(query: str) -> str:
    """Return the expression that finds a chunk by any word of the query; empty where the query has no word.

    Words are quoted, so that nothing in a question is an operator. Function words are left out where others stand:
    each would be looked up in nearly every chunk and tell little. A word that is said twice counts twice, as in BM25 of
    the book: on CACM, whose queries are sentences, that is worth .045 of MAP. Of very long queries the first words
    count.
    """
    words = [word.lower() for word in _WORD.findall(query)]
    telling = [word for word in words if word not in STOP_WORDS] or words
    return " OR ".join(f'"{word}"' for word in telling[:_MOST_WORDS])
