"""A slip of the hand, or a kill at the worst moment, costs no answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmkit import Options, run_eval
from llmkit.errors import UsageError
from llmkit.flows import eval as flow
from llmkit.store import open_run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rows = [{"id": str(number), "input": "in", "output": "out", "references": ["out"]} for number in range(3)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path = tmp_path / "config.yaml"
    path.write_text("name: c\ndataset: rows.jsonl\ntarget: recorded\nmetrics: [exact_match]\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["run", "typo"])
def test_a_wrong_outputs_leaves_the_run_in_out_as_it_is(config: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "run"
    before = list(run_eval(config, options=Options(out=out)).outputs)
    with pytest.raises(UsageError, match="both name" if name == "run" else "does not exist"):
        run_eval(config, options=Options(out=out, overwrite=True, outputs=tmp_path / name))
    assert list(open_run(out).outputs) == before


def test_a_kill_before_the_first_row_leaves_a_folder_that_can_go_on(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "run"
    for name in ("first_manifest", "Recorder", "_tell"):
        with monkeypatch.context() as patch:
            patch.setattr(flow, name, killed)
            with pytest.raises(KeyboardInterrupt):
                run_eval(config, options=Options(out=out))
    assert run_eval(config, options=Options(out=out)).summary["coverage"] == 1.0
