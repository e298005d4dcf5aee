"""Runs the real command as a user does, and holds it to what every run promises: never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEADLINE = 60.0
"""Seconds after which a test gives up waiting; nothing here takes as long."""

KEY = "sk-never-to-be-seen-1234567890"


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment without a terminal, keys or settings of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LLMKIT_", "OPENAI_", "COLUMNS"))}
    return {**kept, "OPENAI_API_KEY": KEY, **(extra or {})}


def start(words: Sequence[object], folder: Path, env: Mapping[str, str] | None = None, **more: Any) -> Any:
    """Start ``python -m llmkit WORDS`` in a folder."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    command = [sys.executable, "-m", "llmkit", *map(str, words)]
    return subprocess.Popen(command, cwd=folder, env=environment(env), **streams)


def finish(process: Any) -> Done:
    """Wait for a started command and return what it said."""
    out, err = (text.decode() if text else "" for text in process.communicate(timeout=DEADLINE))
    assert "Traceback" not in err + out, err + out
    assert "Exception ignored" not in err, err
    assert KEY not in err + out
    return Done(process.returncode, out, err)


def llmkit(*words: object, folder: Path, env: Mapping[str, str] | None = None, **more: Any) -> Done:
    """Run ``python -m llmkit WORDS`` in a folder and return what it said."""
    return finish(start(words, folder, env, **more))


def until(happened: Callable[[], bool], process: Any = None) -> None:
    """Wait until something happened; fail when it does not, or when the process ends before."""
    end = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.002)


def rows(count: int, **more: Any) -> list[dict[str, Any]]:
    """Return rows that a server which echoes answers right, but for every fifth."""
    made = []
    for number in range(count):
        text = f"question {number:04d}"
        reference = "else" if number % 5 == 0 else text
        made.append({"id": f"r{number:04d}", "input": text, "references": [reference], "cat": f"c{number % 3}", **more})
    return made


def write_rows(path: Path, lines: Iterable[Any]) -> Path:
    """Write an eval set."""
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def write_config(folder: Path, name: str = "c.yaml", **keys: Any) -> Path:
    """Write a config (JSON is YAML) for ``set.jsonl`` in the same folder, answered by ``echo``."""
    whole = {"name": "t", "dataset": "set.jsonl", "target": "echo", "metrics": ["exact_match", "token_f1"], **keys}
    path = folder / name
    path.write_text(json.dumps({key: value for key, value in whole.items() if value is not None}))
    return path


def bench(folder: Path, count: int = 6, **keys: Any) -> Path:
    """Write an eval set and a config into a folder, and return the config."""
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "set.jsonl", rows(count))
    return write_config(folder, **keys)


def served(base_url: str, **arguments: Any) -> dict[str, Any]:
    """Return the target of a config that asks a server."""
    return {"openai": {"model": "fake", "base_url": base_url, **arguments}}


def results(run: Path) -> dict[str, bytes]:
    """Return the files of a run that must be the same bytes for the same answers."""
    return {name: (run / name).read_bytes() for name in ("scores.jsonl", "summary.json")}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the records of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
