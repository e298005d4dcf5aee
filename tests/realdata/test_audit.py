from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from llmkit.config import make_audit_config
from llmkit.flows.audit.story import run_audit
from llmkit.flows.options import Options


def rows_of(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def summary_of(folder: Path, rows: list[dict[str, Any]], **config: Any) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = make_audit_config({"dataset": "v.jsonl", "resamples": 100, "listed": 0, **config}, base=folder)
    return dict(run_audit(made, options=Options(out=folder / "run")).summary)


@pytest.mark.parametrize(
    ("file", "published"), [("geval", "geval (auto-CoT, score only)"), ("geval_no_auto_cot", "geval_no_auto_cot")]
)
def test_topical_chat_through_the_audit_gives_the_published_correlations(
    shared_data: Path, tmp_path: Path, file: str, published: str
) -> None:
    folder = shared_data / "judge_topicalchat"
    expected = json.loads((folder / "expected.json").read_text())["published"][published]
    items = {row["item_id"]: row for row in rows_of(folder / "items.jsonl.gz")}
    answers = rows_of(folder / f"responses_{file}.jsonl.gz")
    for dimension, (pearson, kendall) in expected.items():
        rows = [
            {
                "id": row["item_id"],
                "input": "dialogue",
                "responses": row["responses"],
                "human": items[row["item_id"]]["human"][dimension],
                "doc": items[row["item_id"]]["doc_id"],
            }
            for row in answers
            if row["dimension"] == dimension
        ]
        found = summary_of(
            tmp_path / dimension,
            rows,
            judge={"field": "responses", "read": "first_digit"},
            human="human",
            group="doc",
            scale="interval",
        )
        assert found["agreement"]["pooled"]["pearson"]["value"] == pytest.approx(pearson, abs=0.001)
        inside = found["agreement"]["groups"]["kendall"]
        assert inside["value"] == pytest.approx(kendall, abs=0.001)
        assert (inside["skipped"] > 4) == (dimension == "groundedness")
        assert {look["name"]: look["found"] for look in found["biases"]["looks"]}["self-consistency"] is True


@pytest.mark.slow
def test_llmbars_statistics_come_out_of_audits(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "llmbar"
    statistics = json.loads((folder / "statistics.json").read_text())
    pairs = {(row["subset"], row["idx"]): row for row in rows_of(folder / "dataset.jsonl.gz")}
    verdicts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_of(folder / "winners.jsonl.gz"):
        pair = pairs[row["subset"], row["idx"]]
        verdicts[f"{row['subset']}/{row['judge']}/{row['prompt']}"].append(
            {
                "id": str(row["idx"]),
                "input": pair["input"],
                "output": pair["output_1"],
                "second": pair["output_2"],
                "winner": row["winner"],
                "swapped": row["winner_swapped"],
                "label": str(pair["label"]),
            }
        )
    checked = 0
    for number, (name, stated) in enumerate(statistics.items()):
        rows = verdicts[name]
        if not rows:
            continue
        found = summary_of(
            tmp_path / str(number),
            rows,
            judge={"field": "winner", "swapped": "swapped"},
            human="label",
            other="second",
        )
        orders = next(look for look in found["biases"]["looks"] if look["name"] == "position")["orders"]
        for key, ours in (
            ("correct_False", "correct_as_given"),
            ("correct_True", "correct_swapped"),
            ("correct_both", "correct_both"),
            ("equal", "agree"),
        ):
            assert stated[key].startswith(f"{orders[ours]} / {orders['rows']} ="), (name, key)
        missing = any(row["winner"] is None or row["swapped"] is None for row in rows)
        if not missing and stated["kappa_agreement"] is not None:
            assert orders["kappa"]["value"] == pytest.approx(stated["kappa_agreement"], abs=1e-9)
        checked += 1
    assert checked > 100
