"""Verdicts by choice: one label of a menu, its score, and how often each label was given."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmkit.hashing import digest
from llmkit.judges import GUARD, Fault, ModelJudge, asked, last_choice, said_json
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Output, Response, Sample, Skipped, Table

_ASK = {
    "text": "First explain your assessment in a few sentences. Then write the verdict alone on the last line, in "
    "exactly this form, with one of {menu}:\nVerdict: <{kinds}>",
    "json": "Answer with a JSON object: first 'reason', your assessment in a few sentences, then 'verdict', one of "
    "{menu}.",
}


@dataclass(frozen=True)
class ChoiceJudge(ModelJudge):
    """A judge that picks one label of a menu; a subclass says which menu, which scores, and what it asks."""

    @property
    @abstractmethod
    def menu(self) -> Mapping[str, float]:
        """Each label with its score, in the order in which the prompt names them."""

    @property
    @abstractmethod
    def instructions(self) -> str:
        """The system message, without the sentence about fences."""

    @abstractmethod
    def material(self, sample: Sample, output: Output) -> Sequence[str] | Skipped:
        """Return the parts of the question, each fenced, or why there is nothing to ask."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest score of the menu."""
        return min(self.menu.values()), max(self.menu.values())

    @property
    def binary(self) -> bool:
        """True where every score is 0 or 1."""
        return set(self.menu.values()) <= {0.0, 1.0}

    @property
    def prompt_digest(self) -> str:
        """Of the texts that are sent."""
        return digest([self.instructions, GUARD, _ASK, dict(self.menu)], 4)

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Ask for a verdict."""
        parts = self.material(sample, output)
        if isinstance(parts, Skipped):
            return Judgment(parts)
        labels = list(self.menu)
        form = "json" if self.form == "json" else "text"
        ask = _ASK[form].format(menu=", ".join(labels), kinds=" or ".join(labels))
        chat = [
            {"role": "system", "content": f"{self.instructions} {GUARD}"},
            {"role": "user", "content": "\n\n".join([*parts, ask])},
        ]
        schema = _schema(labels) if form == "json" else None
        found = yield from asked(chat, self._read, params=self.params, schema=schema)
        if isinstance(found, Failure):
            return Judgment(found)
        label, reason = found
        return Judgment((self.menu[label], label), reason)

    def _read(self, response: Response) -> tuple[str, str] | Fault:
        text = response.text
        labels = list(self.menu)
        if self.form != "json":
            label = last_choice(text, labels, after="Verdict:")
            return label if isinstance(label, Fault) else (label, text.strip())
        said = said_json(text)
        if isinstance(said, Fault):
            return said
        label = last_choice(f"Verdict: {said.get('verdict', '')}", labels, after="Verdict:")
        return label if isinstance(label, Fault) else (label, str(said.get("reason", "")))

    def details(self, table: Table) -> dict[str, Any]:
        """Return how often each label was given."""
        words, codes = table.vocabulary[1], [int(code) for code in table.columns[1]]
        counts = dict.fromkeys(self.menu, 0)
        for code in codes:
            counts[words[code]] += 1
        rows = [[label, score, counts[label], counts[label] / len(codes)] for label, score in self.menu.items()]
        return {"tables": [{"title": "Verdicts", "columns": ["verdict", "score", "n", "share"], "rows": rows}]}


def _schema(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"reason": {"type": "string"}, "verdict": {"type": "string", "enum": list(labels)}},
        "required": ["reason", "verdict"],
        "additionalProperties": False,
    }
