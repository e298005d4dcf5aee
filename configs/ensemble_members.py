"""Three rules of thumb that say which page of the documentation a question is about; members of `ensemble.yaml`."""

import re
from collections import Counter
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = {
    "commands": "cli.md",
    "config": "config.md",
    "datasets": "datasets.md",
    "engine": "engine.md",
    "metrics": "metrics.md",
    "running": "eval.md",
    "runs": "runs.md",
    "targets": "targets.md",
}
KEYWORDS = {
    "commands": "command commands init list schema shell",
    "config": "config key keys yaml schema",
    "datasets": "eval set row rows file files csv jsonl field fields",
    "engine": "request requests retry retries cache budget concurrency rate limit limits tokens cost",
    "metrics": "metric metrics score scores reference",
    "running": "run again continue interrupted dry outputs option",
    "runs": "folder interval intervals exit code coverage signature",
    "targets": "target targets model function program endpoint",
}


def words(text: str) -> Counter[str]:
    """Return how often each word stands in a text."""
    return Counter(re.findall(r"[a-z]+", text.lower()))


def read(part: str) -> dict[str, Counter[str]]:
    """Return the words of each page: of the whole page, or of what a pattern finds in it."""
    pages = {name: (DOCS / file).read_text(encoding="utf-8") for name, file in PAGES.items()}
    return {name: words(" ".join(re.findall(part, page, re.MULTILINE))) for name, page in pages.items()}


def nearest(question: str, pages: dict[str, Counter[str]]) -> str:
    """Return the page in which the question's words make up most of the text."""
    asked = set(words(question))
    return max(pages, key=lambda name: sum(pages[name][word] for word in asked) / (pages[name].total() + 20))


WHOLE = read(r".+")
HEADINGS = read(r"^#+ (.*)$")
TABLE = {name: words(text) for name, text in KEYWORDS.items()}


def by_page(question: str) -> str:
    """Say by all words of the pages."""
    return nearest(question, WHOLE)


def by_headings(question: str) -> str:
    """Say by the pages' headings."""
    return nearest(question, HEADINGS)


def by_keywords(question: str) -> str:
    """Say by a few words for each page."""
    return nearest(question, TABLE)
