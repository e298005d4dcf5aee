"""Multiple-choice questions as the programs of the field ask them: the same row, other words, other answers.

A rule is a program's way to ask; its prompt is that program's to the byte. Sources: ``original``: hendrycks/test
(``evaluate.py``); ``helm``: stanford-crfm/helm, multiple choice joint; ``harness`` and ``harness_continuation``:
EleutherAI's lm-evaluation-harness, tasks ``mmlu`` and ``mmlu_continuation``; ``harness_2023``: as it was in January
2023, when it scored a choice's text without its letter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmkit.prompts.compiler import letter, lettered

UNCONDITIONAL = "Answer:"
"""The prompt after which an answer's own likelihood is asked, for PMI; it is HELM's for calibrated choices."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one program asks.

    Attributes:
        header: What stands first, with ``{subject}`` in it; left out for a row without a subject.
        before: What stands before the question.
        options: What stands before the lettered choices; None where the choices are not shown.
        after_shot: What follows the answer of a worked example.
        letters: Whether the answer is a letter, or else the text of a choice.
        generates: Whether the answer is generated, or else the likeliest of the answers.
        strips: Whether white space around the question goes.
        leading: What stands before the subject; the original has a second space.
    """

    header: str = ""
    before: str = ""
    options: str | None = "\n"
    after_shot: str = "\n\n"
    letters: bool = True
    generates: bool = False
    strips: bool = False
    leading: str = ""

    def question(self, text: str, choices: Sequence[str]) -> str:
        """Return one question with its choices, up to the place where the answer stands."""
        asked = self.before + (text.strip() if self.strips else text)
        if self.options is None:
            return f"{asked}\nAnswer:"
        lines = "\n".join(f"{name}. {choice}" for name, choice in lettered(choices))
        return f"{asked}{self.options}{lines}\nAnswer:"

    def answers(self, choices: Sequence[str]) -> tuple[str, ...]:
        """Return what stands for each choice after ``Answer:`` and a space: its letter or its text."""
        return tuple(letter(at) for at in range(len(choices))) if self.letters else tuple(choices)


_ABOUT = "The following are multiple choice questions (with answers) about {subject}.\n\n"

RULES: Mapping[str, Rule] = {
    "original": Rule(_ABOUT, leading=" "),
    "helm": Rule(_ABOUT, before="Question: ", generates=True),
    "harness": Rule(_ABOUT, strips=True),
    "harness_continuation": Rule(
        "The following are questions (with answers) about {subject}.\n\n",
        before="Question: ",
        options=None,
        letters=False,
        strips=True,
    ),
    "harness_2023": Rule(before="Question: ", options="\nChoices:\n", letters=False),
}
"""Name -> rule."""


@dataclass(frozen=True, slots=True)
class Question:
    """One multiple-choice question, or a worked example of one.

    Attributes:
        text: What is asked.
        choices: What can be answered.
        gold: Index of the right choice; only worked examples need it.
    """

    text: str
    choices: tuple[str, ...]
    gold: int = -1


def choice_prompt(rule: str, asked: Question, shots: Sequence[Question] = (), *, subject: str = "") -> str:
    """Return the prompt of ``asked`` by a rule, with ``shots`` before it, in their order.

    Args:
        rule: A name of `RULES`.
        asked: The question.
        shots: Worked examples; their ``gold`` is shown.
        subject: As MMLU writes it (``abstract_algebra``); without one there is no header.

    Raises:
        KeyError: there is no such rule.
    """
    form = RULES[rule]
    parts = [form.header.format(subject=form.leading + subject.replace("_", " "))] if subject and form.header else []
    for shot in shots:
        answer = form.answers(shot.choices)[shot.gold]
        parts.append(f"{form.question(shot.text, shot.choices)} {answer}{form.after_shot}")
    return "".join([*parts, form.question(asked.text, asked.choices)])


def continuations(rule: str, choices: Sequence[str]) -> tuple[str, ...]:
    """Return the texts whose likelihood after the prompt is asked, each with its leading space.

    There are none for a rule that generates.
    """
    form = RULES[rule]
    return () if form.generates else tuple(f" {answer}" for answer in form.answers(choices))
