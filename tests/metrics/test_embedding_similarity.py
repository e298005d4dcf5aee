"""embedding_similarity: equal to sentence-transformers; by an endpoint; vectors kept on disk."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit.errors import AuthenticationError, ConfigError, InfrastructureError, MissingExtraError, MissingKeyError
from llmkit.metrics import _embedding_texts, _waiting_client
from llmkit.metrics._embedding_pooling import sentence_model
from llmkit.metrics.embedding_similarity import EmbeddingSimilarity
from llmkit.types import Skipped
from tests.golden.embedding_texts import ROWS
from tests.metrics.embedding_model import SHORT, needed_folder, numbers, pairs

FOLDER = needed_folder()
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "embedding_similarity.json").read_text(encoding="utf-8"))
TEXTS = st.sampled_from([output for output, _ in SHORT] + ["a", "no", "the cat"])


def metric(**more: Any) -> EmbeddingSimilarity:
    arguments: dict[str, Any] = {"folder": FOLDER, "cache_mb": 0, "device": "cpu"}
    return EmbeddingSimilarity(**(arguments | more))


@pytest.mark.parametrize(("refs", "make"), [("max", max), ("first", lambda row: row[0])])
def test_values_equal_sentence_transformers(refs: str, make: Any) -> None:
    found = numbers(metric(refs=refs).stats_many(pairs(ROWS)))
    assert found == pytest.approx([make(row) for row in GOLDEN["cosines"]], abs=1e-5)


def test_empty_texts_are_defined() -> None:
    rows = [("", ["a reference"]), ("text", [" "]), ("text", []), ("text", ["", "text"])]
    found = metric().stats_many(pairs(rows))
    assert found[:3] == [(0.0,), Skipped("empty reference"), Skipped("no reference")]
    assert found[3] == pytest.approx((1.0,), abs=1e-6)
    assert metric().stats_many(pairs(rows[:3])) == found[:3]


@settings(max_examples=10)
@given(st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=3)), min_size=1, max_size=4))
def test_laws(rows: list[tuple[str, list[str]]]) -> None:
    found = numbers(metric().stats_many(pairs(rows)))
    assert all(-1 <= value <= 1 for value in found)
    assert numbers(metric().stats_many(pairs(rows[::-1])))[::-1] == pytest.approx(found, abs=1e-5)
    itself = numbers(metric().stats_many(pairs([(output, [output]) for output, _ in rows])))
    assert itself == pytest.approx([1.0] * len(rows), abs=1e-5)


def test_a_prefix_changes_the_vectors() -> None:
    assert numbers(metric(prefix="query: ").stats_many(pairs())) != numbers(metric().stats_many(pairs()))


def test_the_folder_says_how_it_is_pooled(tmp_path: Path) -> None:
    found = sentence_model(FOLDER)
    assert (found.pooling, found.limit) == (("mean",), GOLDEN["limit"])
    assert sentence_model(tmp_path).pooling == ("mean",)
    modules = [{"type": "sentence_transformers.models.Transformer", "path": ""}]
    modules += [{"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    assert sentence_model(tmp_path).pooling == ("cls",)
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_weightedmean_tokens": True}))
    with pytest.raises(ConfigError, match="pooled in a way that is not known here: weightedmean"):
        sentence_model(tmp_path)
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "weightedmean"}))
    with pytest.raises(ConfigError, match="pooled in a way that is not known here: weightedmean"):
        sentence_model(tmp_path)
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": ["mean", "cls"]}))
    with pytest.raises(ConfigError, match="pooled in a way that is not known here: mean, cls"):
        sentence_model(tmp_path)
    modules += [{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ConfigError, match="has a step that is not taken here: Dense"):
        sentence_model(tmp_path)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "lasttoken"])
def test_pooling_takes_the_tokens_of_its_text_alone(pooling: Any) -> None:
    import torch

    from llmkit.metrics._embedding_pooling import pooled

    states = torch.tensor([[[3.0, 4.0], [4.0, 3.0], [9.0, 9.0]]])
    found = pooled(pooling).reduce((states,), torch.tensor([[1, 1, 0]]))[0, 0].tolist()
    expected = {"mean": (0.5**0.5, 0.5**0.5), "cls": (0.6, 0.8), "max": (0.5**0.5, 0.5**0.5), "lasttoken": (0.8, 0.6)}
    assert found == pytest.approx(expected[pooling])


class Server(BaseHTTPRequestHandler):
    """Embeds a text as (its length, 1); refuses, breaks or garbles as the model's name says."""

    asked: ClassVar[list[dict[str, Any]]] = []
    answers: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body | {"key": self.headers.get("Authorization"), "path": self.path})
        status = self.answers.pop(0) if self.answers else 200
        rows = [{"index": i, "embedding": [float(len(text)), 1.0]} for i, text in enumerate(body["input"])]
        if body["model"] == "garbled":
            rows = rows[:-1]
        said = json.dumps({"data": rows[::-1]} if status == 200 else {"error": "no"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Retry-After", "0")
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Server, "asked", [])
    monkeypatch.setattr(Server, "answers", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def served(url: str, **more: Any) -> EmbeddingSimilarity:
    arguments: dict[str, Any] = {"model": "m", "base_url": url, "api_key_env": None, "cache_mb": 0}
    return EmbeddingSimilarity(**(arguments | more))


def test_an_endpoint_embeds(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", "abc")
    rows = [("aa", ["a"]), ("", ["b"]), ("a", ["aa", "a"])]
    found = served(url, api_key_env="OTHER_KEY").stats_many(pairs(rows))
    assert numbers(found) == pytest.approx([3 / 10**0.5, 0.0, 1.0], abs=1e-6)
    assert [body["input"] for body in Server.asked] == [["a", "aa"]]  # a blank output is compared with nothing
    assert (Server.asked[0]["key"], Server.asked[0]["path"]) == ("Bearer abc", "/v1/embeddings")
    signature = served(url).signature
    assert signature.startswith("model:m|base_url:http://127.0.0.1")
    assert "transformers" not in signature


def test_an_endpoint_is_asked_once_for_a_text(url: str) -> None:
    rows = [(f"text {i}", ["reference"]) for i in range(100)]
    first = served(url, cache_mb=1).stats_many(pairs(rows))
    assert [len(body["input"]) for body in Server.asked] == [64, 37]
    assert served(url, cache_mb=1).stats_many(pairs(rows)) == first
    assert len(Server.asked) == 2
    served(url, cache_mb=1, model="other").stats_many(pairs(rows[:1]))
    assert len(Server.asked) == 3


def test_an_endpoint_that_is_busy_is_asked_again(url: str) -> None:
    Server.answers += [429, 503]
    assert numbers(served(url).stats_many(pairs([("a", ["a"])]))) == pytest.approx([1.0])
    assert len(Server.asked) == 3


def test_a_key_goes_to_no_other_host_and_the_default_one_to_no_local_server(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    row = pairs([("a", ["b"])])
    served(url, api_key_env="OPENAI_API_KEY").stats_many(row)
    assert Server.asked[-1]["key"] is None
    monkeypatch.setenv("OTHER_KEY", "abc")
    Server.answers += [307]
    with pytest.raises(InfrastructureError, match="answered 307"):
        served(url, api_key_env="OTHER_KEY").stats_many(row)


def test_what_an_endpoint_does_wrong_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = pairs([("a", ["b"])])
    with pytest.raises(InfrastructureError, match="did not answer with an embedding for each of 2 texts"):
        served(url, model="garbled").stats_many(row)
    Server.answers += [401, 404]
    with pytest.raises(AuthenticationError, match=r"answered 401: .*no key was sent: name its variable in api_key_env"):
        served(url).stats_many(row)
    with pytest.raises(InfrastructureError, match="answered 404"):
        served(url).stats_many(row)
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(MissingKeyError, match="NO_SUCH_KEY"):
        served(url, api_key_env="NO_SUCH_KEY").stats_many(row)
    monkeypatch.setattr(_waiting_client, "TRIES", 1)
    with pytest.raises(InfrastructureError, match=r"the embedding endpoint 127\.0\.0\.1:9 cannot be reached"):
        served("http://127.0.0.1:9").stats_many(row)


def test_wrong_arguments_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="must be a web address such as"):
        served("localhost:8000")
    with pytest.raises(ConfigError, match="give one of the two"):
        metric(base_url="http://localhost/v1")
    monkeypatch.setattr(_embedding_texts, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'embedding_similarity' needs .* pip install 'llmkit\[embeddings\]'"):
        metric()
    assert served("http://localhost/v1").model == "m"
