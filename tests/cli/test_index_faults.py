"""`llmkit index build` when the world fails: an endpoint that goes away, a disk that is full, files that are not text."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from llmkit.retrieval.index import Index
from tests.cli.command import Done, llmkit
from tests.fakeserver import Behaviour, FakeServer


def folder_of(base: Path, count: int) -> Path:
    (base / "texts").mkdir()
    for number in range(count):
        (base / "texts" / f"{number:03}.md").write_text(f"Text number {number} tells of thing {number}.\n")
    return base


def config(base: Path, server: FakeServer, batch: int = 8, **more: Any) -> Path:
    embed = {"openai": {"model": "fake", "base_url": server.base_url, "batch_texts": batch}}
    whole = {"name": "t", "source": "texts", "store": "store", "embed": embed, "engine": {"max_retries": 0}, **more}
    (base / "c.yaml").write_text(json.dumps(whole))
    return base / "c.yaml"


def build(base: Path, *words: object) -> Done:
    return llmkit("index", "build", "c.yaml", "--format", "json", *words, folder=base)


def test_an_endpoint_that_goes_away_is_asked_only_for_the_rest(tmp_path: Path) -> None:
    folder_of(tmp_path, 60)
    with FakeServer(Behaviour(script={"number 57": ["500"]})) as server:
        config(tmp_path, server, batch=1)
        failed = build(tmp_path)
        assert failed.code == 3
        assert "could not embed" in failed.err
        with pytest.raises(Exception, match="never built to its end"):
            Index.open(tmp_path / "store")
        asked = len(server.requests())
        done = build(tmp_path)
        assert done.code == 0, done.err
        again = len(server.requests()) - asked
    with Index.open(tmp_path / "store") as index:
        assert index.meta.chunks == 60
        assert index.meta.dimensions > 0
    assert again < asked, "answers that had arrived are not asked for again"


def test_a_key_that_is_refused_stops_at_once(tmp_path: Path) -> None:
    folder_of(tmp_path, 5)
    with FakeServer(Behaviour(api_key="another")) as server:
        config(tmp_path, server)
        refused = build(tmp_path)
    assert refused.code == 3
    assert "401" in refused.err or "key" in refused.err


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("limit", [40_000, 400_000])
def test_a_full_disk_leaves_the_last_index_serving(tmp_path: Path, limit: int) -> None:
    import resource

    folder_of(tmp_path, 20)
    with FakeServer(Behaviour()) as server:
        config(tmp_path, server)
        assert build(tmp_path).code == 0
        for number in range(20, 2000):
            (tmp_path / "texts" / f"{number:04}.md").write_text(f"Text number {number} tells of thing {number}.\n")
        full = llmkit(
            "index", "build", "c.yaml", "--processes", 1, "--set", "engine.cache=false",
            folder=tmp_path,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )  # fmt: skip
        assert full.code == 3, full.err
        assert (
            "the disk is full or a size limit was reached; free some space and run the same command again" in full.err
        )
        with Index.open(tmp_path / "store") as index:
            assert (index.meta.generation, index.meta.documents) == (1, 20)
            assert index.lexical("thing", 3)
        done = build(tmp_path)
    assert done.code == 0, done.err
    assert done.json["counts"]["documents"] == 2000
    assert llmkit("index", "verify", "store", folder=tmp_path).code == 0


def test_files_that_are_no_text_are_failures(tmp_path: Path) -> None:
    folder_of(tmp_path, 10)
    (tmp_path / "texts" / "bad.md").write_bytes(b"caf\xe9 \xff\xfe\x81")
    (tmp_path / "texts" / "loop").symlink_to(tmp_path / "texts", target_is_directory=True)
    (tmp_path / "c.yaml").write_text(
        "name: t\nsource: {root: texts, max_bytes: 1KB, follow_symlinks: true}\nstore: store\n"
        "safety: {max_failures: 0.5}\n"
    )
    (tmp_path / "texts" / "large.md").write_text("x " * 1000)
    done = build(tmp_path)
    assert done.code == 0, done.err
    assert done.json["counts"]["documents"] == 10
    assert {"bad.md", "large.md"} <= set(done.json["failures"])


def test_a_search_by_another_embedder_is_an_error(tmp_path: Path) -> None:
    folder_of(tmp_path, 5)
    with FakeServer(Behaviour()) as server:
        config(tmp_path, server)
        assert build(tmp_path).code == 0
        found = llmkit("search", "store", "thing 3", folder=tmp_path)
        assert found.code == 0, found.err
        wrong = llmkit("index", "verify", "c.yaml", folder=tmp_path)
        assert wrong.code == 0, wrong.err + wrong.out
        text = (tmp_path / "c.yaml").read_text()
        (tmp_path / "c.yaml").write_text(text.replace('"model": "fake"', '"model": "other"'))
        wrong = llmkit("index", "verify", "c.yaml", folder=tmp_path)
        assert wrong.code == 3
        assert "the config's embedder is not the one that made the vectors" in wrong.out


def test_a_dry_run_asks_nobody_and_tells_the_price(tmp_path: Path) -> None:
    folder_of(tmp_path, 5)
    (tmp_path / "prices.json").write_text(json.dumps({"fake": {"input": 100.0, "output": 0.0}}))
    with FakeServer(Behaviour()) as server:
        config(tmp_path, server)
        assert build(tmp_path, "--dry-run").json["cost"] is None
        config(tmp_path, server, prices="prices.json")
        planned = build(tmp_path, "--dry-run").json
        assert server.requests() == []
    assert planned["tokens"] > 0
    assert planned["cost"] == pytest.approx(planned["tokens"] * 100 / 1e6)
    assert not (tmp_path / "store").exists()
