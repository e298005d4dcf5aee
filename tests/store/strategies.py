"""Hypothesis strategies for every record that is written to disk."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from llmkit.types import Failure, Loglikelihood, Output, Passage, Response, Score, TokenLogprob

number = st.floats(allow_nan=False, allow_infinity=False)
logprob = st.floats(max_value=0, allow_nan=False)
lone_surrogate = st.sampled_from(["\ud800", "caf\udce9 au lait", "\udfff end", "x\ud83d"])
text = st.one_of(st.text(max_size=20), lone_surrogate, st.sampled_from(["", "\n\r\u2028", '"\\', "\x00", "😀"]))
json_value: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
free = st.dictionaries(text, json_value, max_size=3)
count = st.none() | st.integers(0, 10**9)


def tuples(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(item, max_size=3).map(tuple)


passages = st.builds(Passage, id=text, text=text, score=number, meta=free)
failures = st.builds(
    Failure, kind=text, message=text, status=st.none() | st.integers(100, 599), attempts=st.integers(0, 9)
)
responses = st.builds(
    Response,
    text=text,
    tokens_in=count,
    tokens_out=count,
    tokens_cached=count,
    finish=text,
    latency=number,
    cost=st.none() | number,
    cached=st.booleans(),
    attempts=st.integers(0, 9),
    model=text,
    alternatives=tuples(text),
    tool_calls=tuples(free),
    logprobs=tuples(st.builds(TokenLogprob, token=text, logprob=logprob, top=tuples(st.tuples(text, logprob)))),
    loglikelihoods=tuples(st.builds(Loglikelihood, logprob=logprob, tokens=st.integers(0, 99), greedy=st.booleans())),
    embeddings=tuples(tuples(number)),
    retrieved=tuples(passages),
    extra=free,
)
scores = st.builds(
    Score,
    sample_id=text,
    scorer=text,
    value=st.none() | number,
    status=st.sampled_from(["ok", "skipped", "error"]),
    reason=text,
    stats=tuples(number | text),
    repeat=st.integers(0, 99),
)


@st.composite
def outputs(draw: st.DrawFn) -> Output:
    response = draw(st.none() | responses)
    own_text = draw(st.none() | text)
    own_passages = draw(tuples(passages))
    if response is not None and draw(st.booleans()):  # the common case: the output says what the response said
        own_text, own_passages = response.text, response.retrieved
    return Output(
        draw(text),
        own_text,
        draw(st.integers(0, 9)),
        response,
        draw(tuples(text)),
        own_passages,
        draw(st.none() | failures),
    )
