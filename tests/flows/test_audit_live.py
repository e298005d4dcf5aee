"""`llmkit audit` of judges that are run: juries, kill -9 in the middle, and answers that cannot be read."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from tests import fakejudges
from tests.cli.command import llmkit, read_rows, served, start, until, write_rows
from tests.fakeserver import Behaviour, FakeServer
from tests.flows.test_audit import live_rows, write_audit


def audit_config(folder: Path, server: FakeServer, rows: list[dict[str, Any]], **keys: Any) -> None:
    write_rows(folder / "v.jsonl", rows)
    whole = {
        "dataset": "v.jsonl", "judge": "grade", "judge_model": served(server.base_url), "human": "human",
        "engine": {"cache": False}, **keys,
    }  # fmt: skip
    write_audit(folder, **whole)


def of_model(kind: str, strict: str) -> Any:
    """Return a judge whose verdicts depend on the model that is asked."""
    kind_one, strict_one = fakejudges.fair(), fakejudges.judging(lambda text, _: fakejudges.quality(text) ** 2)

    def answer(body: Mapping[str, Any]) -> Any:
        return (strict_one if body["model"] == strict else kind_one)(body)

    assert kind != strict
    return answer


def test_a_jury_is_audited_as_one_judge(tmp_path: Path, server: FakeServer) -> None:
    server.reset(Behaviour(answer=of_model("one", "two")))
    rows = live_rows(40, 7)
    models = [served(server.base_url, model=name) for name in ("one", "two")]
    jury = {"jury": {"judge": "grade", "models": models}}
    audit_config(tmp_path, server, rows, judge=jury, probes={"padding": True, "repeats": 2, "rows": 10})
    done = llmkit("audit", "a.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    assert done.json["human"]["pairs"] == 40
    qualities = [float(row["output"].split()[0].removeprefix("quality=")) for row in rows]
    expected = [(round(1 + 9 * one) + round(1 + 9 * one**2)) / 2 for one in qualities]
    scores = {row["sample_id"]: row for row in read_rows(tmp_path / "run" / "scores.jsonl")}
    assert [scores[row["id"]]["value"] for row in rows] == expected
    pooled = done.json["agreement"]["pooled"]
    people = [row["human"] for row in rows]
    assert pooled["spearman"]["value"] == pytest.approx(spearmanr(expected, people).statistic)
    assert done.json["agreement"]["pooled"]["pearson"]["value"] == pytest.approx(np.corrcoef(expected, people)[0, 1])
    assert len(server.log()) == 2 * (40 + 10 + 10)  # each member: every answer, the probed padded, and once more
    looks = {look["name"]: look for look in done.json["biases"]["looks"]}
    assert looks["self-consistency"]["found"] is False


def test_a_jurys_member_that_is_silent_is_outvoted_and_a_jury_without_quorum_is_a_fault(
    tmp_path: Path, server: FakeServer
) -> None:
    fair, silent = fakejudges.fair(), fakejudges.silent()
    server.reset(Behaviour(answer=lambda body: (silent if body["model"] == "two" else fair)(body)))
    models = [served(server.base_url, model=name) for name in ("one", "two")]
    for quorum, code in ((0.5, 0), (1.0, 2)):
        jury = {"jury": {"judge": "grade", "models": models, "quorum": quorum}}
        audit_config(tmp_path, server, live_rows(12, 7), judge=jury)
        done = llmkit("audit", "a.yaml", "--out", "run", "--overwrite", "--format", "json", folder=tmp_path)
        assert done.code == code, done.err
        if code:
            assert "0 of 12 rows have both a verdict and a human label" in done.err
        else:
            assert done.json["human"]["pairs"] == 12


def test_an_audit_that_is_killed_pays_only_what_is_missing_and_ends_the_same(
    tmp_path: Path, server: FakeServer
) -> None:
    rows = live_rows(60, 1)
    probes = {"injection": True, "repeats": 2, "rows": 20}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
        audit_config(folder, server, rows, probes=probes, engine={"cache": False, "max_concurrency": 4})
    server.reset(Behaviour(answer=fakejudges.fair()))
    assert llmkit("audit", "a.yaml", "--out", "run", folder=whole).code == 0
    every = len(server.log())
    server.reset(Behaviour(answer=fakejudges.fair(), latency=0.02, jitter=0.02))
    process = start(["audit", "a.yaml", "--out", "run"], cut)
    until(lambda: len(server.log()) > 50, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = len((cut / "run" / "journal.jsonl").read_text().splitlines())
    server.reset(Behaviour(answer=fakejudges.fair()))
    assert llmkit("audit", "a.yaml", "--out", "run", folder=cut).code == 0
    in_flight = 4  # requests of the killed process that the server still answers
    assert kept > 40
    assert len(server.log()) <= every - kept + in_flight
    first, second = (json.loads((folder / "run" / "summary.json").read_text()) for folder in (whole, cut))
    for summary in (first, second):
        summary.get("cost", {}).clear()
    assert first["agreement"] == second["agreement"]
    assert first["biases"] == second["biases"]
    assert read_rows(whole / "run" / "scores.jsonl") == read_rows(cut / "run" / "scores.jsonl")


def test_ctrl_c_stops_an_audit_and_says_how_to_go_on(tmp_path: Path, server: FakeServer) -> None:
    server.reset(Behaviour(answer=fakejudges.fair(), latency=0.05))
    audit_config(tmp_path, server, live_rows(60, 1), engine={"cache": False, "max_concurrency": 2})
    process = start(["audit", "a.yaml", "--out", "run"], tmp_path)
    until(lambda: len(server.log()) > 10, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert "llmkit audit a.yaml --out run" in err.decode()
    assert out == b""
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "interrupted"
