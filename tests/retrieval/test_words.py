"""Words of a question in passages: marks, snippets, accents in either encoding, writings without spaces."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.flows.answer import Answerer
from llmkit.flows.opening import asked_model, open_to_search
from llmkit.retrieval import highlight
from llmkit.retrieval.confidence import coverage, telling_words
from llmkit.retrieval.highlight import highlights, snippet
from llmkit.retrieval.match import match_of, short_of
from llmkit.text.bm25 import stem
from llmkit.text.runs import grams
from tests.retrieval.made_index import make_index

CHINESE = {"a.md": "客户可以在三十天内退货", "b.md": "商店每天九点开门", "c.md": "AI policy"}
NFD = unicodedata.normalize("NFD", "Die Gebühr für die Rückgabe beträgt fünf Euro")


def test_a_word_is_stemmed_once_however_often_it_stands_there(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def counted(word: str) -> str:
        seen.append(word)
        return stem(word)

    monkeypatch.setattr(highlight, "stem", counted)
    text = "word " * 2000 + "other words"
    start, end = snippet(text, "word other", 320)
    assert "other" in text[start:end]
    assert len(seen) < 10


@given(st.text(st.sampled_from("ab, x"), max_size=80), st.integers(4, 30))
def test_a_snippet_holds_as_many_words_as_any_window(text: str, size: int) -> None:
    start, end = snippet(text, "aa bb ab", size)
    assert 0 <= start <= end <= len(text)
    assert end - start <= size or len(text) <= size
    marks = highlights(text, "aa bb ab")
    best = max(
        (len({text[a:b] for a, b in marks if a >= first and b <= first + size}) for first, _ in marks), default=0
    )
    assert len({text[a:b] for a, b in marks if start <= a and b <= end}) >= best


@pytest.mark.parametrize("gap", ["", " "])
def test_a_snippet_holds_its_word_where_there_is_no_white_space(gap: str) -> None:
    text = f"aaaa,{gap}" * 200 + "needle," + f"bbbb,{gap}" * 200
    start, end = snippet(text, "needle", 320)
    assert "needle" in text[start:end]


def test_either_encoding_of_an_accent_is_found(tmp_path: Path) -> None:
    for name, text in (("nfc", unicodedata.normalize("NFC", NFD)), ("nfd", NFD)):
        make_index(tmp_path / name, {"a.md": text, "b.md": "Paris"}, lexical="unicode61").close()
        for asked in ("Rückgabe Gebühr", unicodedata.normalize("NFD", "Rückgabe Gebühr")):
            with open_to_search(tmp_path / name, {"mode": "lexical"}) as opened:
                found = opened.search(asked)
                assert [hit.chunk.path for hit in found.hits] == ["a.md"]
                assert Answerer(opened, asked_model("echo", Path(), "target")).confidence(found) > 0.9
            marked = [unicodedata.normalize("NFC", text[a:b]) for a, b in highlights(text, asked)]
            assert marked == ["Gebühr", "Rückgabe"]


def test_marks_that_do_not_compose_belong_to_their_letters() -> None:
    assert match_of("हिन्दी भाषा") == '"हिन्दी" OR "भाषा"'
    assert highlights("यह हिन्दी है", "हिन्दी") == [(3, 9)]
    assert match_of("max_cost") == '"max_cost"'


def test_trigrams_find_questions_of_a_language_without_spaces(tmp_path: Path) -> None:
    make_index(tmp_path / "ix", CHINESE, lexical="trigram").close()
    with open_to_search(tmp_path / "ix", {"mode": "lexical"}) as opened:
        for asked in ("退货需要多少天", "退货", "三十天内退货 policy"):
            assert opened.search(asked).hits[0].chunk.path == "a.md"
        assert [hit.chunk.path for hit in opened.search("三十天内退货 policy").hits] == ["a.md", "c.md"]
        assert [hit.chunk.path for hit in opened.search("AI").hits] == ["c.md"]
        assert not opened.search("飞机").hits
        answerer = Answerer(opened, asked_model("echo", Path(), "target"))
        assert answerer.confidence(opened.search("三十天内退货")) > 0.9
        assert answerer.confidence(opened.search("飞机退货")) < 0.9
        assert opened.index.frequencies(["退货", "九点", "飞机", "policy"]) == {
            "退货": 1,
            "九点": 1,
            "飞机": 0,
            "policy": 1,
        }
    with open_to_search(tmp_path / "ix", {"mode": "lexical", "filter": "path = 'b.md'"}) as opened:
        assert [hit.chunk.path for hit in opened.search("天").hits] == ["b.md"]


def test_runs_without_spaces_are_cut_into_grams() -> None:
    assert grams("退货需要") == ["退货", "货需", "需要"]
    assert grams("iPhone手机壳x") == ["iPhone", "手机", "机壳", "x"]
    assert grams("ภาษาไทย") == ["ภาษ", "าษา", "ษาไ", "าไท", "ไทย"]
    assert grams("退") == ["退"]
    assert grams("") == []
    assert match_of("退货 policy", "trigram") == '"policy"'
    assert short_of("退货 AI policy") == ["退货"]
    assert telling_words("退货需") == ["退货", "货需"]
    assert coverage("退货", ["可以退货"], {"退货": 1}, 3) == 1
    assert highlights("客户可以在三十天内退货", "三十天") == [(5, 8)]


PARAGRAPHS = {
    "panthers.md": "黑豹队的防守只丢了 308 分,在联赛中排名第六,同时也以 24 次拦截领先国家橄榄球联盟 (NFL),并且四次入选职业碗。"
    "职业碗防守截锋卡万·肖特 (Kawann Short) 以 11 分领先于全队,同时还有三次迫使掉球和两次重新接球。",
    "warsaw.md": "华沙的商业历史和城市建筑在二十世纪受到战争的破坏,后来按照原样重新建成。",
}


def test_a_question_in_chinese_is_answered_though_it_holds_words_that_only_ask(tmp_path: Path) -> None:
    make_index(tmp_path / "ix", PARAGRAPHS, lexical="trigram").close()
    with open_to_search(tmp_path / "ix", {"mode": "lexical"}) as opened:
        answerer = Answerer(opened, asked_model("extractive", Path(), "target"))
        there = answerer.ask("黑豹队的防守丢了多少分?", cache=None)  # the first question of XQuAD in Chinese
        assert (there.abstained, there.text.startswith("黑豹队的防守只丢了 308 分")) == (False, True)
        assert answerer.ask("谁在 1851 年发现了海王星的卫星?", cache=None).abstained


def test_an_index_that_cuts_at_spaces_says_so_to_a_question_without_any(tmp_path: Path) -> None:
    make_index(tmp_path / "ix", PARAGRAPHS).close()
    with open_to_search(tmp_path / "ix", {"mode": "lexical"}) as opened:
        assert "build it with lexical: trigram" in opened.search("黑豹队的防守丢了多少分?").notes[0]
        assert not opened.search("How many points did the NFL give up?").notes
