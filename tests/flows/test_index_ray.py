"""`engine: ray`: workers of a local cluster embed, one process writes, and what is kept is not embedded again."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from llmkit.config.index_config import make_index_config
from llmkit.errors import ConfigError, InfrastructureError, MissingExtraError
from llmkit.flows.index.build import build_index
from llmkit.flows.index.setup import prepared
from llmkit.retrieval.index import Index
from tests.cli.test_index import PLUGIN

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")


def written(base: Path, count: int) -> None:
    (base / "texts").mkdir(exist_ok=True)
    for number in range(count):
        text = "\n\n".join(f"Document {number} has a part {part} of its own." for part in range(3))
        (base / "texts" / f"{number:03}.md").write_text(text)
    (base / "hashes.py").write_text(PLUGIN)


def built(base: Path, engine: str, embed: object = "hashes", store: str = "") -> dict[str, int]:
    data = {
        "name": "t", "source": "texts", "store": str(base / (store or engine)), "plugins": ["hashes.py"],
        "embed": embed, "engine": engine, "chunk": {"structural": {"size": 12}},
    }  # fmt: skip
    with prepared(make_index_config(data, base=base)) as parts:
        return build_index(parts).counts


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all: a plug-in file of one name is one file."""
    return tmp_path_factory.mktemp("ray")


@needs_ray
def test_ray_makes_the_index_that_this_process_makes(place: Path) -> None:
    import ray

    written(place, 150)
    try:
        counts = built(place, "ray")
        assert counts["embedded"] == counts["chunks"] == 450
        assert built(place, "ray")["embedded"] == 0
        written(place, 151)
        assert built(place, "ray")["embedded"] == 3
        built(place, "local")
        with Index.open(place / "ray") as one, Index.open(place / "local") as other:
            first, first_rows = one.vectors()
            second, second_rows = other.vectors()
            for mine, theirs in zip(one.every(), other.every(), strict=True):
                assert mine.text == theirs.text
                assert np.array_equal(first[first_rows[mine.number]], second[second_rows[theirs.number]])
        text = (place / "hashes.py").read_text()
        (place / "hashes.py").write_text(text.replace("import time\n", "raise ValueError('no memory')\n"))
        with pytest.raises(InfrastructureError, match="a worker of Ray could not embed"):
            built(place, "ray", {"hashes": {"width": 8}}, "other")
    finally:
        ray.shutdown()


def test_an_embedder_that_asks_a_server_is_not_sharded(place: Path) -> None:
    written(place, 2)
    embed = {"openai": {"model": "m", "base_url": "http://127.0.0.1:9", "api_key_env": None}}
    with pytest.raises(ConfigError, match="this one asks a server"):
        built(place, "ray", embed)


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_the_command_that_installs_it_is_told(place: Path) -> None:
    written(place, 2)
    with pytest.raises(MissingExtraError, match=r"pip install 'llmkit\[ray\]'"):
        built(place, "ray")
