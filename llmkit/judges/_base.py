"""What every judge shares: which model it asks, how, and how its verdicts become a number."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal

from llmkit.protocols import Dialogue
from llmkit.scorer import MeanScorer
from llmkit.types import Judgment, Output, Sample

Form = Literal["auto", "json", "text"]
"""How a verdict is asked for: as JSON that the endpoint enforces, or in a strict form of text."""


@dataclass(frozen=True, kw_only=True)
class ModelJudge(MeanScorer):
    """A scorer that asks a model; see `llmkit.protocols.Judge`. Its value is the mean of its verdicts' values.

    Attributes:
        model: The model to ask, written as a target is; without it, the config's ``judge_model``.
        temperature: Sent with every request; null sends none (some reasoning models refuse one).
        max_tokens: Longest answer of the model; null leaves it to the model.
        form: ``json`` has the endpoint enforce a JSON Schema, ``text`` asks for a strict form; ``auto`` takes ``json``
            where the endpoint is known to enforce one.
        name: What the scores are listed under; needed where two judges differ in their model alone.
    """

    model: str | dict[str, Any] | None = field(default=None, metadata={"identity": False, "signature": False})
    temperature: float | None = 0.0
    max_tokens: int | None = None
    form: Form = "auto"
    name: str = field(default="", metadata={"identity": False, "signature": False})

    @property
    def params(self) -> dict[str, Any]:
        """Sampling parameters of every request."""
        given = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {key: value for key, value in given.items() if value is not None}

    @property
    def prompt_digest(self) -> str:
        """A digest of every text the judge sends that is not the row's; another one is another judge."""
        return ""

    @property
    def signature(self) -> str:
        """The settings, the digest of the prompt and the implementation."""
        prompt = f"prompt:{self.prompt_digest}|" if self.prompt_digest else ""
        return prompt + super().signature

    @abstractmethod
    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Ask about one output. ``output.text`` is never None here."""
