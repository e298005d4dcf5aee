"""Texts of strangers inside a prompt: fenced, so that nothing in them can end the fence or pose as the prompt."""

from __future__ import annotations

from hashlib import blake2b


def fenced(name: str, text: str) -> str:
    """Return ``text`` between two fence lines that carry a mark made from the text itself.

    A text cannot hold its own digest, so no text can close its own fence.
    """
    mark = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"<<<{name} {mark}>>>\n{text}\n<<<end {name} {mark}>>>"
