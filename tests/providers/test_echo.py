from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from llmkit import registry
from llmkit.protocols import Provider
from llmkit.providers.echo import Echo
from llmkit.types import Message, Request


def _ask(target: Provider, *messages: Message) -> str:
    return asyncio.run(target.complete(Request(messages=messages))).text


@given(st.text(), st.text())
def test_the_last_user_message_comes_back_behind_the_prefix(text: str, prefix: str) -> None:
    assert _ask(Echo(prefix=prefix), {"role": "user", "content": text}) == prefix + text


def test_the_last_user_message_counts_not_the_last_message() -> None:
    chat: tuple[Message, ...] = (
        {"role": "user", "content": "one"},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": "three"},
    )
    assert _ask(Echo(), *chat) == "two"
    assert _ask(Echo(), {"role": "system", "content": "four"}) == "four"
    assert _ask(Echo()) == ""


def test_a_list_of_parts_is_read_as_its_texts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "b"}]
    assert _ask(Echo(), {"role": "user", "content": parts}) == "a\nb"


def test_a_constant_answer_is_the_first_argument() -> None:
    built = registry.build("providers", {"echo": "yes"})
    assert isinstance(built.plugin, Provider)
    assert _ask(built.plugin, {"role": "user", "content": "no?"}) == "yes"
    assert built.name == "echo(text='yes')"
    assert not Echo.journaled


def test_only_the_prompt_itself_is_a_likely_continuation() -> None:
    request = Request(messages=({"role": "user", "content": "a b"},), kind="loglikelihood", texts=(" a b", " c d e"))
    likely, unlikely = asyncio.run(Echo().complete(request)).loglikelihoods
    assert likely.greedy
    assert likely.logprob == 0
    assert not unlikely.greedy
    assert (unlikely.logprob, unlikely.tokens) == (-3, 3)
