"""Reading and cutting documents, here or in other processes where that pays."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from llmkit.document import Document
from llmkit.errors import InfrastructureError, LlmkitError
from llmkit.flows.index.parts import Parts, Source
from llmkit.retrieval.staged import StagedChunk, StagedDocument, embedded_text, vector_key

if TYPE_CHECKING:
    from llmkit.protocols import Chunker, Tokenizer

_WORTH_SECONDS: Final = 4.0
"""Work from which other processes are started; starting them takes about one."""

_SECONDS_A_FILE: Final = 0.0004
_SECONDS_A_BYTE: Final = 1 / 8_000_000
_SLOW: Final = 10
"""So much longer a byte of PDF or docx takes than one of text."""

_SURROGATE = re.compile("[\ud800-\udfff]")

Read = tuple[Any, Document | str, Sequence[Any]]
"""What was read: what was found, the document or why there is none, its chunks."""


class Reader:
    """Reads and cuts one document; sent to other processes whole."""

    def __init__(self, source: Source, chunker: Chunker, tokenizer: Tokenizer | None) -> None:
        self.source = source
        self.chunker = chunker
        self.tokenizer = tokenizer

    def __call__(self, found: Any) -> Read:
        """Return what was read; a document that cannot be is a sentence, never an exception.

        Where its content may be readable next time, what was found comes back without the hash of it.

        Without a tokenizer it is not cut: the embedder's stays in the process that has loaded the model.
        """
        from llmkit.documents.found import LoadError

        try:
            document = _clean(self.source.load(found))
            chunks = () if self.tokenizer is None else self.chunker.cut(document, self.tokenizer)
        except LoadError as error:
            return replace(found, hash="") if error.passing else found, error.reason, ()
        except LlmkitError:
            raise
        except Exception as error:  # noqa: BLE001 - one document that breaks its loader must not stop a night's run
            return found, f"reading it failed ({type(error).__name__}: {error})", ()
        return found, document, chunks


def read_all(parts: Parts, work: Sequence[Any], processes: int | None = None) -> Iterator[Read]:
    """Yield every document that was read, with its chunks, in the order of ``work``.

    Raises:
        InfrastructureError: a process that reads was killed.
    """
    cut_here = parts.embedder is not None
    reader = Reader(parts.source, parts.chunker, None if cut_here else parts.tokenizer)
    count = min(processes or os.cpu_count() or 1, len(work))
    if count < 2 or (processes is None and _seconds(work) < _WORTH_SECONDS):  # noqa: PLR2004
        here = Reader(parts.source, parts.chunker, parts.tokenizer)
        yield from map(here, work)
        return
    with _pool(reader, count) as answers:
        for found, document, chunks in answers(work):
            if cut_here and isinstance(document, Document):
                yield found, document, parts.chunker.cut(document, parts.tokenizer)
            else:
                yield found, document, chunks


def staged(parts: Parts, path: str, content: str, document: Document, chunks: Sequence[Any]) -> StagedDocument:
    """Return a document as the index stores it."""
    fingerprint = parts.embed_fingerprint
    made = []
    end = chunks[0].start if chunks else 0
    for chunk in chunks:
        text = document.text[chunk.start : chunk.end]
        above = chunk.headings[1:] if chunk.headings[:1] == (document.title,) else chunk.headings
        lead = "\n".join(part for part in (document.title, *above) if part)
        final = embedded_text(lead, text, title_prefix=parts.title_prefix)
        key = None if fingerprint is None else vector_key(fingerprint, final)
        gap = document.text[end : chunk.start]
        made.append(StagedChunk(chunk.start, chunk.end, tuple(chunk.headings), text, lead, key, chunk.page, gap))
        end = chunk.end
    return StagedDocument(path, content, document.title, dict(document.meta), tuple(made))


def _seconds(work: Sequence[Any]) -> float:
    slow = (".pdf", ".docx")
    size: int = sum(found.size * (_SLOW if found.path.lower().endswith(slow) else 1) for found in work)
    return len(work) * _SECONDS_A_FILE + size * _SECONDS_A_BYTE


def _clean(document: Document) -> Document:
    """Return the document without halves of characters, which no file can hold; one stands in for each."""
    if document.text.isascii() or not _SURROGATE.search(document.text):
        return document
    return replace(document, text=_SURROGATE.sub("\ufffd", document.text))


_reader: Reader | None = None


def _start(reader: Reader) -> None:
    """Make a process ready: it reads for us, and leaves Ctrl-C to us."""
    import signal

    global _reader  # noqa: PLW0603 - one process, one reader
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _reader = reader


def _read(found: Any) -> Read:
    assert _reader is not None
    return _reader(found)


@contextmanager
def _pool(reader: Reader, count: int) -> Iterator[Any]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_start, initargs=(reader,))

    def answers(work: Sequence[Any]) -> Iterator[Read]:
        ahead, waiting = count * 64, []
        for found in work:
            waiting.append(pool.submit(_read, found))
            if len(waiting) >= ahead:
                yield waiting.pop(0).result()
        for one in waiting:
            yield one.result()

    try:
        yield answers
    except BrokenProcessPool as error:
        raise InfrastructureError(
            "a process that reads documents was killed, perhaps for want of memory; run the same command again: what "
            "was read is kept"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
