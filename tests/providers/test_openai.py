"""The contract of the openai provider, held by both transports against the fake server over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Literal, TypeVar

import pytest

from llmkit.errors import (
    ConfigError,
    MissingKeyError,
    PermanentError,
    RateLimitedError,
    RequestError,
    TransientError,
    UnauthorizedError,
)
from llmkit.protocols import Provider
from llmkit.providers.openai import Openai
from llmkit.registry import build, lookup
from llmkit.types import Request, Response
from tests.fakeserver import FakeServer, Fault
from tests.fakeserver._answers import embedding_of, is_greedy, logprob_of

T = TypeVar("T")
SECRET = "sk-this-is-the-secret-0123456789"


@pytest.fixture(params=["lean", "sdk"])
def transport(request: pytest.FixtureRequest) -> Literal["lean", "sdk"]:
    kind: Literal["lean", "sdk"] = request.param
    return kind


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


def using(provider: Openai, work: Callable[[Openai], Awaitable[T]]) -> T:
    async def main() -> T:
        try:
            return await work(provider)
        finally:
            await provider.aclose()

    return asyncio.run(main())


def ask(provider: Openai, request: Request) -> Response:
    return using(provider, lambda p: p.complete(request))


def chat(text: str, **params: Any) -> Request:
    return Request(messages=({"role": "user", "content": text},), params=params)


def failing(server: FakeServer, transport: Any, *faults: str | Fault, **fields: Any) -> RequestError:
    server.reset(type(server.state.behaviour)(script={"": faults}))
    with pytest.raises(RequestError) as caught:
        ask(Openai("m", base_url=server.base_url, transport=transport, **fields), chat("x"))
    return caught.value


def sent(server: FakeServer) -> dict[str, Any]:
    body: dict[str, Any] = server.requests()[-1]["body"]
    return body


def test_a_chat_answer_holds_text_usage_and_latency(server: FakeServer, transport: Any) -> None:
    server.state.behaviour = type(server.state.behaviour)(cached_tokens=2, latency=0.02)
    response = ask(Openai("m", base_url=server.base_url, transport=transport), chat("two words"))
    assert response.text == "two words"
    assert (response.tokens_in, response.tokens_out, response.tokens_cached) == (5, 2, 2)
    assert (response.finish, response.model) == ("stop", "m")
    assert response.extra == {"system_fingerprint": "fp_fake"}
    assert 0.02 <= response.latency < 10
    assert response.alternatives == ()


def test_fields_and_params_travel_and_params_win(server: FakeServer, transport: Any) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    provider = Openai(
        "m", base_url=server.base_url, transport=transport, temperature=0, top_p=0.5, seed=3, stop=["\n"],
        max_tokens=9, response_format=schema, reasoning_effort="low", system="Be brief.", extra={"top_k": 40},
    )  # fmt: skip
    ask(provider, chat("x", temperature=1, top_p=None, min_p=0.1))
    assert sent(server) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x"}],
        "temperature": 1,
        "seed": 3,
        "stop": ["\n"],
        "max_tokens": 9,
        "response_format": schema,
        "reasoning_effort": "low",
        "top_k": 40,
        "min_p": 0.1,
    }


def test_a_chat_that_has_a_system_message_keeps_its_own(server: FakeServer, transport: Any) -> None:
    messages = ({"role": "developer", "content": "Mine."}, {"role": "user", "content": "x"})
    provider = Openai("m", base_url=server.base_url, transport=transport, system="Be brief.")
    ask(provider, Request(messages=messages, model="other"))
    assert sent(server) == {"model": "other", "messages": list(messages)}


def test_a_repeat_moves_the_seed(server: FakeServer, transport: Any) -> None:
    request = Request(messages=({"role": "user", "content": "x"},), repeat=2)
    ask(Openai("m", base_url=server.base_url, transport=transport, seed=10), request)
    assert sent(server)["seed"] == 12


def test_n_gives_alternatives(server: FakeServer, transport: Any) -> None:
    response = ask(Openai("m", base_url=server.base_url, transport=transport, n=3), chat("x"))
    assert response.text == "x"
    assert response.alternatives == ("x", "x (2)", "x (3)")


@pytest.mark.parametrize(("logprobs", "top"), [(True, None), (2, None), (None, 2), (True, 2)])
def test_chat_logprobs(server: FakeServer, transport: Any, logprobs: bool | int | None, top: int | None) -> None:
    provider = Openai("m", base_url=server.base_url, transport=transport, logprobs=logprobs, top_logprobs=top)
    tokens = ask(provider, chat("one two")).logprobs
    assert sent(server)["logprobs"] is True
    assert [(t.token, t.logprob) for t in tokens] == [("one", logprob_of("one")), (" two", logprob_of(" two"))]
    wanted = 0 if top is None and logprobs is True else 2
    assert [len(t.top) for t in tokens] == [wanted, wanted]
    if wanted:
        assert tokens[0].top[0] == ("one", logprob_of("one"))


def test_tool_calls_keep_the_wire_form_and_are_no_empty_answer(server: FakeServer, transport: Any) -> None:
    tools = [{"type": "function", "function": {"name": "grade", "parameters": {"type": "object"}}}]
    choice = {"type": "function", "function": {"name": "grade"}}
    provider = Openai("m", base_url=server.base_url, transport=transport, tools=tools, tool_choice=choice)
    response = ask(provider, chat("x"))
    assert (sent(server)["tools"], sent(server)["tool_choice"]) == (tools, choice)
    assert response.text == ""
    assert [call["function"]["name"] for call in response.tool_calls] == ["grade"]
    assert json.loads(response.tool_calls[0]["function"]["arguments"]) == {"text": "x"}


def test_a_cut_answer_says_length(server: FakeServer, transport: Any) -> None:
    response = ask(Openai("m", base_url=server.base_url, transport=transport, max_tokens=1), chat("one two"))
    assert (response.text, response.finish) == ("one", "length")


def test_plain_completions(server: FakeServer, transport: Any) -> None:
    provider = Openai("m", base_url=server.base_url, transport=transport, logprobs=2, max_completion_tokens=5)
    request = Request(kind="completion", messages=({"role": "user", "content": "one two"},))
    response = ask(provider, request)
    assert server.requests()[-1]["path"] == "/v1/completions"
    assert sent(server) == {"model": "m", "prompt": "one two", "logprobs": 2, "max_tokens": 5}
    assert response.text == "one two"
    assert [t.token for t in response.logprobs] == ["one", " two"]
    assert ("one", logprob_of("one")) in response.logprobs[0].top


def test_chats_go_to_completions_as_plain_text_when_told(server: FakeServer, transport: Any) -> None:
    provider = Openai("m", base_url=server.base_url, transport=transport, api="completions", system="S", logprobs=True)
    ask(provider, chat("x"))
    assert sent(server) == {"model": "m", "prompt": "S\n\nx", "logprobs": 1}


@pytest.mark.parametrize("packing", ["float", "base64"])
def test_embeddings_are_batched_and_come_back_in_order(server: FakeServer, transport: Any, packing: str) -> None:
    texts = ("first", "zweiter ✓", "third")
    request = Request(kind="embedding", texts=texts, params={"encoding_format": packing, "dimensions": 6})
    response = ask(Openai("e", base_url=server.base_url, transport=transport), request)
    assert response.embeddings == tuple(tuple(embedding_of(text, 6)) for text in texts)
    assert response.tokens_in is not None
    assert server.stats()["total"] == 1


@pytest.mark.parametrize("bos", ["", "<s>"])
def test_loglikelihood_counts_the_continuation_only(server: FakeServer, transport: Any, bos: str) -> None:
    server.state.behaviour = type(server.state.behaviour)(bos=bos)
    context, texts = "The capital of France is", (" Paris", " London town", " é ü")
    request = Request(kind="loglikelihood", messages=({"role": "user", "content": context},), texts=texts)
    found = ask(Openai("m", base_url=server.base_url, transport=transport, seed=1), request).loglikelihoods
    tokens = [[" Paris"], [" London", " town"], [" é", " ü"]]
    assert [f.logprob for f in found] == pytest.approx([sum(map(logprob_of, t)) for t in tokens], abs=1e-12)
    assert [f.tokens for f in found] == [1, 2, 2]
    assert [f.greedy for f in found] == [all(map(is_greedy, t)) for t in tokens]
    assert server.stats()["total"] == 1
    assert {k: v for k, v in sent(server).items() if k != "prompt"} == {
        "model": "m", "echo": True, "logprobs": 1, "max_tokens": 0, "temperature": 0,
    }  # fmt: skip


def test_loglikelihood_where_the_server_refuses_or_ignores_it(server: FakeServer, transport: Any) -> None:
    request = Request(kind="loglikelihood", messages=({"role": "user", "content": "a"},), texts=(" b",))
    provider = Openai("m", base_url=server.base_url, transport=transport)
    server.reset(type(server.state.behaviour)(prompt_logprobs=False))
    with pytest.raises(PermanentError, match="not supported for this model"):
        ask(provider, request)
    server.reset(
        type(server.state.behaviour)(script={"": [Fault(200, body='{"choices": [{"index": 0, "text": "x"}]}')]})
    )
    with pytest.raises(PermanentError, match="cannot score given texts: it returns no log-probabilities") as caught:
        ask(provider, request)
    assert caught.value.kind == "unsupported"


def test_loglikelihood_without_a_context_is_refused_not_guessed(server: FakeServer, transport: Any) -> None:
    request = Request(kind="loglikelihood", messages=({"role": "user", "content": ""},), texts=("b c",))
    with pytest.raises(PermanentError, match="give the request a context"):
        ask(Openai("m", base_url=server.base_url, transport=transport), request)


@pytest.mark.parametrize("text", ["héllo 👋 世界", '\u2028 \x00 " \\ \n\t', "ﬁ́ \u202ertl"])
def test_unicode_survives(server: FakeServer, transport: Any, text: str) -> None:
    assert ask(Openai("m", base_url=server.base_url, transport=transport), chat(text)).text == text


def test_a_megabyte_survives(server: FakeServer, transport: Any) -> None:
    text = "ä0123456789 " * 100_000
    assert ask(Openai("m", base_url=server.base_url, transport=transport), chat(text)).text == text


def test_half_a_surrogate_pair_breaks_nothing(server: FakeServer) -> None:
    body = '{"choices": [{"index": 0, "message": {"content": "smile \\ud83d"}, "finish_reason": "length"}]}'
    server.state.behaviour = type(server.state.behaviour)(script={"": [Fault(200, body=body)]})
    response = ask(Openai("m", base_url=server.base_url), chat("half \ud83d"))
    assert response.text == "smile \ufffd"
    assert sent(server)["messages"][0]["content"] == "half ?"


TRANSIENT = {
    "429-bare": ("http_429", 429),
    "408": ("http_408", 408),
    "409": ("http_409", 409),
    "500": ("http_500", 500),
    "502-html": ("http_502", 502),
    "503": ("http_503", 503),
    "drop": ("connection", None),
    "truncated": ("malformed", None),
    "malformed": ("malformed", None),
    "garbage": ("malformed", None),
    "not-object": ("malformed", None),
    "no-choices": ("malformed", None),
    "empty-body": ("malformed", None),
    "sse-cut": ("malformed", None),
    "empty": ("empty", None),
    "error-200": ("http_502", 502),
    "error-200-429": ("http_429", 429),
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_faults_worth_asking_again(server: FakeServer, transport: Any, fault: str) -> None:
    error = failing(server, transport, fault)
    assert isinstance(error, TransientError), error
    assert (error.kind, error.status) == TRANSIENT[fault]
    assert isinstance(error, RateLimitedError) == ("429" in fault)
    assert "127.0.0.1" in str(error)
    assert "\n" not in str(error)
    assert "<html" not in str(error)
    assert server.stats()["total"] == 1  # neither transport retries by itself


PERMANENT = {
    "400": ("http_400", 400),
    "401": ("http_401", 401),
    "403": ("http_403", 403),
    "404": ("http_404", 404),
    "422": ("http_422", 422),
    "quota": ("insufficient_quota", 429),
    "filter-400": ("content_filter", 400),
    "filter": ("content_filter", 200),
}


@pytest.mark.parametrize("fault", PERMANENT)
def test_faults_that_stay(server: FakeServer, transport: Any, fault: str) -> None:
    error = failing(server, transport, fault)
    assert isinstance(error, PermanentError), error
    assert (error.kind, error.status) == PERMANENT[fault]
    assert isinstance(error, UnauthorizedError) == (fault == "401")
    assert server.stats()["total"] == 1


@pytest.mark.parametrize(
    ("fault", "low", "high"),
    [("429", 0.05, 0.05), ("429-date", 19, 21), ("429-ms", 0.25, 0.25), ("429-reset", 62.5, 62.5), ("503", 1, 1)],
)
def test_the_servers_wish_to_wait_is_read(
    server: FakeServer, transport: Any, fault: str, low: float, high: float
) -> None:
    error = failing(server, transport, fault)
    assert isinstance(error, TransientError)
    assert error.retry_after is not None
    assert low <= error.retry_after <= high


def test_the_servers_words_reach_the_user_shortened(server: FakeServer, transport: Any) -> None:
    error = failing(server, transport, Fault(400, code="bad", message="The field 'x' is wrong. " * 200))
    assert "The field 'x' is wrong." in str(error)
    assert len(str(error)) < 500


def test_a_redirect_is_reported_not_followed(server: FakeServer, transport: Any) -> None:
    with FakeServer() as elsewhere:
        moved = Fault(308, headers={"Location": f"{elsewhere.base_url}/chat/completions"})
        error = failing(server, transport, moved)
        assert elsewhere.stats()["total"] == 0
    assert isinstance(error, PermanentError)
    assert f"it redirects to {elsewhere.base_url}" in str(error)


def test_an_answer_cut_by_length_may_be_empty(server: FakeServer, transport: Any) -> None:
    server.state.behaviour = type(server.state.behaviour)(script={"": ["length", "empty"]})
    provider = Openai("m", base_url=server.base_url, transport=transport, allow_empty=True)
    assert ask(provider, chat("x")).finish == "length"
    assert ask(provider, chat("x")).text == ""


def test_an_event_stream_that_nobody_asked_for_is_put_together(server: FakeServer, transport: Any) -> None:
    server.state.behaviour = type(server.state.behaviour)(script={"": ["sse"]})
    response = ask(Openai("m", base_url=server.base_url, transport=transport), chat("x"))
    assert (response.text, response.finish) == ("Hello", "stop")


def test_a_refusal_is_the_answer(server: FakeServer, transport: Any) -> None:
    server.state.behaviour = type(server.state.behaviour)(answer=lambda _: {"content": None, "refusal": "I will not."})
    response = ask(Openai("m", base_url=server.base_url, transport=transport), chat("x"))
    assert response.text == "I will not."
    assert response.extra["refusal"] is True


def test_a_hanging_server_can_be_timed_out_and_asked_again(server: FakeServer, transport: Any) -> None:
    server.state.behaviour = type(server.state.behaviour)(script={"": ["hang"]})

    async def work(provider: Openai) -> Response:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await provider.complete(chat("x"))
        return await provider.complete(chat("x"))

    assert using(Openai("m", base_url=server.base_url, transport=transport), work).text == "x"


def test_a_server_that_is_down(transport: Any) -> None:
    with FakeServer() as gone:
        address = gone.base_url
    with pytest.raises(TransientError, match=r"cannot connect to 127\.0\.0\.1") as caught:
        ask(Openai("m", base_url=address, transport=transport), chat("x"))
    assert caught.value.kind == "connection"


def test_many_at_once_share_one_client(server: FakeServer, transport: Any) -> None:
    server.state.behaviour = type(server.state.behaviour)(latency=0.02)

    async def work(provider: Openai) -> list[Response]:
        first = await asyncio.gather(*(provider.complete(chat(f"p{i}")) for i in range(40)))
        return first + await asyncio.gather(*(provider.complete(chat(f"p{i}")) for i in range(40)))

    texts = [r.text for r in using(Openai("m", base_url=server.base_url, transport=transport), work)]
    assert texts == [f"p{i}" for i in range(40)] * 2
    assert server.stats()["connections"] <= 40  # kept alive, so the second round opens none


def test_a_provider_can_be_closed_and_used_in_another_loop(server: FakeServer, transport: Any) -> None:
    provider = Openai("m", base_url=server.base_url, transport=transport)
    assert [ask(provider, chat("x")).text for _ in range(2)] == ["x", "x"]


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/"])
def test_the_address_may_be_written_in_four_ways(server: FakeServer, transport: Any, tail: str) -> None:
    ask(Openai("m", base_url=server.root + tail, transport=transport), chat("x"))
    assert server.requests()[-1]["path"] == "/v1/chat/completions"


def test_azure_style(server: FakeServer, transport: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY", SECRET)
    server.state.behaviour = type(server.state.behaviour)(api_key=SECRET)
    base = f"{server.root}/openai/deployments/mine"
    provider = Openai("m", base_url=base, transport=transport, api_version="2024-10-21", api_key_env="AZURE_KEY")
    assert ask(provider, chat("x")).text == "x"
    request = server.requests()[-1]
    assert request["path"] == "/openai/deployments/mine/chat/completions?api-version=2024-10-21"
    assert request["headers"]["api-key"] == SECRET
    assert "authorization" not in request["headers"]


def test_the_key_is_sent_and_a_wrong_one_is_named_by_nobody(
    server: FakeServer, transport: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    server.state.behaviour = type(server.state.behaviour)(api_key=SECRET)
    provider = Openai("m", base_url=server.base_url, transport=transport, api_key_env="MY_KEY")
    assert ask(provider, chat("x")).text == "x"
    server.state.behaviour = type(server.state.behaviour)(api_key="another")
    with pytest.raises(UnauthorizedError, match=r"refused the API key \(401\): Incorrect API key provided: \*\*\*"):
        ask(provider, chat("x"))


@pytest.mark.parametrize("fault", ["400", "500", "429", "401", "drop", "truncated", "malformed", "error-200"])
@pytest.mark.parametrize("secret", [SECRET, "plainword-1234"])
def test_the_key_appears_in_no_error(
    server: FakeServer, transport: Any, fault: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", secret)
    monkeypatch.setenv("MY_HEADER", secret[::-1])
    leak = f"your key {secret} and {secret[::-1]}"
    planned: str | Fault = fault
    if fault.isdigit():
        planned = Fault(int(fault), code="x", message=leak)
    elif fault == "error-200":
        planned = Fault(200, body=json.dumps({"error": {"message": leak, "code": 500}}))
    elif fault == "malformed":
        planned = Fault(200, body=leak)
    error = failing(server, transport, planned, api_key_env="MY_KEY", headers={"X-Extra": "${MY_HEADER}"})
    assert server.requests()[-1]["headers"]["x-extra"] == secret[::-1]
    seen: BaseException | None = error
    while seen is not None:
        shown = repr(seen) + str(seen) + repr(vars(seen))
        assert secret not in shown
        assert secret[::-1] not in shown
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def test_a_client_of_the_users_own(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_BASE", server.base_url)
    server.state.behaviour = type(server.state.behaviour)(script={"bad": ["500"]}, api_key="own-key")
    provider = Openai("m", client="tests.providers.own_client:make", max_tokens=4)
    assert ask(provider, chat("x")).text == "x"
    assert sent(server)["max_tokens"] == 4
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:\d+ answered 500"):
        ask(provider, chat("bad"))
    assert server.stats()["total"] == 2  # the client's own retries are switched off


def test_it_is_a_provider_and_the_registry_builds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert lookup("providers", "openai") is Openai
    built = build("providers", {"openai": {"model": "m", "stop": "\n", "api_key_env": "OTHER", "logprobs": 3}})
    assert isinstance(built.plugin, Provider)
    plugin: Any = built.plugin
    assert built.name == "openai(logprobs=3, model='m', stop='\\n')"
    assert (plugin.logprobs, Openai.cacheable, Openai.journaled) == (3, True, True)
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        build("providers", {"openai": {"model": "m", "temprature": 1}})


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Openai("", base_url="localhost:8000", max_tokens=0, max_completion_tokens=1, temperature=-1, api="completions",
               tools=[{}], client="nowhere", extra={"temperature": 1})  # fmt: skip
    said = str(caught.value)
    for part in ("'model' is empty", "base_url", "two names of one limit", "'max_tokens' must be at least 1",
                 "'temperature' must be at least 0", "'tools' exists in chats only", "module:function", "out of 'extra'"):  # fmt: skip
        assert part in said
    assert len(caught.value.problems) == 8


def test_a_missing_key_is_known_before_the_first_request() -> None:
    with pytest.raises(MissingKeyError, match="OPENAI_API_KEY"):
        Openai("m").check()
    with pytest.raises(MissingKeyError, match="THEIR_KEY"):
        Openai("m", base_url="http://10.0.0.5/v1", api_key_env="THEIR_KEY").check()
    Openai("m", api_key_env=None).check()
    Openai("m", base_url="http://10.0.0.5/v1").check()


def test_a_local_server_is_sent_no_default_key_unless_it_comes_from_the_environment(
    server: FakeServer, transport: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    ask(Openai("m", base_url=server.base_url, transport=transport), chat("x"))
    assert "authorization" not in server.requests()[-1]["headers"]
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    ask(Openai("m", transport=transport), chat("x"))
    assert server.requests()[-1]["headers"]["authorization"] == f"Bearer {SECRET}"


def test_a_client_that_cannot_be_imported_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="nowhere_to_be_found"):
        Openai("m", client="nowhere_to_be_found:make").check()


def test_identity_tells_endpoints_apart_and_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Openai("m", headers={"X": "secret-header"})
    first = here.identity
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    assert here.identity != first
    assert "secret-header" not in here.identity + repr(here)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1?key=secret-query")
    asked = here.identity
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1?key=other-query")
    assert here.identity != asked
    assert "secret-query" not in asked
    plain = Openai("m")
    assert Openai("m", transport="sdk").identity == plain.identity
    assert Openai("m", temperature=0).identity != plain.identity
