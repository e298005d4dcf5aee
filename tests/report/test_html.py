"""The page as text: what it says, what it holds, what it leaves out, and that nothing in it can act."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.flows.eval import run_eval
from llmkit.flows.options import Options
from llmkit.flows.show import page_of
from llmkit.report._kept_rows import Limits
from llmkit.report.html import html_report
from llmkit.store import open_run
from tests.report.making import HOSTILE, comparison, entry, manifest, rich_rows, rich_run, summary


class Page(HTMLParser):
    """What a browser would make of the page: elements, text outside script and style, and raw parts by element."""

    VOID = frozenset({"meta", "link", "br", "input", "line", "rect", "circle", "polyline", "i"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.words: list[str] = []
        self._in: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in self.raw:
            self._in.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.raw:
            self._in.pop()

    def handle_data(self, data: str) -> None:
        if self._in:
            self.raw[self._in[-1]].append(data)
        elif data.strip():
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def data(self) -> Any:
        return json.loads(self.raw["script"][0])

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def rich(**more: Any) -> Page:
    rows = rich_rows(40, base=True)
    return Page(html_report(rich_run(40), rows, comparison(rows), **more))


def test_the_verdict_comes_first_and_says_why() -> None:
    text = rich().text
    verdict = "Regressed against support-qa, 1 February worse, and not by chance alone"
    assert verdict in text
    assert text.index(verdict) < text.index("Every scorer with")
    assert "token_f1 fell by 0.051 (0.021 to 0.081)" in text
    assert "9 outputs failed and got no score: 9 timeout" in text
    assert "token_f1 -0.051 a drop of at most 0.020 failed" in text


@pytest.mark.parametrize(
    ("verdict", "title"),
    [
        ("pass", "Pass"),
        ("improved", "Improved"),
        ("regressed", "Regressed"),
        ("inconclusive", "Inconclusive"),
        ("not_comparable", "Not comparable"),
    ],
)
def test_every_verdict_has_its_title(verdict: str, title: str) -> None:
    run = replace(rich_run(4), summary=summary({"f1": entry("f1")}))
    page = Page(html_report(run, (), {"verdict": verdict, "reasons": ["the rows differ"], "base": {"name": "old"}}))
    assert f"{title} against old" in page.text
    assert "the rows differ" in page.text


def test_a_failed_gate_is_a_failure_even_beside_a_good_comparison() -> None:
    page = Page(html_report(rich_run(4), (), {"verdict": "improved", "base": {"name": "old"}}))
    assert "Improved, but the gate failed against old" in page.text


def test_a_run_without_a_comparison_says_whether_its_gates_hold() -> None:
    assert "Gate failed token_f1" in Page(html_report(rich_run(4))).text
    run = replace(rich_run(4), summary=summary({"f1": entry("f1")}))
    assert (
        "Complete 100% of what should have a score has one; at least 98.0% is asked for" in Page(html_report(run)).text
    )
    held = {"coverage": {"min": 0.9, "value": 1.0, "pass": True}, "f1": {"min": 0.4, "value": 0.5, "pass": True}}
    run = replace(run, summary=summary({"f1": entry("f1")}, gate=held))
    assert "Gate passed" in Page(html_report(run)).text


def test_scores_stand_with_intervals_and_their_drawing() -> None:
    page = rich()
    assert "token_f1 ↑ higher is better 0.643" in page.text
    assert "1.37 s" in page.text
    assert "30.02 to 32.52" in page.text
    drawn = [one for one in page.all("circle") if one.get("class") == "is"]
    assert len(drawn) >= 5
    assert len([one for one in page.all("circle") if one.get("class") == "was"]) == 4  # the base has four scorers


def test_reliability_tables_are_drawn() -> None:
    page = rich()
    assert [one["aria-label"] for one in page.all("svg") if one.get("class") == "reliability"] == [
        "Reliability diagram: accuracy against mean confidence, 10 bins"
    ]
    assert len([one for one in page.all("circle") if one.get("class") == "point"]) == 10
    assert "bar:" not in page.text
    assert "Confidence is the model's own word." in page.text


def test_an_inconclusive_difference_says_what_would_settle_it() -> None:
    text = rich().text
    assert "smallest detectable change 2.200" in text
    assert "about 1,200 samples would settle it" in text
    assert "rows without a score 9" in text


def test_coverage_latency_and_cost_are_told() -> None:
    text = rich().text
    assert "the output has no confidence (20)" in text
    assert "cost of an answer" in text
    for word in ("p50", "p90", "p95", "p99", "slowest", "from the cache 30"):
        assert word in text


def test_limitations_and_signatures_are_on_the_page() -> None:
    text = rich().text
    assert "By exact_match, the system fails in 29.0% of cases" in text
    assert "token_f1|refs:max|impl:llmkit-0.1.0|n:100|ci:t|level:0.95|seed:0" in text


def test_the_policy_names_exactly_the_script_and_the_style_of_the_page() -> None:
    text = html_report(rich_run(4), rich_rows(4))
    page = Page(text)
    policy = next(one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    for kind, found in (
        ("script", re.findall(r"<script>(.*?)</script>", text, re.DOTALL)),
        ("style", re.findall(r"<style>(.*?)</style>", text, re.DOTALL)),
    ):
        assert len(found) == 1
        digest = base64.b64encode(sha256(found[0].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_nothing_points_outside_and_no_attribute_acts() -> None:
    page = Page(html_report(rich_run(40), rich_rows(40, hostile=HOSTILE)))
    for tag, attributes in page.elements:
        assert tag not in {"img", "iframe", "object", "embed", "base", "form", "a"} or (
            attributes.get("href") or ""
        ).startswith("#")
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
    assert [one["href"] for one in page.all("link")] == ["data:,"]
    assert [one.get("type") for one in page.all("script")] == ["application/json", None]


@given(st.text(min_size=1, max_size=60))
def test_any_text_arrives_as_it_was_written(text: str) -> None:
    row = {"id": text, "input": text, "outputs": [{"repeat": 0, "text": text}], "slices": {text: text}}
    run = replace(rich_run(1), summary=summary({"f1": entry("f1", signature=text)}, 1, name=text))
    whole = html_report(run, [row])
    whole.encode("utf-8", "backslashreplace")
    shown = Page(whole).data["rows"][0]
    assert (shown["id"], shown["input"], shown["outputs"][0]["text"]) == (text, text, text)


def test_hostile_rows_stay_data() -> None:
    text = html_report(rich_run(40), rich_rows(40, hostile=HOSTILE))
    page = Page(text)
    assert text.count("</script>") == 2
    body = text.split('<script type="application/json"')[1].split("</script>")[0]
    assert not set("<>&\u2028\u2029").intersection(body.partition(">")[2])
    assert [row["outputs"][1].get("text") for row in page.data["rows"][: len(HOSTILE)]] == list(HOSTILE)


def test_hostile_names_in_the_summary_are_text() -> None:
    evil = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    value = {"rows": 3, "scores": {evil: {"value": 0.1, "low": None, "high": None, "n": 3}}}
    details = {
        "tables": [{"title": evil, "columns": [evil, "n"], "rows": [[evil, 1]]}],
        "notes": [evil],
        "confusion": {"gold": [evil], "predicted": [evil], "matrix": [[1]]},
    }
    scores = {evil: entry(evil, details=details, reasons={evil: 2}, skipped=2)}
    run = replace(
        rich_run(3),
        summary=summary(scores, slices={evil: {"values": {evil: value}, "left_out": 0}}, name=evil),
        manifest=manifest(target=evil),
    )
    page = Page(
        html_report(
            run,
            [{"id": "a"}],
            {"verdict": evil, "reasons": [evil], "base": {"name": evil, "path": evil}, "left_out": {evil: [evil]}},
        )
    )
    assert not page.all("img")
    assert len(page.all("script")) == 2


def test_the_same_run_gives_the_same_page_and_rows_are_only_walked_once() -> None:
    rows = rich_rows(60, base=True)
    first = html_report(rich_run(60), iter(rows), comparison(rows))
    assert first == html_report(rich_run(60), iter(rows), comparison(rows))


def test_a_page_of_no_rows_and_of_no_scores_is_a_page() -> None:
    run = replace(rich_run(0), summary=summary({}, 0))
    page = Page(html_report(run))
    assert "Complete" in page.text
    assert page.data["rows"] == []


def test_undefined_scores_are_dashes_never_numbers() -> None:
    run = replace(rich_run(2), summary=summary({"f1": entry("f1", None, n=0)}, 2))
    page = Page(
        html_report(
            run, [{"id": "a", "scores": {"f1": [{"value": None, "status": "skipped", "reason": "no reference"}]}}]
        )
    )
    assert page.data["rows"][0]["v"] == [None]
    assert page.data["rows"][0]["scores"] == [[{"status": "skipped", "reason": "no reference"}]]
    assert "nan" not in page.text.lower()


def test_long_texts_are_cut_and_the_page_says_so() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "input": "x" * 30_000, "outputs": [{"text": "y" * 1_000_000}]},
        {"id": "b", "input": "short"},
    ]
    page = Page(html_report(rich_run(2), rows))
    first = page.data["rows"][0]
    assert first["input"] == {"text": "x" * 20_000, "cut": 30_000}
    assert first["outputs"][0]["text"]["cut"] == 1_000_000
    assert "Texts longer than 20,000 characters are cut" in page.text
    assert page.data["rows"][1]["input"] == "short"


def test_texts_that_are_too_much_together_are_cut_shorter_then_rows_are_left_out() -> None:
    rows = [{"id": f"r{i}", "input": "x" * 9_000} for i in range(100)]
    page = Page(html_report(rich_run(100), rows, limits=Limits(budget=300_000)))
    assert {len(row["input"]["text"]) for row in page.data["rows"]} == {2_500}
    assert len(page.data["rows"]) == 100
    assert "Texts longer than 2,500 characters are cut" in page.text
    small = Page(html_report(rich_run(100), rows, limits=Limits(budget=60_000)))
    assert {row["input"]["cut"] for row in small.data["rows"]} == {9_000}
    assert 30 <= len(small.data["rows"]) < 60
    assert f"This page holds {len(small.data['rows'])} of 100 samples" in small.text


def test_a_large_run_keeps_changed_failed_and_worst_rows_and_a_sample_of_the_rest() -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": f"r{i:04}",
            "outputs": [
                {"text": None, "error": {"kind": "timeout", "message": "late"}} if i % 500 == 7 else {"text": "x"}
            ],
            "scores": {"f1": [{"value": i / 1000}]},
        }
        for i in range(1000)
    ]
    run = replace(rich_run(1000), summary=summary({"f1": entry("f1")}, 1000))
    word = {"verdict": "pass", "changed": ["r0999", "r0500"]}
    page = Page(html_report(run, rows, word, limits=Limits(rows=100)))
    kept = [row["id"] for row in page.data["rows"]]
    assert len(kept) == 100
    assert kept == sorted(kept)
    assert {"r0999", "r0500", "r0007", "r0507"} <= set(kept)
    assert {f"r{i:04}" for i in range(46)} <= set(kept)
    others = [int(one[1:]) for one in kept if one > "r0100"]
    assert sum(1 for i in others if i < 550) == pytest.approx(len(others) / 2, abs=14)
    assert "This page holds 100 of 1,000 samples" in page.text
    assert "1,000 samples" in page.text  # the distribution is of all
    again = Page(html_report(run, rows, word, limits=Limits(rows=100)))
    assert [row["id"] for row in again.data["rows"]] == kept


def test_every_run_folder_gets_its_page_and_it_can_be_made_again(tmp_path: Path) -> None:
    lines = [
        {
            "id": f"q{i}",
            "input": f"<b>{i}</b>",
            "references": ["yes"],
            "output": "yes" if i % 3 else "no",
            "cat": f"c{i % 2}",
        }
        for i in range(9)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    config = tmp_path / "eval.yaml"
    config.write_text(
        "name: pages\ndataset: rows.jsonl\ntarget: recorded\nmetrics: [exact_match, token_f1]\nslices: [cat]\n", "utf-8"
    )
    run = run_eval(config, options=Options(out=tmp_path / "run"))
    written = Path(run.path, "report.html").read_text("utf-8")
    assert written == page_of(open_run(run.path))
    page = Page(written)
    assert [row["v"] for row in page.data["rows"][:2]] == [[0, 0], [1, 1]]
    assert page.data["rows"][4]["slices"] == {"cat": "c0"}
    assert page.data["rows"][4]["input"] == "<b>4</b>"
    assert [scorer["yesNo"] for scorer in page.data["scorers"]] == [True, False]
    assert "report.html" in run.manifest["reports"]


def test_the_page_beside_another_run_holds_both_outputs(tmp_path: Path) -> None:
    lines = [{"id": f"q{i}", "input": str(i), "references": ["yes"]} for i in range(4)]
    runs = []
    for name, said in (("old", ["yes", "yes", "no", "no"]), ("new", ["yes", "no", "yes", "no"])):
        order = lines if name == "new" else lines[::-1]
        answers = dict(zip([f"q{i}" for i in range(4)], said, strict=True))
        text = "\n".join(json.dumps({**line, "output": answers[str(line["id"])]}) for line in order)
        (tmp_path / f"{name}.jsonl").write_text(text, "utf-8")
        config = tmp_path / f"{name}.yaml"
        config.write_text(f"name: {name}\ndataset: {name}.jsonl\ntarget: recorded\nmetrics: [exact_match]\n", "utf-8")
        runs.append(run_eval(config, options=Options(out=tmp_path / name)))
    rows = Page(page_of(runs[1], base=runs[0])).data["rows"]
    assert [(row["id"], row["base"]["outputs"][0]["text"], row["outputs"][0]["text"]) for row in rows] == [
        ("q0", "yes", "yes"),
        ("q1", "yes", "no"),
        ("q2", "no", "yes"),
        ("q3", "no", "no"),
    ]
    assert [(row["base"]["v"], row["v"]) for row in rows[1:3]] == [([1], [0]), ([0], [1])]
