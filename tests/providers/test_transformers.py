from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import math
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from llmkit import registry
from llmkit.errors import ConfigError, MissingExtraError, PermanentError
from llmkit.providers import transformers as plugin
from llmkit.providers._batches import Batches
from llmkit.providers.transformers import Transformers
from llmkit.types import EACH_LOGPROB, Loglikelihood, Request, Response
from tests.tiny_gpt2 import write_tiny_gpt2

torch = pytest.importorskip("torch", reason="needs the extra 'transformers'")
hf = pytest.importorskip("transformers", reason="needs the extra 'transformers'")

SENTENCE = "the quick brown fox jumps over the lazy dog and then the dog sleeps in the warm sun while a fox runs on"
TEXT = SENTENCE.split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gpt2(tmp_path_factory.mktemp("tiny-gpt2"), SENTENCE, positions=64, seed=7)


def _prompt(text: str, **more: Any) -> Request:
    return Request(messages=({"role": "user", "content": text},), **more)


def _ask(target: Transformers, *requests: Request) -> list[Response]:
    async def scenario() -> list[Response]:
        try:
            return await asyncio.gather(*(target.complete(request) for request in requests))
        finally:
            await target.aclose()

    return asyncio.run(scenario())


@cache
def _plain_model(folder: Path) -> tuple[Any, Any]:
    return hf.AutoTokenizer.from_pretrained(folder), hf.AutoModelForCausalLM.from_pretrained(folder).eval()


def _plain_likelihood(folder: Path, prompt: Sequence[int], continuation: Sequence[int]) -> Loglikelihood:
    _, model = _plain_model(folder)
    tokens, total, greedy = list(prompt), 0.0, True
    with torch.no_grad():
        for token in continuation:
            logprobs = torch.log_softmax(model(torch.tensor([tokens])).logits[0, -1], dim=-1)
            total += float(logprobs[token])
            greedy = greedy and int(logprobs.argmax()) == token
            tokens.append(token)
    return Loglikelihood(total, len(continuation), greedy)


def _plain_greedy(folder: Path, text: str, count: int) -> list[int]:
    tokenizer, model = _plain_model(folder)
    tokens = tokenizer(text)["input_ids"]
    new: list[int] = []
    with torch.no_grad():
        for _ in range(count):
            new.append(int(model(torch.tensor([tokens + new])).logits[0, -1].argmax()))
    return new


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_loglikelihoods_are_a_plain_loops(folder: Path, batch_size: int) -> None:
    tokenizer, _ = _plain_model(folder)
    pairs = [
        (" ".join(TEXT[:start]), " " + " ".join(TEXT[start:end]))
        for start, end in [(1, 2), (3, 9), (5, 6), (10, 16), (2, 4)]
    ]
    requests = [_prompt(prompt, kind="loglikelihood", texts=(text, " sun")) for prompt, text in pairs]
    answers = _ask(Transformers(folder=folder, batch_size=batch_size), *requests)
    for (prompt, text), answer in zip(pairs, answers, strict=True):
        for continuation, got in zip((text, " sun"), answer.loglikelihoods, strict=True):
            before = tokenizer(prompt)["input_ids"]
            after = tokenizer(prompt + continuation)["input_ids"][len(before) :]
            expected = _plain_likelihood(folder, before, after)
            assert got.logprob == pytest.approx(expected.logprob, abs=1e-5)
            assert (got.tokens, got.greedy) == (expected.tokens, expected.greedy)


def test_a_likelihood_is_the_sum_of_its_tokens_which_are_given_where_they_are_asked_for(folder: Path) -> None:
    asked = {"kind": "loglikelihood", "texts": (" fox runs", " sun")}
    plain = _prompt(" ".join(TEXT[:4]), **asked)
    each = dataclasses.replace(plain, params={EACH_LOGPROB: True})
    without, with_parts = _ask(Transformers(folder=folder), plain, each)
    for one, other in zip(without.loglikelihoods, with_parts.loglikelihoods, strict=True):
        assert one.parts == ()
        assert len(other.parts) == other.tokens == one.tokens
        assert sum(other.parts) == pytest.approx(one.logprob, abs=1e-5)


def test_the_greedy_answer_is_flagged_greedy_and_others_are_not(folder: Path) -> None:
    tokenizer, _ = _plain_model(folder)

    def likeliest(prompt: str) -> str:
        new = _plain_greedy(folder, prompt, 1)
        joined = tokenizer(prompt + tokenizer.decode(new))["input_ids"]
        return tokenizer.decode(new) if joined == [*tokenizer(prompt)["input_ids"], *new] else ""

    prompts = [" ".join(TEXT[:n]) for n in range(1, len(TEXT))]
    prompt, best = next((prompt, best) for prompt in prompts if (best := likeliest(prompt)) not in {"", " fox"})
    [answer] = _ask(Transformers(folder=folder), _prompt(prompt, kind="loglikelihood", texts=(best, " fox")))
    assert [item.greedy for item in answer.loglikelihoods] == [True, False]
    assert answer.loglikelihoods[0].logprob > answer.loglikelihoods[1].logprob


def test_a_space_at_the_prompts_end_goes_to_the_continuation(folder: Path) -> None:
    [spaced, plain] = _ask(
        Transformers(folder=folder),
        _prompt("the quick ", kind="loglikelihood", texts=("brown",)),
        _prompt("the quick", kind="loglikelihood", texts=(" brown",)),
    )
    assert spaced.loglikelihoods == plain.loglikelihoods


def test_an_empty_prompt_is_the_beginning_of_text(folder: Path) -> None:
    tokenizer, _ = _plain_model(folder)
    [answer] = _ask(Transformers(folder=folder), _prompt("", kind="loglikelihood", texts=("the quick",)))
    expected = _plain_likelihood(folder, [0], tokenizer("the quick")["input_ids"])
    assert answer.loglikelihoods[0].logprob == pytest.approx(expected.logprob, abs=1e-5)
    assert answer.loglikelihoods[0].tokens == expected.tokens


@pytest.mark.parametrize("batch_size", [1, 4])
def test_greedy_generation_is_a_plain_loops(folder: Path, batch_size: int) -> None:
    tokenizer, _ = _plain_model(folder)
    prompts = ["the quick brown fox", "dog", "in the warm sun while a fox runs", "and then"]
    answers = _ask(
        Transformers(folder=folder, batch_size=batch_size, max_new_tokens=12, logprobs=True), *map(_prompt, prompts)
    )
    for prompt, answer in zip(prompts, answers, strict=True):
        new = _plain_greedy(folder, prompt, 12)
        kept = new[: new.index(0)] if 0 in new else new
        assert answer.text == tokenizer.decode(kept)
        assert answer.tokens_in == len(tokenizer(prompt)["input_ids"])
        assert answer.tokens_out == len(kept) == len(answer.logprobs)
        assert answer.finish == ("stop" if 0 in new else "length")
        expected = _plain_likelihood(folder, tokenizer(prompt)["input_ids"], kept)
        assert sum(item.logprob for item in answer.logprobs) == pytest.approx(expected.logprob, abs=1e-4)


def test_drawn_answers_do_not_depend_on_their_batch(folder: Path) -> None:
    requests = [_prompt(" ".join(TEXT[:n]), params={"temperature": 1.0, "top_p": 0.9}) for n in range(1, 7)]
    together = _ask(Transformers(folder=folder, batch_size=8, max_new_tokens=8), *requests)
    alone = _ask(Transformers(folder=folder, batch_size=1, max_new_tokens=8), *requests)
    assert [answer.text for answer in together] == [answer.text for answer in alone]


def test_repeats_seeds_and_n_draw_anew(folder: Path) -> None:
    warm = {"temperature": 2.0}
    requests = [
        _prompt("the", params=warm),
        _prompt("the", params=warm),
        _prompt("the", params=warm, repeat=1),
        _prompt("the", params={**warm, "seed": 5}),
        _prompt("the", params={**warm, "n": 3}),
    ]
    first, same, repeated, seeded, several = _ask(Transformers(folder=folder, max_new_tokens=10), *requests)
    assert first.text == same.text == several.text == several.alternatives[0]
    assert len({first.text, repeated.text, seeded.text, *several.alternatives}) == 5
    assert several.tokens_out is not None
    assert first.tokens_out is not None
    assert several.tokens_out > first.tokens_out


def test_stop_strings_end_an_answer_and_are_no_part_of_it(folder: Path) -> None:
    [whole] = _ask(Transformers(folder=folder, max_new_tokens=16), _prompt("the quick"))
    stop = whole.text[len(whole.text) // 2 :][:3]
    assert stop
    [cut, told] = _ask(
        Transformers(folder=folder, max_new_tokens=16, stop=(stop,)),
        _prompt("the quick"),
        _prompt("the quick", params={"stop": None}),
    )
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish == "stop"
    assert told.text == whole.text


def test_alternatives_of_each_token(folder: Path) -> None:
    [answer] = _ask(
        Transformers(folder=folder, max_new_tokens=3), _prompt("the", params={"logprobs": True, "top_logprobs": 2})
    )
    for item in answer.logprobs:
        assert len(item.top) == 2
        assert item.top[0][0] == item.token
        assert item.top[0][1] == pytest.approx(item.logprob)
        assert item.top[0][1] >= item.top[1][1]


def test_chat_goes_through_the_chat_template(folder: Path, tmp_path: Path) -> None:
    tokenizer, model = copy.deepcopy(_plain_model(folder))
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.content }} fox {% endfor %}{% if add_generation_prompt %}dog{% endif %}"
    )
    tokenizer.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    target = Transformers(folder=tmp_path, max_new_tokens=6)
    parts = [{"type": "text", "text": "the quick"}]
    chat = Request(messages=({"role": "user", "content": parts},))
    raw = _prompt("the quick fox dog", kind="completion")
    bare = _prompt("the quick", kind="completion")
    asked, expected, untouched = _ask(target, chat, raw, bare)
    assert (asked.text, asked.tokens_in) == (expected.text, expected.tokens_in)
    assert untouched.tokens_in != asked.tokens_in
    [plain] = _ask(Transformers(folder=tmp_path, max_new_tokens=6, chat_template=False), chat)
    assert plain.tokens_in == untouched.tokens_in


def test_prompts_may_begin_with_the_beginning_of_text(folder: Path) -> None:
    [without] = _ask(Transformers(folder=folder, max_new_tokens=1), _prompt("the"))
    [with_it] = _ask(Transformers(folder=folder, max_new_tokens=1, add_bos=True), _prompt("the"))
    assert with_it.tokens_in == (without.tokens_in or 0) + 1


def test_nothing_is_cut_off_silently(folder: Path) -> None:
    long = " ".join(TEXT * 5)
    for request in (_prompt(long), _prompt(long, kind="loglikelihood", texts=(" dog",))):
        with pytest.raises(PermanentError, match=r"the prompt has \d+ tokens and .* takes 64") as caught:
            _ask(Transformers(folder=folder), request)
        assert caught.value.kind == "too_long"
    [answer] = _ask(Transformers(folder=folder, max_length=8, max_new_tokens=50), _prompt("the quick"))
    assert (answer.tokens_in or 0) + (answer.tokens_out or 0) <= 8


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (_prompt("a", params={"response_format": {}}), "does not take the parameter 'response_format'"),
        (Request(kind="embedding", texts=("a",)), "cannot answer a request for an embedding"),
    ],
)
def test_what_it_cannot_do_is_told(folder: Path, request_: Request, message: str) -> None:
    with pytest.raises(PermanentError, match=message):
        _ask(Transformers(folder=folder), request_)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "name a model or a folder, one of the two"),
        ({"model": "x", "folder": "y"}, "one of the two"),
        ({"folder": "nowhere"}, "no model in .*nowhere: it has no config.json"),
        ({"model": "x", "batch_size": 0}, "batch_size is 0"),
        ({"model": "x", "temperature": -1.0}, "temperature is at least 0"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_loaded(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        registry.build("providers", {"transformers": arguments}, base=tmp_path)


def test_a_broken_model_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(ConfigError, match=r"the model '.*' cannot be loaded: "):
        _ask(Transformers(folder=tmp_path), _prompt("a"))


def test_a_request_that_is_given_up_does_not_stop_the_loading(folder: Path) -> None:
    loads: list[int] = []

    class Counting(Transformers):
        def _load(self) -> Any:
            loads.append(1)
            return super()._load()

    async def scenario() -> Response:
        target = Counting(folder=folder, max_new_tokens=2)
        given_up = asyncio.create_task(target.complete(_prompt("the")))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        try:
            return await target.complete(_prompt("the"))
        finally:
            await target.aclose()

    assert asyncio.run(scenario()).tokens_out == 2
    assert loads == [1]


def test_a_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'llmkit\[transformers\]'"):
        Transformers(model="gpt2")


def test_device_and_batch_size_are_no_part_of_what_answers(folder: Path) -> None:
    arguments = {"folder": str(folder), "device": "cpu", "batch_size": 2, "max_new_tokens": 5}
    built = registry.build("providers", {"transformers": arguments})
    assert built.name == f"transformers(folder='{folder}', max_new_tokens=5)"


def test_batches_hold_one_kind_and_near_lengths_and_nobody_starves() -> None:
    seen: list[list[int]] = []
    gate = threading.Event()

    def work(jobs: Sequence[int]) -> list[int | Exception]:
        gate.wait(30)
        seen.append(list(jobs))
        return [ValueError("odd one") if job == 13 else job * 2 for job in jobs]

    async def scenario() -> list[int | BaseException]:
        batches: Batches[int, int] = Batches(work, 2, "test")
        tasks = [
            asyncio.create_task(batches.submit(job, job % 2, length))
            for job, length in [(2, 1), (4, 1), (8, 90), (13, 5), (6, 10), (10, 80)]
        ]
        await asyncio.sleep(0)
        gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await batches.close()
        return results

    results = asyncio.run(scenario())
    assert seen == [[2, 4], [8, 10], [13], [6]]
    assert [result for result in results if isinstance(result, int)] == [4, 8, 16, 12, 20]
    assert isinstance(results[3], ValueError)


def test_a_batch_that_fails_tells_everyone_and_the_next_is_run() -> None:
    def work(jobs: Sequence[int]) -> list[int]:
        if 0 in jobs:
            raise RuntimeError("broken")
        return list(jobs)

    async def scenario() -> list[int | BaseException]:
        batches: Batches[int, int] = Batches(work, 2, "test")
        tasks = [asyncio.create_task(batches.submit(job, "kind", 1)) for job in (0, 1, 2)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await batches.close()
        return results

    first, second, third = asyncio.run(scenario())
    assert isinstance(first, RuntimeError)
    assert isinstance(second, RuntimeError)
    assert third == 2


def test_a_job_that_is_given_up_is_not_run() -> None:
    seen: list[int] = []

    def work(jobs: Sequence[int]) -> list[int]:
        seen.extend(jobs)
        return list(jobs)

    async def scenario() -> int:
        batches: Batches[int, int] = Batches(work, 4, "test")
        given_up = asyncio.create_task(batches.submit(1, "kind", 1))
        kept = asyncio.create_task(batches.submit(2, "kind", 1))
        await asyncio.sleep(0)
        given_up.cancel()
        result = await kept
        await batches.close()
        return result

    assert asyncio.run(scenario()) == 2
    assert seen == [2]


def test_perplexity_of_a_run_is_exp_of_the_models_own_loss(folder: Path, tmp_path: Path) -> None:
    from llmkit import Options, run_eval

    rows = [(" ".join(TEXT[:3]) + " ", "fox jumps over"), ("the lazy ", "dog sleeps"), ("a ", "warm sun while")]
    lines = [json.dumps({"input": prompt, "references": [reference]}) + "\n" for prompt, reference in rows]
    (tmp_path / "rows.jsonl").write_text("".join(lines), "utf-8")
    (tmp_path / "eval.yaml").write_text(
        f"dataset: rows.jsonl\nask: references\ntarget: {{transformers: {{folder: {json.dumps(str(folder))}}}}}\n"
        "metrics: [perplexity, bits_per_byte]\n",
        "utf-8",
    )
    run = run_eval(tmp_path / "eval.yaml", options=Options(out=tmp_path / "run", cache=False))
    tokenizer, model = _plain_model(folder)
    loss, tokens = 0.0, 0
    for prompt, reference in rows:
        whole, before = (torch.tensor([tokenizer(text)["input_ids"]]) for text in (prompt + reference, prompt.rstrip()))
        labels = whole.clone()
        labels[0, : before.shape[1]] = -100  # the prompt's own tokens are not counted
        counted = int((labels != -100).sum())
        with torch.no_grad():
            loss += float(model(whole, labels=labels).loss) * counted
        tokens += counted
    scores = run.summary["scores"]
    assert scores["perplexity"]["value"] == pytest.approx(math.exp(loss / tokens), rel=1e-5)
    size = sum(len(reference.encode()) for _, reference in rows)
    assert scores["bits_per_byte"]["value"] == pytest.approx(loss / math.log(2) / size, rel=1e-5)
