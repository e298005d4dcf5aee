"""The target rag: passages kept, modes side by side, one answer of many, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import ConfigError, PermanentError, UsageError
from llmkit.flows.answer import GENERATE
from llmkit.flows.mode_judging import JUDGMENTS, _row, said_of
from llmkit.flows.opening import asked_model
from llmkit.flows.passage_answers import fused, prior_of
from llmkit.flows.rag import MODES
from llmkit.flows.routed import addressed, held
from llmkit.prompts.fence import fenced
from llmkit.providers.rag import Rag
from llmkit.retrieval.likelihoods import log_prior
from llmkit.types import EACH_LOGPROB, Failure, Judgment, Loglikelihood, Output, Passage, Request, Response, Skipped
from tests.cli.command import Done, llmkit, read_rows, write_config, write_rows
from tests.fakejudges import fenced as fences
from tests.fakejudges import judging
from tests.fakeserver import FakeServer
from tests.retrieval.made_index import make_index

TEXTS = {
    "france.md": "The capital of France is Paris.",
    "spain.md": "The capital of Spain is Madrid.",
    "peru.md": "Peru lies in South America.",
}
ROWS = [
    {"id": "fr", "input": "What is the capital of France?", "references": ["Paris"], "contexts": [TEXTS["france.md"]]},
    {"id": "es", "input": "What is the capital of Spain?", "references": ["Madrid"], "contexts": [TEXTS["spain.md"]]},
    {"id": "pe", "input": "What is the capital of Peru?", "references": ["Lima"], "contexts": ["Lima is the capital."]},
]


def bench(folder: Path, rag: Mapping[str, Any], **keys: Any) -> Path:
    make_index(folder / "ix", TEXTS).close()
    write_rows(folder / "set.jsonl", ROWS)
    keys = {"metrics": ["contains", "success@1"], **keys}
    return write_config(folder, target={"rag": {"index": "ix", "retrieve": {"k": 2}, **rag}}, **keys)


def run(folder: Path, *words: str) -> Done:
    return llmkit("eval", "c.yaml", "--out", "run", "--format", "json", "--quiet", *words, folder=folder)


def test_passages_are_retrieved_kept_and_scored(tmp_path: Path) -> None:
    bench(tmp_path, {"generate": "extractive"})
    done = run(tmp_path)
    assert done.code == 0, done.err
    scores = done.json["scores"]
    assert scores["success@1"]["value"] == pytest.approx(2 / 3)
    outputs = {row["sample_id"]: row for row in read_rows(tmp_path / "run" / "outputs.jsonl")}
    assert "Paris" in outputs["fr"]["text"]
    assert outputs["fr"]["retrieved"][0]["id"] == "france.md#0-31"
    assert outputs["fr"]["retrieved"][0]["text"] == TEXTS["france.md"]


def test_a_folder_of_documents_may_have_the_name_of_the_index(tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    configs.mkdir()
    bench(configs, {"generate": "extractive"})
    (tmp_path / ".llmkit").mkdir()
    (configs / "ix").rename(tmp_path / ".llmkit" / "ix")
    (configs / "ix").mkdir()
    done = llmkit("eval", "configs/c.yaml", "--out", "run", "--format", "json", "--quiet", folder=tmp_path)
    assert done.code == 0, done.err
    assert done.json["scores"]["success@1"]["value"] == pytest.approx(2 / 3)


def test_four_modes_stand_in_one_table(tmp_path: Path) -> None:
    modes = ["retrieval_augmented", "closed_book", "retrieval_only", "oracle"]
    with FakeServer(answer="echo") as server:
        model = {"openai": {"model": "fake", "base_url": server.base_url}}
        bench(tmp_path, {"generate": model, "modes": modes})
        done = run(tmp_path)
        assert done.code == 0, done.err
        asked = [request["body"]["messages"] for request in server.requests()]
    found = done.json["modes"]
    assert found["first"] == "retrieval_augmented"
    scores = {mode: one["scores"]["contains"]["value"] for mode, one in found["others"].items()}
    # The server says again what it is asked, so an answer holds the reference where the prompt does.
    assert scores == {"closed_book": 0, "retrieval_only": pytest.approx(2 / 3), "oracle": 1}
    assert done.json["scores"]["contains"]["value"] == pytest.approx(2 / 3)
    assert found["errors"] == {"metric": "contains", "right": 2, "missed": 1, "unused": 0, "despite": 0, "unknown": 0}
    assert len(asked) == 9, "retrieval_only asks nobody"
    report = (tmp_path / "run" / "report.md").read_text()
    assert "retrieval_augmented less mode" in report
    assert "retrieval missed" in report
    assert "retrieval missed" in (tmp_path / "run" / "report.html").read_text()
    shown = llmkit("report", "run", folder=tmp_path)
    assert "closed_book" in shown.out


def test_judges_judge_every_mode_and_skip_what_was_made_from_no_contexts(tmp_path: Path) -> None:
    modes = ["retrieval_augmented", "closed_book", "retrieval_only", "oracle"]
    of_text = judging(lambda text, _: 1.0 if "Paris" in text else 0.0)

    def verdict(body: Mapping[str, Any]) -> Any:
        items = fences(body).get("items", "").splitlines()
        return "\n".join(f"{at}: yes" for at in range(1, len(items) + 1)) or of_text(body)

    with FakeServer(answer="Paris") as server, FakeServer(answer=verdict) as judge:
        model = {"openai": {"model": "fake", "base_url": server.base_url}}
        judge_model = {"openai": {"model": "judge", "base_url": judge.base_url}}
        rag = {"generate": model, "modes": modes}
        judges = ["context_precision", {"closed_qa": {"criterion": "It names Paris.", "name": "paris"}}]
        bench(tmp_path, rag, metrics=["contains"], judges=judges, judge_model=judge_model)
        planned = run(tmp_path, "--dry-run").json
        done = run(tmp_path)
        assert done.code == 0, done.err
        asked = len(judge.requests())
        again = run(tmp_path, "--overwrite")
        assert len(judge.requests()) == asked
    assert again.json["modes"] == done.json["modes"]
    found = done.json["modes"]["others"]
    precision = {mode: one["scores"]["context_precision"] for mode, one in found.items()}
    assert (precision["closed_book"]["n"], precision["closed_book"]["value"]) == (0, None)
    assert precision["closed_book"]["skipped"] == 3
    assert "no contexts" in next(iter(precision["closed_book"]["reasons"]))
    assert precision["oracle"]["n"] == precision["retrieval_only"]["n"] == 3
    named = {mode: one["scores"]["paris"]["n"] for mode, one in found.items()}
    assert named == {"closed_book": 3, "retrieval_only": 3, "oracle": 3}
    first = {row["scorer"] for row in read_rows(tmp_path / "run" / "judgments.jsonl")}
    assert {"paris", "paris (closed_book)", "context_precision (oracle)"} <= first
    assert "context_precision (closed_book)" not in first
    for name in ("report.md", "report.html"):
        assert "no contexts" in (tmp_path / "run" / name).read_text()
    assert planned["requests"] >= 3 + 4 * 3, "the first question to the model, and one to a judge in every mode"


def test_what_judges_said_of_a_mode_is_read_back_as_it_was() -> None:
    said = (Judgment((1.0, 2.0), "why"), Judgment(Skipped("no contexts")), Judgment(Failure("form", "no verdict")))
    kept = {"text": "x", "error": None, JUDGMENTS: {str(at): _row(one) for at, one in enumerate(said)}}
    output = Output("a", "y", response=Response(text="y", extra={MODES: {"oracle": kept}}))
    assert said_of(output, "oracle") == {str(at): one for at, one in enumerate(said)}
    assert said_of(output, "closed_book") == {}
    assert said_of(Output("a", None), "oracle") == {}


def test_an_interrupted_run_asks_nothing_twice_and_a_dry_run_asks_nothing(tmp_path: Path) -> None:
    with FakeServer(answer="Paris") as server:
        model = {"openai": {"model": "fake", "base_url": server.base_url}}
        bench(tmp_path, {"generate": model, "contexts": "per_passage"})
        planned = run(tmp_path, "--dry-run")
        assert planned.code == 0, planned.err
        assert server.requests() == []
        assert run(tmp_path).code == 0
        first = len(server.requests())
        assert run(tmp_path, "--overwrite").code == 0
        assert len(server.requests()) == first, "the second run is answered from the cache"
        replanned = run(tmp_path, "--dry-run").json
        assert (planned.json["requests"], replanned["requests"], replanned["cached"]) == (6, 0, 6)
    assert first == 6


def test_a_prompt_may_place_the_passages_and_examples_bring_evidence(tmp_path: Path) -> None:
    with FakeServer(answer="x") as server:
        model = {"openai": {"model": "fake", "base_url": server.base_url}}
        bench(
            tmp_path,
            {"generate": model},
            prompt="{% for text in contexts %}<{{ text }}>{% endfor %} {{ input }}",
            metrics=["contains"],
        )
        assert run(tmp_path).code == 0
        assert any(
            f"<{TEXTS['france.md']}>" in str(one["body"]["messages"][-1]["content"]) for one in server.requests()
        )
        server.reset()
        bench(tmp_path, {"generate": model}, few_shot={"n": 1}, metrics=["contains"])
        assert run(tmp_path, "--overwrite").code == 0
        messages = server.requests()[0]["body"]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert "passage 1" in messages[1]["content"]
    assert "passage 1" in messages[3]["content"]


def test_a_mode_that_fails_costs_the_others_nothing(tmp_path: Path) -> None:
    bench(tmp_path, {"generate": "extractive", "modes": ["retrieval_augmented", "closed_book"]}, metrics=["contains"])
    done = run(tmp_path)
    assert done.code == 0, done.err
    assert done.json["scores"]["contains"]["n"] == 3
    closed = done.json["modes"]["others"]["closed_book"]
    assert closed["failures"] == 3
    assert closed["scores"]["contains"]["n"] == 0


@pytest.mark.parametrize(
    ("rag", "message"),
    [
        ({"generate": "extractive", "index": "nowhere"}, "there is no index 'nowhere'"),
        ({"generate": "nobody"}, "nobody"),
        ({"generate": "extractive", "retrieve": {"kk": 1}}, "unknown key 'kk'"),
        ({"generate": "extractive", "retrieve": {"filter": "lng = en"}}, "there is no field 'lng'"),
        ({"generate": "extractive", "modes": ["open_book"]}, "open_book"),
        ({"generate": "extractive", "fuse": "direct"}, "chooses among answers of single passages"),
        ({"generate": "extractive", "temperature": 0}, "greater than 0"),
        ({"index": "ix"}, "generate"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_asked(
    tmp_path: Path, rag: dict[str, Any], message: str
) -> None:
    bench(tmp_path, rag)
    done = run(tmp_path)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "run").exists()


def test_the_target_alone_cannot_be_asked() -> None:
    import asyncio

    with pytest.raises(PermanentError, match="only 'llmkit eval' does"):
        asyncio.run(Rag(Path("ix"), "echo").complete(Request()))
    with pytest.raises(ConfigError, match="listed twice"):
        Rag(Path("ix"), "echo", modes=("oracle", "oracle"))


PASSAGES = [Passage("a", "alpha"), Passage("b", "beta"), Passage("c", "gamma")]


def chosen(answers: list[str], logs: Mapping[str, float] | None = None, scores: Any = (1, 1, 1), **keys: Any) -> str:
    """Return what is chosen; ``logs`` gives a log-probability to prompts that hold its key, -9 to others."""
    settings = Rag(Path("ix"), "echo", contexts="per_passage", **keys)
    dialogue = fused("Why?", PASSAGES, answers, log_prior(list(scores)), settings)
    try:
        requests = next(dialogue)
    except StopIteration as end:
        return str(end.value.text)
    answered = []
    for request in requests:
        prompt = str(request.messages[0]["content"])
        values = [next((v for k, v in (logs or {}).items() if k in f"{prompt}|{text}"), -9.0) for text in request.texts]
        each = bool(request.params.get(EACH_LOGPROB))
        found = [Loglikelihood(value, 1, True, (value,) if each else ()) for value in values]
        answered.append(Response(loglikelihoods=tuple(found)))
    with pytest.raises(StopIteration) as stop:
        dialogue.send(answered if logs is not None else [Response()] * len(requests))
    return str(stop.value.value.text)


def test_the_vote_counts_forms_as_one_and_weighs_by_score() -> None:
    assert chosen(["Paris", "London", "paris."]) == "Paris"
    assert chosen(["Paris", "London", "London"], scores=(9, 1, 1)) == "Paris"
    assert chosen(["b", "a", "c"]) == "b", "of equals the better passage's"


def test_formulas_choose_by_their_probabilities() -> None:
    answers = ["one", "two", "three"]
    assert chosen(answers, {"|two": -1.0}, fuse="direct") == "two"
    assert chosen(answers, {"|three": -1.0}, fuse="rag_sequence") == "three"
    assert chosen(answers, {"|three": -1.0}, fuse="rag_token") == "three"
    # The question is likelier given the second answer; nothing else tells the answers apart.
    assert chosen(answers, {"Answer: two\nQuestion:": -1.0}, fuse="noisy_channel") == "two"
    assert chosen(answers, {"|one": -8.0, "|three": -1.0}, fuse="experts") == "three"
    only = {"retrieval": 1.0}
    assert chosen(answers, {}, scores=(0, 0, 5), fuse="experts", weights=only) == "three"


def test_where_there_are_no_probabilities_it_is_not_available() -> None:
    for fuse in ("direct", "noisy_channel", "experts", "rag_sequence", "rag_token"):
        with pytest.raises(PermanentError, match="not available"):
            chosen(["a", "b", "c"], None, fuse=fuse)


def scored(fuse: Any, *rows: Sequence[Loglikelihood], answers: Sequence[str] = ("a b", "c d")) -> dict[str, float]:
    """Return what each candidate scores where each passage's request is answered with one of ``rows``."""
    passages = PASSAGES[: len(rows)]
    settings = Rag(Path("ix"), "echo", contexts="per_passage", fuse=fuse)
    prior = log_prior([1.0] * len(rows))
    dialogue = fused("Why?", passages, [answers[at % len(answers)] for at in range(len(rows))], prior, settings)
    next(dialogue)
    with pytest.raises(StopIteration) as stop:
        dialogue.send([Response(loglikelihoods=tuple(row)) for row in rows])
    return dict(stop.value.value.scores)


def likely(*parts: float) -> Loglikelihood:
    return Loglikelihood(sum(parts), len(parts), False, parts)


def test_rag_token_lets_every_token_come_from_another_passage() -> None:
    rows = ([likely(-1.0, -5.0), likely(-3.5, -3.5)], [likely(-5.0, -1.0), likely(-3.5, -3.5)])
    token, sequence = scored("rag_token", *rows), scored("rag_sequence", *rows)
    by_hand = 2 * np.log(0.5 * np.exp(-1.0) + 0.5 * np.exp(-5.0))
    assert token["a b"] == pytest.approx(by_hand)
    assert sequence["a b"] == pytest.approx(-6.0)
    assert token["c d"] == pytest.approx(-7.0)


logs = st.floats(-20, 0)


@given(st.lists(logs, min_size=1, max_size=5), st.integers(1, 3))
def test_rag_token_is_rag_sequence_where_passages_agree(parts: list[float], passages: int) -> None:
    rows = [[likely(*parts)]] * passages
    found = [scored(fuse, *rows, answers=["a"])["a"] for fuse in ("rag_token", "rag_sequence")]
    assert found[0] == pytest.approx(found[1], abs=1e-9)


@given(st.lists(logs, min_size=1, max_size=3))
def test_rag_token_is_rag_sequence_for_one_token(values: list[float]) -> None:
    rows = [[likely(value)] for value in values]
    found = [scored(fuse, *rows, answers=["a"])["a"] for fuse in ("rag_token", "rag_sequence")]
    assert found[0] == pytest.approx(found[1], abs=1e-9)


def test_rag_token_is_not_available_where_tokens_are_not_given_or_differ() -> None:
    plain = Loglikelihood(-3.0, 2, False)
    for rows, message in [
        (([plain], [plain]), "does not say how likely each token"),
        (([likely(-1.0)], [likely(-1.0, -2.0)]), "cuts 'a' into other tokens after another passage"),
    ]:
        with pytest.raises(PermanentError, match=message):
            scored("rag_token", *rows, answers=["a"])


def test_an_endpoint_that_echoes_gives_rag_token_its_tokens(tmp_path: Path) -> None:
    for echoes in (True, False):
        with FakeServer(answer="Paris on the Seine", prompt_logprobs=echoes) as server:
            model = {"openai": {"model": "fake", "base_url": server.base_url}}
            bench(tmp_path, {"generate": model, "contexts": "per_passage", "fuse": "rag_token"}, metrics=["contains"])
            done = run(tmp_path, "--overwrite", "--no-cache")
        [first, *_] = read_rows(tmp_path / "run" / "outputs.jsonl")
        assert done.code == (0 if echoes else 3), done.err
        if echoes:
            assert first["response"]["extra"]["fused"]["Paris on the Seine"] < 0
        else:
            assert first["error"]["message"]


def test_a_model_without_probabilities_is_refused(tmp_path: Path) -> None:
    bench(tmp_path, {"generate": "extractive", "contexts": "per_passage", "fuse": "direct"}, metrics=["contains"])
    done = run(tmp_path)
    assert done.code == 2
    assert "'direct' is not available" in done.err


def test_an_endpoint_with_probabilities_chooses_by_them_and_one_without_is_an_error_of_the_row(tmp_path: Path) -> None:
    for echoes in (True, False):
        with FakeServer(answer="Paris", prompt_logprobs=echoes) as server:
            model = {"openai": {"model": "fake", "base_url": server.base_url}}
            bench(tmp_path, {"generate": model, "contexts": "per_passage", "fuse": "experts"}, metrics=["contains"])
            done = run(tmp_path, "--overwrite", "--no-cache")
        [first, *_] = read_rows(tmp_path / "run" / "outputs.jsonl")
        if echoes:
            assert done.code == 0, done.err
            assert first["text"] == "Paris"
            assert first["response"]["extra"]["fused"]["Paris"] < 0
        else:
            assert done.code == 3
            assert first["error"]["message"]


def test_the_prior_is_of_shares_of_the_best_score() -> None:
    assert np.exp(prior_of([3.0, 3.0], 1.0)).tolist() == pytest.approx([0.5, 0.5])
    assert np.allclose(prior_of([2.0, 1.0], 0.5), prior_of([200.0, 100.0], 0.5))
    assert np.exp(prior_of([0.0, 0.0], 1.0)).tolist() == pytest.approx([0.5, 0.5])


def test_rag_is_listed() -> None:
    from llmkit import registry

    assert registry.describe("providers", "rag").arguments
    with pytest.raises(UsageError):
        registry.build("providers", {"rag": {"index": "ix", "generate": "echo", "modes": []}})


@pytest.mark.slow
def test_what_rag_token_scores_is_what_transformers_marginalises(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tests.tiny_gpt2 import write_tiny_gpt2

    (tmp_path / "model").mkdir()
    write_tiny_gpt2(
        tmp_path / "model", "the quick brown fox jumps over a lazy dog in alpha beta", positions=512, seed=3
    )
    spec = {"transformers": {"folder": str(tmp_path / "model")}}
    asked = {GENERATE: asked_model(spec, tmp_path, "generate")}
    settings = Rag(Path("ix"), "echo", contexts="per_passage", fuse="rag_token")
    prior = log_prior([1.0, 0.2, 0.5])
    answers = ["the quick fox", "a lazy dog", "the quick fox"]
    choice = held(addressed(GENERATE, fused("Why?", PASSAGES, answers, prior, settings)), asked)

    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    for answer, ours in choice.scores.items():
        rows = []
        for passage in PASSAGES:
            prompt = f"{fenced('passage 1', passage.text)}\n\nQuestion: Why?\nAnswer:"
            before, whole = tokenizer(prompt)["input_ids"], tokenizer(prompt + answer)["input_ids"]
            wanted = torch.tensor(whole[len(before) :])
            with torch.no_grad():
                rows.append(model(torch.tensor([whole])).logits[0, len(before) - 1 : -1])
        scores = torch.tensor(np.asarray(prior)[None], dtype=torch.float32)
        theirs = transformers.RagTokenForGeneration.marginalize(None, torch.stack(rows), scores, n_docs=len(PASSAGES))
        assert ours == pytest.approx(float(theirs[0].gather(1, wanted[:, None]).sum()), abs=1e-3)
    assert set(choice.scores) == {"the quick fox", "a lazy dog"}
    assert choice.text == max(choice.scores, key=lambda one: choice.scores[one])
