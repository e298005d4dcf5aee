"""ragas' family gives ragas' numbers for the same verdicts (tests/golden/make_ragas.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmkit.judges._claims import f_beta
from llmkit.judges.answer_relevancy import AnswerRelevancy
from llmkit.judges.context_precision import ContextPrecision
from llmkit.judges.context_recall import ContextRecall
from llmkit.judges.faithfulness import Faithfulness
from llmkit.judges.noise_sensitivity import NoiseSensitivity
from llmkit.testing import converse
from llmkit.types import Output, Request, Response, Sample
from tests.fakejudges import fenced

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "ragas.json").read_text("utf-8"))


def numbered(items: list[str]) -> str:
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, 1))


def verdicts(values: list[bool]) -> str:
    return "\n".join(f"{number}: {'yes' if value else 'no'}" for number, value in enumerate(values, 1))


def stats(judge: Any, replies: Any, *, references: tuple[str, ...] = ("r",), contexts: tuple[str, ...] = ("c",)) -> Any:
    sample = Sample("q", "q", references=references, contexts=contexts)
    judgment, _ = converse(judge.judge(sample, Output("q", "the answer")), replies)
    return judgment.stats


@pytest.mark.parametrize(("values", "expected"), GOLDEN["faithfulness"])
def test_faithfulness(values: list[bool], expected: float) -> None:
    claims = [f"claim {n}" for n in range(len(values))]
    assert stats(Faithfulness(), [numbered(claims), verdicts(values)])[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("values", "expected"), GOLDEN["context_recall"])
def test_context_recall(values: list[bool], expected: float) -> None:
    reference = " ".join(f"Sentence number {n} is here." for n in range(len(values)))
    assert stats(ContextRecall(), [verdicts(values)], references=(reference,))[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("values", "expected"), GOLDEN["context_precision"])
def test_context_precision(values: list[bool], expected: float) -> None:
    contexts = tuple(f"passage {n}" for n in range(len(values)))
    assert stats(ContextPrecision(), [verdicts(values)], contexts=contexts)[0] == pytest.approx(expected, abs=1e-9)


def test_f_beta() -> None:
    for right, wrong, missed, beta, expected in GOLDEN["f_beta"]:
        assert f_beta(right, wrong, missed, beta) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("right", "by_passage", "gold", "relevant", "irrelevant"), GOLDEN["noise_sensitivity"])
def test_noise_sensitivity(
    right: list[bool], by_passage: list[list[bool]], gold: list[list[bool]], relevant: float, irrelevant: float
) -> None:
    """Every check is told apart by what it is shown: which claims, against which text."""
    own, references = [f"own {n}" for n in range(len(right))], [f"gold {n}" for n in range(len(gold[0]))]
    contexts = tuple(f"passage text {n}" for n in range(len(gold)))

    def reply(request: Request) -> str:
        material = fenced({"messages": request.messages})
        if "items" not in material:
            return numbered(own if material["text"] == "the answer" else references)
        shown = next((n for n, text in enumerate(contexts) if text in material.values()), None)
        if shown is None:
            return verdicts(right)
        return verdicts((by_passage if "own" in material["items"] else gold)[shown])

    for mode, expected in (("relevant", relevant), ("irrelevant", irrelevant)):
        found = stats(NoiseSensitivity(mode=mode), reply, references=("the reference",), contexts=contexts)  # type: ignore[arg-type]
        assert found[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("commits", "key"), [("yes", "committed"), ("no", "evasive")])
def test_answer_relevancy(commits: str, key: str) -> None:
    vectors = GOLDEN["answer_relevancy"]["vectors"]

    def reply(request: Request) -> str | Response:
        if request.kind == "embedding":
            return Response(embeddings=tuple(tuple(vectors[text]) for text in request.texts))
        return f"{numbered(['a', 'b', 'c'])}\nCommits: {commits}"

    expected = GOLDEN["answer_relevancy"][key]
    assert stats(AnswerRelevancy(), reply)[0] == pytest.approx(expected, abs=1e-12)
