"""Single-answer grading: one answer, one grade on a scale of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from llmkit.hashing import digest
from llmkit.judges import GUARD, Fault, ModelJudge, asked, block, judge, last_number, question, said_json
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Message, Output, Response, Sample, Skipped

_SYSTEM = """\
You grade the answer of an assistant to a user's question. Be strict, fair and consistent. Judge what the answer says: \
how helpful, relevant, correct, deep and complete it is. A longer answer is not a better one, and neither are lists, \
headings or a confident tone. {guard}"""

_REFERENCE = (
    "Compare with the reference answer. First find out whether the answer agrees with it, and name each mistake."
)

_ASK = {
    "text": "First explain your assessment in a few sentences. Then write the grade, a number from {low:g} to "
    "{high:g}, alone on the last line in exactly this form:\nGrade: <number>",
    "json": "Answer with a JSON object: first 'reason', your assessment in a few sentences, then 'grade', a number "
    "from {low:g} to {high:g}.",
}


@judge("grade")
@dataclass(frozen=True)
class Grade(ModelJudge):
    """Grade of each answer by a model, on a scale such as 1 to 10.

    Formula: the mean of the grades. Range ``scale``, higher is better. A verdict that is not in form is asked for
    once more; where that fails too, the row is an error and never a grade. The last grade in an answer counts.

    Rows with further turns are graded on the whole conversation, the last answer most of all.

    Use it for open questions whose answers have no one right wording. Grades cluster at a few values and move with the
    judge's model: measure the judge against people with ``llmkit audit`` before a decision rests on it. Not where a
    reference decides (`exact_match`, `token_f1`) or two systems are compared (`pairwise` is sharper).

    Source: single-answer grading of MT-bench (Zheng et al. 2023, arXiv 2306.05685), with its reference-guided and
    multi-turn variants; the prompt is our own.

    Attributes:
        criteria: What to grade by, in words, where it is not general helpfulness.
        scale: Lowest and highest grade.
        reference: Whether the row's first reference is shown to the judge: ``auto`` where there is one, ``always``
            (rows without are skipped), or ``never``.
    """

    criteria: str = ""
    scale: tuple[float, float] = (1.0, 10.0)
    reference: Literal["auto", "always", "never"] = "auto"

    def __post_init__(self) -> None:
        low, high = self.scale
        if not low < high:
            raise ValueError(f"scale is {low:g} to {high:g}: the lowest grade comes first")

    @property
    def bounds(self) -> tuple[float, float]:
        """The scale."""
        return self.scale

    @property
    def needs(self) -> tuple[str, ...]:
        """References, where the judge is always to see one."""
        return ("references",) if self.reference == "always" else ()

    @property
    def prompt_digest(self) -> str:
        """Of the texts that are sent."""
        return digest([_SYSTEM, _REFERENCE, _ASK, self.criteria], 4)

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Ask for a grade."""
        if self.reference == "always" and not sample.references:
            return Judgment(Skipped("no reference"))
        schema = _schema(*self.scale) if self.form == "json" else None
        found = yield from asked(self._chat(sample, output), self._read, params=self.params, schema=schema)
        if isinstance(found, Failure):
            return Judgment(found)
        grade, reason = found
        return Judgment((grade,), reason)

    def _chat(self, sample: Sample, output: Output) -> list[Message]:
        low, high = self.scale
        parts = [question(sample, output)]
        if self.reference != "never" and sample.references:
            parts += [block("reference answer", sample.references[0]), _REFERENCE]
        parts.append(block("answer", output.text or ""))
        if self.criteria:
            parts.append(f"Grade it by this alone: {self.criteria}")
        parts.append(_ASK["json" if self.form == "json" else "text"].format(low=low, high=high))
        return [
            {"role": "system", "content": _SYSTEM.format(guard=GUARD)},
            {"role": "user", "content": "\n\n".join(parts)},
        ]

    def _read(self, response: Response) -> tuple[float, str] | Fault:
        text = response.text
        if self.form != "json":
            grade = last_number(text, *self.scale, after="Grade:")
            return grade if isinstance(grade, Fault) else (grade, text.strip())
        said = said_json(text)
        if isinstance(said, Fault):
            return said
        grade = last_number(f"Grade: {said.get('grade', '')}", *self.scale, after="Grade:")
        return grade if isinstance(grade, Fault) else (grade, str(said.get("reason", "")))


def _schema(low: float, high: float) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "reason": {"type": "string"},
            "grade": {"type": "number", "minimum": low, "maximum": high},
        },
        "required": ["reason", "grade"],
        "additionalProperties": False,
    }
