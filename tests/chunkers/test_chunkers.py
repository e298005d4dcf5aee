"""Laws of every chunker, and what each one is for."""

from __future__ import annotations

import gzip
import itertools
import json
from csv import DictReader, field_size_limit
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import registry
from llmkit.chunkers._cuts import Cuts, body, page_at
from llmkit.chunkers.fixed import Fixed
from llmkit.chunkers.retro import Retro
from llmkit.chunkers.sentences import Sentences
from llmkit.chunkers.structural import Structural
from llmkit.chunkers.whole import Whole
from llmkit.document import Block, Chunk, Document
from llmkit.documents import html, markdown, plain, rst
from llmkit.documents.parsed import Parsed
from llmkit.protocols import Chunker
from llmkit.text.words import Words

WORDS = Words()


@dataclass(frozen=True)
class ByteTokens:
    """As byte-level vocabularies do: a token a byte, so that an emoji has four at the same place."""

    fingerprint: str = "bytes"

    def spans(self, texts: Any) -> list[Any]:
        return [
            np.array(
                [(i, i + 1) for i, sign in enumerate(text) for _ in sign.encode("utf-8", "surrogatepass")], np.int64
            ).reshape(-1, 2)
            for text in texts
        ]


def document(parsed: Parsed) -> Document:
    return Document("doc", parsed.text, "", {}, parsed.blocks, parsed.pages)


def texts_of(doc: Document, chunks: Any) -> list[str]:
    return [doc.text[chunk.start : chunk.end] for chunk in chunks]


LINES = st.sampled_from(
    [
        "# One",
        "## Two ##",
        "### Three",
        "Title\n===",
        "",
        "",
        "A sentence. Another one! And e.g. a third? Yes.",
        "word " * 40,
        "x" * 60,
        "- an item",
        "- another item\n  that goes on",
        "1. first",
        "```python\ndef f():\n    return 1\n\nf()\n```",
        "    indented()",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "日本語の文です。次の文です。",
        "العربية نص من اليمين إلى اليسار. جملة ثانية.",
        "e\u0301a\u0308 combining",
        "👩\u200d👩\u200d👧\u200d👦 family 👍🏽",
        "<div>html</div>",
        "---",
        "> a quote",
        "[ref]: http://example.org",
        "\u00a0",
        "\u2028 line separator \x0c form feed",
    ]
)
TEXTS = st.one_of(
    st.builds(
        lambda lines, end: end.join(lines), st.lists(LINES, max_size=14), st.sampled_from(["\n", "\r\n", "\n\n", "\r"])
    ),
    st.text(max_size=200),
)
PARSERS = st.sampled_from([markdown.parse, plain.parse, rst.parse, html.parse])
SIZED = st.one_of(
    st.builds(Structural, size=st.integers(1, 40)),
    st.builds(lambda size, part: Fixed(size=size, overlap=size * part // 8), st.integers(1, 40), st.integers(0, 7)),
    st.builds(Sentences, count=st.integers(1, 7), size=st.integers(1, 40)),
    st.builds(Retro, size=st.integers(1, 40)),
)
TOKENIZERS = st.sampled_from([WORDS, ByteTokens()])


def unsplittable(cuts: Cuts, size: int, chunk: Chunk) -> bool:
    """Whether a chunk is too large for a reason: signs that belong to one another, or several tokens in one sign."""
    text = cuts.text[chunk.start : chunk.end]
    most = max((len(sign.encode("utf-8", "surrogatepass")) for sign in text), default=1)
    return len(
        {cuts.starts[i] for i in range(len(cuts.starts)) if chunk.start <= cuts.starts[i] < chunk.end}
    ) == 1 and (cuts.count(chunk.start, chunk.end) <= most)


@given(TEXTS, PARSERS, SIZED, TOKENIZERS)
def test_chunks_cover_every_word_in_order_within_the_size(text: str, parse: Any, cutter: Any, tokenizer: Any) -> None:
    doc = document(parse(text))
    chunks = cutter.cut(doc, tokenizer)
    assert chunks == cutter.cut(doc, tokenizer)
    cuts = Cuts.of(doc.text, tokenizer)
    covered = np.zeros(len(doc.text) + 1, bool)
    for chunk in chunks:
        assert 0 <= chunk.start < chunk.end <= len(doc.text)
        assert doc.text[chunk.start : chunk.end].strip()
        covered[chunk.start : chunk.end] = True
        assert cuts.count(chunk.start, chunk.end) <= cutter.size or unsplittable(cuts, cutter.size, chunk)
    start, end = body(doc)
    missed = [doc.text[i] for i in range(start, end) if not covered[i] and not doc.text[i].isspace()]
    assert missed == []
    starts = [chunk.start for chunk in chunks]
    assert starts == sorted(starts)
    assert len(set(chunks)) == len(chunks)
    if not getattr(cutter, "overlap", 0):
        assert all(one.end <= two.start for one, two in itertools.pairwise(chunks))


@given(TEXTS, PARSERS)
def test_blocks_are_in_order_and_hold_every_word_behind_the_front_matter(text: str, parse: Any) -> None:
    parsed = parse(text)
    place = parsed.blocks[0].start if parsed.blocks else 0
    for block in parsed.blocks:
        assert not parsed.text[place : block.start].strip()
        assert parsed.text[block.start : block.end].strip()
        place = block.end
    assert not parsed.text[place:].strip() or not parsed.blocks


@given(st.lists(st.sampled_from(["a", "bc", "d.", "e!"]), max_size=80), st.integers(1, 12), st.data())
def test_the_overlap_is_exact(words: list[str], size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    doc = Document("d", " ".join(words))
    cuts = Cuts.of(doc.text, WORDS)
    chunks = Fixed(size, overlap).cut(doc, WORDS)
    for one, two in itertools.pairwise(chunks):
        assert cuts.count(two.start, one.end) == overlap
        assert cuts.count(one.start, one.end) == size


@given(TEXTS)
def test_the_whole_is_one_chunk(text: str) -> None:
    doc = document(plain.parse(text))
    chunks = Whole().cut(doc, WORDS)
    assert texts_of(doc, chunks) == ([doc.text.strip()] if doc.text.strip() else [])


def test_six_sentences_make_a_paragraph() -> None:
    doc = Document("d", " ".join(f"Sentence number {n} is here." for n in range(14)))
    made = texts_of(doc, Sentences().cut(doc, WORDS))
    assert [text.count(".") for text in made] == [6, 6, 2]


def test_retro_cuts_every_64_tokens() -> None:
    doc = Document("d", "word " * 150)
    cuts = Cuts.of(doc.text, WORDS)
    assert [cuts.count(c.start, c.end) for c in Retro().cut(doc, WORDS)] == [64, 64, 22]


GUIDE = (
    """---
title: A guide
---
# Install

Run the command below.

```bash
pip install thing

thing init
```

## Linux

Use your package manager.

## Mac

Use brew.

# Use

"""
    + "One sentence that is rather long for a chunk this small. " * 6
)


def test_the_structure_is_followed() -> None:
    doc = document(markdown.parse(GUIDE))
    chunks = Structural(size=25).cut(doc, WORDS)
    made = texts_of(doc, chunks)
    assert made[0].startswith("# Install")
    assert "thing init" in made[0]
    assert chunks[0].headings == ("Install",)
    assert "## Linux" in made[1]
    assert made[1].endswith("Use brew.")
    assert chunks[1].headings == ("Install",)
    assert made[2].startswith("# Use\n\nOne sentence")
    assert {chunk.headings for chunk in chunks[2:]} == {("Use",)}
    assert all(text.endswith("small.") for text in made[2:])
    assert "title: A guide" not in "".join(made)


def test_code_is_kept_whole_and_a_long_one_is_cut_between_lines() -> None:
    code = "```\n" + "\n".join(f"value_{n} = call({n})" for n in range(6)) + "\n```"
    doc = document(markdown.parse("Some words before it.\n\n" + code + "\n\nAnd after."))
    assert code in texts_of(doc, Structural(size=60).cut(doc, WORDS))[0] or code in texts_of(
        doc, Structural(size=60).cut(doc, WORDS)
    )
    for text in texts_of(doc, Structural(size=20).cut(doc, WORDS)):
        assert all(line.startswith(("value_", "```", "Some", "And")) for line in text.splitlines() if line)
        assert not any(line.startswith("value_") and not line.endswith(")") for line in text.splitlines())


def test_a_heading_takes_a_sentence_along() -> None:
    doc = document(markdown.parse("# A heading of some words\n\n" + "Five words make a sentence. " * 3))
    made = texts_of(doc, Structural(size=18).cut(doc, WORDS))
    assert made[0].startswith("# A heading")
    assert made[0].endswith("sentence.")


def test_short_sections_under_one_parent_share_a_chunk_and_others_do_not() -> None:
    text = "# A\n\n## B\n\nbee\n\n## C\n\nsea\n\n# D\n\ndee\n"
    doc = document(markdown.parse(text))
    chunks = Structural(size=100).cut(doc, WORDS)
    assert [chunk.headings for chunk in chunks] == [()]
    chunks = Structural(size=12).cut(doc, WORDS)
    assert [chunk.headings for chunk in chunks] == [("A",), ("D",)]


def test_chinese_ends_sentences_without_spaces() -> None:
    doc = document(plain.parse("这是第一句话。" * 10))
    for text in texts_of(doc, Structural(size=16).cut(doc, WORDS)):
        assert text.endswith("。")


def test_a_cut_does_not_part_a_letter_from_its_accent() -> None:
    doc = Document("d", "e\u0301" * 30)
    for text in texts_of(doc, Structural(size=5).cut(doc, ByteTokens())):
        assert text[0] == "e"


def test_a_chunk_knows_its_page() -> None:
    doc = Document("d", "one two\n\nthree four", "", {}, (Block(0, 7, "paragraph"), Block(9, 19, "paragraph")), (0, 9))
    assert [chunk.page for chunk in Structural(size=99).cut(doc, WORDS)] == [1, 2]
    assert [chunk.page for chunk in Whole().cut(doc, WORDS)] == [1]
    assert page_at(Document("d", "x"), 0) == 0


@pytest.mark.parametrize("sign", ["a", "a ", "。", "word. "])
def test_a_single_line_of_a_book_is_cut_in_no_time(sign: str) -> None:
    doc = document(plain.parse(sign * (200_000 // len(sign))))
    cutters: list[Chunker] = [Structural(), Fixed(), Sentences(), Retro(), Whole()]
    assert all(cutter.cut(doc, WORDS) for cutter in cutters)


@pytest.mark.slow
def test_ten_megabytes_on_one_line() -> None:
    doc = document(markdown.parse("Lorem ipsum dolor sit amet. " * 360_000))
    chunks = Structural().cut(doc, WORDS)
    assert chunks[-1].end == len(doc.text.rstrip())


@pytest.mark.parametrize("name", ["fixed", "retro", "sentences", "structural", "whole"])
def test_each_is_found_by_its_name(name: str) -> None:
    assert registry.lookup("chunkers", name)().cut(Document("d", ""), WORDS) == []


@pytest.mark.parametrize(
    "wrong", [lambda: Fixed(8, 8), lambda: Fixed(0), lambda: Retro(0), lambda: Structural(0), lambda: Sentences(0)]
)
def test_settings_that_cannot_be(wrong: Any) -> None:
    with pytest.raises(ValueError, match="at least"):
        wrong()


def corpora(shared_data: Path) -> dict[str, str]:
    found = {}
    for path in (shared_data / "chunking_eval" / "corpora").iterdir():
        data = path.read_bytes()
        found[path.name.split(".")[0]] = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return found


def test_every_gold_span_is_located(shared_data: Path) -> None:
    texts = {name: markdown.parse(text).text for name, text in corpora(shared_data).items()}
    field_size_limit(1 << 30)
    located = 0
    with gzip.open(shared_data / "chunking_eval" / "questions_df.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in DictReader(file):
            text = texts[row["corpus_id"]]
            for span in json.loads(row["references"]):
                located += text[span["start_index"] : span["end_index"]] == span["content"]
    assert located == 790
