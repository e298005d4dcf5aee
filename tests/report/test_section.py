"""Reports made of sections: the same three times, and what strangers wrote is text in each."""

from __future__ import annotations

import re

from llmkit.report.section import Section, sections_html, sections_markdown

HOSTILE = "<script>alert(1)</script> | [x](javascript:y) \x1b[31m"
REPORT = [
    Section("A report", lines=["All is well.", "! Mind this."]),
    Section(HOSTILE, tables=[(["name", "value"], [[HOSTILE, "0.5"]])], items=[(HOSTILE, [HOSTILE])]),
    Section("A curve", figures=['<svg viewBox="0 0 1 1"></svg>']),
]


def test_the_page_shows_markup_and_runs_nothing() -> None:
    page = sections_html(REPORT, over="llmkit audit", tone="bad")
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 5
    assert "\x1b" not in page
    assert '<svg viewBox="0 0 1 1"></svg>' in page
    assert re.search(r"default-src 'none'; style-src 'sha256-[\w+/=]+'", page)
    assert not re.search(r"https?://|@import|url\(", page)
    assert '<section class="verdict bad"' in page
    assert '<p class="note warn">Mind this.</p>' in page


def test_the_markdown_has_all_but_figures() -> None:
    text = sections_markdown(REPORT)
    assert text.startswith("# A report\n")
    assert "> **Mind this.**" in text
    assert "<script" not in text
    assert "## A curve" in text
    assert "svg" not in text
