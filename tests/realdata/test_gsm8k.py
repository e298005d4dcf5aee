from __future__ import annotations

import gzip
import json
from pathlib import Path

from llmkit.metrics.number_match import NumberMatch
from llmkit.types import Output, Sample


def test_number_match_reproduces_the_published_accuracies_mark_by_mark(shared_data: Path) -> None:
    folder = shared_data / "gsm8k"
    expected = json.loads((folder / "expected.json").read_text())["accuracy %"]
    with gzip.open(folder / "example_model_solutions.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    metric = NumberMatch()
    for model, accuracy in expected.items():
        scores = []
        for row in rows:
            sample = Sample("s", references=(row["ground_truth"],))
            score = metric.score(sample, Output("s", row[model]["solution"]))
            assert isinstance(score, float)
            assert score == row[model]["is_correct"], (model, row["question"])
            scores.append(score)
        assert round(metric.value([sum(scores)], len(scores)) * 100, 2) == accuracy


def test_gold_solutions_match_themselves(shared_data: Path) -> None:
    with gzip.open(shared_data / "gsm8k" / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        answers = [json.loads(line)["answer"] for line in file]
    assert len(answers) == 1319
    for answer in answers:
        sample = Sample("s", references=(answer.rpartition("#### ")[2],))
        assert NumberMatch().score(sample, Output("s", answer)) == 1
        assert NumberMatch(after="####").score(sample, Output("s", answer)) == 1
