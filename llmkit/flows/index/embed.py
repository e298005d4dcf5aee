"""Embedding what has no vector yet, in pieces that a kill can cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from llmkit.flows.index.options import BuildOptions, Step
from llmkit.retrieval.store import IndexStore

if TYPE_CHECKING:
    from llmkit.protocols import Embedder

PIECE_SECONDS: Final = 1.5
"""How long a piece should take to embed: what a kill loses."""

_FIRST: Final = 32
_MOST: Final = 4096


@dataclass(slots=True)
class Embedded:
    """What was embedded: texts, tokens, texts that the model's limit cut off, seconds."""

    texts: int = 0
    tokens: int = 0
    truncated: int = 0
    seconds: float = 0.0


def embed_missing(store: IndexStore, embedder: Embedder, options: BuildOptions, *, title_prefix: bool) -> Embedded:
    """Embed every staged text without a vector and keep each piece for good.

    Texts of a window are sorted by length, so that a batch holds texts of about one length and little padding.

    Raises:
        InfrastructureError: the endpoint or the disk failed; what was kept is not asked for again.
    """
    done = Embedded()
    total = store.wanting()
    if not total:
        return done
    size = _FIRST
    options.tell(Step("embedding", 0, total))
    for window in store.missing(title_prefix=title_prefix):
        left = sorted(window, key=lambda item: len(item[1]))
        while left:
            piece, left = left[:size], left[size:]
            began = time.monotonic()
            texts = [text for _, text in piece]
            counts = [len(spans) for spans in embedder.spans(texts)]
            store.append([key for key, _ in piece], embedder.embed(texts, "passage"), counts)
            took = time.monotonic() - began
            done.texts += len(piece)
            done.tokens += sum(counts)
            done.seconds += took
            if embedder.max_tokens is not None:
                done.truncated += sum(count > embedder.max_tokens for count in counts)
            size = max(1, min(_MOST, size * 2, int(len(piece) * PIECE_SECONDS / max(took, 1e-6))))
            options.tell(Step("embedding", done.texts, max(total, done.texts)))
    return done
