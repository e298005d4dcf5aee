"""Answer relevancy: whether the question could be guessed from the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmkit.judges import GUARD, Fault, asked, block, judge, said_json
from llmkit.judges._claims import EMPTY, EmbeddingJudge
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Output, Response, Sample, Skipped

_SYSTEM = (
    "You read an answer and guess the question it was given to. You also say whether the answer commits itself: an "
    "answer that evades, refuses or says that it does not know does not."
)
_ASK = {
    "text": "Write {n} different questions that this answer would fit, numbered, one a line (1. ...), and then on the "
    "last line, in exactly this form:\nCommits: <yes or no>",
    "json": "Answer with a JSON object: 'questions', a list of {n} different questions that this answer would fit, and "
    '\'commits\', "yes" or "no".',
}
_NUMBERED = re.compile(r"^\s*\d+[.):]\s+(.*\S)")
_COMMITS = re.compile(r"^[\s>*_#`\-]*commits[*_`\s]*[:=]\s*[*_`\"']*(yes|no)\b", re.IGNORECASE | re.MULTILINE)


@judge("answer_relevancy")
@dataclass(frozen=True)
class AnswerRelevancy(EmbeddingJudge):
    """Likeness of the question to questions that a model guesses from the answer.

    Formula: the mean cosine between the question's vector and those of ``questions`` guessed ones; 0 where the answer
    does not commit itself ("I don't know"); averaged over the answers. Range -1 to 1, in practice 0 to 1, higher is
    better. Empty answers are skipped.

    Use it to find answers beside the point, and padding. It says nothing of truth: a false answer can be relevant. An
    honest "I don't know" scores 0 here, so read it beside how often the system may abstain.

    Source: ragas (Es et al. 2023, arXiv 2309.15217); the prompt is our own.

    Attributes:
        questions: How many questions are guessed.
    """

    questions: int = 3

    bounds = (-1.0, 1.0)

    def __post_init__(self) -> None:
        if self.questions < 1:
            raise ValueError(f"questions is {self.questions}: at least 1")

    @property
    def own_texts(self) -> tuple[str, ...]:
        """What is asked."""
        return (_SYSTEM, *_ASK.values())

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Have questions guessed and compare their vectors with the real one's."""
        answer = output.text or ""
        if not answer.strip():
            return Judgment(Skipped(EMPTY))
        form = "json" if self.form == "json" else "text"
        chat = [
            {"role": "system", "content": f"{_SYSTEM} {GUARD}"},
            {"role": "user", "content": f"{block('answer', answer)}\n\n{_ASK[form].format(n=self.questions)}"},
        ]
        read = self._from_json if form == "json" else self._from_text
        guessed = yield from asked(chat, read, params=self.params, schema=_schema() if form == "json" else None)
        if isinstance(guessed, Failure):
            return Judgment(guessed)
        questions, commits = guessed
        if not commits:
            return Judgment((0.0, 0.0), "the answer does not commit itself")
        real = sample.turns[-1] if sample.turns else _last_question(sample)
        cosines = yield from self.cosines(real, questions)
        if isinstance(cosines, Failure):
            return Judgment(cosines)
        lines = [f"{value:.3f}: {text}" for text, value in zip(questions, cosines, strict=True)]
        return Judgment((sum(cosines) / len(cosines), 1.0), "\n".join(lines))

    def _from_text(self, response: Response) -> tuple[list[str], bool] | Fault:
        questions = [match[1] for line in response.text.splitlines() if (match := _NUMBERED.match(line))]
        commits = _COMMITS.findall(response.text)
        if not commits:
            return Fault("off_form", "no line says 'Commits: yes' or 'Commits: no'")
        return self._checked(questions, commits[-1])

    def _from_json(self, response: Response) -> tuple[list[str], bool] | Fault:
        said = said_json(response.text)
        if isinstance(said, Fault):
            return said
        listed = said.get("questions")
        questions = [item for item in listed if isinstance(item, str)] if isinstance(listed, list) else []
        return self._checked(questions, str(said.get("commits", "")))

    def _checked(self, questions: list[str], commits: str) -> tuple[list[str], bool] | Fault:
        said = commits.strip().casefold()
        if said not in ("yes", "no"):
            return Fault("off_menu", f"whether it commits itself is {commits!r}, not yes or no")
        if said == "yes" and len(questions) < self.questions:
            return Fault("off_form", f"there are {len(questions)} of {self.questions} questions")
        return questions[: self.questions], said == "yes"


def _last_question(sample: Sample) -> str:
    if isinstance(sample.input, str):
        return sample.input
    asked_last = [message for message in sample.input if message.get("role") == "user"]
    return str(asked_last[-1].get("content", "")) if asked_last else ""


def _schema() -> dict[str, object]:
    return {
        "type": "object",
        "properties": {
            "questions": {"type": "array", "items": {"type": "string"}},
            "commits": {"type": "string", "enum": ["yes", "no"]},
        },
        "required": ["questions", "commits"],
        "additionalProperties": False,
    }
