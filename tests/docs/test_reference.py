"""The reference pages are what the plug-ins say, and every page is found from the README."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from llmkit import registry
from tests.docs.blocks import ROOT


@pytest.fixture
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["chunkers", "metrics", "perturbations", "providers"])
def test_reference_pages_are_fresh(kind: str, reference: ModuleType) -> None:
    committed = (ROOT / "docs" / reference.PAGES[kind]).read_text(encoding="utf-8")
    fresh = committed == reference.page(kind)
    assert fresh, "run: make docs"  # not compared in the assertion: the difference would fill the screen


def test_every_metric_says_range_direction_source_and_use() -> None:
    for name in registry.builtin_names("metrics"):
        doc = registry.describe("metrics", name).doc
        for pattern in (r"[Rr]ange|\d to \d|or more", "Sources?:", "Use it", "better"):
            assert re.search(pattern, doc), f"the docstring of the metric {name} lacks '{pattern}'"


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    assert [page for page in pages if f"docs/{page}" not in readme] == []


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert Path(page.parent, target).exists(), f"{page.name} links to {target}"
