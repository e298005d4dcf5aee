"""Retrieved text that tries to give instructions: found by signs, and told; fencing is what keeps it from working.

The signs are few and strict: a page that teaches about such attacks holds them too, so a finding is a flag for a reader
and never a reason to leave a passage out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NOT_THESE = r"\b(?:ignore|disregard|forget|override|bypass)\s+(?:\w+\s+){0,4}?"
_ROLE = r"\b(?:you\s+are\s+now|from\s+now\s+on,?\s+you|pretend\s+(?:to\s+be|that\s+you)|act\s+as\s+(?:if\s+you|an?\s+"
_REVEALED = r"\b(?:reveal|print|repeat|show|output|leak)\s+(?:\w+\s+){0,3}?(?:system|hidden|initial)\s+"
_CHAT = r"<\|(?:im_start|im_end|system|user|assistant|eot_id|endoftext)\|>|\[/?INST\]|<</?SYS>>"
_ADDRESSED = r"(?:as\s+an?|dear|attention|note\s+to(?:\s+the)?)\s+(?:ai|llm|assistant|language\s+model|chatbot)\b"
_ORDERED = r"(?:ai|assistant|language\s+model|chatbot)\s+(?:must|should|shall|has\s+to)\s+"
_SILENCE = (
    r"(?:respond|reply|answer)\s+only\s+with\b|do\s+not\s+(?:tell|inform|mention\s+(?:this|it)\s+to)\s+the\s+user"
)
_SIGNS = {
    "tells the reader to ignore its instructions": _NOT_THESE
    + r"(?:instructions?|prompts?|rules|guidelines|directions|context)\b",
    "gives the reader another role": _ROLE + r"(?:\w+\s+)?(?:assistant|model|ai)\b))",
    "asks for the system prompt": _REVEALED + r"(?:prompt|message|instructions?)\b",
    "holds the marks of a chat": _CHAT + r"|^\s*(?:system|assistant)\s*:\s*\S|^#{2,}\s*(?:system|instructions?)\s*:",
    "tells an assistant what to answer": rf"\b(?:{_ADDRESSED}|{_ORDERED}(?:answer|say|reply|respond)|{_SILENCE})",
    "sends data away through a picture": r"!\[[^\]]*\]\(\s*https?://[^)\s]*[?&][^)\s]*=\s*[{<\[]",
    "holds characters that cannot be seen": r"[\u200b\u2060\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]{2,}",
}
_PATTERNS = tuple((reason, re.compile(sign, re.IGNORECASE | re.MULTILINE)) for reason, sign in _SIGNS.items())


@dataclass(frozen=True, slots=True)
class Flag:
    """A place where a text seems to give instructions: text[start:end], and what it does there."""

    start: int
    end: int
    reason: str


def suspicious(text: str) -> list[Flag]:
    """Return the places of a text that try to give instructions to who reads it, in order."""
    found = [Flag(match.start(), match.end(), reason) for reason, sign in _PATTERNS for match in sign.finditer(text)]
    return sorted(found, key=lambda flag: (flag.start, flag.end))
