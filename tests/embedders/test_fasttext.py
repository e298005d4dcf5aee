"""Word vectors of a file: the mean of a text's words."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit import registry
from llmkit.embedders import fasttext
from llmkit.embedders._fasttext_model import FasttextModel
from llmkit.errors import ConfigError, DataError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
REFERENCE = json.loads((GOLDEN / "fasttext.json").read_text(encoding="utf-8"))
LINES = ["the 1 0 0", "cat 0 1 0", "Paris 0 0 2", "paris 0 3 4", ". 5 5 5", "the 9 9 9"]


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.vec"
    path.write_text("6 3\n" + "\n".join(LINES) + "\n")
    return path


def made(path: Path, **arguments: Any) -> Any:
    return registry.build("embedders", {"fasttext": {"path": str(path), **arguments}}).plugin


def unit(*numbers: float) -> list[float]:
    return [number / float(np.linalg.norm(numbers)) for number in numbers]


def test_the_mean_of_the_words_that_are_there(words: Path) -> None:
    embedder = made(words)
    found = embedder.embed(["the cat", "THE Cat xyzzy", "Paris", "PARIS", "xyzzy", ""], "query")
    assert np.allclose(found[0], unit(1, 1, 0))
    assert np.allclose(found[1], unit(1, 1, 0))
    assert np.allclose(found[2], unit(0, 0, 2))
    assert np.allclose(found[3], unit(0, 3, 4))
    assert found[4:].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert (found.dtype, embedder.dimensions, embedder.max_tokens) == (np.float32, 3, None)


def test_it_is_read_once(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = made(words).embed(["the cat."], "passage")
    monkeypatch.setattr(fasttext.Fasttext, "_read", lambda _: pytest.fail("read again"))
    again = made(words)
    assert np.array_equal(again.embed(["the cat."], "passage"), before)
    assert np.array_equal(pickle.loads(pickle.dumps(again)).embed(["the cat."], "passage"), before)


def test_a_file_without_counts_in_portions(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasttext, "_PORTION", 2)
    (words.parent / "glove.txt").write_text("\n".join(LINES))
    other = made(words.parent / "glove.txt")
    assert np.array_equal(other.embed(["Paris ."], "query"), made(words).embed(["Paris ."], "query"))


def test_the_first_words_and_the_mean_left_out(words: Path) -> None:
    few = made(words, max_words=2)
    assert few.embed(["Paris"], "query").tolist() == [[0, 0, 0]]
    centred = made(words, max_words=2, subtract_mean=True)
    assert np.allclose(centred.embed(["the"], "query")[0], unit(0.5, -0.5, 0))
    assert len({one.fingerprint for one in (made(words), few, centred)}) == 3


def test_words_with_their_places(words: Path) -> None:
    assert made(words).spans(["The cat!", ""])[0].tolist() == [[0, 3], [4, 7], [7, 8]]


@pytest.mark.parametrize(("line", "place"), [("dog 1 2", 4), ("dog 1 two 3", 4), ("dog 1 nan 3", 4)])
def test_a_line_that_is_no_vector_is_named(line: str, place: int, words: Path) -> None:
    words.write_text("\n".join(["3 3", *LINES[:2], line]))
    with pytest.raises(DataError, match=rf"small.vec:{place}: the line holds no word with 3 numbers"):
        made(words).embed(["x"], "query")


def test_files_that_are_refused(words: Path) -> None:
    words.write_text("0 3\n")
    with pytest.raises(DataError, match="holds no word vectors"):
        made(words).embed(["x"], "query")
    with pytest.raises(ConfigError, match="there is no file"):
        made(words.parent / "absent.vec")
    words.with_suffix(".bin").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"small.bin is no model of fastText .give a .bin"):
        made(words.with_suffix(".bin"))
    with pytest.raises(ConfigError, match="must be at least 1"):
        made(words, max_words=0)


@pytest.mark.parametrize("model", sorted(REFERENCE["models"]))
def test_a_model_gives_words_the_vectors_that_fasttext_gives_them(model: str) -> None:
    found = FasttextModel(GOLDEN / f"fasttext_{model}.bin")
    for word, expected in REFERENCE["models"][model].items():
        vector = found.vector(word.encode())
        if vector is None:
            assert not any(expected), word
        else:
            assert np.allclose(vector, expected, rtol=1e-6, atol=1e-9), word


def test_a_text_by_a_model_is_the_mean_of_its_words(words: Path) -> None:
    golden = REFERENCE["models"]["skipgram"]
    embedder = made(GOLDEN / "fasttext_skipgram.bin")
    found = embedder.embed(["the cat xyzzy", "THE", "Cat", "", "\ud800"], "query")
    mean = np.mean([golden[word] for word in ("the", "cat", "xyzzy")], axis=0)
    assert np.allclose(found[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert np.allclose(found[1], unit(*golden["the"]), atol=1e-6), "known in lower case"
    assert np.allclose(found[2], unit(*golden["cat"]), atol=1e-6)
    assert (found[3].tolist(), embedder.dimensions, found.dtype) == ([0] * 6, 6, np.float32)
    assert np.array_equal(pickle.loads(pickle.dumps(embedder)).embed(["the cat xyzzy"], "passage")[0], found[0])
    plain = made(GOLDEN / "fasttext_words.bin").embed(["xyzzy the", "the", "xyzzy"], "query")
    assert np.array_equal(plain[0], plain[1])
    assert plain[2].tolist() == [0] * 6, "without subwords an unknown word counts for nothing"
    centred = made(GOLDEN / "fasttext_words.bin", subtract_mean=True).embed(["the"], "query")
    assert not np.allclose(centred[0], plain[1])


def test_models_that_are_refused(words: Path) -> None:
    with pytest.raises(DataError, match=r"quantized.bin: it is quantized; give the \.bin file that it came from"):
        made(GOLDEN / "fasttext_quantized.bin").embed(["x"], "query")
    whole = (GOLDEN / "fasttext_skipgram.bin").read_bytes()
    cut = words.with_name("cut.bin")
    for size in [*range(4, 200, 7), *range(200, 1600, 61)]:
        cut.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"cut\.bin: it is (cut short|no model)"):
            made(cut).embed(["x"], "query")
    cut.write_bytes(whole[:4] + b"\x63" + whole[5:])
    with pytest.raises(DataError, match="no model of fastText of version 11 or 12"):
        made(cut).embed(["x"], "query")
    with pytest.raises(ConfigError, match=r"a \.bin file is read as a whole"):
        made(GOLDEN / "fasttext_skipgram.bin", max_words=3)


@pytest.mark.parametrize(
    ("place", "number"), [(40, 10**6), (68, -1), (68, 10**6), (8, 0)], ids=["buckets", "less", "more words", "no width"]
)
def test_a_model_whose_numbers_cannot_be_is_refused(words: Path, place: int, number: int) -> None:
    data = bytearray((GOLDEN / "fasttext_skipgram.bin").read_bytes())
    data[place : place + 4] = struct.pack("<i", number)
    odd = words.with_name("odd.bin")
    odd.write_bytes(data)
    with pytest.raises(DataError, match=r"odd\.bin: it is no model of fastText: its"):
        made(odd).embed(["xyzzy the"], "query")


def test_a_model_without_buckets_has_no_subwords(words: Path) -> None:
    data = bytearray((GOLDEN / "fasttext_skipgram.bin").read_bytes())
    data[40:44] = struct.pack("<i", 0)
    none = words.with_name("none.bin")
    none.write_bytes(data)
    found = made(none).embed(["xyzzy", "the"], "query")
    assert found[0].tolist() == [0] * 6
    assert any(found[1])
