"""What every metric owes its users: a page that says how to read it, values of a reference, and laws."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from llmkit import registry

ROOT = Path(__file__).resolve().parents[2]
NAMES = registry.builtin_names("metrics")

OWED = {
    "the formula": r"Formula|\w = ",
    "the range": r"\bRange\b",
    "the direction": r"higher is better|lower is better|no better direction|neither direction",
    "when to use it": r"\bUse it\b",
    "when not to": r"[.?] Not |Do not use it",
    "the source": r"\bSources?:",
}
REFERENCES = {
    *("bert_score", "jsonschema", "nltk", "pytrec_eval", "rouge_score", "sacrebleu", "scipy", "sklearn"),
    *("statistics", "golden", "expected.json"),
}
"""Programs whose values are taken as right, and what stands in the path of values that they made."""
PLAIN = re.compile(r"(?:test_.*_)?plain(?:_.*)?")
"""A name of the metric's definition, written down in the test with no thought of speed."""


@dataclass(frozen=True)
class Case:
    """One test function: what it is decorated with, and every name and text that it reaches in its file."""

    where: str
    law: bool
    reaches: frozenset[str]


@cache
def cases() -> tuple[Case, ...]:
    folders = (ROOT / "tests" / "metrics", ROOT / "tests" / "realdata")
    return tuple(case for folder in folders for path in sorted(folder.glob("test_*.py")) for case in _cases(path))


def _cases(path: Path) -> Iterator[Case]:
    module = ast.parse(path.read_text(encoding="utf-8"))
    defined: dict[str, set[str]] = {}
    for node in module.body:
        for name in _names_of(node):
            defined.setdefault(name, set()).update(_words(node))
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            reached, new = set(), {node.name}
            while new:
                reached |= new
                new = set().union(*(defined.get(name, set()) for name in new)) - reached
            decorators = {word for one in node.decorator_list for word in _words(one)}
            yield Case(f"{path.name}::{node.name}", "given" in decorators, frozenset(reached))


def _names_of(node: ast.stmt) -> list[str]:
    """Return the names that a statement of a module gives a meaning to."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    return [item.id for item in ast.walk(node) if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)]


def _words(node: ast.AST) -> set[str]:
    """Return every name in a piece of code, and every part of its texts and imports."""
    found: set[str] = set()
    for item in ast.walk(node):
        if isinstance(item, ast.Name):
            found.add(item.id)
        elif isinstance(item, ast.Constant) and isinstance(item.value, str):
            found.update(re.findall(r"[\w.]+", item.value))
        elif isinstance(item, ast.ImportFrom):
            found.update((item.module or "").split("."))
        elif isinstance(item, ast.Import):
            found.update(part for alias in item.names for part in alias.name.split("."))
    return found


def about(name: str) -> list[Case]:
    """Return the tests that use a metric: its class or its name."""
    words = {name, registry.lookup("metrics", name).__name__}
    return [case for case in cases() if not words.isdisjoint(case.reaches)]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_how_to_read_it(name: str) -> None:
    text = " ".join(registry.describe("metrics", name).doc.split())
    missing = [what for what, pattern in OWED.items() if not re.search(pattern, text, re.IGNORECASE)]
    assert missing == [], f"the docstring of {name} lacks {', '.join(missing)}"
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert f"| [`{name}`](#{name}) |" in page
    assert f"\n## {name}\n" in page


@pytest.mark.parametrize("name", NAMES)
def test_its_values_are_those_of_a_reference(name: str) -> None:
    found = [
        case.where
        for case in about(name)
        if not REFERENCES.isdisjoint(case.reaches) or any(map(PLAIN.fullmatch, case.reaches))
    ]
    assert found, f"no test of {name} has golden data or a reference program"


@pytest.mark.parametrize("name", NAMES)
def test_its_laws_are_tested(name: str) -> None:
    assert [case.where for case in about(name) if case.law], f"no test of {name} states a law with hypothesis"
