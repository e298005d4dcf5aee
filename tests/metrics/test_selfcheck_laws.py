"""selfcheck_bertscore beside a plain loop, and laws of it and of selfcheck_nli."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit.metrics.selfcheck_bertscore import SelfcheckBertscore
from llmkit.metrics.selfcheck_nli import SelfcheckNli
from llmkit.metrics.token_f1 import TokenF1
from llmkit.types import Output, Sample
from tests.metrics.test_selfcheck import nli, value

__all__ = ["nli"]

sentences = st.lists(
    st.lists(st.sampled_from(["bird", "cats", "dogs", "elks", "foxes"]), min_size=1, max_size=4), min_size=1, max_size=3
)
answers = st.lists(sentences, min_size=2, max_size=4)


def text(answer: list[list[str]]) -> str:
    return " ".join(" ".join(words).capitalize() + "." for words in answer)


def plain(answer: list[list[str]], others: list[list[list[str]]]) -> float:
    def likeness(one: list[str], two: list[str]) -> float:
        found = TokenF1().score(Sample("s", references=(" ".join(two),)), Output("s", " ".join(one)))
        assert isinstance(found, float)
        return found

    unlike = [1 - sum(max(likeness(one, two) for two in other) for other in others) / len(others) for one in answer]
    return sum(unlike) / len(unlike)


@given(found=answers, data=st.data())
def test_equals_a_plain_loop_in_any_order(found: list[list[list[str]]], data: st.DataObject) -> None:
    metric = SelfcheckBertscore(of="token_f1")
    first, others = found[0], found[1:]
    expected = plain(first, others)
    for order in (others, data.draw(st.permutations(others))):
        assert value(metric, text(first), *map(text, order)) == pytest.approx(expected)
    assert 0 <= expected <= 1
    assert value(metric, text(first), *[text(first)] * len(others)) == 0


@pytest.mark.slow
@given(found=answers, data=st.data())
@settings(max_examples=10, deadline=None)
def test_contradiction_is_a_share_in_any_order(nli: Path, found: list[list[list[str]]], data: st.DataObject) -> None:
    metric = SelfcheckNli(folder=nli)
    texts = [text(answer[:2]) for answer in found]
    share = value(metric, *texts)
    assert 0 <= share <= 1
    assert value(metric, texts[0], *data.draw(st.permutations(texts[1:]))) == pytest.approx(share, abs=1e-5)
