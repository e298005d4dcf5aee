"""Every command and every Python example of the documents runs, and prints what the document says it prints."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from llmkit.config import load_eval_config
from tests.docs.blocks import PAGES, ROOT, Block, blocks

EVALSET = {"input": "How long?", "references": ["30 days"], "category": "returns", "lang": "en", "difficulty": 3}


def pages_with(*languages: str) -> list[Path]:
    return [page for page in PAGES if any(blocks(page, *languages))]


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder that looks like a clone to a reader of the documents."""
    for name in ("configs", "evalsets", "docs", "README.md", "CONTRIBUTING.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.parametrize("page", pages_with("console"), ids=lambda page: page.name)
def test_commands_run_and_print_what_the_page_shows(page: Path, workplace: Path) -> None:
    folder = workplace
    for block in blocks(page, "console"):
        for command, shown in commands(block):
            words = shlex.split(command)
            if words[0] == "cd":
                folder = folder / words[1]
                continue
            assert words[0] == "llmkit", f"{page.name}:{block.line}: only llmkit and cd can be run: {command}"
            done = subprocess.run(
                [sys.executable, "-m", "llmkit", *words[1:]],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "COLUMNS": "100"},
            )
            assert done.returncode == 0, f"{page.name}:{block.line}: {command}\n{done.stderr}"
            printed = {shape(line) for line in (done.stdout + done.stderr).splitlines()}
            missing = [line for line in shown if shape(line) not in printed]
            assert not missing, f"{page.name}:{block.line}: not printed by {command}: {missing}\n{done.stdout}"


@pytest.mark.parametrize("page", pages_with("python"), ids=lambda page: page.name)
def test_python_examples_run(page: Path, tmp_path: Path) -> None:
    """Each page in a process of its own: an example that registers a plug-in must not stay registered here."""
    for number, block in enumerate(blocks(page, "python")):
        example = tmp_path / f"example_{number}.py"
        example.write_text("\n" * block.line + block.body, encoding="utf-8")
        done = subprocess.run([sys.executable, str(example)], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{page.name}:{block.line}\n{done.stderr}"


@pytest.mark.parametrize("page", pages_with("yaml"), ids=lambda page: page.name)
def test_configs_load(page: Path, tmp_path: Path) -> None:
    (tmp_path / "evalset.jsonl").write_text(json.dumps(EVALSET) + "\n")
    (tmp_path / "questions.csv").write_text("question,answer,other_answer,subject,lang,difficulty\na,b,c,d,en,3\n")
    for block in blocks(page, "yaml"):
        if "target:" not in block.body or "metrics:" not in block.body or "dataset" not in block.body:
            continue
        config = tmp_path / "config.yaml"
        config.write_text(block.body)
        load_eval_config(config)


def commands(block: Block) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in block.body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            assert found, f"line {block.line}: output before a command"
            found[-1][1].append(line)
    return found


def shape(line: str) -> str:
    """Return a line without what changes from run to run: numbers, dates, run folders, spaces."""
    line = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{6}", "RUN", line)
    line = re.sub(r"[\d.,]+", "#", line)
    line = re.sub("─+", "─", line)
    return " ".join(line.split())
