"""Claims of a text, and which of them a basis supports: what the fact checks are made of."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from llmkit.hashing import digest
from llmkit.judges._asking import Fault, asked
from llmkit.judges._base import ModelJudge
from llmkit.judges._blocks import GUARD, block, question
from llmkit.judges._items import ITEMS_ASK, Answers, each_answered
from llmkit.judges._reading import said_json
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Output, Request, Response, Sample

_SPLIT = (
    "You break a text into the claims it makes. A claim is one statement of fact that can be checked by itself: put "
    "names in the place of pronouns, and split what is joined by 'and'. Leave out questions, greetings, opinions about "
    "oneself and advice. Add nothing that the text does not say."
)
_SPLIT_ASK = {
    "text": "Write the claims of the text, numbered, one a line (1. ..., 2. ...). If it makes none, write only: none",
    "json": 'Answer with a JSON object {"claims": [...]} that holds the claims as texts; an empty list if there are '
    "none.",
}
SUPPORTED = (
    "You check claims against a text. Say yes where the claim follows from the text alone, and no where the text "
    "contradicts it or does not say. What you know besides does not count."
)
NO_CONTEXTS = "no contexts"
NO_REFERENCE = "no reference"
EMPTY = "empty answer"
NO_CLAIMS = "the answer makes no claim"
_NUMBERED = re.compile(r"^\s*(?:\d+[.):]|[-*•])\s+(.*\S)")


@dataclass(frozen=True, kw_only=True)
class ClaimJudge(ModelJudge):
    """A judge that takes texts apart into claims and checks them.

    Attributes:
        form: As every judge's: ``json`` has the endpoint enforce a JSON Schema, ``text`` asks for a strict form.
    """

    bounds = (0.0, 1.0)

    @property
    def prompt_digest(self) -> str:
        """Of the texts that are sent."""
        return digest([_SPLIT, _SPLIT_ASK, SUPPORTED, ITEMS_ASK, GUARD, *self.own_texts], 4)

    @property
    def own_texts(self) -> tuple[str, ...]:
        """Texts that only this judge sends."""
        return ()

    def claims(self, text: str, asked_for: str = "") -> Dialogue[list[str] | Failure]:
        """Return the claims of a text; ``asked_for`` is the fenced question that it answers."""
        form = "json" if self.form == "json" else "text"

        def read(response: Response) -> list[str] | Fault:
            if form == "json":
                said = said_json(response.text)
                if isinstance(said, Fault):
                    return said
                listed = said.get("claims")
                if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
                    return Fault("off_form", "there is no list of texts under 'claims'")
                return [item.strip() for item in listed if item.strip()]
            lines = [match[1] for line in response.text.splitlines() if (match := _NUMBERED.match(line))]
            if not lines and response.text.strip().strip(".*_`'\"").casefold() != "none":
                return Fault("off_form", "there is neither a numbered claim in it nor the word none")
            return lines

        parts = [part for part in (asked_for, block("text", text), _SPLIT_ASK[form]) if part]
        chat = [{"role": "system", "content": f"{_SPLIT} {GUARD}"}, {"role": "user", "content": "\n\n".join(parts)}]
        schema = _schema() if form == "json" else None
        return (yield from asked(chat, read, params=self.params, schema=schema))

    def supported(
        self, claims: Sequence[str], basis: Sequence[str], system: str = SUPPORTED
    ) -> Dialogue[Answers | Failure]:
        """Return for each claim whether the basis (fenced texts) supports it."""
        return (yield from each_answered(system, basis, claims, form=self.form, params=self.params))


@dataclass(frozen=True, kw_only=True)
class EmbeddingJudge(ClaimJudge):
    """A judge that also compares texts by their vectors.

    Attributes:
        embedder: Who embeds texts: a provider, as a target is written; without it the judge's own endpoint.
        embedding_model: The embedding model, where it is not the embedder's own.
    """

    embedder: str | dict[str, Any] | None = field(default=None, metadata={"identity": False, "signature": False})
    embedding_model: str = ""

    def cosines(self, text: str, others: Sequence[str]) -> Dialogue[list[float] | Failure]:
        """Return the cosine of one text with each of the others."""
        texts = (text, *others)
        [response] = yield [Request(kind="embedding", texts=texts, model=self.embedding_model)]
        vectors = response.embeddings
        if len(vectors) != len(texts):
            return Failure("no_embeddings", f"asked for {len(texts)} vectors, got {len(vectors)}")
        return [cosine(vectors[0], vector) for vector in vectors[1:]]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of two vectors, within -1 to 1; 0 where one of them is all zeros."""
    size = math.sqrt(sum(x * x for x in one)) * math.sqrt(sum(x * x for x in other))
    return max(-1.0, min(1.0, sum(x * y for x, y in zip(one, other, strict=True)) / size)) if size else 0.0


def passages(sample: Sample, output: Output) -> list[str]:
    """Return the texts an answer was made from: what the target retrieved, else the row's contexts; no empty ones."""
    found = [passage.text for passage in output.retrieved] or list(sample.contexts)
    return [text for text in found if text.strip()]


def fenced_passages(texts: Sequence[str]) -> list[str]:
    """Return passages as numbered blocks."""
    return [block(f"passage {number}", text) for number, text in enumerate(texts, 1)]


def asked_by(sample: Sample, output: Output) -> str:
    """Return the fenced question."""
    return question(sample, output)


def f_beta(right: float, wrong: float, missed: float, beta: float) -> float:
    """Return F-beta from counts of true positives, false positives and false negatives; 0 where nothing is right."""
    square = beta * beta
    below = (1 + square) * right + square * missed + wrong
    return (1 + square) * right / below if below else 0.0


def share(answers: Answers) -> float:
    """Return the share of yes."""
    return sum(yes for yes, _ in answers) / len(answers)


def _schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"claims": {"type": "array", "items": {"type": "string"}}},
        "required": ["claims"],
        "additionalProperties": False,
    }
