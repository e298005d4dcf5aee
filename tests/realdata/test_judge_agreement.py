from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit.stats import accuracy, by_group, by_system, cohen_kappa, pooled, position_bias, self_consistency

DIMENSIONS = ("naturalness", "coherence", "engagingness", "groundedness")


def rows_of(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def number(text: str) -> float | None:
    """Read the score of one sample as the paper's program comes to do: the first digit, whatever follows it."""
    found = re.search(r"\d", text.lower().replace("1-3", " ").split("rating:")[-1])
    return float(found[0]) if found else None


@pytest.mark.parametrize(
    ("file", "published"), [("geval", "geval (auto-CoT, score only)"), ("geval_no_auto_cot", "geval_no_auto_cot")]
)
def test_topical_chat_correlations_are_the_published_ones(shared_data: Path, file: str, published: str) -> None:
    folder = shared_data / "judge_topicalchat"
    expected = json.loads((folder / "expected.json").read_text())
    items = {row["item_id"]: row for row in rows_of(folder / "items.jsonl.gz")}
    answers = rows_of(folder / f"responses_{file}.jsonl.gz")
    for place, dimension in enumerate(DIMENSIONS):
        judge, human, documents = [], [], []
        for row in answers:
            scores = [score for score in map(number, row["responses"]) if score is not None]
            if row["dimension"] == dimension and scores:
                item = items[row["item_id"]]
                judge.append(float(np.mean(scores)))
                human.append(item["human"][dimension])
                documents.append(item["doc_id"])
        flat = pooled(judge, human, statistics=["pearson", "spearman"], clusters=documents, resamples=200)
        inside = by_group(judge, human, documents, statistics=["kendall", "spearman"])
        pearson, kendall = expected["published"][published][dimension]
        assert flat["pearson"].estimate is not None
        assert flat["pearson"].estimate.value == pytest.approx(pearson, abs=0.001)
        assert flat["pearson"].estimate.low is not None
        assert inside["kendall"].estimate is not None
        assert inside["kendall"].estimate.value == pytest.approx(kendall, abs=0.001)
        assert inside["kendall"].skipped == (len(set(documents)) - inside["kendall"].groups)
        assert (inside["kendall"].skipped > 4) == (dimension == "groundedness")
        if file == "geval":
            wanted = expected["spearman_pooled geval (naturalness, coherence, engagingness, groundedness)"][place]
            assert flat["spearman"].estimate is not None
            assert flat["spearman"].estimate.value == pytest.approx(wanted, abs=0.001)
            assert inside["spearman"].estimate is not None
            assert inside["spearman"].estimate.value == pytest.approx(expected["spearman_doc geval"][place], abs=0.001)


def test_llmbars_counts_are_its_statistics_file(shared_data: Path) -> None:
    folder = shared_data / "llmbar"
    statistics = json.loads((folder / "statistics.json").read_text())
    labels = {(row["subset"], row["idx"]): str(row["label"]) for row in rows_of(folder / "dataset.jsonl.gz")}
    verdicts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_of(folder / "winners.jsonl.gz"):
        verdicts[f"{row['subset']}/{row['judge']}/{row['prompt']}"].append(row)
    checked = 0
    for name, stated in statistics.items():
        rows = verdicts[name]
        if not rows:
            continue
        truth = [labels[row["subset"], row["idx"]] for row in rows]
        for field, key in (("winner", "correct_False"), ("winner_swapped", "correct_True")):
            given = [str(row[field]) for row in rows]
            share = accuracy(given, truth)
            assert share is not None
            assert f"{round(share * len(rows))} / {len(rows)}" == stated[key].split(" = ")[0]
        whole = [row for row in rows if row["winner"] and row["winner_swapped"]]
        one, two = ([row[field] for row in whole] for field in ("winner", "winner_swapped"))
        found = position_bias([float(side == "1") for side in one], [float(side == "1") for side in two])
        equal = int(stated["equal"].split(" / ")[0])
        missing_alike = sum(row["winner"] is None and row["winner_swapped"] is None for row in rows)
        assert round((1 - found.inconsistent.value) * len(whole)) in (equal, equal - missing_alike)
        assert found.first + found.second == round(found.inconsistent.value * len(whole))
        if len(whole) == len(rows) and stated["kappa_agreement"] is not None:
            assert cohen_kappa(one, two) == pytest.approx(stated["kappa_agreement"], abs=1e-9)
        checked += 1
    assert checked > 100


def test_summevals_systems_are_ranked_more_alike_than_its_summaries(shared_data: Path) -> None:
    human, judge, documents, systems = [], [], [], []
    for row in rows_of(shared_data / "summeval_full" / "summeval.jsonl.gz"):
        for name, system in row["systems"].items():
            human.append(system["human"]["coherence"])
            judge.append(system["human"]["relevance"])
            documents.append(row["doc_id"])
            systems.append(name)
    inside = by_group(judge, human, documents)["spearman"]
    between = by_system(judge, human, systems, clusters=documents)["spearman"]
    assert inside.groups + inside.skipped == 100
    assert between.groups == 16
    assert inside.estimate is not None
    assert between.estimate is not None
    assert inside.estimate.high is not None
    assert between.estimate.low is not None
    assert 0.4 < inside.estimate.value < between.estimate.value < 1


def test_twenty_samples_of_one_item_seldom_agree(shared_data: Path) -> None:
    answers = rows_of(shared_data / "judge_topicalchat" / "responses_geval.jsonl.gz")
    repeats = [[number(text) for text in row["responses"]] for row in answers if row["dimension"] == "engagingness"]
    found = self_consistency(repeats, resamples=200)
    assert found.samples > 350
    for statistic, low, high in ((found.unanimous, 0.0, 0.5), (found.pairs, 0.4, 1.0), (found.alpha, 0.2, 1.0)):
        assert statistic.estimate is not None
        assert low < statistic.estimate.value < high
