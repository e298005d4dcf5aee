"""Write harness.json: what the lm-evaluation-harness makes of log-probabilities and of repeated answers.

Multiple choice: its own task class decides by ``acc``, ``acc_norm`` (by characters), ``acc_bytes`` and
``acc_mutual_info``. Texts: its ``weighted_perplexity`` by tokens and its ``bits_per_byte``. Repeats: its majority vote.
The log-probabilities and answers are random; no model is asked. Ran with lm_eval 0.4.13 and datasets 5.2.0, in an
environment of its own:

    python tests/golden/make_harness.py
"""

from __future__ import annotations

import json
import random
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lm_eval.api.metrics import bits_per_byte, weighted_perplexity
from lm_eval.api.task import ConfigurableTask
from lm_eval.filters.selection import MajorityVoteFilter

WORDS = ("Rome", "a much longer answer", "東京", "é", "no", "the quick brown fox", "naïve", "42", "x y z", "Ω")
QUESTIONS, TEXTS = 60, 12


def questions(rng: random.Random) -> list[dict[str, Any]]:
    """Return questions of two to five choices, with a log-probability for each, alone and after the question."""
    rows = []
    for number in range(QUESTIONS):
        choices = rng.sample(WORDS, rng.randint(2, 5))
        rows.append(
            {
                "question": f"question {number}",
                "choices": choices,
                "gold": rng.randrange(len(choices)),
                "logprobs": [round(rng.uniform(-9, -0.1) * (1 + len(text) / 4), 4) for text in choices],
                "unconditional": [round(rng.uniform(-9, -0.1) * (1 + len(text) / 4), 4) for text in choices],
            }
        )
    return rows


def by_the_harness(rows: list[dict[str, Any]]) -> list[dict[str, float]]:
    names = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        task = ConfigurableTask(
            config={
                "task": "golden",
                "dataset_path": "json",
                "dataset_kwargs": {"data_files": {"test": str(path)}},
                "test_split": "test",
                "output_type": "multiple_choice",
                "doc_to_text": "{{question}}",
                "doc_to_choice": "{{choices}}",
                "doc_to_target": "{{gold}}",
                "metric_list": [{"metric": n, "aggregation": "mean", "higher_is_better": True} for n in names],
            }
        )
        found = []
        for doc in task.test_docs():
            results = [(value, False) for value in [*doc["logprobs"], *doc["unconditional"]]]
            decided = task.process_results(doc, results)
            found.append({name: float(decided[name]) for name in names})
    return found


def main() -> None:
    rng = random.Random(11)
    rows = questions(rng)
    texts = [
        {"text": " ".join(rng.choices(WORDS, k=rng.randint(1, 6))), "logprob": round(rng.uniform(-80, -1), 4)}
        for _ in range(TEXTS)
    ]
    for item in texts:
        item["tokens"] = rng.randint(1, len(str(item["text"])))
    repeats = [rng.choices(WORDS[:4], k=rng.randint(2, 7)) for _ in range(40)]
    figures = {
        "perplexity": weighted_perplexity([(item["logprob"], item["tokens"]) for item in texts]),
        "bits_per_byte": bits_per_byte([(item["logprob"], len(str(item["text"]).encode())) for item in texts]),
    }
    golden = {
        "made_with": {name: version(name) for name in ("lm_eval", "datasets")},
        "questions": [row | {"harness": right} for row, right in zip(rows, by_the_harness(rows), strict=True)],
        "texts": texts,
        "figures": figures,
        "votes": {"repeats": repeats, "majority": [vote for [vote] in MajorityVoteFilter().apply(repeats, repeats)]},
    }
    place = Path(__file__).with_name("harness.json")
    place.write_text(json.dumps(golden, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
