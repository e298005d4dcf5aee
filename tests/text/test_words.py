"""The tokenizer that needs no model."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from llmkit.text.words import Words


def pieces(text: str) -> list[str]:
    return [text[start:end] for start, end in Words().spans([text])[0]]


def test_words_signs_and_long_words_in_pieces() -> None:
    assert pieces("The internationalisation of snake_case, 12345.") == [
        "The", "internati", "onalisati", "on", "of", "snake", "_", "case", ",", "123", "45", ".",
    ]  # fmt: skip
    assert pieces("日本語 ok") == ["日", "本", "語", "ok"]
    assert pieces("") == []


@given(st.lists(st.text(max_size=60), max_size=4))
def test_every_visible_character_is_in_one_token(texts: list[str]) -> None:
    made = Words().spans(texts)
    assert len(made) == len(texts)
    for text, spans in zip(texts, made, strict=True):
        assert spans.shape[1] == 2
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))
        assert "".join(text[start:end] for start, end in spans) == "".join(text.split())
