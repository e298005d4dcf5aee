"""What CONTRIBUTING asks of a plug-in, a file and a start, asked of the whole house."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

import llmkit
from llmkit import registry

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "llmkit"
TESTS = ROOT / "tests"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PLUGINS = [(kind, name) for kind in registry.KINDS for name in registry.builtin_names(kind)]
HEAVY = ("openai", "pandas", "numpy", "torch", "datasets", "pydantic", "yaml", "aiohttp", "sacrebleu", "jinja2")
MOST_LINES = 400


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_a_plugin_is_a_frozen_dataclass_named_as_its_file(kind: str, name: str) -> None:
    cls = registry.lookup(kind, name)
    assert cls.__module__ == f"llmkit.{kind}.{name}"
    assert dataclasses.is_dataclass(cls)
    assert cls.__dataclass_params__.frozen  # type: ignore[attr-defined]


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_argument_of_a_plugin_is_explained(kind: str, name: str) -> None:
    unexplained = [argument.name for argument in registry.describe(kind, name).arguments if not argument.help]
    assert unexplained == []


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_plugin_is_tested_by_name(kind: str, name: str) -> None:
    folders = [TESTS / kind, TESTS / "realdata"]
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("*.py")]
    assert any(re.search(rf"\b{name}\b", text) for text in texts), f"no test in tests/{kind} names {name}"


def test_starting_imports_nothing_heavy() -> None:
    for words in (["--help"], ["eval", "--help"], ["list", "--help"], ["--version"]):
        code = (
            "import sys; sys.argv = ['llmkit', *sys.argv[1:]]\n"
            "import llmkit.cli\n"
            "try:\n    llmkit.cli.main()\nexcept SystemExit:\n    pass\n"
            f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
        assert done.stderr.strip() == "[]", f"llmkit {' '.join(words)} imports {done.stderr}"


def test_importing_the_package_imports_nothing_else_of_the_house() -> None:
    code = "import llmkit, sys; print(sorted(m for m in sys.modules if m.startswith('llmkit.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['llmkit._version']"


def test_every_public_name_can_be_imported() -> None:
    for name in llmkit.__all__:
        assert getattr(llmkit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        llmkit.nothing  # noqa: B018


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_file_holds_one_idea(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    if path.parent.name != "scaffold":
        assert ast.get_docstring(ast.parse(text)), "a module says what it is"


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    bad = re.compile(r"/(?:work|root|farm)/|(?:pypi|files\.pythonhosted|registry\.npmjs)\.\w+")
    found = []
    for name in names:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".txt", ".cfg"} or path.name == "Makefile":
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [
                f"{name}: {match.group()}" for match in bad.finditer(text) if name != "tests/house/test_conventions.py"
            ]
    assert found == []


def test_the_changelog_names_the_version() -> None:
    assert f"## {llmkit.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f'version = "{llmkit.__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
