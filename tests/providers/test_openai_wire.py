"""Laws and odd cases of the openai provider's core, which does no I/O."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import MissingKeyError, PermanentError, RateLimitedError, RequestError, TransientError
from llmkit.model_server import OFFICIAL, address_problem, is_local
from llmkit.providers import _openai_sse
from llmkit.providers._openai_endpoint import Endpoint, resolve
from llmkit.providers._openai_failures import Reply, failure, reset_after, retry_after
from llmkit.providers._openai_http import proxy_of
from llmkit.providers._openai_logprobs import UnsupportedError, loglikelihood
from llmkit.providers._openai_read import Reader
from llmkit.providers._openai_wire import Dialect, build, encode
from llmkit.types import Request, RequestKind, Response

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
READER = Reader("host", lambda text: text)
KEY = "k-0123456789"


def endpoint(base_url: str, **settings: Any) -> Endpoint:
    given_settings = dict(api_key_env=None, api_version=None, organization=None, project=None, headers={}) | settings
    return resolve(base_url, **given_settings)


def read(body: Any, kind: Any = "chat", **fields: Any) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return READER.read(Request(kind=kind, **fields), Reply(200, {}, raw), 0.0)


def answer(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"} | fields]}


# --- reading


@given(
    body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()),
    kind=st.sampled_from(["chat", "embedding", "loglikelihood"]),
)
def test_any_body_is_a_response_or_a_request_error(body: bytes, kind: str) -> None:
    try:
        response = read(body, kind, texts=("a",))
    except RequestError:
        return
    assert response.text


_KEYS = [
    "choices",
    "message",
    "content",
    "tool_calls",
    "finish_reason",
    "usage",
    "model",
    "logprobs",
    "text",
    "prompt_tokens",
    "refusal",
    "index",
]


@given(
    choice=st.dictionaries(st.sampled_from(_KEYS), JSON, max_size=6),
    message=st.dictionaries(st.sampled_from(_KEYS), JSON, max_size=4),
    rest=st.dictionaries(st.sampled_from(_KEYS), JSON, max_size=4),
)
def test_fields_of_a_wrong_type_never_escape_as_a_crash(choice: Any, message: Any, rest: Any) -> None:
    try:
        response = read(rest | {"choices": [{"message": message} | choice]})
    except RequestError:
        return
    assert isinstance(response.text, str)
    assert isinstance(response.finish, str)
    assert isinstance(response.model, str)
    assert all(
        isinstance(count, int) or count is None
        for count in (response.tokens_in, response.tokens_out, response.tokens_cached)
    )
    assert all(isinstance(call, dict) for call in response.tool_calls)


def test_choices_are_put_in_order() -> None:
    rows = [{"index": i, "message": {"content": str(i)}, "finish_reason": "stop"} for i in (2, 0, 1)]
    assert read({"choices": rows}).alternatives == ("0", "1", "2")


def test_content_parts_reasoning_and_refusals() -> None:
    message = {
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        "reasoning_content": "because",
    }
    response = read(answer(message=message) | {"usage": {"completion_tokens_details": {"reasoning_tokens": 7}}})
    assert response.text == "ab"
    assert response.extra == {"reasoning": "because", "reasoning_tokens": 7}


def test_a_byte_order_mark_and_space_around_the_body_do_no_harm() -> None:
    assert read(b"\xef\xbb\xbf\n\n" + json.dumps(answer()).encode() + b"\n\n").text == "hi"


def test_partial_text_before_the_content_filter_is_kept() -> None:
    response = read(answer(message={"content": "so far"}, finish_reason="content_filter"))
    assert (response.text, response.finish) == ("so far", "content_filter")


def test_a_routers_error_inside_a_choice_is_an_error() -> None:
    with pytest.raises(TransientError, match="host answered 502: upstream died"):
        read(answer(message={"content": ""}, finish_reason="error", error={"code": 502, "message": "upstream died"}))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "m", "type": "rate_limit_error"}, RateLimitedError),
        ({"message": "m", "type": "invalid_request_error"}, PermanentError),
        ({"message": "m", "code": "insufficient_quota"}, PermanentError),
        ({"message": "m", "code": "²"}, TransientError),
        ("just a text", TransientError),
    ],
)
def test_errors_that_come_with_status_200(error: Any, kind: type[RequestError]) -> None:
    with pytest.raises(kind, match=r"answered \d+: (m|just a text)|no credit left: m"):
        read({"error": error})


def test_embeddings_of_a_wrong_number_or_length_are_garbled() -> None:
    rows = [{"index": 0, "embedding": [1.0, 2.0]}]
    for data, texts in (
        (rows, ("a", "b")),
        ([*rows, {"index": 1, "embedding": [1.0]}], ("a", "b")),
        ([{"index": 0, "embedding": "a?"}], ("a",)),
    ):
        with pytest.raises(TransientError) as caught:
            read({"data": data}, "embedding", texts=texts)
        assert caught.value.kind == "malformed"


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_base64_embeddings_equal_floats(vector: list[float]) -> None:
    packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    rows = [{"index": 1, "embedding": packed}, {"index": 0, "embedding": vector}]
    first, second = read({"data": rows}, "embedding", texts=("a", "b")).embeddings
    assert first == second == tuple(vector)


# --- streams


def test_a_streams_tool_calls_are_put_together() -> None:
    def chunk(**delta: Any) -> str:
        return "data: " + json.dumps({"model": "m", "choices": [{"index": 0, "delta": delta}]}) + "\n\n"

    parts = [
        chunk(role="assistant", tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a"'}}]),
        chunk(
            tool_calls=[
                {"index": 0, "function": {"arguments": ": 1}"}},
                {"index": 1, "id": "d", "function": {"name": "g"}},
            ]
        ),
        'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 4}}\n\n',
        "data: [DONE]\n\n",
    ]
    response = read(b": ping\n\n" + "".join(parts).encode())
    assert [(c["id"], c["function"]) for c in response.tool_calls] == [
        ("c", {"name": "f", "arguments": '{"a": 1}'}),
        ("d", {"name": "g", "arguments": ""}),
    ]
    assert (response.tokens_in, response.finish) == (4, "tool_calls")


def test_a_stream_that_is_an_error_is_that_error() -> None:
    with pytest.raises(RateLimitedError):
        read(b'data: {"error": {"message": "slow down", "code": 429}}\n\ndata: [DONE]\n\n')


@given(st.binary(max_size=80))
def test_no_stream_crashes_the_reader(tail: bytes) -> None:
    body = b'data: {"choices": [{"delta": {"content": "x"}}]}\n\ndata: ' + tail
    assert _openai_sse.is_stream(body)
    try:
        read(body)
    except RequestError:
        return


# --- failures


@given(
    days=st.integers(0, 2),
    hours=st.integers(0, 30),
    minutes=st.integers(0, 90),
    seconds=st.integers(0, 90),
    ms=st.integers(0, 999),
)
def test_reset_times_are_read_as_durations(days: int, hours: int, minutes: int, seconds: int, ms: int) -> None:
    text = f"{days}d{hours}h{minutes}m{seconds}s{ms}ms"
    wanted = days * 86400 + hours * 3600 + minutes * 60 + seconds + ms / 1000
    assert reset_after({"x-ratelimit-reset-requests": text}) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "1.5", "retry-after-ms": "20"}, 0.02),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 40.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:10 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:10 GMT", "date": "Thu, 01 Jan 2026 00:00:02 GMT"}, 8.0),
        ({"retry-after": "Thu, 99 Jan 2026 00:00:10 GMT"}, None),
    ],
)  # fmt: skip
def test_retry_after_in_all_its_forms(headers: dict[str, str], wait: float | None) -> None:
    assert retry_after(headers, now=lambda: 60.0) == wait


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"x-ratelimit-reset-requests": "8s", "x-ratelimit-reset-tokens": "6m0s"}, 8.0),
        ({"x-ratelimit-reset-requests": "8s", "x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "0"}, 360.0),
        ({"x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-reset-tokens": "12"}, 12.0),
        ({"x-ratelimit-reset-tokens": "later"}, None),
        ({"x-ratelimit-reset-tokens": ""}, None),
    ],
)  # fmt: skip
def test_a_429_without_retry_after_waits_for_the_limits_to_be_reset(
    headers: dict[str, str], wait: float | None
) -> None:
    assert reset_after(headers, now=lambda: 60.0) == wait


@pytest.mark.parametrize(("status", "wait"), [(429, 432.0), (500, None), (503, None), (408, None)])
def test_the_reset_of_a_rate_limit_delays_nothing_but_a_429(status: int, wait: float | None) -> None:
    """OpenAI sends these headers with every answer; a retry after an error 500 need not wait for seven minutes."""
    headers = {"x-ratelimit-reset-requests": "7m12s", "x-ratelimit-remaining-requests": "199"}
    error = failure(Reply(status, headers, b"{}"), name="h", scrub=str)
    assert isinstance(error, TransientError)
    assert error.retry_after == wait


def test_reset_times_may_be_unix_times() -> None:
    for text in ("1700000030", "1700000030000"):
        assert reset_after({"x-ratelimit-reset-tokens": text}, now=lambda: 1.7e9) == 30


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "model not found"}', "model not found"),
        (b'{"object": "error", "message": "vllm says no"}', "vllm says no"),
        (b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', "field required"),
        (b'[{"error": {"message": "in a list"}}]', "in a list"),
        (b"plain words", "plain words"),
        (b"<!DOCTYPE html><p>x</p>", "a web page instead of an answer"),
        (b"", "no reason given"),
        (b"\xff\xfe", "\ufffd"),
    ],
)
def test_the_servers_words_are_found_in_every_form(body: bytes, said: str) -> None:
    error = failure(Reply(400, {}, body), name="host", scrub=lambda text: text)
    assert said in str(error)
    assert isinstance(error, PermanentError)


def test_a_redirect_says_where_to() -> None:
    error = failure(Reply(308, {"location": "https://there/v1/chat?key=1"}, b""), name="host", scrub=lambda text: text)
    assert "https://there/v1/chat;" in str(error)
    assert error.kind == "http_308"


def test_a_prompt_that_is_too_long_has_a_class_of_its_own() -> None:
    body = b'{"error": {"message": "maximum context length", "code": "context_length_exceeded"}}'
    error = failure(Reply(400, {}, body), name="host", scrub=lambda text: text)
    assert (type(error), error.kind) == (PermanentError, "context_length")


# --- endpoints and secrets


@given(before=st.text(max_size=20), after=st.text(max_size=20), key=st.text("abcXYZ019-_/+=.", min_size=4, max_size=30))
def test_no_message_holds_a_key(before: str, after: str, key: str) -> None:
    made = Endpoint(
        "http://h", "", "h", official=False, local=True, headers={"Authorization": f"Bearer {key}"}, secrets=(key,)
    )
    cleaned = made.scrub(f"{before}{key}{after}{key}")
    assert key not in cleaned.replace("***", "\0")
    assert key not in repr(made)


def test_keys_that_are_not_ours_are_hidden_too() -> None:
    said = endpoint("http://localhost").scrub("Incorrect API key provided: sk-proj-abc*****xyz. Bearer abcdefgh")
    assert said == "Incorrect API key provided: sk-*** Bearer ***"


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://[::1]:8000/", "http://[::1]:8000/v1"),
        ("https://x.openai.azure.com", "https://x.openai.azure.com/openai/v1"),
        ("https://api.groq.com/openai/v1/", "https://api.groq.com/openai/v1"),
        ("https://x/v1?api-version=1", "https://x/v1"),
    ],
)
def test_addresses(written: str, base: str) -> None:
    assert endpoint(written).base == base


def test_queries_are_kept_on_every_url() -> None:
    made = endpoint("https://x/v1?a=1", api_version="2024-10-21")
    assert made.url("/embeddings") == "https://x/v1/embeddings?a=1&api-version=2024-10-21"


@pytest.mark.parametrize("written", ["localhost:8000", "ftp://x", "http://", "http://x:99999", "http://[::1", "x"])
def test_what_is_no_address_is_said_to_be_none(written: str) -> None:
    assert written in address_problem(written)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    for written in ("https://me:hunter2@host/v1", "ftp://me:hunter2@host"):
        said = address_problem(written)
        assert "password" in said
        assert "hunter2" not in said


def test_local_and_remote_hosts() -> None:
    assert all(
        map(is_local, ("localhost", "127.0.0.1", "::1", "192.168.1.4", "10.1.1.1", "vllm", "gpu.local", "a.internal"))
    )
    assert not any(map(is_local, ("api.openai.com", "8.8.8.8", "localhost.example.com", "internal.example.com")))


def test_keys_with_odd_characters_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K", " sk-fine-123456 \n")
    assert endpoint("https://x", api_key_env="K").headers == {"Authorization": "Bearer sk-fine-123456"}
    monkeypatch.setenv("K", "sk-\nX-Evil: 1")
    with pytest.raises(MissingKeyError) as caught:
        endpoint("https://x", api_key_env="K")
    assert "Evil" not in str(caught.value)


def test_a_header_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(MissingKeyError, match="header X-Y needs the environment variable NOT_SET_ANYWHERE"):
        endpoint("https://x", headers={"X-Y": "${NOT_SET_ANYWHERE}"})


def test_organisation_and_project_are_sent() -> None:
    made = endpoint("https://x", organization="o", project="p")
    assert made.headers == {"OpenAI-Organization": "o", "OpenAI-Project": "p"}


def test_proxies_of_the_environment_serve_remote_hosts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "direct.example.com")
    assert proxy_of(endpoint("https://api.example.com")) == "http://proxy:3128"
    assert proxy_of(endpoint("https://direct.example.com")) is None
    assert proxy_of(endpoint("http://127.0.0.1:8000")) is None


# --- building


def test_openais_own_api_gets_the_new_name_of_max_tokens() -> None:
    official = endpoint(OFFICIAL).official
    request = Request(messages=({"role": "user", "content": "x"},))
    for renames, name in ((official, "max_completion_tokens"), (endpoint("https://other").official, "max_tokens")):
        body = build(Dialect("m", {"max_tokens": 5}, {}, renames_max_tokens=renames), request).body
        assert {key for key in body if key.startswith("max")} == {name}


def test_a_requests_max_tokens_wins_over_the_providers_under_the_new_name() -> None:
    request = Request(messages=({"role": "user", "content": "x"},), params={"max_tokens": 7})
    kinds: tuple[RequestKind, ...] = ("chat", "completion")
    for kind in kinds:
        for given_limit in ({"max_tokens": 5}, {"max_completion_tokens": 5}):
            dialect = Dialect("m", given_limit, {}, renames_max_tokens=True)
            body = build(dialect, Request(request.messages, request.params, kind=kind)).body
            assert [value for key, value in body.items() if key.startswith("max")] == [7]


@given(text=st.text(), params=st.dictionaries(st.text(max_size=8), st.none() | st.integers(), max_size=4))
def test_building_changes_neither_request_nor_provider(text: str, params: dict[str, Any]) -> None:
    mine, theirs = {"max_tokens": 3, "logprobs": 2}, dict(params)
    request = Request(messages=({"role": "user", "content": text},), params=params)
    dialect = Dialect("m", mine, {"a": 1}, renames_max_tokens=True)
    first, second = build(dialect, request), build(dialect, request)
    assert first == second
    assert (mine, params) == ({"max_tokens": 3, "logprobs": 2}, theirs)


@given(st.text(st.characters(), max_size=30))
def test_bodies_are_json_in_utf_8(text: str) -> None:
    decoded = json.loads(encode({"a": text}).decode())["a"]
    assert decoded == text.encode("utf-8", "replace").decode()


# --- log-likelihoods


def echoed(tokens: list[str], logprobs: list[float | None], offsets: list[int] | None = None) -> dict[str, Any]:
    tops = [None if p is None else {t: p} for t, p in zip(tokens, logprobs, strict=True)]
    return {"logprobs": {"tokens": tokens, "token_logprobs": logprobs, "top_logprobs": tops, "text_offset": offsets}}


@given(
    tokens=st.lists(st.text(min_size=1, max_size=4), min_size=2, max_size=12),
    cut=st.integers(min_value=1),
    tail=st.lists(st.text(min_size=1, max_size=3), max_size=2),
)
def test_the_continuations_tokens_are_those_that_overlap_it(tokens: list[str], cut: int, tail: list[str]) -> None:
    text = "".join(tokens)
    at = len(tokens[0]) + (cut - 1) % (len(text) - len(tokens[0]))
    everything = tokens + tail
    logprobs: list[float | None] = [None, *(-float(2**i) for i in range(1, len(everything)))]
    found = loglikelihood(echoed(everything, logprobs), text[:at], text[at:])
    each = loglikelihood(echoed(everything, logprobs), text[:at], text[at:], parts=True)
    assert (found.parts, len(each.parts), sum(each.parts)) == ((), each.tokens, found.logprob)
    ends = [len("".join(tokens[: i + 1])) for i in range(len(tokens))]
    wanted = [logprobs[i] for i, end in enumerate(ends) if end > at]
    assert found.logprob == sum(p for p in wanted if p is not None)
    assert found.tokens == len(wanted)
    assert found.greedy


def test_characters_split_over_tokens_are_placed_by_the_servers_offsets() -> None:
    tokens = ["a", " ", "bytes:\\xf0\\x9f", "bytes:\\x91\\x8b", "!"]
    choice = echoed(tokens, [None, -1.0, -2.0, -3.0, -4.0], [0, 1, 2, 2, 3])
    assert loglikelihood(choice, "a ", "👋!").logprob == -9.0


def test_pieces_without_a_text_belong_to_the_character_they_complete() -> None:
    choice = echoed(["", "a ", "", "👋", "!"], [None, -0.5, -2.0, -3.0, -4.0])
    assert loglikelihood(choice, "a ", "👋!").logprob == -9.0
    assert loglikelihood(choice, "", "a 👋!").logprob == -9.5  # the first is a begin-of-text token


def test_tokens_that_do_not_fit_the_prompt_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="do not add up"):
        loglikelihood(echoed(["x", "y"], [None, -1.0]), "a", "b")


def test_greedy_only_when_every_token_is_the_top_one() -> None:
    choice = {"logprobs": {"tokens": ["a", "b"], "token_logprobs": [None, -1.0], "top_logprobs": [None, {"c": -0.5}]}}
    assert not loglikelihood(choice, "a", "b").greedy
    choice = {"logprobs": {"tokens": ["a", "b"], "token_logprobs": [None, -1.0], "top_logprobs": [None, None]}}
    assert not loglikelihood(choice, "a", "b").greedy  # unknown is not a yes


@pytest.mark.parametrize("first", [None, {"5": {"logprob": -9.0, "rank": 3, "decoded_token": "The"}}])
def test_vllms_prompt_logprobs(first: Any) -> None:
    entries = [
        first,
        {
            "9": {"logprob": -1.5, "rank": 2, "decoded_token": " sky"},
            "8": {"logprob": -1.0, "rank": 1, "decoded_token": " sea"},
        },
        {"7": {"logprob": -0.25, "rank": 1, "decoded_token": " is"}},
    ]
    found = loglikelihood({"text": "", "prompt_logprobs": entries}, "The", " sky is")
    assert (found.logprob, found.tokens, found.greedy) == (-1.75, 2, False)
    assert loglikelihood({"prompt_logprobs": entries}, "The sky", " is").greedy


# --- empty answers


@pytest.mark.parametrize(
    ("finish", "kind", "error"),
    [
        ("stop", "empty", TransientError),
        ("length", "empty", PermanentError),
        ("content_filter",) * 2 + (PermanentError,),
    ],
)
def test_an_answer_without_text_is_an_error_that_says_what_it_took(
    finish: str, kind: str, error: type[RequestError]
) -> None:
    body = answer(message={"content": ""}, finish_reason=finish)
    body["usage"] = {"prompt_tokens": 7, "completion_tokens": 4096}
    with pytest.raises(error) as caught:
        read(json.dumps(body).encode())
    assert (caught.value.kind, caught.value.tokens) == (kind, (7, 4096, None))
