"""Runs and comparisons made up for pages: no folder, no model."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from llmkit.types import Run

SCORERS = ("exact_match", "token_f1", "bleu", "latency", "ece(bins=10)")
WORDS = [
    "the",
    "return",
    "window",
    "for",
    "an",
    "order",
    "is",
    "thirty",
    "days",
    "after",
    "delivery",
    "unless",
    "it",
    "was",
    "opened",
    "or",
    "used",
]

HOSTILE = (
    "</script><script>window.hit = 1; alert(1)</script>",
    "<!--<script>window.hit = 2</script>",
    '<img src=x onerror="window.hit = 3">',
    "<svg onload=window.hit=4><style>*{display:none}</style>",
    "[click](javascript:window.hit=5) javascript:window.hit=6",
    "line\u2028separator\u2029paragraph",
    "right \u202eto left\u202c and \u2066isolate\u2069",
    "nul \x00 escape \x1b[31mred\x1b[0m bell \x07",
    "{{ 7 * 7 }} {% raw %} ${window.hit = 7} `${alert(1)}`",
    "]]> --> &lt;b&gt; &amp; '\"",
    "lone \ud800 surrogate",
    "__proto__ constructor toString",
    "é" * 50 + "👩‍👩‍👧 漢字 العربية",
)


def entry(name: str, value: float | None = 0.5, **more: Any) -> dict[str, Any]:
    """Return a scorer's entry of a summary."""
    width = None if value is None else 0.04 * max(abs(value), 0.5)
    return {
        "value": value,
        "low": None if value is None or width is None else value - width,
        "high": None if value is None or width is None else value + width,
        "n": 100,
        "skipped": 0,
        "errors": 0,
        "coverage": 1.0,
        "reasons": {},
        "faults": {},
        "unit": "",
        "higher_is_better": True,
        "method": "t",
        "signature": f"{name}|refs:max|impl:llmkit-0.1.0|n:100|ci:t|level:0.95|seed:0",
        **more,
    }


def summary(scores: Mapping[str, Mapping[str, Any]], rows: int = 100, **more: Any) -> dict[str, Any]:
    """Return the summary of a run."""
    return {
        "schema": 1,
        "name": "support-qa",
        "rows": rows,
        "repeats": 1,
        "outputs": {"ok": rows, "error": 0, "errors": {}},
        "coverage": 1.0,
        "scores": dict(scores),
        "slices": {},
        "gate": {"coverage": {"min": 0.98, "value": 1.0, "pass": True}},
        **more,
    }


def manifest(**more: Any) -> dict[str, Any]:
    """Return a manifest."""
    return {
        "llmkit": "0.1.0",
        "name": "support-qa",
        "target": "openai(model='gpt-4o-mini', temperature=0)",
        "seed": 0,
        "fingerprint": "c0ffee00112233",
        "started": "2026-03-01T10:00:00+00:00",
        "finished": "2026-03-01T10:04:10+00:00",
        "seconds": 250.4,
        "dataset": {"source": "evalsets/support_qa.jsonl", "fingerprint": "deadbeef00112233", "skipped_rows": 2},
        "usage": {
            "sent": 970,
            "from_cache": 30,
            "retries": 4,
            "tokens_in": 512_000,
            "tokens_out": 61_000,
            "cost": 0.1134,
        },
        "versions": {"python": "3.11.2", "numpy": "2.4.0"},
        **more,
    }


def rich_run(rows: int = 300) -> Run:
    """Return a run that has everything a page can show."""
    reliability = {
        "title": "Reliability",
        "columns": ["confidence", "rows", "mean", "accuracy", "mean - accuracy", "bar: accuracy, ┃: mean"],
        "rows": [
            [f"{low / 10:.3f} to {(low + 1) / 10:.3f}", 10 + 4 * low, low / 10 + 0.05, (low / 10) ** 1.4, 0.05, "█░"]
            for low in range(10)
        ],
    }
    confusion = {
        "gold": ["refund", "delivery", "other"],
        "predicted": ["refund", "delivery", "other"],
        "matrix": [[80, 3, 1], [10, 60, 9], [0, 4, 133]],
    }
    scores = {
        "exact_match": entry("exact_match", 0.71, method="wilson", n=rows - 9, skipped=0, errors=9, coverage=0.97,
                             reasons={"no output: timeout": 9}),
        "token_f1": entry("token_f1", 0.643, n=rows - 9, errors=9, coverage=0.97, reasons={"no output: timeout": 9}),
        "bleu": entry("bleu", 31.27, method="bootstrap"),
        "latency": entry("latency", 1.37, unit="s", higher_is_better=False),
        "ece(bins=10)": entry("ece(bins=10)", 0.083, higher_is_better=False, n=rows - 20, skipped=20,
                              reasons={"the output has no confidence": 20},
                              details={"tables": [reliability], "confusion": confusion,
                                       "notes": ["Confidence is the model's own word."]}),
    }  # fmt: skip
    values = {
        name: {
            "rows": rows // 4,
            "scores": {
                scorer: {
                    "value": one["value"] * factor,
                    "low": one["low"] * factor,
                    "high": one["high"] * factor,
                    "n": rows // 4,
                }
                for scorer, one in scores.items()
            },
        }
        for name, factor in (("billing", 0.9), ("delivery", 1.05), ("returns", 0.7), ("other", 1.0))
    }
    return Run(
        "runs/support-qa/20260301T100000Z-c0ffee",
        manifest(),
        summary(
            scores,
            rows,
            repeats=3,
            outputs={"ok": rows * 3 - 9, "error": 9, "errors": {"timeout": 9}},
            coverage=0.97,
            slices={"topic": {"values": values, "left_out": 3}},
            gate={
                "coverage": {"min": 0.95, "value": 0.97, "pass": True},
                "exact_match": {"min": 0.7, "value": 0.71, "pass": True},
                "token_f1": {"max_drop": 0.02, "value": -0.051, "pass": False},
            },
        ),
    )


def said(rng: random.Random, length: int = 14) -> str:
    """Return a made-up answer."""
    return " ".join(rng.choices(WORDS, k=length))


def rich_rows(count: int = 300, *, base: bool = False, hostile: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return rows with messages, contexts, repeats, failures, reasons, judges' transcripts, and another run's outputs."""
    rng = random.Random(count)
    return [
        _row(rng, number, base=base, text=hostile[number] if number < len(hostile) else "") for number in range(count)
    ]


def _row(rng: random.Random, number: int, *, base: bool, text: str) -> dict[str, Any]:
    failed = number % 100 == 37
    question = text or f"How long is {said(rng, 5)}, and what if {said(rng, 4)}?"
    answers = [text or said(rng) for _ in range(3)]
    outputs: list[dict[str, Any]] = [
        {"repeat": repeat, "text": answer, "error": None, "latency": rng.expovariate(0.8), "cost": 0.0001 * rng.random(),
         "retrieved": [{"id": f"doc-{number}", "text": text or said(rng, 30), "score": 3.25}], "turns": []}
        for repeat, answer in enumerate(answers)
    ]  # fmt: skip
    if failed:
        outputs[0] |= {"text": None, "error": {"kind": "timeout", "message": text or "no answer within 60 s"}}
    chance = rng.random()
    status = {"status": "error", "value": None, "reason": text or "no output: timeout"} if failed else {}
    scores = {
        "exact_match": [{"repeat": r, "value": float(rng.random() < chance), "status": "ok", "reason": ""} for r in range(3)],
        "token_f1": [{"repeat": r, "value": round(rng.betavariate(3, 2), 3), "status": "ok", "reason": text or "words overlap"} for r in range(3)],
        "bleu": [{"repeat": r, "value": 60 * rng.random(), "status": "ok", "reason": ""} for r in range(3)],
        "latency": [{"repeat": r, "value": outputs[r]["latency"], "status": "ok", "reason": ""} for r in range(3)],
        "ece(bins=10)": [],
    }  # fmt: skip
    for every in scores.values():
        if every:
            every[0] = every[0] | status
    judge = {
        "messages": [{"role": "user", "content": text or f"Is this right? {answers[0]}"}],
        "text": text or "Yes: it is.",
    }
    made: dict[str, Any] = {
        "id": text[:20] + f"-{number}" if text else f"case-{number:05d}",
        "input": [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": question}],
        "contexts": [text or said(rng, 40), said(rng, 40)],
        "references": [text or said(rng, 8)],
        "choices": (),
        "answer": None,
        "slices": {"topic": text or ("billing", "delivery", "returns", "other")[number % 4]},
        "outputs": outputs,
        "scores": scores,
        "judgments": {"token_f1": [{"repeat": 0, "exchange": [judge]}]},
    }
    if base:
        before = [{**one, "text": text or " ".join((answers[0] + " " + said(rng, 3)).split()[2:])} for one in outputs]
        earlier = {name: [{**one, "value": one["value"] if rng.random() < 0.8 else 1.0} for one in every if one["value"] is not None]
                   for name, every in scores.items()}  # fmt: skip
        made["base"] = {"outputs": before, "scores": earlier}
    return made


def comparison(rows: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """Return the word on two runs, made up."""

    def one(before: float, now: float, width: float, verdict: str, **also: Any) -> dict[str, Any]:
        change = now - before
        return {
            "base": {"value": before, "low": before - width, "high": before + width},
            "candidate": {"value": now, "low": now - width, "high": now + width},
            "difference": {"value": change, "low": change - width, "high": change + width, "p": 0.004, "p_adjusted": 0.012,
                           "method": "mid-p McNemar"},
            "verdict": verdict, "margin": 0.02, "mde": 0.03, "needed": 1200, "better": 12, "worse": 41, "n": len(rows), **also,
        }  # fmt: skip

    metrics = {
        "exact_match": one(0.70, 0.71, 0.02, "pass"),
        "token_f1": one(0.694, 0.643, 0.03, "regressed"),
        "bleu": one(30.1, 31.27, 1.9, "inconclusive", margin=0.5, mde=2.2),
        "latency": one(1.62, 1.37, 0.1, "improved"),
    }
    slices = {
        "topic": {
            "returns": {"token_f1": one(0.7, 0.5, 0.08, "regressed")},
            "billing": {"token_f1": one(0.6, 0.61, 0.08, "inconclusive")},
        }
    }
    return {
        "verdict": "regressed",
        "exit_code": 1,
        "reasons": ["token_f1 fell by 0.051 (0.021 to 0.081), more than the margin of 0.02 allows."],
        "base": {"name": "support-qa, 1 February", "path": "runs/support-qa/20260201T100000Z-c0ffee"},
        "left_out": {"rows only in this run": ["case-1", "case-2"], "rows_without_a_score": 9},
        "metrics": metrics,
        "slices": slices,
        "changed": [str(row["id"]) for row in rows[5:45:3]],
        "flaky": {"exact_match": [{"id": str(row["id"]), "pass_rate": 1 / 3} for row in rows[10:16]]},
        **more,
    }
