from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.text.sentences import sentence_spans, split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["Mr. Smith went to Washington, D.C.", "He liked it."],
        ["It cost $3.50.", "Was that much?", "Yes!"],
        ["J. R. R. Tolkien wrote it.", "Dr. No came, e.g. by boat, i.e. slowly."],
        ['"Really?" she asked.', '"Stop!" he said.', "Nobody did."],
        ["1. Open the file.", "2. Read it."],
        ["See Fig. 3.", "He said no.", "Then he left, fig. 4 in hand."],
        ["No. 7 won.", "See vol. 2, pp. 3-4, of the U.S. Army manual."],
        ["It ends with etc.", "The rest is vitamin C.", "The end."],
        ["Acme Inc. Board members met.", "They left."],
        ["Use `a.b. C` now.", "The file config.yaml is read by llmkit 1.2.3 itself."],
        ["Wait... what?", "He went on ... and on."],
        ["It is (so we hope.)", "Or **not.**", "_Really._"],
        ["これはペン。", "本当\uff1f", "はい。"],
        ["No stop here"],
    ],
)
def test_sentences_of_a_paragraph(sentences: list[str]) -> None:
    gap = "" if "。" in sentences[0] else " "
    assert split_sentences(gap.join(sentences)) == sentences


def test_a_blank_line_ends_a_sentence_and_a_line_break_does_not() -> None:
    assert split_sentences("A title\n\nThe text goes\non. More.\n") == ["A title", "The text goes\non.", "More."]


def test_nothing_holds_no_sentence() -> None:
    assert split_sentences(" \n\n ") == []


@given(st.text(alphabet="abAB1 .!?\n`\"')e.g", max_size=80) | st.text(max_size=80))
def test_spans_lose_nothing_but_white_space(text: str) -> None:
    spans = sentence_spans(text)
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    assert edges == sorted(edges)
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    assert "".join("".join(text[start:end] for start, end in spans).split()) == "".join(text.split())


def test_long_runs_are_read_in_one_go() -> None:
    assert split_sentences("Wait" + "!" * 200_000 + "x") == ["Wait" + "!" * 200_000 + "x"]
    assert len(split_sentences("See `a. B` now. " * 10_000)) == 10_000
    assert len(split_sentences("`" * 100_000)) == 1
