"""Models of a folder: onnx, openvino and sentence_transformers give one and the same vectors."""

from __future__ import annotations

import json
import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit import registry
from llmkit.errors import ConfigError, MissingExtraError
from tests.embedders.models import TEXTS, minilm

RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # graphs and digests are kept below the working directory


def made(name: str, **arguments: Any) -> Any:
    return registry.build("embedders", {name: arguments}).plugin


def reference(folder: Path, texts: list[str], prompt: str = "") -> np.ndarray:
    """Return what sentence-transformers itself says."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    return np.asarray(model.encode(texts, prompt=prompt or None, normalize_embeddings=True, show_progress_bar=False))


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNTIMES)
def test_vectors_equal_those_of_sentence_transformers(name: str) -> None:
    folder = minilm(RUNTIMES[name], "tokenizers", "sentence_transformers")
    embedder = made(name, model=str(folder), query_prefix="query: ")
    assert (embedder.dimensions, embedder.max_tokens) == (384, 256)
    passages = embedder.embed(TEXTS, "passage")
    assert (passages.shape, passages.dtype) == ((len(TEXTS), 384), np.float32)
    assert np.abs(passages - reference(folder, TEXTS)).max() < 1e-5
    assert np.abs(embedder.embed(TEXTS, "query") - reference(folder, TEXTS, "query: ")).max() < 1e-5
    assert np.allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-6)


@pytest.mark.slow
def test_the_library_itself_is_one_of_them() -> None:
    folder = minilm("sentence_transformers", "torch")
    embedder = made("sentence_transformers", folder=str(folder), passage_prefix="passage: ")
    assert (embedder.dimensions, embedder.max_tokens) == (384, 256)
    assert np.abs(embedder.embed(TEXTS, "query") - reference(folder, TEXTS)).max() < 1e-5
    assert np.abs(embedder.embed(TEXTS, "passage") - reference(folder, TEXTS, "passage: ")).max() < 1e-5
    assert embedder.embed([], "query").shape == (0, 384)
    assert embedder.fingerprint != made("sentence_transformers", folder=str(folder)).fingerprint
    text = TEXTS[0]
    assert [text[a:b] for a, b in embedder.spans([text])[0]][:3] == ["The", "cat", "sat"]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNTIMES)
def test_neither_batches_nor_order_nor_threads_change_a_vector(name: str) -> None:
    folder = str(minilm(RUNTIMES[name], "tokenizers"))
    one = made(name, model=folder, batch_tokens=1, threads=1).embed(TEXTS, "passage")
    many = made(name, model=folder, batch_tokens=100_000, threads=2)
    assert np.abs(one - many.embed(TEXTS, "passage")).max() < 1e-5
    assert np.abs(one[::-1] - many.embed(TEXTS[::-1], "passage")).max() < 1e-5
    assert many.embed([], "passage").shape == (0, 384)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "pooling"),
    [
        ("roberta", "mean"),
        ("bert", "cls"),
        ("bert", "max"),
        ("roberta", "lasttoken"),
        ("bert", "weightedmean"),
        ("bert", "mean_sqrt_len_tokens"),
    ],
)
def test_other_models_and_poolings(kind: str, pooling: str, tmp_path: Path) -> None:
    folder = minilm("onnxruntime", "tokenizers", "sentence_transformers", "torch")
    small = small_model(kind, pooling, folder, tmp_path / "small")
    embedder = made("onnx", model=str(small))
    assert embedder.max_tokens == 62 if kind == "roberta" else 64
    # Weights drawn at random make longer sums than those of a trained model do.
    assert np.abs(embedder.embed(TEXTS, "passage") - reference(small, TEXTS)).max() < 2e-5


def small_model(kind: str, pooling: str, like: Path, folder: Path) -> Path:
    """Write a model with weights drawn at random, tokenizer and all."""
    import torch
    import transformers

    torch.manual_seed(0)
    sizes: dict[str, Any] = dict(
        vocab_size=30522, hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=64, pad_token_id=0,
    )  # fmt: skip
    config = transformers.AutoConfig.for_model(kind, **sizes)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(like / name, folder / name)
    told = json.loads((folder / "tokenizer_config.json").read_text())
    limit = 62 if kind == "roberta" else 64
    (folder / "tokenizer_config.json").write_text(json.dumps(told | {"model_max_length": limit}))
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": limit}))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 48, "pooling_mode": pooling})
    )
    return folder


@pytest.mark.slow
def test_a_layer_behind_and_a_prompt_that_is_not_pooled(tmp_path: Path) -> None:
    folder = minilm("onnxruntime", "tokenizers", "sentence_transformers", "torch")
    from sentence_transformers import SentenceTransformer

    with warnings.catch_warnings():  # newer releases have moved them and say so; the old place is in all of them
        warnings.simplefilter("ignore", DeprecationWarning)
        from sentence_transformers.models import Dense, Pooling, Transformer

    words = Transformer(str(folder))
    pool = Pooling(384, "mean", include_prompt=False)
    prompts = {"query": "find what answers: ", "document": "keep: "}
    SentenceTransformer(modules=[words, pool, Dense(384, 24)], prompts=prompts).save(str(tmp_path / "m"))
    embedder = made("onnx", model=str(tmp_path / "m"))
    assert embedder.dimensions == 24
    for role, prompt in (("query", prompts["query"]), ("passage", prompts["document"])):
        assert embedder.prefix(role) == prompt
        assert np.abs(embedder.embed(TEXTS, role) - reference(tmp_path / "m", TEXTS, prompt)).max() < 1e-5


@pytest.mark.slow
def test_bf16_is_near_and_says_that_it_is_another() -> None:
    folder = str(minilm("openvino", "tokenizers"))
    exact = made("openvino", model=folder)
    near = made("openvino", model=folder, precision="bf16")
    assert near.fingerprint != exact.fingerprint
    try:
        found = near.embed(TEXTS, "passage")
    except ConfigError as error:
        pytest.skip(str(error))
    cosines = (exact.embed(TEXTS, "passage") * found).sum(axis=1)
    assert 0.999 < cosines.min() < 1.0


@pytest.mark.slow
def test_the_fingerprint_names_what_changes_vectors_and_nothing_else(tmp_path: Path) -> None:
    folder = minilm("onnxruntime", "openvino", "tokenizers")
    plain = made("onnx", model=str(folder)).fingerprint
    assert made("onnx", model=str(folder), query_prefix="q: ", batch_tokens=7, threads=1).fingerprint == plain
    assert made("openvino", model=str(folder)).fingerprint == plain
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert made("onnx", model=str(copy)).fingerprint == plain
    assert made("onnx", model=str(folder), passage_prefix="p: ").fingerprint != plain
    assert made("onnx", model=str(folder), max_tokens=128).fingerprint != plain
    (copy / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "cls"}))
    assert made("onnx", model=str(copy)).fingerprint != plain
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    shutil.copy(folder / "1_Pooling" / "config.json", copy / "1_Pooling" / "config.json")
    assert made("onnx", model=str(copy)).fingerprint != plain


@pytest.mark.slow
def test_spans_are_those_of_the_model_and_it_travels_to_another_process() -> None:
    folder = minilm("onnxruntime", "tokenizers")
    embedder = made("onnx", model=str(folder))
    text = "Unbelievable: größer als 東京 " * 400
    [spans] = embedder.spans([text])
    assert [text[a:b] for a, b in spans][:6] == ["Unbelievable", ":", "gr", "ö", "ße", "r"]
    assert len(spans) > 2000
    assert spans.dtype == np.int64
    assert embedder.spans([""])[0].shape == (0, 2)
    before = embedder.embed(TEXTS[:2], "query")
    again = pickle.loads(pickle.dumps(embedder))
    assert np.array_equal(again.embed(TEXTS[:2], "query"), before)
    assert again.fingerprint == embedder.fingerprint


@pytest.mark.slow
def test_an_onnx_file_of_the_folder_is_used(tmp_path: Path) -> None:
    folder = minilm("onnxruntime", "tokenizers")
    own = made("onnx", model=str(folder))
    wanted = own.embed(TEXTS[:4], "passage")
    copy = Path(shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.safetensors")))
    with pytest.raises(ConfigError, match=r"no model.onnx: and no model.safetensors"):
        made("onnx", model=str(copy))
    (copy / "onnx").mkdir()
    shutil.copy(own.graph_file(), copy / "onnx" / "model.onnx")
    assert np.array_equal(made("onnx", model=str(copy)).embed(TEXTS[:4], "passage"), wanted)


@pytest.mark.parametrize("name", ["onnx", "openvino", "sentence_transformers"])
def test_a_missing_package_is_named_with_its_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = registry.lookup("embedders", name)
    monkeypatch.setattr(
        f"{cls.__mro__[1 if name != 'sentence_transformers' else 0].__module__}.find_spec", lambda _: None
    )
    extra = {"onnx": "local", "openvino": "openvino", "sentence_transformers": "st"}[name]
    with pytest.raises(MissingExtraError, match=rf"pip install 'llmkit\[{extra}\]'"):
        cls(Path("somewhere"))
