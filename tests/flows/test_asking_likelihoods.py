"""``ask: references`` and ``ask: choices``, from the config to the score; and what does not fit together."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from llmkit import Options, run_eval
from llmkit.errors import ConfigError, DataError
from llmkit.flows.ask import Asker
from llmkit.flows.plan import plan_eval
from llmkit.flows.setup import prepare
from llmkit.prompts import Template
from llmkit.types import Loglikelihood, Output, Request, Response, Sample

ROWS: list[dict[str, Any]] = [
    {"id": "a", "input": "two words", "references": ["two words", "one two three"], "choices": ["x", "two words"]},
    {"id": "b", "input": "four", "references": ["four"], "choices": ["five", "four"]},
    {"id": "c", "input": "no reference", "choices": ["none", "of these"]},
]


def config(folder: Path, ask: str, metrics: str, *, rows: list[dict[str, Any]] | None = None, more: str = "") -> Path:
    lines = [json.dumps(row) + "\n" for row in (ROWS if rows is None else rows)]
    (folder / "rows.jsonl").write_text("".join(lines), "utf-8")
    path = folder / "eval.yaml"
    target = "" if "target:" in more else "target: echo\n"
    path.write_text(
        f"name: asking\ndataset: rows.jsonl\n{target}ask: {ask}\nmetrics: [{metrics}]\n"
        f"gate: {{coverage: {{min: 0}}}}\n{more}",
        "utf-8",
    )
    return path


def test_perplexity_and_bits_per_byte_are_made_of_totals(tmp_path: Path) -> None:
    # The echo target finds its own prompt certain, and gives any other text -1 for each word.
    run = run_eval(config(tmp_path, "references", "perplexity, bits_per_byte, tokens"), options=Options(tmp_path / "o"))
    perplexity, bits = (run.summary["scores"][name] for name in ("perplexity", "bits_per_byte"))
    assert perplexity["value"] == pytest.approx(math.exp(3 / (2 + 3 + 1)))
    assert bits["value"] == pytest.approx(3 / math.log(2) / len("two words" + "one two three" + "four"))
    for entry in (perplexity, bits):
        assert (entry["n"], entry["skipped"], entry["reasons"]) == (2, 1, {"no reference": 1})
    assert [output.text for output in run.outputs] == ["", "", ""]
    again = run_eval(
        config(tmp_path, "references", "perplexity(refs=first)"),
        options=Options(tmp_path / "p", outputs=tmp_path / "o"),
    )
    assert again.summary["scores"]["perplexity(refs='first')"]["value"] == 1.0


def test_the_likeliest_choice_is_the_answer(tmp_path: Path) -> None:
    rows = [row | {"answer": 1} for row in ROWS] + [{"id": "d", "input": "nothing to choose", "answer": "x"}]
    run = run_eval(config(tmp_path, "choices", "accuracy, exact_match", rows=rows), options=Options(tmp_path / "o"))
    outputs = list(run.outputs)
    assert [output.text for output in outputs] == ["two words", "four", "none", None]
    assert outputs[3].error is not None
    assert outputs[3].error.kind == "no_choices"
    assert run.summary["scores"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert run.summary["scores"]["accuracy"]["errors"] == 1


def test_a_dry_run_counts_what_would_be_asked(tmp_path: Path) -> None:
    plan = plan_eval(prepare(config(tmp_path, "references", "perplexity")))
    assert plan.requests == 2


def test_a_target_that_answers_too_little_is_a_failure() -> None:
    asker = Asker(Template.from_source(None, base=Path()), lambda _: (), ask="choices")
    dialogue = asker.dialogue(Sample("s", "question", choices=("a", "b")), repeat=1)
    [request] = next(dialogue)
    assert request == Request(
        ({"role": "user", "content": "question"},), kind="loglikelihood", texts=("a", "b"), repeat=1
    )
    with pytest.raises(StopIteration) as stopped:
        dialogue.send([Response(loglikelihoods=(Loglikelihood(-1.0, 1, greedy=True),))])
    output: Output = stopped.value.value
    assert output.text is None
    assert output.error is not None
    assert output.error.message == "asked for 2, got 1"


@pytest.mark.parametrize(
    ("ask", "metrics", "more", "message"),
    [
        ("references", "exact_match", "", r"metrics\[0\]: 'exact_match' reads an answer, and 'ask: references' asks"),
        (
            "answer",
            "latency, perplexity",
            "",
            r"metrics\[1\]: 'perplexity' needs the log-likelihoods of the references",
        ),
        ("choices", "bits_per_byte", "", r"write 'ask: references'"),
        ("choices", "accuracy", "target: recorded\n", "'ask: choices' asks for log-likelihoods, and this target gives"),
        (
            "answer",
            "pass_at@5",
            "",
            r"metrics\[0\]: 'pass_at@5' needs 5 answers to every row, and each row is asked once",
        ),
        ("answer", "agreement", "repeats: 1\n", "write 'repeats: 2' or more"),
        ("answer", "pass_hat@4", "repeats: 3\n", "each row is asked 3 times"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_asked(
    tmp_path: Path, ask: str, metrics: str, more: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        prepare(config(tmp_path, ask, metrics, more=more))


def test_rows_that_cannot_be_asked_so_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row has 'choices', and 'ask: choices' needs it"):
        prepare(config(tmp_path, "choices", "exact_match", rows=[{"input": "a", "references": ["b"]}]))
    with pytest.raises(DataError, match="rows have further turns: 1"):
        prepare(
            config(tmp_path, "references", "perplexity", rows=[{"input": "a", "turns": ["b"], "references": ["c"]}])
        )
