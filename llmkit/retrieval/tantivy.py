"""The words of an index in tantivy: derived from its chunks beside FTS5, and made anew whenever they are lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from llmkit.errors import InfrastructureError, MissingExtraError
from llmkit.retrieval.tokens import Tokens

if TYPE_CHECKING:
    from numpy import int64
    from numpy.typing import NDArray

ENGINE: Final = "tantivy"
_CHECKSUMS: Final = "checksums"
_NOT_OURS: Final = ("", ".lock")  # the checksums themselves, and locks
_AT_ONCE: Final = 500
_MEMORY: Final = 128_000_000
_NARROW: Final = 0.02
"""Share of the chunks up to which a filter is part of the question; naming many takes longer than looking further."""

_EXTRA: Final = 1.5  # more candidates than the share that a filter lets through asks for


def require_tantivy() -> None:
    """Raise MissingExtraError where the package is not installed."""
    if find_spec("tantivy") is None:
        raise MissingExtraError("the lexical engine 'tantivy'", ENGINE)


def write_words(folder: Path, chunks: Iterable[tuple[int, str]], tokenizer: str) -> None:
    """Write the words of chunks, each with its number, in ascending order, into an empty folder.

    The words are the tokens of FTS5's tokenizer, so that both engines find the same chunks.

    Raises:
        MissingExtraError: the package is not installed.
        InfrastructureError: the disk refused.
    """
    require_tantivy()
    import tantivy

    index = _named(tantivy.Index(_schema(), str(folder)))
    writer = index.writer(heap_size=_MEMORY, num_threads=1)
    tokens, rest = Tokens(tokenizer), iter(chunks)
    while part := list(islice(rest, _AT_ONCE)):
        for (number, _), words in zip(part, tokens.joined([text for _, text in part]), strict=True):
            writer.add_document(tantivy.Document(number=number, words=words))
    tokens.close()
    try:
        writer.commit()
        writer.wait_merging_threads()
    except ValueError as error:
        raise InfrastructureError(f"tantivy cannot write to {folder}: {error}; FTS5 finds words meanwhile") from error
    (folder / _CHECKSUMS).write_text(json.dumps(_checksums(folder)), encoding="utf-8")


def words_are_whole(folder: Path) -> bool:
    """Return whether the files are those that `write_words` wrote, by their checksums."""
    try:
        return bool(json.loads((folder / _CHECKSUMS).read_text(encoding="utf-8")) == _checksums(folder))
    except (OSError, ValueError):
        return False


def _checksums(folder: Path) -> dict[str, int]:
    """Return the CRC-32 of each file that holds something; tantivy's own do not tell when it opens them."""
    return {path.name: crc32(path.read_bytes()) for path in sorted(folder.iterdir()) if path.suffix not in _NOT_OURS}


class TantivyWords:
    """What `write_words` wrote, to search; may be used by several threads.

    Args:
        folder: Where it lies.
        tokenizer: The tokenizer that it was written with.

    Raises:
        MissingExtraError: the package is not installed.
        ValueError: the files are damaged.
    """

    def __init__(self, folder: Path, tokenizer: str) -> None:
        require_tantivy()
        import tantivy

        self._schema = _schema()
        try:
            index = _named(tantivy.Index.open(str(folder)))
            index.config_reader("manual")
            self._searcher = index.searcher()
        except (ValueError, OSError) as error:
            raise ValueError(f"{folder} cannot be read: {error}") from error
        self._tokens = Tokens(tokenizer)

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def close(self) -> None:
        """Let go of what is kept in memory; safe to call twice."""
        self._tokens.close()

    def top(self, words: Sequence[str], k: int, allowed: NDArray[int64] | None) -> list[tuple[int, float]]:
        """Return the numbers and BM25 scores of at most ``k`` chunks, best first, ties by number.

        Args:
            words: What is looked for, as `phrases_of` returns it; what stands there twice counts twice.
            k: At least 1.
            allowed: Sorted numbers of the chunks that alone may be found; None for all.
        """
        import numpy as np

        query = self._query(words)
        passing = len(self) if allowed is None else len(allowed)
        if query is None or not passing:
            return []
        narrow = allowed is not None and passing <= _NARROW * len(self)
        if narrow and allowed is not None:
            query = self._among(query, allowed)
        wanted = k if allowed is None or narrow else int(np.ceil(k * len(self) / passing * _EXTRA))
        while True:  # a search stops within equal scores by place, and has to go on to their end
            limit = min(wanted + _AT_ONCE, len(self))
            hits = self._searcher.search(query, limit, count=False).hits
            scores = np.array([score for score, _ in hits])
            numbers = np.array(self._searcher.fast_field_values("number", [at for _, at in hits]), np.int64)
            order = np.lexsort((numbers, -scores))
            if allowed is not None:
                order = order[np.isin(numbers[order], allowed)]
            whole = len(hits) < limit or limit == len(self)
            if whole or (len(order) >= k and scores[order[k - 1]] > scores[-1]):
                return list(zip(numbers[order[:k]].tolist(), scores[order[:k]].tolist(), strict=True))
            wanted = 4 * limit

    def _query(self, words: Sequence[str]) -> Any:
        from tantivy import Occur, Query

        parts = []
        for word in words:
            tokens: list[Any] = [*self._tokens.of(word)]
            if len(tokens) == 1:
                parts.append(Query.term_query(self._schema, "words", tokens[0]))
            elif tokens:
                parts.append(Query.phrase_query(self._schema, "words", tokens))
        return Query.boolean_query([(Occur.Should, part) for part in parts]) if parts else None

    def _among(self, query: Any, allowed: NDArray[int64]) -> Any:
        from tantivy import Occur, Query

        among = Query.const_score_query(Query.term_set_query(self._schema, "number", allowed.tolist()), 0.0)
        return Query.boolean_query([(Occur.Must, query), (Occur.Must, among)])


def _schema() -> Any:
    import tantivy

    fields = tantivy.SchemaBuilder()
    fields.add_integer_field("number", indexed=True, fast=True)
    fields.add_text_field("words", tokenizer_name="blanks")
    return fields.build()


def _named(index: Any) -> Any:
    """Tell an index its tokenizer, which its files know by name alone."""
    import tantivy

    index.register_tokenizer("blanks", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
    return index
