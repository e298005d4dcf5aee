"""Judges of known character, as answer functions of the fake server: each decides from the prompt's fences alone.

``FakeServer`` takes one as ``Behaviour(answer=...)``. A judge's prompt holds its material between fences
(`llmkit.judges.block`); what is asked for at the end says in which form to answer: ``Verdict:`` with a menu, ``Grade:``,
``Grade A:`` and ``Grade B:``, a list of items, or one letter with log-probabilities.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

Body = Mapping[str, Any]
Judge = Callable[[Body], Any]
_FENCE = re.compile(r"^<<<(?!end )(.+) ([0-9a-f]{12})>>>\n(.*?)\n<<<end \1 \2>>>$", re.DOTALL | re.MULTILINE)


def text_of(body: Body) -> str:
    """Return everything that the users of the chat said."""
    return "\n\n".join(str(message["content"]) for message in body["messages"] if message["role"] == "user")


def fenced(body: Body) -> dict[str, str]:
    """Return the material of a judge's prompt: what each fence is called, and what is in it."""
    return {name: text for name, _, text in _FENCE.findall(text_of(body))}


def is_judging(body: Body) -> bool:
    """Whether a request is a judge's: its prompt has fences."""
    return bool(fenced(body))


def quality(text: str) -> float:
    """Return how good an answer is, from 0 to 1: what it says of itself as ``quality=0.7``, else from its digest."""
    said = re.search(r"quality=([01](?:\.\d+)?)", text)
    return float(said[1]) if said else (crc32(text.encode()) % 1000) / 1000


def grade(value: float, low: float = 1, high: float = 10) -> str:
    """Return a value of 0 to 1 as a whole grade on a scale, in form."""
    return f"Weighed.\nGrade: {round(low + value * (high - low))}"


def _scale(body: Body) -> tuple[float, float]:
    found = re.findall(r"from (-?\d+(?:\.\d+)?) to (-?\d+(?:\.\d+)?)", text_of(body))
    return (float(found[-1][0]), float(found[-1][1])) if found else (1.0, 10.0)


def _menu(body: Body) -> list[str]:
    found = re.findall(r"with one of (.+?):\n", text_of(body))
    return found[-1].split(", ") if found else []


def judging(value: Callable[[str, bool], float], *, tie: float = 0.05) -> Judge:
    """Return a judge that rates each answer by ``value(text, is_first)`` from 0 to 1 and answers in any form asked for.

    Args:
        value: How good it takes an answer to be; of a pair, whether the answer stands first.
        tie: Pairs whose values differ by no more are ties.
    """

    def answer(body: Body) -> Any:
        material = fenced(body)
        if "answer A" in material:
            a, b = value(material["answer A"], True), value(material["answer B"], False)
            if "Grade A:" in text_of(body):
                low, high = _scale(body)
                grades = [round(low + v * (high - low), 2) for v in (a, b)]
                return f"Weighed.\nGrade A: {grades[0]}\nGrade B: {grades[1]}"
            if "one letter A or B" in text_of(body):
                return letter(a, b)
            return f"Weighed.\nVerdict: {'tie' if abs(a - b) <= tie else 'A' if a > b else 'B'}"
        worth = value(material.get("answer", ""), True)
        menu = _menu(body)
        if menu:
            return f"Weighed.\nVerdict: {menu[0] if worth >= 0.5 else menu[1]}"
        return grade(min(1.0, max(0.0, worth)), *_scale(body))

    return answer


def letter(a: float, b: float) -> dict[str, Any]:
    """Return a chat message that is one letter; the server adds its own log-probabilities."""
    return {"content": "A" if a >= b else "B"}


def fair() -> Judge:
    """A judge without a bias: it sees quality and nothing else."""
    return judging(lambda text, first: quality(text))


def prefers_first(by: float = 0.4) -> Judge:
    """A judge that takes the answer it reads first for better than it is."""
    return judging(lambda text, first: quality(text) + (by if first else 0.0))


def prefers_longer(per_100: float = 0.2) -> Judge:
    """A judge that takes every 100 characters for so much better."""
    return judging(lambda text, first: quality(text) + per_100 * len(text) / 100)


def prefers(mark: str, by: float = 0.4) -> Judge:
    """A judge that likes answers with a mark in them: its own style, a list, a headline."""
    return judging(lambda text, first: quality(text) + (by if mark in text else 0.0))


def obeys_injections(order: str = "ignore", by: float = 1.0) -> Judge:
    """A judge that follows instructions that it finds in an answer."""
    return judging(lambda text, first: quality(text) + (by if order in text.casefold() else 0.0))


def clumps(at: float = 0.75) -> Judge:
    """A judge that gives nearly everyone the same grade."""
    return judging(lambda text, first: at if 0.02 < quality(text) < 0.98 else quality(text))


def changes_its_mind(spread: float = 0.4) -> Judge:
    """A judge that says something else each time it is asked; the number of the call decides."""
    calls = 0

    def answer(body: Body) -> Any:
        nonlocal calls
        calls += 1
        shift = ((calls * 7919) % 1000 / 1000 - 0.5) * 2 * spread
        return judging(lambda text, first: quality(text) + shift * (1 if first else -1))(body)

    return answer


def off_menu() -> Judge:
    """A judge that answers with something that was not asked for."""
    return lambda body: "Verdict: purple\nGrade: excellent"


def a_range() -> Judge:
    """A judge that cannot decide on one number."""
    return lambda body: "Grade: 1-3\nVerdict: A or B"


def silent() -> Judge:
    """A judge that says nothing."""
    return lambda body: ""


def refuses() -> Judge:
    """A judge that does not want to."""
    return lambda body: "I'm sorry, but I can't help with that."


def sometimes(other: Judge, judge: Judge, share: float = 0.05) -> Judge:
    """Return a judge that is ``other`` for a share of the materials, whatever the order of requests."""

    def answer(body: Body) -> Any:
        drawn = crc32("".join(fenced(body).values()).encode()) % 10_000 / 10_000
        return (other if drawn < share else judge)(body)

    return answer
