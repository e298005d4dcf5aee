from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmkit.datasets import census, open_dataset

SETS: list[tuple[str, dict[str, Any], int, dict[str, int]]] = [
    ("gsm8k/test.jsonl.gz", {"input": "question", "references": "answer"}, 1319, {"references": 1319, "answer": 0}),
    (
        "gsm8k/example_model_solutions.jsonl.gz",
        {"input": "question", "references": "ground_truth", "output": "175b_verification.solution"},
        1319,
        {"references": 1319, "output": 1319},
    ),
    ("qa_short/nq_open_dev.jsonl.gz", {"input": "question", "references": "answer"}, 3610, {"references": 3610}),
    ("qa_short/nq_efficientqa_dev.jsonl", {"input": "question", "references": "answer"}, 1800, {"references": 1800}),
    ("multiple_choice/mmlu_val.jsonl.gz", {"references": "output"}, 1531, {"references": 1531, "output": 0}),
    (
        "multiple_choice/TruthfulQA.csv.gz",
        {"input": "Question", "references": {"field": "Correct Answers", "split": ";"}},
        817,
        {"references": 817},
    ),
    (
        "multiple_choice/commonsenseqa_dev.jsonl.gz",
        {"input": "question.stem", "choices": "question.choices.text", "answer": "answerKey"},
        1221,
        {"choices": 1221, "answer": 1221},
    ),
    (
        "multiple_choice/aqua_test.jsonl",
        {"input": "question", "choices": "options", "answer": "correct"},
        254,
        {"choices": 254, "answer": 254},
    ),
]


@pytest.mark.parametrize(("path", "fields", "rows", "has"), SETS, ids=[path for path, *_ in SETS])
def test_counts_of_real_sets(
    shared_data: Path, path: str, fields: dict[str, Any], rows: int, has: dict[str, int]
) -> None:
    dataset = open_dataset({"path": path, "fields": fields}, base=shared_data)
    found = census(dataset)
    assert found.report() == ""
    assert found.rows == rows
    assert {name: found.has[name] for name in has} == has
    assert len({sample.id for sample in dataset}) == rows


def test_slices_of_real_sets(shared_data: Path) -> None:
    mmlu = {"path": "multiple_choice/mmlu_val.jsonl.gz", "fields": {"references": "output"}}
    assert len({sample.meta["subject"] for sample in open_dataset(mmlu, base=shared_data)}) == 57
    truthful = {
        "path": "multiple_choice/TruthfulQA.csv.gz",
        "fields": {"input": "Question", "references": "Best Answer"},
        "where": 'Type == "Adversarial"',
    }
    kept = census(open_dataset(truthful, base=shared_data)).rows
    others = census(open_dataset({**truthful, "where": 'Type != "Adversarial"'}, base=shared_data)).rows
    assert kept > 0
    assert others > 0
    assert kept + others == 817


def test_answers_of_nq_are_references_best_first(shared_data: Path) -> None:
    spec = {
        "path": "qa_short/nq_open_dev.jsonl.gz",
        "fields": {"input": "question", "references": "answer"},
        "limit": 1,
    }
    [sample] = open_dataset(spec, base=shared_data)
    assert sample.references == ("14 December 1972 UTC", "December 1972")
    assert sample.input == "when was the last time anyone was on the moon"


def test_a_nested_set_is_refused_row_by_row(shared_data: Path) -> None:
    found = census(open_dataset("qa_short/xquad.en.json.gz", base=shared_data))
    assert found.problem_count == 48
    assert str(found.problems[0]).endswith(
        "the row has neither 'input' nor 'output' but paragraphs, title; dataset.fields maps other names"
    )
