from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from llmkit.metrics import MeanMetric
from llmkit.metrics.exact_match import ExactMatch
from llmkit.metrics.token_f1 import TokenF1
from llmkit.text.normalise import squad
from llmkit.types import Output, Sample

EXACT = ExactMatch(normalise="squad")
F1 = TokenF1()


def answers(folder: Path) -> Iterator[list[str]]:
    """Yield the accepted answers of every question of the three sets."""
    with gzip.open(folder / "nq_open_dev.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from (json.loads(line)["answer"] for line in file)
    with (folder / "nq_efficientqa_dev.jsonl").open(encoding="utf-8") as file:
        yield from (json.loads(line)["answer"] for line in file)
    with gzip.open(folder / "xquad.en.json.gz", "rt", encoding="utf-8") as file:
        for article in json.load(file)["data"]:
            for paragraph in article["paragraphs"]:
                yield from ([answer["text"] for answer in qa["answers"]] for qa in paragraph["qas"])


def score(metric: MeanMetric, output: str, golds: list[str]) -> float:
    found = metric.score(Sample("s", references=tuple(golds)), Output("s", output))
    assert isinstance(found, float)
    return found


def test_every_gold_answer_is_right_and_one_within_a_sentence_is_right_in_part(shared_data: Path) -> None:
    total = 0
    wordless = []
    for golds in answers(shared_data / "qa_short"):
        total += 1
        for gold in golds:
            assert score(EXACT, gold, golds) == 1
            assert score(F1, gold, golds) == 1
        said = f"I think it is the {golds[0].upper()}!"
        assert score(EXACT, golds[0].upper() + ".", golds) == 1
        assert score(EXACT, said, golds) <= score(F1, said, golds) < 1
        if squad(golds[0]):
            assert score(F1, said, golds) > 0
        else:
            wordless.append(golds)
    assert total == 3610 + 1800 + 1190
    assert len(wordless) == 3  # "---", ")" and the blood type "A+": nothing is left of them once normalised


def test_answers_of_other_questions_are_mostly_wrong(shared_data: Path) -> None:
    every = list(answers(shared_data / "qa_short"))
    shifted = every[1:] + every[:1]
    exact = [score(EXACT, other[0], golds) for golds, other in zip(every, shifted, strict=True)]
    overlap = [score(F1, other[0], golds) for golds, other in zip(every, shifted, strict=True)]
    assert 0 < sum(exact) / len(exact) < 0.02
    assert sum(exact) / len(exact) < sum(overlap) / len(overlap) < 0.06
