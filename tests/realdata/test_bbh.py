from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

import pytest

from llmkit.metrics.exact_match import ExactMatch
from llmkit.types import Output, Sample


def test_exact_match_reproduces_nine_published_accuracies_to_the_digit(shared_data: Path) -> None:
    folder = shared_data / "bbh_codex"
    expected = json.loads((folder / "expected.json").read_text())["accuracy per task"]
    metric = ExactMatch(normalise="first_line")
    scores: dict[str, list[float]] = defaultdict(list)
    with gzip.open(folder / "outputs.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            found = metric.score(Sample("s", references=(row["target"],)), Output("s", row["prediction"]))
            assert isinstance(found, float)
            scores[f"{row['mode']}/{row['task']}"].append(found)
    assert len(expected) == 9
    for task, accuracy in expected.items():
        values = scores[task]
        assert 100 * metric.value([sum(values)], len(values)) == pytest.approx(accuracy, abs=1e-10), task
