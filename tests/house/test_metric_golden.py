"""Where each metric's values come from, one line a metric; and what every metric does with whatever it is handed."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmkit import registry
from llmkit.flows.tally import Tally
from llmkit.types import Output, Passage, Response, Sample, Skipped, Table
from tests.house.test_metric_conventions import about

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
NAMES = registry.builtin_names("metrics")


@dataclass(frozen=True)
class Golden:
    """A file of tests/golden, made by a script there that runs the programs named (their versions are in the file)."""

    file: str
    programs: tuple[str, ...]


@dataclass(frozen=True)
class Live:
    """A program that the test itself runs beside the metric."""

    program: str


@dataclass(frozen=True)
class Real:
    """Values that others published, in the data of tests/realdata."""

    test: str


@dataclass(frozen=True)
class Exempt:
    """No program has the metric, or nothing is there to compute; why."""

    why: str


OVERLAP = Golden("overlap.json", ("rouge-score", "sacrebleu", "rapidfuzz"))
SKIPS = Golden("rouge_s.json", ("ROUGE",))
RETRIEVAL = Golden("retrieval.json", ("pytrec-eval-terrier", "ir-measures", "DPR"))
REPEATS = Golden("repeats.json", ("numpy", "scipy"))
HARNESS = Golden("harness.json", ("lm_eval",))
HELM = Golden("bias_toxicity.json", ("crfm-helm",))
ANSWERS = Golden("short_answers.json", ("transformers", "crfm-helm"))
SEARCHES = Golden("searches.json", ("grep",))
CALIBRATION = Golden("calibration.json", ("uncertainty-calibration", "scikit-learn"))
SELFCHECK = Golden("selfcheckgpt.json", ("selfcheckgpt",))
SKLEARN = Live("sklearn")
COUNTED = Exempt("the mean of a number that the answer brings along; held against the standard library's mean")

REFERENCE: dict[str, tuple[Golden | Live | Real | Exempt, ...]] = {
    "accuracy": (SKLEARN,),
    "agreement": (REPEATS,),
    "bertscore": (Golden("bertscore.json", ("bert-score", "transformers", "torch")), Live("bert_score")),
    "best_of": (REPEATS,),
    "bias_association": (HELM,),
    "bias_representation": (HELM,),
    "bits_per_byte": (HARNESS,),
    "bleu": (OVERLAP, Live("sacrebleu")),
    "brier": (SKLEARN,),
    "choice_accuracy": (HARNESS,),
    "choice_spread": (HARNESS,),
    "chrf": (OVERLAP, Live("sacrebleu")),
    "confusion": (SKLEARN,),
    "contains": (SEARCHES,),
    "cost": (COUNTED,),
    "ece": (CALIBRATION,),
    "edit_similarity": (OVERLAP,),
    "embedding_similarity": (Golden("embedding_similarity.json", ("sentence-transformers",)),),
    "exact_match": (ANSWERS,),
    "expected_max_toxicity": (HELM,),
    "f1": (SKLEARN,),
    "hit_rate": (RETRIEVAL, Live("pytrec_eval")),
    "json_match": (Exempt("equality of JSON values, which has one meaning; held against a plain walk"),),
    "json_schema": (Real("test_json_schema_suite.py"),),
    "latency": (COUNTED,),
    "length": (COUNTED,),
    "log_loss": (SKLEARN,),
    "majority": (HARNESS,),
    "map": (RETRIEVAL, Live("pytrec_eval")),
    "max_toxicity_probability": (HELM,),
    "mcc": (SKLEARN,),
    "mce": (Golden("calibration_max.json", ("torchmetrics",)),),
    "moverscore": (Golden("moverscore.json", ("pyemd", "transformers", "torch")),),
    "mrr": (RETRIEVAL, Live("pytrec_eval")),
    "ndcg": (RETRIEVAL, Live("pytrec_eval")),
    "number_match": (Real("test_gsm8k.py"),),
    "pass_at": (REPEATS,),
    "pass_hat": (REPEATS,),
    "perplexity": (HARNESS,),
    "pr_auc": (SKLEARN,),
    "precision": (SKLEARN,),
    "precision_at": (RETRIEVAL, Live("pytrec_eval")),
    "precision_at_recall": (SKLEARN,),
    "r_precision": (RETRIEVAL, Live("pytrec_eval")),
    "recall": (SKLEARN,),
    "recall_at": (RETRIEVAL, Live("pytrec_eval")),
    "recall_at_precision": (SKLEARN,),
    "regex_match": (SEARCHES,),
    "roc_auc": (SKLEARN,),
    "rouge": (OVERLAP, SKIPS, Live("rouge_score")),
    "selective_accuracy": (CALIBRATION,),
    "selfcheck_bertscore": (SELFCHECK,),
    "selfcheck_ngram": (SELFCHECK,),
    "selfcheck_nli": (SELFCHECK,),
    "success": (RETRIEVAL,),
    "ter": (OVERLAP, Live("sacrebleu")),
    "token_f1": (ANSWERS,),
    "tokens": (COUNTED,),
    "toxicity": (HELM,),
}
GIVEN: dict[str, dict[str, Any]] = {
    **{name: {"k": 3} for name in ("hit_rate", "precision_at", "recall_at", "success")},
    "json_schema": {"schema": {"type": "object"}},
    "selfcheck_bertscore": {"of": "token_f1"},
}
MODELS = frozenset(["bertscore", "moverscore", "embedding_similarity", "selfcheck_nli"])
"""They load a model; their own tests hold the same laws."""


def test_every_metric_says_where_its_values_come_from() -> None:
    assert sorted(REFERENCE) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_named_is_there_and_is_used(name: str) -> None:
    reached = {where: case.reaches for case in about(name) for where in [case.where]}
    for source in REFERENCE[name]:
        if isinstance(source, Golden):
            head = json.loads((GOLDEN / source.file).read_text("utf-8"))
            versions = next(head[key] for key in ("versions", "made_by", "made_with") if key in head)
            assert [program for program in source.programs if program not in versions] == []
            scripts = [path.read_text("utf-8") for path in GOLDEN.glob("make_*.py")]
            assert any(re.search(rf"\b{source.file.removesuffix('.json')}\b", script) for script in scripts)
            assert any(source.file in words for words in reached.values()), f"no test of {name} reads {source.file}"
        elif isinstance(source, Live):
            assert any(source.program in words for words in reached.values()), f"no test of {name} runs it"
        elif isinstance(source, Real):
            assert any(where.startswith(source.test) for where in reached)
        else:
            assert len(source.why.split()) > 6


words = st.lists(st.sampled_from(["a", "b", "yes", "no", "4", "0.5", "{}", "é"]), max_size=4).map(" ".join)
texts = st.one_of(words, st.sampled_from(["", " ", "\n", "\ufeff", "NaN", "-inf", '{"a": 1}', "0", "\x00"]))
grades = st.dictionaries(st.sampled_from("abc"), st.integers(-1, 3), max_size=3)
samples = st.builds(
    Sample,
    id=st.just("s"),
    input=texts,
    references=st.lists(texts, max_size=2).map(tuple),
    contexts=st.lists(texts, max_size=2).map(tuple),
    choices=st.lists(words, max_size=3, unique=True).map(tuple),
    answer=st.none() | st.sampled_from(["yes", "no", "a", "", 0, 1]),
    meta=grades.map(lambda found: {"qrels": found}) | st.just({}),
)
passages = st.lists(
    st.builds(Passage, st.sampled_from("abcd"), words, score=st.sampled_from([0.0, 0.5, 1.0])), max_size=4
)
responses = st.builds(
    Response,
    text=st.just(""),
    latency=st.sampled_from([0.0, 0.5]),
    cost=st.none() | st.just(0.1),
    tokens_out=st.none() | st.integers(0, 9),
)
outputs = st.builds(
    Output, sample_id=st.just("s"), text=texts, response=st.none() | responses, retrieved=passages.map(tuple)
)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in MODELS])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(st.tuples(samples, st.lists(outputs, min_size=2, max_size=2)), min_size=1, max_size=6))
def test_whatever_it_is_handed_it_gives_a_number_or_a_reason(
    name: str, rows: list[tuple[Sample, list[Output]]]
) -> None:
    metric = registry.build("metrics", {name: GIVEN[name]} if name in GIVEN else name).plugin
    value, turned = (_corpus_value(metric, order) for order in (rows, rows[::-1]))
    assert (value is None) == (turned is None)
    if value is not None:
        assert value == pytest.approx(turned, rel=1e-9, abs=1e-9)
        low, high = metric.bounds or (-math.inf, math.inf)
        assert low - 1e-9 <= value <= high + 1e-9


def _corpus_value(metric: Any, rows: list[tuple[Sample, list[Output]]]) -> float | None:
    """Return the value over rows, after looking at each row's own; None where no row has one."""
    tally = Tally("m", metric)
    found = []
    for number, (sample, several) in enumerate(rows):
        if tally.over_repeats:
            stats = metric.stats_over(sample, several)
            score = tally.add_repeats(number, sample, several)
        else:
            stats = metric.stats(sample, several[0])
            score = tally.add(number, sample, several[0])
        if isinstance(stats, Skipped):
            assert (score.status, score.value) == ("skipped", None)
            assert len(stats.reason) > 3
            continue
        assert score.status == "ok", score.reason
        assert all(isinstance(item, str) or math.isfinite(item) for item in stats)
        assert score.value is None or math.isfinite(score.value)
        found.append(stats)
    if not found:
        return None
    columns: list[Any] = [np.frombuffer(column, dtype=np.float64) for column in tally.columns]
    if metric.kind == "rows":
        value = metric.value_of(Table(columns, [tuple(one) for one in tally.vocabulary]))
    else:
        value = metric.value([float(column.sum()) for column in columns], len(found))
    assert value is None or math.isfinite(value)
    return None if value is None else float(value)


@pytest.mark.parametrize("name", ["bleu", "rouge"])
def test_overlap_of_words_says_that_it_tracks_human_judgment_poorly(name: str) -> None:
    plugin, _ = registry.build("metrics", name)
    said = " ".join((type(plugin).__doc__ or "").split())
    assert "tracks human judgment poorly" in said
