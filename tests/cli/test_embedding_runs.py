"""``llmkit eval`` with embedding metrics: local models and an endpoint, from the command to the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmkit.types import Output, Sample, Skipped
from tests.cli.command import Done, llmkit, read_rows, write_config, write_rows
from tests.fakeserver import FakeServer, Fault
from tests.metrics.embedding_model import needed_folder

LINES: list[dict[str, Any]] = [
    {"id": "1", "input": "q", "references": ["The cat sat on the mat."], "output": "A cat was sitting on the mat."},
    {"id": "2", "input": "q", "references": ["Paris is the capital.", "It is Paris."], "output": "Paris."},
    {"id": "3", "input": "q", "references": ["No, that is not so."], "output": ""},
    {"id": "4", "input": "q", "references": ["  "], "output": "something"},
    {"id": "5", "input": "q", "references": [], "output": "something else"},
    {"id": "6", "input": "q", "references": ["The same words."], "output": "The same words."},
]


def evaluated(folder: Path, spec: dict[str, Any], *words: str, **keys: Any) -> Done:
    """Return what the command said of a config elsewhere, so that paths seen from there are tried."""
    (folder / "conf").mkdir(exist_ok=True)
    write_rows(folder / "conf" / "set.jsonl", LINES)
    write_config(folder / "conf", target="recorded", metrics=[spec], gate={"coverage": {"min": 0}}, **keys)
    return llmkit("eval", "conf/c.yaml", "--format", "json", *words, folder=folder)


def scores(folder: Path, done: Done) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in read_rows(folder / done.json["run"] / "scores.jsonl"):
        found.setdefault(row["sample_id"], []).append(row)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("bertscore", {"layer": 6}),
        ("bertscore", {"layer": 6, "precision": "bf16", "idf": True}),
        ("moverscore", {"n": 2}),
        ("embedding_similarity", {}),
    ],
)
def test_a_local_model_scores_a_run(name: str, more: dict[str, Any], tmp_path: Path) -> None:
    model = needed_folder()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "model").symlink_to(model)
    done = evaluated(tmp_path, {name: {"folder": "model", "device": "cpu", **more}})
    assert done.code == 0, done.err
    (entry,) = done.json["scores"].values()
    assert entry["reasons"] == {"empty reference": 1, "no reference": 1}
    assert (entry["n"], entry["skipped"], entry["errors"]) == (4, 2, 0)
    assert "model:model@" in entry["signature"]
    assert str(tmp_path) not in entry["signature"]
    assert not [line for line in done.err.splitlines() if "Loading" in line or "Warning" in line], done.err
    found = {sample: rows[0].get("value") for sample, rows in scores(tmp_path, done).items()}
    assert found == {sample: pytest.approx(value, abs=1e-5) for sample, value in by_hand(name, model, more).items()}
    assert (tmp_path / ".llmkit" / "embeddings.sqlite").stat().st_size > 4096
    again = evaluated(tmp_path, {name: {"folder": "model", "device": "cpu", **more}})
    assert again.json["scores"] == done.json["scores"]


def by_hand(name: str, model: Path, more: dict[str, Any]) -> dict[str, float | None]:
    from llmkit import registry

    metric: Any = registry.build(
        "metrics", {name: {"folder": str(model), "cache_mb": 0, "device": "cpu", **more}}
    ).plugin
    pairs = [
        (Sample(row["id"], references=tuple(row["references"])), Output(row["id"], row["output"])) for row in LINES
    ]
    found = metric.stats_many(pairs)
    return {
        sample.id: None if isinstance(one, Skipped) else one[0] for (sample, _), one in zip(pairs, found, strict=True)
    }


@pytest.mark.slow
def test_best_of_a_local_model_scores_repeats_together(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "model").symlink_to(needed_folder())
    inner = {"bertscore": {"folder": "model", "layer": 6, "device": "cpu"}}
    done = evaluated(tmp_path, {"best_of": {"of": inner}}, repeats=2)
    assert done.code == 0, done.err
    (entry,) = done.json["scores"].values()
    assert (entry["n"], entry["skipped"], entry["errors"]) == (4, 2, 0)
    assert entry["details"]["repeats"]["scored"] == 8
    assert entry["details"]["repeats"]["within_variance"] == 0


def test_an_endpoint_scores_a_run(tmp_path: Path) -> None:
    with FakeServer() as server:
        spec = {"embedding_similarity": {"model": "fake-embed", "base_url": server.base_url}}
        done = evaluated(tmp_path, spec)
        assert done.code == 0, done.err
        (entry,) = done.json["scores"].values()
        assert (entry["n"], entry["skipped"], entry["errors"]) == (4, 2, 0)
        found = {sample: rows[0].get("value") for sample, rows in scores(tmp_path, done).items()}
        assert found["6"] == pytest.approx(1.0)
        assert found["3"] == 0.0
        assert found["1"] is not None
        assert found["1"] < 0.999
        asked = [request for request in server.requests() if request["path"].endswith("/embeddings")]
        assert [len(request["body"]["input"]) for request in asked] == [6]  # each text once
        again = evaluated(tmp_path, spec)
        assert again.json["scores"] == done.json["scores"]
        assert len(server.requests()) == len(asked)  # the second run took them from .llmkit/embeddings.sqlite


def test_an_endpoint_that_refuses_is_a_sentence(tmp_path: Path) -> None:
    with FakeServer(api_key="another one") as server:
        spec = {"embedding_similarity": {"model": "m", "base_url": server.base_url}}
        done = evaluated(tmp_path, spec)
    assert (done.code, done.out) == (3, "")
    assert " answered 401: " in done.err
    assert "(no key was sent: name its variable in api_key_env)" in done.err


def test_a_busy_endpoint_is_asked_again(tmp_path: Path) -> None:
    with FakeServer(
        script={"": [Fault(429, headers={"Retry-After": "0"}), Fault(503, headers={"Retry-After": "0"})]}
    ) as server:
        done = evaluated(tmp_path, {"embedding_similarity": {"model": "m", "base_url": server.base_url}})
        assert done.code == 0, done.err
        assert len(server.requests()) == 3
