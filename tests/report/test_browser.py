"""The page in a real browser: it is readable in every width and theme, does what it promises, and never obeys a model."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmkit.report.html import html_report
from tests.report.browser import Browser
from tests.report.making import HOSTILE, comparison, entry, rich_rows, rich_run, summary

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two runs of 300 samples with everything on it."""
    rows = rich_rows(300, base=True)
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html_report(rich_run(300), rows, comparison(rows)), encoding="utf-8")
    return path


def written(folder: Path, *arguments: Any, **more: Any) -> Path:
    path = folder / "report.html"
    path.write_bytes(html_report(*arguments, **more).encode("utf-8", "backslashreplace"))
    return path


def colours(png: bytes) -> set[bytes]:
    """Return the pixels of a PNG whose rows are filtered by the simple filters that Chromium uses."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8
    size = {2: 3, 6: 4}[kind]
    place, packed = 8, b""
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == b"IDAT":
            packed += png[place + 8 : place + 8 + length]
        place += length + 12
    raw = zlib.decompress(packed)
    step = width * size + 1
    found: set[bytes] = set()
    before = bytearray(step - 1)
    for row in range(height):
        line = bytearray(raw[row * step + 1 : (row + 1) * step])
        _unfilter(raw[row * step], line, before, size)
        found.update(bytes(line[i : i + 3]) for i in range(0, len(line), size * 7))
        before = line
    return found


def _unfilter(kind: int, line: bytearray, before: bytearray, size: int) -> None:
    for i in range(len(line)):
        left = line[i - size] if i >= size else 0
        above, corner = before[i], before[i - size] if i >= size else 0
        if kind == 1:
            line[i] = (line[i] + left) & 255
        elif kind == 2:
            line[i] = (line[i] + above) & 255
        elif kind == 3:
            line[i] = (line[i] + (left + above) // 2) & 255
        elif kind == 4:
            estimate = left + above - corner
            nearest = min((abs(estimate - one), order, one) for order, one in enumerate((left, above, corner)))[2]
            line[i] = (line[i] + nearest) & 255


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 768, 360])
def test_the_page_is_shown_in_every_width_and_theme(
    width: int, dark: bool, browser: Browser, rich: Path, tmp_path: Path
) -> None:
    browser.show(rich, width=width, dark=dark)
    pixels = colours(browser.picture(tmp_path / "page.png"))
    assert len(pixels) > 20
    ground = browser.run("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 23, 26)" if dark else "rgb(248, 248, 246)")
    assert bytes((20, 23, 26) if dark else (248, 248, 246)) in pixels
    assert browser.run("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than its window"
    assert browser.said == []
    assert [one for one in browser.asked_for if not one.startswith(("file:", "about:", "data:"))] == []


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_on_the_page_is_cut_off_at_its_edges(width: int, browser: Browser, rich: Path) -> None:
    browser.show(rich, width=width, fragment="#sample=case-00008")
    beyond = browser.run(
        "[...document.querySelectorAll('main *')].filter((e) => !e.closest('.frame, .wide, .sr, svg') && e.getClientRects().length"
        " && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map((e) => e.outerHTML.slice(0, 80))"
    )
    assert beyond == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(dark: bool, browser: Browser, rich: Path) -> None:
    browser.show(rich, dark=dark, fragment="#sample=case-00008")
    worst = browser.run(CONTRAST)
    assert worst["ratio"] >= 4.5, worst


CONTRAST = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] / 255 + under[i] * (1 - top[3] / 255));
  const ground = (e) => { const layers = []; for (let n = e; n; n = n.parentElement) layers.push(rgb(getComputedStyle(n).backgroundColor)); return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]); };
  let worst = { ratio: 99 };
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('script, style, svg, .sr, option') || !e.getClientRects().length) continue;
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const back = ground(e); const front = over(rgb(getComputedStyle(e).color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: e.textContent.slice(0, 40), name: e.className, colour: getComputedStyle(e).color };
  }
  return worst;
})()"""


def test_the_button_changes_the_theme(browser: Browser, rich: Path) -> None:
    browser.show(rich)
    seen = []
    for _ in range(3):
        browser.run("document.getElementById('theme').click()")
        seen.append(
            browser.run(
                "[document.getElementById('theme').textContent, getComputedStyle(document.body).backgroundColor]"
            )
        )
    light, dark = "rgb(248, 248, 246)", "rgb(20, 23, 26)"
    assert seen == [["Theme: light", light], ["Theme: dark", dark], ["Theme: system", light]]


def rows_in_sight(browser: Browser) -> list[str]:
    found: list[str] = browser.run("[...document.querySelectorAll('#samples tr.row .open')].map((b) => b.textContent)")
    return found


def count(browser: Browser) -> str:
    return str(browser.run("document.getElementById('count').textContent"))


def test_the_table_is_walked_and_opened_with_the_keyboard_alone(browser: Browser, rich: Path) -> None:
    browser.show(rich, height=3000)
    browser.press("/")
    assert browser.run("document.activeElement.id") == "search"
    browser.press("ArrowDown")
    first = browser.run("document.activeElement.textContent")
    assert first == "case-00005"
    browser.press("ArrowDown")
    assert browser.run("document.activeElement.textContent") == "case-00008"
    assert browser.run("document.querySelectorAll('#samples .open[tabindex=\"0\"]').length") == 1
    browser.press("Enter")
    assert browser.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert "Answer briefly." in browser.run("document.querySelector('.sheet').textContent")
    browser.press("Escape")
    assert browser.run("document.querySelectorAll('.sheet').length") == 0
    browser.press("End")
    last = browser.run("document.activeElement.textContent")
    assert browser.run("document.activeElement.closest('tr').getAttribute('aria-rowindex')") == "301"
    assert browser.run(
        "(() => { const r = document.activeElement.getBoundingClientRect(); return r.top > 0 && r.bottom <= innerHeight; })()"
    )
    browser.press("Home")
    assert browser.run("document.activeElement.textContent") == first != last
    assert browser.said == []


def test_search_filter_and_sort_show_what_they_say(browser: Browser, rich: Path) -> None:
    browser.show(rich, height=20_000)
    assert count(browser) == "300 samples, changed ones first"
    assert len(rows_in_sight(browser)) == 300
    browser.run("document.getElementById('search').focus()")
    browser.write("timeout case-00137")
    browser.until("document.querySelectorAll('#samples tr.row').length === 1")
    assert rows_in_sight(browser) == ["case-00137"]
    assert count(browser) == "1 of 300 samples, changed ones first"
    browser.write(" nowhere")
    browser.until("document.querySelectorAll('#samples tr.row').length === 0")
    assert count(browser) == "No sample fits; change the search or the filter."
    browser.press("Escape")
    filters = {}
    for name in ("Changed", "Errors", "All"):
        browser.run(
            f"[...document.querySelectorAll('#filters button')].find((b) => b.textContent.startsWith('{name}')).click()"
        )
        filters[name] = rows_in_sight(browser)
    assert filters["Changed"] == [f"case-{i:05}" for i in range(5, 45, 3)]
    assert sorted(filters["Errors"]) == ["case-00037", "case-00137", "case-00237"]
    assert len(filters["All"]) == 300
    browser.run(
        "(() => { const s = document.querySelector('#fields select'); s.value = 'returns'; s.dispatchEvent(new Event('change')); })()"
    )
    assert sorted(rows_in_sight(browser)) == [f"case-{i:05}" for i in range(2, 300, 4)]


def test_a_column_sorts_worst_first_then_best_and_says_so_to_screen_readers(browser: Browser, rich: Path) -> None:
    browser.show(rich, height=20_000)
    shown = (
        "[...document.querySelectorAll('#samples tr.row')].map((r) => Number(r.cells[5].textContent.split('→').pop()))"
    )
    click = "[...document.querySelectorAll('#samples thead button')].find((b) => b.textContent === 'token_f1').click()"
    browser.run(click)
    values = browser.run(shown)
    assert values == sorted(values)
    assert browser.run("document.querySelector('#samples [aria-sort]').getAttribute('aria-sort')") == "ascending"
    browser.run(click)
    assert browser.run(shown) == values[::-1] or browser.run(shown) == sorted(values, reverse=True)
    assert browser.run(
        "[...document.querySelectorAll('#samples [aria-sort]')].map((c) => c.getAttribute('aria-sort'))"
    ) == ["descending"]


def test_a_sample_opens_with_a_diff_by_words_and_its_judges_words(browser: Browser, tmp_path: Path) -> None:
    said = {"messages": [{"role": "user", "content": "Is it right?"}], "text": "No, because of the days."}
    row = {
        "id": "q",
        "input": "How long?",
        "choices": ["a day", "a month"],
        "answer": 1,
        "outputs": [{"text": "You can return it within thirty days, unopened."}],
        "scores": {"f1": [{"value": 0.25, "reason": "<b>half</b>"}]},
        "judgments": {"f1": [{"exchange": [said]}]},
        "base": {
            "outputs": [{"text": "You can return it within two weeks, unopened."}],
            "scores": {"f1": [{"value": 0.5}]},
        },
    }
    run = replace(rich_run(1), summary=summary({"f1": entry("f1")}, 1))
    browser.show(written(tmp_path, run, [row]), fragment="#sample=q")
    assert browser.run("[...document.querySelectorAll('.sheet del')].map((e) => e.textContent)") == ["two weeks"]
    assert browser.run("[...document.querySelectorAll('.sheet ins')].map((e) => e.textContent)") == ["thirty days"]
    text = browser.run("document.querySelector('.sheet').textContent")
    for part in (
        "How long?",
        "a month" + "right",
        "<b>half</b>",
        "0.500",
        "0.250",
        "Is it right?",
        "No, because of the days.",
    ):
        assert part in text
    assert "changed" in browser.run("document.querySelector('#samples tr.row').textContent")


def test_texts_too_long_to_compare_by_words_are_compared_by_lines(browser: Browser, tmp_path: Path) -> None:
    lines = [f"line {i} of many words in it" for i in range(600)]
    row = {
        "id": "q",
        "outputs": [{"text": "\n".join(["new start", *lines, "new end"])}],
        "base": {"outputs": [{"text": "\n".join(["old start", *lines, "old end"])}]},
    }
    run = replace(rich_run(1), summary=summary({"f1": entry("f1")}, 1))
    browser.show(written(tmp_path, run, [row]), fragment="#sample=q")
    assert browser.run("[...document.querySelectorAll('.sheet ins')].map((e) => e.textContent.trim())") == [
        "new start",
        "new end",
    ]


HIT = "document.documentElement.outerHTML.length > 0 && window.hit === undefined"


@pytest.mark.parametrize("place", range(len(HOSTILE)))
def test_what_a_model_wrote_is_shown_and_never_run(place: int, browser: Browser, tmp_path: Path) -> None:
    text = HOSTILE[place]
    evil = rich_rows(3, base=True, hostile=[text] * 3)
    named = {**summary({text: entry(text, details={"notes": [text]})}, 3), "name": text}
    for run, rows in (
        (rich_run(3), evil),
        (replace(rich_run(3), summary=named), [{"id": "x", "scores": {text: [{"value": 1.0}]}}]),
    ):
        browser.show(written(tmp_path, run, rows, {"verdict": "pass", "reasons": [text], "base": {"name": text}}))
        browser.run("document.querySelector('#samples .open').click()")
        browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        browser.settle()
        assert browser.run(HIT)
        assert browser.said == []
        assert (
            browser.run(
                "document.querySelectorAll('main img, main script, main iframe, main a:not([href^=\"#\"])').length"
            )
            == 0
        )
        assert [one for one in browser.asked_for if not one.startswith(("file:", "about:", "data:"))] == []
    browser.show(written(tmp_path, rich_run(3), evil))
    browser.run("document.querySelector('#samples .open').click()")
    shown = browser.run(
        "document.querySelector('.sheet .message:nth-of-type(2) pre, .sheet .message:last-of-type pre').textContent"
    )
    for part in re.findall(r"[!-~]+", text):
        assert part in shown


def test_the_policy_stops_even_a_script_that_got_in(browser: Browser, tmp_path: Path) -> None:
    path = written(tmp_path, rich_run(3), rich_rows(3))
    path.write_text(
        path.read_text("utf-8").replace(
            "</main>", "</main><script>window.hit = 9</script><img src=x onerror='window.hit = 8'>"
        ),
        "utf-8",
    )
    browser.show(path)
    assert browser.run(HIT)
    assert browser.said, "the browser tells of what it stopped"


def test_a_text_of_a_million_characters_is_cut_and_said_to_be(browser: Browser, tmp_path: Path) -> None:
    rows = [{"id": "long", "outputs": [{"text": "word " * 200_000}]}]
    browser.show(written(tmp_path, rich_run(1), rows), fragment="#sample=long", width=360)
    assert "980,000 more characters are not on this page" in browser.run("document.querySelector('.sheet').textContent")
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.said == []


def test_ten_thousand_rows_make_a_few_elements_and_every_one_can_be_reached(browser: Browser, tmp_path: Path) -> None:
    rows = [
        {
            "id": f"r{i:05}",
            "input": f"question {i}",
            "outputs": [{"text": "x"}],
            "scores": {"f1": [{"value": i / 10_000}]},
        }
        for i in range(10_000)
    ]
    run = replace(rich_run(1), summary=summary({"f1": entry("f1")}, 10_000))
    browser.show(written(tmp_path, run, rows))
    assert browser.run("document.querySelectorAll('*').length") < 1500
    assert browser.run("document.getElementById('samples').getAttribute('aria-rowcount')") == "10001"
    browser.run("document.getElementById('search').focus()")
    browser.press("ArrowDown")
    seen = [browser.run("document.activeElement.textContent")]
    browser.press("End")
    seen.append(browser.run("document.activeElement.textContent"))
    browser.run(
        "(() => { const b = document.getElementById('samples').tBodies[0].getBoundingClientRect();"
        " scrollTo(0, scrollY + b.top + b.height / 2); })()"
    )
    browser.settle()
    middle = rows_in_sight(browser)
    assert seen == ["r00000", "r09999"]
    assert 20 < len(middle) < 80
    assert "r05000" in middle
    browser.show(tmp_path / "report.html", fragment="#sample=r07000")
    assert browser.run("document.activeElement.textContent") == "r07000"
    assert "question 7000" in browser.run("document.querySelector('.sheet').textContent")
    assert browser.said == []


def test_tables_have_captions_headers_and_the_page_its_headings(browser: Browser, rich: Path) -> None:
    browser.show(rich)
    assert browser.run("[...document.querySelectorAll('table')].filter((t) => !t.caption || !t.tHead).length") == 0
    assert browser.run("[...document.querySelectorAll('main th')].filter((t) => !t.scope).length") == 0
    assert browser.run("document.querySelectorAll('h1').length") == 1
    assert (
        browser.run(
            "[...document.querySelectorAll('main section')].filter((s) => !document.getElementById(s.getAttribute('aria-labelledby'))).length"
        )
        == 0
    )
    assert (
        browser.run(
            "[...document.querySelectorAll('button, input, select')].filter((e) => !(e.textContent || e.getAttribute('aria-label') || e.closest('label'))).length"
        )
        == 0
    )
    assert (
        browser.run(
            "[...document.querySelectorAll('svg:not([aria-hidden])')].filter((s) => !s.getAttribute('aria-label')).length"
        )
        == 0
    )
    ids = browser.run("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    assert browser.run("[...document.querySelectorAll('a')].every((a) => document.querySelector(a.hash))")


def test_on_paper_there_is_no_bar_and_the_first_samples_are_there(browser: Browser, rich: Path) -> None:
    browser.show(rich)
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert len(rows_in_sight(browser)) == 100
    assert count(browser) == "The first 100 of 300 samples are printed."
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert count(browser) == "300 samples, changed ones first"
    found = browser.call("Page.printToPDF", printBackground=True)
    assert len(found["data"]) > 20_000


def test_without_script_everything_but_the_samples_is_there(browser: Browser, rich: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.call("Page.navigate", url=rich.as_uri())
        tree = json.dumps(browser.call("DOM.getDocument", depth=-1))
        while "What made each number" not in tree:
            tree = json.dumps(browser.call("DOM.getDocument", depth=-1))
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "needs JavaScript" in tree
    assert "token_f1 fell by" in tree
