"""Every line of trec_eval's official outputs for the metrics we have, through its own run and qrels files."""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from llmkit.config import EvalConfig
from llmkit.datasets import open_dataset
from llmkit.flows.eval import run_eval
from llmkit.metrics._retrieval import RankingMetric
from llmkit.metrics.hit_rate import HitRate
from llmkit.metrics.map import MeanAveragePrecision
from llmkit.metrics.mrr import MeanReciprocalRank
from llmkit.metrics.ndcg import Ndcg
from llmkit.metrics.precision_at import PrecisionAt
from llmkit.metrics.r_precision import RPrecision
from llmkit.metrics.recall_at import RecallAt
from llmkit.providers.rankings import Rankings
from llmkit.types import Output, Request, Sample, Skipped

NOT_OURS = {
    *("runid", "relstring", "num_q", "num_ret", "num_rel", "num_rel_ret", "num_nonrel_judged_ret", "unj"),
    *(
        "gm_map",
        "bpref",
        "gm_bpref",
        "infAP",
        "iprec_at_recall",
        "11pt_avg",
        "Rprec_mult",
        "utility",
        "rbp",
        "rbp_resid",
    ),
    *("G", "binG", "Rndcg", "ndcg_rel", "relative_P", "set_P", "set_recall", "set_relative_P", "set_map", "set_F"),
}
"""What trec_eval counts and measures beside what we do; a line that is neither ours nor one of these is an error."""


def metric_of(measure: str, level: int) -> RankingMetric | None:  # noqa: PLR0911 - a table
    """Return our metric for a measure by trec_eval's name; None for those we do not have."""
    if measure.startswith("ndcg_") and "=" in measure:
        pairs = [pair.split("=") for pair in measure.removeprefix("ndcg_").split(",")]
        return Ndcg(gains={grade: float(gain) for grade, gain in pairs})
    name, _, end = re.fullmatch(r"(.*?)(_(\d+))?", measure).groups()  # type: ignore[union-attr]
    k = int(end) if end else None
    match name, k:
        case "ndcg" | "ndcg_cut", _:
            return Ndcg(k)
        case "map" | "map_cut", _:
            return MeanAveragePrecision(k, level)
        case "recip_rank", None:
            return MeanReciprocalRank(relevance=level)
        case "Rprec", None:
            return RPrecision(level)
        case "P", int():
            return PrecisionAt(k, level)
        case "recall", int():
            return RecallAt(k, level)
        case "success", int():
            return HitRate(k, level)
    return None


def pairs_of(folder: Path, qrels: str, run: str, depth: int | None, *, complete: bool) -> list[tuple[Sample, Output]]:
    """Return the queries of a qrels file with their rankings in a run; without ``complete`` only those in both."""
    target = Rankings(folder / run, format="trec", depth=depth)
    pairs = []
    for sample in open_dataset({"path": qrels, "format": "qrels"}, base=folder):
        response = asyncio.run(target.complete(Request(sample={"id": sample.id})))
        if response.retrieved or complete:
            pairs.append((sample, Output(sample.id, response.text, response=response, retrieved=response.retrieved)))
    return pairs


def value(metric: RankingMetric, sample: Sample, output: Output) -> float:
    stats = metric.stats(sample, output)
    if isinstance(stats, Skipped):
        # Here trec_eval counts 0.
        assert stats.reason == "no document is relevant to the question"
        return 0.0
    return stats[0]


def compared(gold: Path, pairs: list[tuple[Sample, Output]], level: int) -> Mapping[str, int]:
    """Compare every line of a trec_eval output; return how many lines there were for each of our metrics."""
    counts: dict[str, int] = defaultdict(int)
    by_query = {sample.id: (sample, output) for sample, output in pairs}
    for line in gold.read_text(encoding="utf-8").splitlines():
        measure, query, figure = line.split()
        metric = metric_of(measure, level)
        if metric is None:
            assert re.sub(r"_[-.\d,]+$", "", measure) in NOT_OURS, line
            continue
        chosen = list(by_query.values()) if query == "all" else [by_query[query]]
        found = sum(value(metric, sample, output) for sample, output in chosen) / len(chosen)
        assert f"{found:.4f}" == figure, (gold.name, line)
        counts[type(metric).__name__] += 1
    return counts


@pytest.mark.parametrize(
    ("gold", "qrels", "run", "level", "depth", "lines"),
    [
        ("out.test", "qrels.test", "results.test", 1, None, 12),
        ("out.test", "qrels.test.with-comments", "results.test", 1, None, 12),
        ("out.test.a", "qrels.test", "results.test", 1, None, 43),
        ("out.test.aq", "qrels.test", "results.test", 1, None, 172),
        ("out.test.aqc", "qrels.test", "results.trunc", 1, None, 172),
        ("out.test.aqcM", "qrels.test", "results.trunc", 1, 100, 172),
        ("out.test.aql", "qrels.rel_level", "results.test", 2, None, 172),
        ("out.test.meas_params", "qrels.test", "results.test", 1, None, 48),
    ],
)
def test_official_outputs(  # noqa: PLR0917 - one argument a column
    gold: str, qrels: str, run: str, level: int, depth: int | None, lines: int, shared_data: Path
) -> None:
    folder = shared_data / "trec_eval_gold"
    pairs = pairs_of(folder, qrels, run, depth, complete="aqc" in gold)
    counts = compared(folder / gold, pairs, level)
    assert sum(counts.values()) == lines, counts


def test_the_ties_of_the_official_run_matter(shared_data: Path) -> None:
    folder = shared_data / "trec_eval_gold"
    scores = [
        [passage.score for passage in output.retrieved]
        for _, output in pairs_of(folder, "qrels.test", "results.test", None, complete=False)
    ]
    assert any(len(set(ranked)) < len(ranked) for ranked in scores)


def test_a_run_and_a_qrels_file_need_five_lines_of_config(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ir_collections" / "cacm"
    figures = json.loads((folder.parent / "expected.json").read_text(encoding="utf-8"))["cacm"]
    published = figures["run.anserini-bm25.txt (30 deep)"]
    config = EvalConfig(
        name="cacm",
        dataset={"path": str(folder / "qrels.txt"), "format": "qrels"},  # type: ignore[arg-type]
        target={"rankings": str(folder / "run.anserini-bm25.txt")},
        metrics=("map", "precision_at@30", "ndcg@10", "mrr"),
        out=str(tmp_path),
    )
    scores = run_eval(config).summary["scores"]
    found = {name: round(entry["value"], 4) for name, entry in scores.items()}
    names = {"MAP": "map", "P_30": "precision_at@30", "nDCG@10": "ndcg@10", "MRR": "mrr"}
    assert found == {names[name]: figure for name, figure in published.items()}
    assert {entry["n"] for entry in scores.values()} == {figures["judged"]}
