"""The prompts of each program, to the byte."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from llmkit.datasets import open_dataset
from llmkit.prompts.choice import RULES, Question, choice_prompt, continuations

ASKED = Question(" What is 2+2? ", ("3", "4", "5", "22"))
SHOT = Question("Name a prime.", ("4", "6", "7", "9"), gold=2)
LETTERED = "A. 3\nB. 4\nC. 5\nD. 22\nAnswer:"
SHOWN = "A. 4\nB. 6\nC. 7\nD. 9\nAnswer:"
ABOUT = "The following are multiple choice questions (with answers) about"

BY_HAND = {
    "original": f"{ABOUT}  number theory.\n\nName a prime.\n{SHOWN} C\n\n What is 2+2? \n{LETTERED}",
    "helm": f"{ABOUT} number theory.\n\nQuestion: Name a prime.\n{SHOWN} C\n\nQuestion:  What is 2+2? \n{LETTERED}",
    "harness": f"{ABOUT} number theory.\n\nName a prime.\n{SHOWN} C\n\nWhat is 2+2?\n{LETTERED}",
    "harness_continuation": (
        "The following are questions (with answers) about number theory.\n\n"
        "Question: Name a prime.\nAnswer: 7\n\nQuestion: What is 2+2?\nAnswer:"
    ),
    "harness_2023": (f"Question: Name a prime.\nChoices:\n{SHOWN} 7\n\nQuestion:  What is 2+2? \nChoices:\n{LETTERED}"),
}


@pytest.mark.parametrize("rule", RULES)
def test_prompts_with_an_example(rule: str) -> None:
    assert choice_prompt(rule, ASKED, [SHOT], subject="number_theory") == BY_HAND[rule]


def test_without_a_subject_there_is_no_header() -> None:
    assert choice_prompt("original", ASKED) == f" What is 2+2? \n{LETTERED}"
    assert choice_prompt("harness_2023", ASKED, subject="x") == choice_prompt("harness_2023", ASKED)


def test_what_is_scored_after_the_prompt() -> None:
    letters, texts = (" A", " B", " C", " D"), (" 3", " 4", " 5", " 22")
    assert {rule: continuations(rule, ASKED.choices) for rule in RULES} == {
        "original": letters,
        "helm": (),
        "harness": letters,
        "harness_continuation": texts,
        "harness_2023": texts,
    }


def test_the_original_prompt_equals_the_stored_inputs_of_mmlu(shared_data: Path) -> None:
    folder = shared_data / "multiple_choice"
    with gzip.open(folder / "mmlu_val.jsonl.gz", "rt", encoding="utf-8") as file:
        stored = [json.loads(line) for line in file]
    rows = list(open_dataset({"path": "mmlu_val.jsonl.gz", "format": "mmlu"}, base=folder))
    assert len(rows) == len(stored) == 1531
    for row, kept in zip(rows, stored, strict=True):
        asked = Question(str(row.input), row.choices)
        prompt = choice_prompt("original", asked, subject=str(row.meta["subject"]))
        assert prompt == kept["input"]
        assert "ABCD"[int(row.answer or 0)] == kept["output"]
        # What the programs have in common: the question with its choices.
        body = kept["input"].split(".\n\n", 1)[1]
        assert choice_prompt("helm", asked).removeprefix("Question: ") == body
        stripped = Question(asked.text.strip(), asked.choices)
        assert choice_prompt("harness", asked) == choice_prompt("original", stripped)
