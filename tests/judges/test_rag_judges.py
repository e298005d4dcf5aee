"""ragas' family: claims, verdicts on each, and empties that are skipped and never 1.

The model is a function of the request: it takes a text apart at its full stops and says yes to an item whose words all
stand in the material, so that every value can be worked out by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.judges._base import ModelJudge
from llmkit.judges._claims import cosine, f_beta
from llmkit.judges.answer_correctness import AnswerCorrectness
from llmkit.judges.answer_relevancy import AnswerRelevancy
from llmkit.judges.context_precision import ContextPrecision, average_precision
from llmkit.judges.context_recall import ContextRecall
from llmkit.judges.factual_correctness import FactualCorrectness
from llmkit.judges.faithfulness import Faithfulness
from llmkit.judges.noise_sensitivity import NoiseSensitivity
from llmkit.testing import converse
from llmkit.types import Failure, Output, Passage, Request, Response, Sample, Skipped
from tests.fakejudges import fenced

ONE, TWO, THREE = "the sky is blue", "grass is green", "snow is white"


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def reply(request: Request) -> str | Response:
    """Answer as a model that reads words."""
    if request.kind == "embedding":
        return Response(embeddings=tuple((1.0, float(len(text) % 3)) for text in request.texts))
    material = fenced({"messages": request.messages})
    as_json = "JSON object" in request.messages[-1]["content"]
    if "items" not in material:
        claims = [part.strip() for part in material["text"].split(".") if part.strip() and "?" not in part]
        if as_json:
            return json.dumps({"claims": claims})
        return "\n".join(f"{n}. {claim}" for n, claim in enumerate(claims, 1)) or "none"
    items = [line.split(". ", 1)[1] for line in material.pop("items").splitlines()]
    texts = {name: words(text) for name, text in material.items()}
    known = [text for name, text in texts.items() if name.startswith(("passage", "text"))]
    answer = texts.get("answer", set())
    verdicts = [
        bool(texts[item] & answer) if item in texts else any(words(item) <= text for text in known) for item in items
    ]
    if as_json:
        rows = [{"item": n, "reason": "r", "verdict": "yes" if v else "no"} for n, v in enumerate(verdicts, 1)]
        return json.dumps({"items": rows})
    return "\n".join(f"{n}: {'yes' if v else 'no'} - words" for n, v in enumerate(verdicts, 1))


def judged(judge: ModelJudge, answer: str, contexts: Sequence[str] = (), reference: str = "") -> Any:
    sample = Sample("q", "What colour?", contexts=tuple(contexts), references=(reference,) if reference else ())
    judgment, _ = converse(judge.judge(sample, Output("q", answer)), reply)
    return judgment.stats if isinstance(judgment.stats, (Failure, Skipped)) else judgment.stats[0]


@pytest.mark.parametrize("form", ["text", "json"])
def test_faithfulness_is_the_share_of_claims_that_the_passages_support(form: Any) -> None:
    judge = Faithfulness(form=form)
    assert judged(judge, f"{ONE}. {TWO}. {THREE}.", [ONE, THREE]) == pytest.approx(2 / 3)
    assert judged(judge, f"{ONE}.", [ONE]) == 1.0
    assert judged(judge, f"{TWO}.", [ONE]) == 0.0


def test_what_the_target_retrieved_goes_before_the_rows_contexts() -> None:
    sample = Sample("q", "x", contexts=(TWO,))
    output = Output("q", f"{ONE}.", retrieved=(Passage("p", ONE),))
    judgment, _ = converse(Faithfulness().judge(sample, output), reply)
    assert judgment.stats[0] == 1.0  # type: ignore[index]


@pytest.mark.parametrize("form", ["text", "json"])
def test_context_recall_is_the_share_of_the_references_sentences(form: Any) -> None:
    reference = "The sky is blue. Grass is green."
    assert judged(ContextRecall(form=form), "", [ONE], reference) == 0.5
    assert judged(ContextRecall(form=form), "", [ONE, TWO], reference) == 1.0


@pytest.mark.parametrize(
    ("useful", "value"),
    [((True, False), 1.0), ((False, True), 0.5), ((True, False, True), (1 + 2 / 3) / 2), ((False, False), 0.0)],
)
def test_context_precision_is_average_precision(useful: tuple[bool, ...], value: float) -> None:
    assert average_precision(useful) == pytest.approx(value)
    contexts = [ONE if yes else TWO for yes in useful]
    assert judged(ContextPrecision(), "x", contexts, "sky") == pytest.approx(value)
    assert judged(ContextPrecision(by="answer"), "sky", contexts) == pytest.approx(value)


def test_correctness_is_f_of_claims_and_likeness() -> None:
    answer, reference = f"{ONE}. {TWO}.", f"{ONE}. {THREE}."
    assert judged(AnswerCorrectness(similarity=0), answer, (), reference) == pytest.approx(f_beta(1, 1, 1, 1)) == 0.5
    like = cosine((1.0, float(len(reference) % 3)), (1.0, float(len(answer) % 3)))
    assert judged(AnswerCorrectness(), answer, (), reference) == pytest.approx(0.75 * 0.5 + 0.25 * like)
    assert judged(FactualCorrectness(mode="precision"), answer, (), reference) == 0.5
    assert judged(FactualCorrectness(mode="recall"), f"{ONE}.", (), f"{ONE}. {TWO}. {THREE}.") == pytest.approx(1 / 3)
    assert judged(FactualCorrectness(), f"{ONE}.", (), f"{ONE}.") == 1.0


@given(right=st.integers(0, 9), wrong=st.integers(0, 9), missed=st.integers(0, 9), beta=st.floats(0.1, 5))
def test_f_beta_is_the_harmonic_mean_of_precision_and_recall(right: int, wrong: int, missed: int, beta: float) -> None:
    found = f_beta(right, wrong, missed, beta)
    if not right:
        assert found == 0
        return
    precision, recall = right / (right + wrong), right / (right + missed)
    square = beta * beta
    assert found == pytest.approx((1 + square) * precision * recall / (square * precision + recall))


def test_noise_sensitivity_tells_misread_sources_from_noise() -> None:
    reference = f"{ONE}."
    relevant = f"{ONE} and {TWO}"  # holds the reference's claim and a wrong one
    noise = THREE
    answer = f"{ONE}. {TWO}. {THREE}. cats bark."
    assert judged(NoiseSensitivity(), answer, [relevant, noise], reference) == 0.25
    assert judged(NoiseSensitivity(mode="irrelevant"), answer, [relevant, noise], reference) == 0.25
    assert judged(NoiseSensitivity(), f"{ONE}.", [relevant], reference) == 0.0
    assert NoiseSensitivity.higher_is_better is False


def guessed(questions: int, commits: str = "yes") -> Any:
    def answer(request: Request) -> str | Response:
        if request.kind == "embedding":
            vectors = {"What colour?": (1.0, 0.0), "q1": (1.0, 0.0), "q2": (0.0, 1.0), "q3": (1.0, 1.0)}
            return Response(embeddings=tuple(vectors[text] for text in request.texts))
        return "\n".join([*(f"{n}. q{n}" for n in range(1, questions + 1)), f"Commits: {commits}"])

    return answer


def relevancy(judge: AnswerRelevancy, model: Any, answer: str = "Blue.") -> Any:
    return converse(judge.judge(Sample("q", "What colour?"), Output("q", answer)), model)[0].stats


def test_relevancy_is_the_mean_cosine_with_guessed_questions() -> None:
    assert relevancy(AnswerRelevancy(), guessed(3))[0] == pytest.approx((1 + 0 + 2**-0.5) / 3)
    assert relevancy(AnswerRelevancy(), guessed(3, "no"))[0] == 0.0
    assert isinstance(relevancy(AnswerRelevancy(), guessed(2)), Failure)
    assert isinstance(relevancy(AnswerRelevancy(), guessed(3, "perhaps")), Failure)
    assert isinstance(relevancy(AnswerRelevancy(), guessed(3), "  "), Skipped)


def test_relevancy_by_json_and_by_another_embedding_model() -> None:
    said = json.dumps({"questions": ["q1", "q1", "q1"], "commits": "yes"})
    vectors = Response(embeddings=((1.0, 0.0),) * 4)
    judge = AnswerRelevancy(form="json", embedding_model="small")
    judgment, requests = converse(judge.judge(Sample("q", "x"), Output("q", "a")), [said, vectors])
    assert judgment.stats == (1.0, 1.0)
    assert (requests[1].kind, requests[1].model) == ("embedding", "small")


@pytest.mark.parametrize(
    ("judge", "answer", "contexts", "reference", "reason"),
    [
        (Faithfulness(), " ", [ONE], "", "empty answer"),
        (Faithfulness(), ONE, [], "", "no contexts"),
        (Faithfulness(), ONE, [" "], "", "no contexts"),
        (Faithfulness(), "really?", [ONE], "", "the answer makes no claim"),
        (ContextRecall(), ONE, [ONE], "", "no reference"),
        (ContextRecall(), ONE, [], ONE, "no contexts"),
        (ContextPrecision(), ONE, [], ONE, "no contexts"),
        (ContextPrecision(), ONE, [ONE], "", "no reference"),
        (ContextPrecision(by="answer"), "", [ONE], "", "empty answer"),
        (AnswerCorrectness(), "", (), ONE, "empty answer"),
        (AnswerCorrectness(), ONE, (), "", "no reference"),
        (AnswerCorrectness(), "hm?", (), "eh?", "neither the answer nor the reference makes a claim"),
        (FactualCorrectness(mode="precision"), "hm?", (), ONE, "the answer makes no claim"),
        (FactualCorrectness(mode="recall"), ONE, (), "eh?", "the reference makes no claim"),
        (NoiseSensitivity(), ONE, [], ONE, "no contexts"),
        (NoiseSensitivity(), "hm?", [ONE], ONE, "the answer makes no claim"),
        (NoiseSensitivity(), ONE, [ONE], "eh?", "the reference makes no claim"),
    ],
)
def test_empties_are_skipped_with_a_reason_and_never_scored(
    judge: ModelJudge, answer: str, contexts: list[str], reference: str, reason: str
) -> None:
    assert judged(judge, answer, contexts, reference) == Skipped(reason)


JUDGES = [
    Faithfulness(), ContextRecall(), ContextPrecision(), AnswerCorrectness(), FactualCorrectness(), NoiseSensitivity(),
    AnswerRelevancy(),
]  # fmt: skip


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: type(judge).__name__)
@pytest.mark.parametrize("said", ["<html>502</html>", "I can't help with that.", "Ich weiss nicht.", "1: perhaps"])
def test_what_is_no_verdict_is_an_error_and_never_a_score(judge: ModelJudge, said: str) -> None:
    sample = Sample("q", "x?", contexts=(ONE,), references=(ONE,))
    judgment, _ = converse(judge.judge(sample, Output("q", ONE)), lambda request: said)
    assert isinstance(judgment.stats, Failure), judgment


def test_a_claim_without_a_verdict_is_an_error_and_not_unsupported() -> None:
    said = iter([f"1. {ONE}\n2. {TWO}", "1: yes", "1: yes"])
    judgment, _ = converse(
        Faithfulness().judge(Sample("q", "x", contexts=(ONE,)), Output("q", "a")), lambda request: next(said)
    )
    assert isinstance(judgment.stats, Failure)
    assert "item 2 of 2" in judgment.stats.message


def test_each_judge_signs_its_prompts() -> None:
    assert ContextPrecision().prompt_digest != Faithfulness().prompt_digest
    assert all("prompt:" in judge.signature for judge in JUDGES)
