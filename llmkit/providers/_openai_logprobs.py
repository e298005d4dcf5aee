"""Log-probabilities as servers send them, and the likelihood of a continuation made of them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from llmkit.types import Loglikelihood, TokenLogprob


class UnsupportedError(ValueError):
    """The server's answer does not hold what a log-likelihood needs; the message says what is missing."""


def of_choice(choice: Mapping[str, Any]) -> tuple[TokenLogprob, ...]:
    """Return the log-probabilities of a choice, in the form of chat or of plain completions."""
    block = choice.get("logprobs")
    if not block:
        return ()
    content = block.get("content")
    if content is not None:
        return tuple(
            TokenLogprob(
                item["token"],
                float(item["logprob"]),
                tuple((top["token"], float(top["logprob"])) for top in item.get("top_logprobs") or ()),
            )
            for item in content
        )
    tops = block.get("top_logprobs") or ()
    return tuple(
        TokenLogprob(token, float(logprob), tuple((tops[i] or {}).items()) if i < len(tops) else ())
        for i, (token, logprob) in enumerate(
            zip(block.get("tokens") or (), block.get("token_logprobs") or (), strict=False)
        )
        if logprob is not None
    )


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    logprob: float | None
    greedy: bool
    offset: int | None = None


def loglikelihood(choice: Mapping[str, Any], context: str, continuation: str, *, parts: bool = False) -> Loglikelihood:
    """Return the log-likelihood of ``continuation`` after ``context`` from an echoed prompt, with ``parts`` by tokens.

    The tokens counted are those that hold at least one character of the continuation. A token that straddles
    the boundary (``"Answer: "`` + ``"Paris"`` tokenised as ``Answer:`` and `` Paris``) is counted whole: what the
    context alone fixes is then the same for every continuation, which is also what lm-evaluation-harness does
    when it moves a context's trailing spaces to the continuation.

    Raises:
        UnsupportedError: the answer has no prompt log-probabilities, or they do not fit the prompt.
    """
    tokens = _echoed(choice)
    if not tokens:
        raise UnsupportedError("it returns no log-probabilities of the prompt (echo with logprobs)")
    spans = _spans(tokens, context + continuation)
    if spans is None:
        raise UnsupportedError("the tokens it returns do not add up to the prompt")
    shift, ends = spans
    start, stop = shift + len(context), shift + len(context) + len(continuation)
    found: list[float] = []
    greedy = True
    for token, (first, last) in zip(tokens, ends, strict=True):
        # A piece of a character that later tokens complete has no width; at the boundary it is the continuation's.
        piece = first == last == start and token.logprob is not None
        if (last <= start and not piece) or first >= stop:
            continue
        if token.logprob is None:
            raise UnsupportedError("it gives no log-probability to the first token; give the request a context")
        found.append(token.logprob)
        greedy = greedy and token.greedy
    if continuation and not found:
        raise UnsupportedError("the tokens it returns do not reach the continuation")
    return Loglikelihood(sum(found), len(found), greedy, tuple(found) if parts else ())


def _spans(tokens: Sequence[_Token], prompt: str) -> tuple[int, list[tuple[int, int]]] | None:
    """Return where the prompt begins among the tokens' characters, and each token's (start, end) there.

    The tokens' own texts are trusted first, because some servers put a begin-of-text token in front; where they
    do not hold the prompt (a character split over two tokens), the server's ``text_offset`` is. A first token
    without a text is one that vLLM says nothing about.
    """
    joined = "".join(token.text for token in tokens)
    shift = joined.find(prompt)
    if shift >= 0:
        return shift, _ends(tokens)
    if joined and not tokens[0].text and prompt.endswith(joined):
        return len(joined) - len(prompt), _ends(tokens)
    offsets = [token.offset for token in tokens if token.offset is not None]
    if len(offsets) != len(tokens) or any(a > b for a, b in pairwise(offsets)):
        return None
    if offsets[-1] >= len(prompt) + len(tokens[-1].text):
        return None
    return 0, list(zip(offsets, [*offsets[1:], max(len(prompt), offsets[-1])], strict=True))


def _ends(tokens: Sequence[_Token]) -> list[tuple[int, int]]:
    ends = list(accumulate(len(token.text) for token in tokens))
    return list(zip([0, *ends], ends, strict=False))


def _echoed(choice: Mapping[str, Any]) -> list[_Token]:
    block = choice.get("logprobs")
    if block and block.get("tokens"):
        tokens = block["tokens"]
        logprobs = block["token_logprobs"]
        tops = block.get("top_logprobs") or [None] * len(tokens)
        offsets = block.get("text_offset") or [None] * len(tokens)
        return [
            _Token(text, logprob, _is_top(logprob, (top or {}).values()), offset)
            for text, logprob, top, offset in zip(tokens, logprobs, tops, offsets, strict=True)
        ]
    prompt = choice.get("prompt_logprobs")
    if not prompt:
        return []
    # vLLM: one mapping a token, {id: {logprob, rank, decoded_token}}, the prompt's own token first.
    entries = [next(iter(item.values())) if item else None for item in prompt]
    return [
        _Token(e["decoded_token"], e["logprob"], e.get("rank") == 1) if e else _Token("", None, greedy=False)
        for e in entries
    ]


def _is_top(logprob: float | None, tops: Any) -> bool:
    return logprob is not None and logprob >= max(tops, default=float("inf"))
