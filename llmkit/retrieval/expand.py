"""Questions rewritten by a model before the search: hypothetical answers, and other wordings. Dialogues without I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmkit.prompts.fence import fenced
from llmkit.protocols import Dialogue
from llmkit.types import Request

_ANSWER = (
    "Write one paragraph, as it might stand in a reference text, that answers the question between the fence lines. "
    "Write only the paragraph. Where you do not know the answer, write what such a paragraph would probably say."
)
_REWORD = (
    "Write {n} other search queries that would find the answer to the question between the fence lines: other words, "
    "other points of view, parts of the question. One a line, without numbers and without anything else."
)
_LIST_MARK = re.compile(r"^\s*(?:[-*\u2022]|\d{1,2}[.):])\s+")


def hypothetical_answers(question: str, n: int = 1, params: Mapping[str, Any] | None = None) -> Dialogue[list[str]]:
    """Ask for ``n`` paragraphs that might answer the question (HyDE); empty answers are left out.

    Source: Gao et al. 2023, arXiv 2212.10496; the prompt is our own.

    Raises:
        RequestError: a request failed for good.
    """
    chat = ({"role": "user", "content": f"{_ANSWER}\n\n{fenced('question', question)}"},)
    responses = yield [Request(messages=chat, params=params or {}, repeat=number) for number in range(n)]
    return [text for response in responses if (text := response.text.strip())]


def hyde_vector(query: Any, answers: Any) -> Any:
    """Return the mean of the query's vector (d,) and the answers' (n, d), of length 1; the query's where it is 0."""
    import numpy as np

    mean = np.vstack([np.asarray(query)[None, :], np.asarray(answers).reshape(-1, len(query))]).mean(axis=0)
    size = float(np.linalg.norm(mean))
    return (mean / size if size else np.asarray(query)).astype(np.float32)


def other_wordings(question: str, n: int = 3, params: Mapping[str, Any] | None = None) -> Dialogue[list[str]]:
    """Ask for ``n`` other search queries; the question itself always comes first, and nothing comes twice.

    Raises:
        RequestError: the request failed for good.
    """
    text = f"{_REWORD.format(n=n)}\n\n{fenced('question', question)}"
    [response] = yield [Request(messages=({"role": "user", "content": text},), params=params or {})]
    return wordings(question, response.text, n)


def wordings(question: str, written: str, n: int) -> list[str]:
    """Return the question and at most ``n`` other queries of a model's lines, each once."""
    lines: Sequence[str] = [_LIST_MARK.sub("", line).strip().strip("\"'`") for line in written.splitlines()]
    unique = {line.casefold(): line for line in reversed([question, *lines]) if line}
    return list(reversed(unique.values()))[: n + 1]
