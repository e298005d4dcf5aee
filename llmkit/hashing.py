"""Content keys: the same content always has the same key, on any machine, in any process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmkit.types import Request


_MASK = (1 << 128) - 1


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


_ENCODE = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain).encode


def canonical_json(value: Any) -> str:
    """Return ``value`` as JSON with sorted keys and no spaces; one text for one content."""
    return _ENCODE(value)


def digest(value: Any, size: int = 16) -> str:
    """Return the hex BLAKE2b digest (``size`` bytes) of the canonical JSON of ``value``."""
    return blake2b(_ENCODE(value).encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


def request_key(identity: str, request: Request) -> str:
    """Return the content key of a request to the provider named by ``identity``.

    ``identity`` holds what makes the provider answer as it does (name, endpoint, model, its own parameters);
    the key adds everything in the request, the repeat number included.
    """
    return digest(
        [
            identity,
            request.kind,
            request.model,
            request.messages,
            request.params,
            request.texts,
            request.sample,
            request.repeat,
        ]
    )


def unordered_digest(digests: Iterable[str]) -> str:
    """Return one digest of many 16-byte hex digests that does not depend on their order (sum modulo 2^128)."""
    total = 0
    for item in digests:
        total = (total + int(item, 16)) & _MASK
    return f"{total:032x}"
