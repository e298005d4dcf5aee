"""`llmkit index eval`: the metrics of a leg, the gate, the baseline; and published figures on real collections."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import DataError, UsageError
from llmkit.flows.index.compared import against, groups_of, sliced
from llmkit.flows.index.evaluate import evaluate_index
from llmkit.flows.index.fail_if import judge_rule
from llmkit.flows.index.queries import read_queries
from llmkit.retrieval.span_recall import span_score, within_budget
from llmkit.text.bm25 import STOP_WORDS
from llmkit.types import Sample
from tests.cli.command import llmkit, write_rows
from tests.retrieval.made_index import HashEmbedder, make_index

TEXTS = {"a.md": ["cats sleep all day", "cats eat fish"], "b.md": "dogs eat bones", "c.md": "birds eat seeds and fish"}
ROWS: list[dict[str, Any]] = [
    {"id": "1", "query": "what do cats eat", "qrels": {"a.md": 1}, "answers": ["fish"], "spans": [{"path": "a.md", "start": 20, "end": 33}]},
    {"id": "2", "query": "bones for dogs", "qrels": ["b.md"], "answers": ["bones"]},
    {"id": "3", "query": "seeds", "qrels": {"missing.md": 2, "c.md": 0}, "answers": ["worms"]},
]  # fmt: skip


def report_of(folder: Path, rows: list[dict[str, Any]] | None = None, **keys: Any) -> dict[str, Any]:
    if not (folder / "ix").exists():
        make_index(folder / "ix", TEXTS).close()
    return evaluate_index(folder / "ix", read_queries(write_rows(folder / "q.jsonl", rows or ROWS)), **keys)


def test_each_leg_is_measured_on_documents_answers_and_spans(tmp_path: Path) -> None:
    report = report_of(tmp_path, legs=["lexical", "tfidf"])
    assert set(report["legs"]) == {"lexical", "tfidf"}
    for leg in report["legs"].values():
        metrics = {name: one["value"] for name, one in leg["metrics"].items()}
        assert metrics["mrr"] == pytest.approx(2 / 3)
        assert metrics["recall_at@10"] == pytest.approx(2 / 3)
        assert metrics["success@1"] == pytest.approx(2 / 3)
        assert metrics["span_recall@500"] == 1
        assert leg["metrics"]["span_recall@500"]["n"] == 1
        assert leg["metrics"]["span_recall@500"]["low"] is None, "one question has no interval"
        assert 0 < leg["metrics"]["success@1"]["low"] < 2 / 3 < leg["metrics"]["success@1"]["high"] < 1
        assert 0 < metrics["span_precision@500"] < 1
        assert leg["latency_ms"]["p50"] <= leg["latency_ms"]["p99"]
    assert report["coverage"]["gold_documents"] == 3
    assert report["coverage"]["gold_indexed"] == 2
    assert report["cost"]["bytes_per_chunk"] > 0


def test_without_legs_all_that_the_index_can_do_are_measured(tmp_path: Path) -> None:
    make_index(tmp_path / "ix", TEXTS, embedder=HashEmbedder()).close()
    report = report_of(tmp_path, embedder=HashEmbedder())
    assert list(report["legs"]) == ["lexical", "dense", "hybrid"]


def test_a_leg_is_measured_without_the_settings_of_the_index_and_those_beside(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("one", "two"):
        (tmp_path / "docs" / f"{name}.md").write_text(f"# {name}\n\ncats eat fish {name}\n")
    (tmp_path / "index.yaml").write_text(
        json.dumps(
            {"name": "x", "source": "docs", "store": str(tmp_path / "ix"), "retrieve": {"filter": "path = 'two.md'"}}
        )
    )
    assert llmkit("index", "build", "index.yaml", folder=tmp_path).code == 0
    rows = [{"id": "1", "query": "fish one", "qrels": {"one.md": 1}}]
    report = evaluate_index(tmp_path / "ix", read_queries(write_rows(tmp_path / "q.jsonl", rows)))
    found = {leg: one["metrics"]["recall_at@10"]["value"] for leg, one in report["legs"].items()}
    assert found == {"lexical": 1, "configured": 0}


def test_a_gate_holds_values_and_differences(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    same = against(report, report)
    assert same["lexical"]["mrr"]["difference"] == 0
    assert judge_rule("lexical.mrr < 0.9", report, None).failed
    assert not judge_rule("lexical.mrr < 0.5", report, None).failed
    assert not judge_rule("lexical.mrr < baseline - 0.01", report, same).failed
    assert judge_rule("lexical.p99 > 0", report, None).failed
    for rule, message in [
        ("lexical.mrr", "is no gate"),
        ("lexicl.mrr < 1", "did you mean 'lexical'"),
        ("lexical.mmr < 1", "did you mean 'mrr'"),
        ("lexical.mrr < baseline", "name one with --baseline"),
    ]:
        with pytest.raises(UsageError, match=message):
            judge_rule(rule, report, None)


def test_a_certain_drop_fails_and_one_that_chance_explains_does_not() -> None:
    def made(values: list[float]) -> dict[str, Any]:
        by_row = {str(at): value for at, value in enumerate(values)}
        return {"per_query": {"lexical": {"mrr": by_row}}, "legs": {"lexical": {"metrics": {"mrr": {"value": 0}}}}}

    base = made([1.0] * 60)
    dropped = made([1.0] * 30 + [0.5] * 30)
    assert judge_rule("lexical.mrr < baseline - 0.01", dropped, against(dropped, base)).failed
    noise = made([1.0] * 59 + [0.2])
    found = judge_rule("lexical.mrr < baseline - 0.01", noise, against(noise, base))
    assert not found.failed
    assert "chance may explain it" in found.why


SLICED = [
    {**row, "lang": lang, "tags": tags}
    for row, lang, tags in zip(ROWS, ("en", "en", "de"), (["food", "pets"], ["pets"], []), strict=True)
]


def test_the_worst_questions_come_with_their_ranks_and_what_stood_first(tmp_path: Path) -> None:
    rows = [
        *ROWS,
        {"id": "4", "query": "cats fish", "qrels": ["c.md"]},
        {"id": "5", "query": "cats sleep", "spans": [{"path": "a.md", "start": 20, "end": 33}]},
        {"id": "6", "query": "fish cats", "answers": ["seeds and fish"]},
        {"id": "7", "query": "cats"},
    ]
    report = report_of(tmp_path, rows, legs=["lexical", "tfidf"])
    assert report["first_right"]["lexical"] == {"1": 1, "2": 1, "3": None, "4": 2, "5": 2, "6": 3, "7": None}
    assert [one["id"] for one in report["worst"]] == ["3", "6", "4", "5"]
    missing, answer, document, span = report["worst"]
    assert missing["legs"]["lexical"]["rank"] is None
    assert missing["right"] == ["missing.md"]
    assert missing["legs"]["tfidf"]["top"]["path"] == "c.md"
    assert (answer["by"], document["by"], span["by"]) == ("answer", "document", "span")
    assert document["legs"]["lexical"]["top"]["text"].startswith("cats eat fish")
    assert [one["id"] for one in report_of(tmp_path, rows, worst_shown=1)["worst"]] == ["3"]


def test_slices_hold_their_questions_and_nothing_else(tmp_path: Path) -> None:
    report = report_of(tmp_path, SLICED, legs=["lexical"])
    queries = read_queries(tmp_path / "q.jsonl")
    found = sliced(report, queries, ["lang", "tags"], report)
    assert {value: part["n"] for value, part in found["lang"].items()} == {"de": 1, "en": 2}
    assert {value: part["n"] for value, part in found["tags"].items()} == {"(none)": 1, "food": 1, "pets": 2}
    assert found["lang"]["en"]["legs"]["lexical"]["mrr"]["value"] == 1
    assert found["lang"]["de"]["legs"]["lexical"]["mrr"] == {"value": 0, "low": None, "high": None, "n": 1}
    assert found["lang"]["en"]["small"] is True
    assert found["lang"]["en"]["compared"]["lexical"]["mrr"]["difference"] == 0
    for field, message in [("langs", "did you mean 'lang'"), ("qrels", "no question has the field")]:
        with pytest.raises(UsageError, match=message):
            groups_of(queries, field)


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.floats(0, 1)), min_size=2, max_size=40))
def test_slices_of_one_value_each_average_to_the_whole(rows: list[tuple[str, float]]) -> None:
    values = {str(at): value for at, (_, value) in enumerate(rows)}
    queries = [Sample(id=str(at), input="?", meta={"kind": kind}) for at, (kind, _) in enumerate(rows)]
    parts = sliced({"per_query": {"lexical": {"mrr": values}}}, queries, ["kind"])["kind"]
    total = sum(part["n"] * part["legs"]["lexical"]["mrr"]["value"] for part in parts.values())
    assert total == pytest.approx(sum(values.values()))


def test_a_gate_can_name_a_slice(tmp_path: Path) -> None:
    report = report_of(tmp_path, SLICED, legs=["lexical"])
    report["slices"] = sliced(report, read_queries(tmp_path / "q.jsonl"), ["lang"], report)
    assert judge_rule("lexical.mrr[lang=de] < 0.5", report, None).failed
    assert not judge_rule("lexical.mrr[lang = en] < 0.5", report, None).failed
    assert "of 1 question only" in judge_rule("lexical.mrr[lang=de] < baseline", report, {}).why
    for rule, message in [
        ("lexical.mrr[lang=fr] < 1", "no question has lang = fr"),
        ("lexical.mrr[tags=pets] < 1", "add --slice tags"),
        ("lexical.p50[lang=en] > 1", "latency is not measured by slice"),
        ("lexical.mrr[lang] < 1", "is no gate"),
    ]:
        with pytest.raises(UsageError, match=message):
            judge_rule(rule, report, None)


def test_the_report_is_text_markdown_html_and_json(tmp_path: Path) -> None:
    make_index(tmp_path / "ix", TEXTS).close()
    write_rows(
        tmp_path / "q.jsonl", [*SLICED, {"id": "4", "query": "<b>fish</b>", "answers": ["worms"], "lang": "a|b"}]
    )
    words = [
        "index",
        "eval",
        "ix",
        "--queries",
        "q.jsonl",
        "--slice",
        "lang",
        "--report",
        "out.html",
        "--out",
        "base.json",
    ]
    assert llmkit(*words, folder=tmp_path).code == 0
    again = [*words, "--baseline", "base.json", "--fail-if", "lexical.mrr[tags=pets] < 0.5"]
    for form in ("text", "md", "html"):
        done = llmkit(*again, "--format", form, folder=tmp_path)
        assert done.code == 0, done.err
        for part in (
            "By lang",
            "By tags",
            "en (few)",
            "Questions that fare worst",
            "not among the first 100",
            "Against the",
        ):
            assert part in done.out, (form, part)
    assert "passed: lexical.mrr[tags=pets] < 0.5" in done.err
    assert "<b>fish" not in (tmp_path / "out.html").read_text()
    assert llmkit(*again, "--format", "json", folder=tmp_path).json["slices"]["lang"]["a|b"]["n"] == 1
    for wrong, message in [
        (("--report", "x.txt"), "ends in .md or .html"),
        (("--slice", "lan"), "did you mean 'lang'"),
        (("--fail-if", "lexical.mrr < baseline"), "name one with --baseline"),
    ]:
        done = llmkit(*words, *wrong, folder=tmp_path)
        assert done.code == 2
        assert message in done.err


def test_queries_are_checked_before_anything_is_searched(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"query": "x"}, "no row says what would be right"),
        ({"query": "x", "spans": [{"path": "a"}]}, "list of {path, start, end}"),
        ({"query": "x", "spans": [{"path": "a", "start": 5, "end": 5}]}, "goes from 5 to 5"),
    ]
    for row, message in wrong:
        with pytest.raises(DataError, match=message):
            read_queries(write_rows(tmp_path / "q.jsonl", [row]))


def test_the_command_compares_and_fails(tmp_path: Path) -> None:
    make_index(tmp_path / "ix", TEXTS).close()
    rows = [{key: value for key, value in row.items() if key != "qrels"} for row in ROWS]
    write_rows(tmp_path / "q.jsonl", rows)
    (tmp_path / "qrels.txt").write_text("1 0 a.md 1\n2 0 b.md 1\n")
    words = ["index", "eval", "ix", "--queries", "q.jsonl", "--qrels", "qrels.txt"]
    done = llmkit(*words, "--out", "base.json", folder=tmp_path)
    assert done.code == 0, done.err
    assert re.search(r"^map +2 +1\.0000 \[0\.\d{3}, 1\.000\]$", done.out, re.MULTILINE)
    assert "3 questions, 3 documents, 4 chunks" in done.out
    again = llmkit(*words, "--baseline", "base.json", "--fail-if", "lexical.map < baseline - 0.01", folder=tmp_path)
    assert again.code == 0
    assert "+0.0000" in again.out
    failed = llmkit(*words, "--fail-if", "lexical.success@1 < 0.9", "--format", "json", folder=tmp_path)
    assert failed.code == 1
    assert failed.json["gate"][0]["failed"] is True
    assert "error: failed: lexical.success@1 < 0.9" in failed.err
    assert llmkit(*words, "--baseline", "q.jsonl", folder=tmp_path).code == 2


stretches = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(1, 9)).map(lambda t: (t[0], t[1], t[1] + t[2])),
    max_size=6,
)


@given(stretches, stretches.filter(bool))
def test_spans_are_counted_as_sets_of_characters(found: Any, gold: Any) -> None:
    ours = {(path, at) for path, start, end in found for at in range(start, end)}
    theirs = {(path, at) for path, start, end in gold for at in range(start, end)}
    score = span_score(found, gold)
    assert score.recall == pytest.approx(len(ours & theirs) / len(theirs))
    assert score.precision == pytest.approx(len(ours & theirs) / len(ours) if ours else 0)
    assert score.iou == pytest.approx(len(ours & theirs) / len(ours | theirs))


def test_a_gate_that_cannot_be_judged_costs_no_report_and_no_other_gate(tmp_path: Path) -> None:
    make_index(tmp_path / "ix", TEXTS).close()
    write_rows(tmp_path / "q.jsonl", [*SLICED, {"id": "4", "query": "cats", "lang": "fr", "tags": []}])
    words = ["index", "eval", "ix", "--queries", "q.jsonl", "--out", "r.json", "--fail-if", "lexical.mrr < 0.1"]
    rules = ["lexical.mrr[lang=fr] < 0.1", "lexical.mmr < 1"]
    done = llmkit(*words, "--fail-if", rules[0], "--fail-if", rules[1], folder=tmp_path)
    assert done.code == 2
    assert "passed: lexical.mrr < 0.1" in done.err
    assert "no question of lang = fr says what mrr would find right" in done.err
    assert "did you mean 'mrr'" in done.err
    assert "By lang" in done.out
    report = json.loads((tmp_path / "r.json").read_text())
    assert [one["rule"] for one in report["gate"]] == ["lexical.mrr < 0.1"]
    (tmp_path / "r.json").unlink()
    done = llmkit(*words, "--fail-if", "lexical.mrr[lang=fra] < 1", folder=tmp_path)
    assert (done.code, (tmp_path / "r.json").exists()) == (2, False), "a slice that is not there is told at once"
    assert "no question has lang = fra" in done.err


def test_a_slice_is_marked_by_what_was_scored_of_it(tmp_path: Path) -> None:
    rows = [{"id": str(at), "query": "cats", "lang": "en", **({} if at else {"qrels": ["a.md"]})} for at in range(40)]
    report = report_of(tmp_path, rows, legs=["lexical"])
    report["slices"] = found = sliced(report, read_queries(tmp_path / "q.jsonl"), ["lang"])
    assert (found["lang"]["en"]["n"], found["lang"]["en"]["small"]) == (40, True)
    assert judge_rule("lexical.mrr[lang=en] < 0.5", report, None).why.endswith("; of 1 question only")


def test_a_budget_is_kept_but_for_the_first() -> None:
    one, two = ("a", 0, 5), ("a", 5, 9)
    assert within_budget([(one, 900), (two, 10)], 500) == [one]
    assert within_budget([(one, 300), (two, 200)], 500) == [one, two]


def _tagged(text: str, pattern: str) -> dict[str, str]:
    return {match[1]: " ".join(match[2].split()) for match in re.finditer(pattern, text, re.DOTALL | re.IGNORECASE)}


def collection(name: str, folder: Path) -> tuple[dict[str, str], dict[str, str], Path]:
    """Return the documents, the questions and the qrels file of CACM or Vaswani."""
    if name == "cacm":
        with gzip.open(folder / "cacm" / "corpus.jsonl.gz", "rt") as file:
            texts = {row["id"]: row["contents"] for row in map(json.loads, file)}
        topics = (folder / "cacm" / "topics.txt").read_text()
        return texts, _tagged(topics, r"<DOCNO>\s*(\d+)\s*</DOCNO>(.*?)</DOC>"), folder / "cacm" / "qrels.txt"
    with gzip.open(folder / "vaswani" / "doc-text.trec.gz", "rt") as file:
        texts = _tagged(file.read(), r"<DOCNO>(\d+)</DOCNO>(.*?)</DOC>")
    topics = (folder / "vaswani" / "query-text.trec").read_text()
    return texts, _tagged(topics, r"<num>(\d+)</num><title>(.*?)</title>"), folder / "vaswani" / "qrels"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "published"), [("cacm", 0.3123), ("vaswani", 0.2992)])
def test_bm25_reaches_the_published_figure_and_equals_trec_eval(
    shared_data: Path, tmp_path: Path, name: str, published: float
) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    texts, topics, qrels = collection(name, shared_data / "ir_collections")
    make_index(tmp_path / "ix", texts).close()
    rows = [{"id": query, "query": text} for query, text in topics.items()]
    queries = read_queries(write_rows(tmp_path / "q.jsonl", rows), qrels)
    metrics = evaluate_index(tmp_path / "ix", queries)["legs"]["lexical"]["metrics"]
    assert metrics["map"]["value"] == pytest.approx(published, abs=0.02)
    judged: dict[str, dict[str, int]] = {}
    for line in qrels.read_text().splitlines():
        query, _, path, grade = line.split()
        judged.setdefault(query, {})[path] = int(grade)
    from llmkit.retrieval.index import Index

    found: dict[str, dict[str, float]] = {}
    with Index.open(tmp_path / "ix") as index:
        for query, text in topics.items():
            ranking = index.lexical(text, 1000)
            chunks = index.chunks([number for number, _ in ranking])
            found[query] = {chunk.path: score for chunk, (_, score) in zip(chunks, ranking, strict=True)}
    reference = pytrec_eval.RelevanceEvaluator(judged, {"map", "ndcg_cut_10", "recip_rank", "recall_100"}).evaluate(
        found
    )
    for ours, theirs in [
        ("map", "map"),
        ("ndcg@10", "ndcg_cut_10"),
        ("mrr", "recip_rank"),
        ("recall_at@100", "recall_100"),
    ]:
        expected = sum(one[theirs] for one in reference.values()) / len(reference)
        assert metrics[ours]["value"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_fts5_equals_bm25s_on_vaswani(shared_data: Path, tmp_path: Path) -> None:
    bm25s = pytest.importorskip("bm25s")
    texts, topics, _ = collection("vaswani", shared_data / "ir_collections")
    tokens = [re.findall(r"[a-z0-9]+", text.lower()) for text in texts.values()]
    peer = bm25s.BM25(method="robertson", k1=1.2, b=0.75)
    peer.index(tokens, show_progress=False)
    paths = list(texts)
    compared = 0
    with make_index(tmp_path / "ix", texts, lexical="unicode61") as index:
        for text in topics.values():
            words = re.findall(r"[a-z0-9]+", text.lower())
            telling = [word for word in words if word not in STOP_WORDS]
            known = [word for word in telling if word in peer.vocab_dict]
            # bm25s leaves out the factor k1 + 1, which changes no ranking, and counts in single precision.
            # FTS5 gives a word of more than half the documents the weight 0, where Robertson's is below 0.
            scores = dict(zip(paths, (2.2 * peer.get_scores(known)).tolist(), strict=True))
            ranking = index.lexical(text, 100)
            for chunk, (_, score) in zip(index.chunks([number for number, _ in ranking]), ranking, strict=True):
                assert score == pytest.approx(scores[chunk.path], rel=1e-4)
                compared += 1
            best = sorted(scores.values(), reverse=True)[: len(ranking)]
            assert [score for _, score in ranking] == pytest.approx(best, rel=1e-4)
    assert compared > 9000


@pytest.mark.slow
def test_the_default_chunker_reaches_the_spans(shared_data: Path, tmp_path: Path) -> None:
    import csv

    (tmp_path / "docs").mkdir()
    for path in (shared_data / "chunking_eval" / "corpora").iterdir():
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        (tmp_path / "docs" / path.name.removesuffix(".gz")).write_bytes(text)
    (tmp_path / "index.yaml").write_text(json.dumps({"name": "x", "source": "docs", "store": str(tmp_path / "ix")}))
    assert llmkit("index", "build", "index.yaml", folder=tmp_path).code == 0
    rows = []
    with gzip.open(shared_data / "chunking_eval" / "questions_df.csv.gz", "rt", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            spans = [
                {"path": f"{row['corpus_id']}.md", "start": one["start_index"], "end": one["end_index"]}
                for one in json.loads(row["references"])
            ]
            rows.append({"id": str(number), "query": row["question"], "spans": spans})
    report = evaluate_index(tmp_path / "ix", read_queries(write_rows(tmp_path / "q.jsonl", rows)), depth=200)
    metrics = report["legs"]["lexical"]["metrics"]
    assert metrics["span_recall@1000"]["n"] == 472
    assert metrics["span_recall@1000"]["value"] > 0.78


@pytest.mark.slow
def test_xquad_answers_are_found_as_dpr_counts_them(shared_data: Path, tmp_path: Path) -> None:
    with gzip.open(shared_data / "qa_short" / "xquad.en.json.gz", "rt") as file:
        paragraphs = [one for article in json.load(file)["data"] for one in article["paragraphs"]]
    make_index(tmp_path / "ix", {f"{at:03d}": one["context"] for at, one in enumerate(paragraphs)}).close()
    rows = [
        {"id": qa["id"], "query": qa["question"], "answers": [answer["text"] for answer in qa["answers"]], "qrels": [f"{at:03d}"]}
        for at, one in enumerate(paragraphs)
        for qa in one["qas"]
    ]  # fmt: skip
    report = evaluate_index(tmp_path / "ix", read_queries(write_rows(tmp_path / "q.jsonl", rows)), depth=100)
    metrics = {name: one["value"] for name, one in report["legs"]["lexical"]["metrics"].items()}
    assert report["queries"] == 1190
    assert metrics["recall_at@1"] > 0.9
    assert metrics["success@1"] >= metrics["recall_at@1"]
    assert metrics["success@1"] > 0.92
    assert metrics["success@10"] > 0.98
