"""One game of a pairwise judge: two answers in one order, and what the judge made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmkit.judges._asking import Fault, asked
from llmkit.judges._reading import last_choice, last_number, said_json
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Message, Request, Response, TokenLogprob

LABELS = ("A", "B", "tie")
CLASSES_ASK = {
    "text": "First compare the two answers in a few sentences. Then write the verdict alone on the last line, in "
    "exactly this form, with A, B or tie:\nVerdict: <A, B or tie>",
    "json": "Answer with a JSON object: first 'reason', your comparison in a few sentences, then 'verdict': "
    '"A", "B" or "tie".',
}
SCORES_ASK = {
    "text": "First compare the two answers in a few sentences. Then write both grades, numbers from {low:g} to "
    "{high:g}, alone on the last two lines, in exactly this form:\nGrade A: <number>\nGrade B: <number>",
    "json": "Answer with a JSON object: first 'reason', your comparison in a few sentences, then 'a' and 'b', the "
    "grades of the two answers, numbers from {low:g} to {high:g}.",
}
LOGPROB_ASK = "Which answer is better? Reply with the one letter A or B and nothing else."


@dataclass(frozen=True, slots=True)
class Game:
    """What one game said of answer A.

    Attributes:
        a: How far A is preferred: 1, 0.5 (tie) or 0, or a probability.
        grades: The grades of A and B, where grades were asked for.
        reason: The judge's words.
    """

    a: float
    grades: tuple[float, float] = (0.0, 0.0)
    reason: str = ""


def by_class(chat: Sequence[Message], form: str, params: dict[str, Any]) -> Dialogue[Game | Failure]:
    """Ask which answer wins, or whether neither does."""
    schema = _schema({"verdict": {"type": "string", "enum": list(LABELS)}}) if form == "json" else None

    def read(response: Response) -> Game | Fault:
        text, reason = response.text, response.text.strip()
        if form == "json":
            said = said_json(text)
            if isinstance(said, Fault):
                return said
            text, reason = f"Verdict: {said.get('verdict', '')}", str(said.get("reason", ""))
        label = last_choice(text, LABELS, after="Verdict:")
        return label if isinstance(label, Fault) else Game({"A": 1.0, "B": 0.0, "tie": 0.5}[label], reason=reason)

    return (yield from asked(chat, read, params=params, schema=schema))


def by_grades(
    chat: Sequence[Message], form: str, params: dict[str, Any], scale: tuple[float, float]
) -> Dialogue[Game | Failure]:
    """Ask for a grade of each answer."""
    number = {"type": "number", "minimum": scale[0], "maximum": scale[1]}
    schema = _schema({"a": number, "b": number}) if form == "json" else None

    def read(response: Response) -> Game | Fault:
        text, reason = response.text, response.text.strip()
        if form == "json":
            said = said_json(text)
            if isinstance(said, Fault):
                return said
            text = f"Grade A: {said.get('a', '')}\nGrade B: {said.get('b', '')}"
            reason = str(said.get("reason", ""))
        a, b = (last_number(text, *scale, after=f"Grade {label}:") for label in "AB")
        if isinstance(a, Fault):
            return a
        if isinstance(b, Fault):
            return b
        return Game(1.0 if a > b else 0.0 if a < b else 0.5, (a, b), reason)

    return (yield from asked(chat, read, params=params, schema=schema))


def by_logprob(chat: Sequence[Message], params: dict[str, Any]) -> Dialogue[Game | Failure]:
    """Ask for one letter and weigh its log-probability against the other's, as AlpacaEval does."""
    sent = {**params, "max_tokens": 1, "logprobs": True, "top_logprobs": 20}
    [response] = yield [Request(messages=tuple(chat), params=sent)]
    if not response.logprobs:
        message = "the endpoint gave no log-probabilities; write 'verdict: three_class', or ask a model that gives them"
        return Failure("no_logprobs", message)
    a, b = masses(response.logprobs[0])
    if a + b == 0:
        return Failure("off_menu", f"neither A nor B is among the likely answers; the judge said: {response.text!r}")
    return Game(a / (a + b), reason=f"P(A) {a:.4g}, P(B) {b:.4g}")


def masses(first: TokenLogprob, labels: tuple[str, str] = ("A", "B")) -> tuple[float, float]:
    """Return the probabilities of two labels at an answer's first token, with or without a space before them.

    A label that is not among the alternatives has none, as in AlpacaEval's ``logprob_parser``.
    """
    mass = dict.fromkeys(labels, 0.0)
    for token, logprob in first.top or ((first.token, first.logprob),):
        letter = token.strip().strip("▁Ġ")  # the marks of a space in the tokens of open models
        if letter in mass:
            mass[letter] += math.exp(logprob)
    return mass[labels[0]], mass[labels[1]]


def _schema(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"reason": {"type": "string"}, **properties},
        "required": ["reason", *properties],
        "additionalProperties": False,
    }
