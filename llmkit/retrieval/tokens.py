"""What FTS5's tokenizers make of texts: the words that an index holds, whoever looks them up."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from typing import Any

from llmkit.retrieval.match import LEXICAL

_ONE_BY_ONE = "SELECT term FROM tokens ORDER BY offset"
_OF_MANY = "SELECT doc, group_concat(term, ' ') FROM (SELECT doc, term FROM tokens ORDER BY doc, offset) GROUP BY doc"


class Tokens:
    """A tokenizer of FTS5, asked through a table in memory; may be used by several threads.

    Args:
        tokenizer: A key of `LEXICAL`.
    """

    def __init__(self, tokenizer: str) -> None:
        self._lock = threading.Lock()
        self._sql = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._sql.execute(f"CREATE VIRTUAL TABLE asked USING fts5 (text, content='', tokenize='{LEXICAL[tokenizer]}')")
        self._sql.execute("CREATE VIRTUAL TABLE tokens USING fts5vocab (asked, instance)")

    def of(self, text: str) -> list[str]:
        """Return the tokens of a text, in order."""
        return [token for (token,) in self._asked([text], _ONE_BY_ONE)]

    def joined(self, texts: Sequence[str]) -> list[str]:
        """Return the tokens of each text as words between blanks."""
        found: dict[int, str] = dict(self._asked(texts, _OF_MANY))
        return [found.get(place, "") for place in range(len(texts))]

    def close(self) -> None:
        """Let go of the table; safe to call twice."""
        with self._lock:
            self._sql.close()

    def _asked(self, texts: Sequence[str], question: str) -> list[Any]:
        with self._lock:
            self._sql.executemany("INSERT INTO asked (rowid, text) VALUES (?, ?)", list(enumerate(texts)))
            found = self._sql.execute(question).fetchall()
            self._sql.execute("INSERT INTO asked (asked) VALUES ('delete-all')")
        return found
