"""The target that answers with what it was asked: for first runs and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmkit.providers._answers import question
from llmkit.registry import provider
from llmkit.types import EACH_LOGPROB, Loglikelihood, Request, Response


@provider("echo")
@dataclass(frozen=True)
class Echo:
    """Answers with the last user message, or always with the same text.

    Attributes:
        text: The answer to everything; without it, the last user message is the answer.
        prefix: Put before every answer.
    """

    text: str | None = None
    prefix: str = ""

    cacheable: ClassVar[bool] = False
    journaled: ClassVar[bool] = False
    wants_sample: ClassVar[bool] = False

    async def complete(self, request: Request) -> Response:
        """Return the answer at once; its token counts are words.

        A continuation that equals the prompt is certain (log-probability 0), any other is not (minus its words).
        """
        asked = question(request)
        if request.kind == "loglikelihood":
            return Response(
                loglikelihoods=tuple(_likelihood(asked, text, request) for text in request.texts), finish="stop"
            )
        answer = self.prefix + (asked if self.text is None else self.text)
        return Response(text=answer, tokens_in=len(asked.split()), tokens_out=len(answer.split()), finish="stop")

    async def aclose(self) -> None:
        """Nothing is held open."""


def _likelihood(prompt: str, continuation: str, request: Request) -> Loglikelihood:
    words = len(continuation.split())
    certain = continuation.strip() == prompt.strip()
    each = 0.0 if certain else -1.0
    parts = (each,) * words if request.params.get(EACH_LOGPROB) else ()
    return Loglikelihood(logprob=each * words, tokens=words, greedy=certain, parts=parts)
