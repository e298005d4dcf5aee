"""A slip of the hand, or a kill at the worst moment, costs no answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmkit import Options, run_eval
from llmkit.errors import DataError, UsageError
from llmkit.flows import eval as flow
from llmkit.flows.setup import prepare
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
    for name in ("first_manifest", "Recorder", "tell"):
        with monkeypatch.context() as patch:
            patch.setattr(flow, name, killed)
            with pytest.raises(KeyboardInterrupt):
                run_eval(config, options=Options(out=out))
    assert run_eval(config, options=Options(out=out)).summary["coverage"] == 1.0


@pytest.mark.parametrize("change", [1, -1])
@pytest.mark.parametrize("rescoring", [False, True])
def test_an_eval_set_that_changes_under_a_run_stops_it(
    config: Path, tmp_path: Path, change: int, rescoring: bool
) -> None:
    """Its numbers would be of other rows than its manifest says."""
    earlier = Path(run_eval(config, options=Options(out=tmp_path / "earlier")).path)
    setup = prepare(config, rescoring=rescoring)
    setup = replace(setup, census=replace(setup.census, rows=setup.census.rows - change))
    with pytest.raises(DataError, match=r"changed while the run read it: it had \d rows and now has (more than )?\d\."):
        flow.run_prepared(setup, Options(out=tmp_path / "run", outputs=earlier if rescoring else None))
    assert json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))["status"] == "failed"
