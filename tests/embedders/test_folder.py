"""What a model's folder says, prefixes and instructions, digests: no model is run here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit.embedders import _fingerprint
from llmkit.embedders._bert_graph import Weights
from llmkit.embedders._folder import read_folder
from llmkit.embedders._graph_families import problem
from llmkit.embedders._onnx_file import Graph
from llmkit.embedders._prefixes import check_instruction, prefix_of
from llmkit.errors import ConfigError

BERT = {"model_type": "bert", "hidden_size": 8, "max_position_embeddings": 512}


def folder(path: Path, **files: Any) -> Path:
    contents = {"config.json": BERT, "tokenizer.json": {}} | {k.replace("__", "/"): v for k, v in files.items()}
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(json.dumps(content))
    return path


def modules(*kinds: str) -> list[dict[str, str]]:
    return [
        {"type": f"sentence_transformers.models.{kind}", "path": "" if kind == "Transformer" else kind}
        for kind in kinds
    ]


def test_a_folder_of_weights_alone_is_pooled_by_the_mean(tmp_path: Path) -> None:
    found = read_folder(folder(tmp_path))
    assert (found.pooling, found.dimensions, found.limit, found.prompts) == (
        ("mean",),
        8,
        512,
        {"query": "", "passage": ""},
    )


def test_all_that_the_files_of_sentence_transformers_say(tmp_path: Path) -> None:
    found = read_folder(
        folder(
            tmp_path,
            **{
                "modules.json": modules("Transformer", "Pooling", "Dense", "Normalize"),
                "Pooling/config.json": {
                    "pooling_mode_cls_token": True,
                    "pooling_mode_mean_tokens": True,
                    "include_prompt": False,
                },
                "Dense/config.json": {"out_features": 5},
                "sentence_bert_config.json": {"max_seq_length": 300, "do_lower_case": True},
                "config_sentence_transformers.json": {"prompts": {"query": "q: ", "passage": "p: "}},
            },
        )
    )
    assert found.pooling == ("mean", "cls")
    assert (found.dimensions, found.limit, found.lower, found.prompt_counts) == (5, 300, True, False)
    assert found.dense == (tmp_path / "Dense",)
    assert found.prompts == {"query": "q: ", "passage": "p: "}


def test_the_default_prompt_stands_for_those_that_are_not_named(tmp_path: Path) -> None:
    config = {"prompts": {"query": "q: ", "sts": "s: "}, "default_prompt_name": "sts"}
    found = read_folder(folder(tmp_path, **{"config_sentence_transformers.json": config}))
    assert found.prompts == {"query": "q: ", "passage": "s: "}


def test_the_limit_is_never_above_the_positions(tmp_path: Path) -> None:
    roberta = BERT | {"model_type": "xlm-roberta", "max_position_embeddings": 514}
    files = {"config.json": roberta, "tokenizer_config.json": {"model_max_length": 10**30}}
    assert read_folder(folder(tmp_path, **files)).limit == 512
    assert read_folder(folder(tmp_path, **files, **{"sentence_bert_config.json": {"max_seq_length": 600}})).limit == 512


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"modules.json": modules("Transformer", "WeightedLayerPooling")},
            "a step that is not taken here: WeightedLayerPooling",
        ),
        (
            {"modules.json": modules("Transformer", "Pooling"), "Pooling/config.json": {"pooling_mode": "median"}},
            "not known here: median",
        ),
        (
            {"modules.json": modules("Transformer", "Pooling"), "Pooling/config.json": {"pooling_mode_new": True}},
            "not known here: pooling_mode_new",
        ),
    ],
)
def test_what_is_not_understood_is_refused(files: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        read_folder(folder(tmp_path, **files))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent is no folder"):
        read_folder(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"has no config.json"):
        read_folder(tmp_path)


def test_prefixes() -> None:
    prompts = {"query": "own q: ", "passage": "own p: "}
    assert prefix_of("query", None, None, prompts) == "own q: "
    assert prefix_of("passage", "", None, prompts) == ""
    assert prefix_of("query", "query: ", {"domain": "x"}, prompts) == "query: "
    told = {"domain": "Wikipedia", "objective": "retrieving documents"}
    assert prefix_of("query", None, told, prompts) == "Represent the Wikipedia question for retrieving documents: "
    assert prefix_of("passage", None, {}, prompts) == "Represent the document for retrieval: "
    assert (
        prefix_of("passage", None, {"passage": "law", "template": "{task_type}|{objective}: "}, {}) == "law|retrieval: "
    )


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        ({"doman": "x"}, "'doman' is no part of an instruction"),
        ({"template": "{topic}"}, "the template names 'topic'"),
        ({"template": "{domain"}, "the template cannot be read"),
    ],
)
def test_instructions_that_cannot_be_filled_in(instruction: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_instruction(instruction)


def test_a_large_file_is_read_again_only_when_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    large = tmp_path / "weights"
    large.write_bytes(bytes(2 << 20))
    first = _fingerprint.file_digest(large)
    stat = large.stat()
    large.write_bytes(b"x" * (2 << 20))
    os.utime(large, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert _fingerprint.file_digest(large) == first  # looked up: size and time are the same
    os.utime(large, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert _fingerprint.file_digest(large) != first
    _fingerprint.KEPT.write_text("no JSON")
    assert _fingerprint.file_digest(large) != first
    small = tmp_path / "small"
    small.write_text("a")
    assert _fingerprint.files_digest([small]) == _fingerprint.files_digest([small])
    assert _fingerprint.files_digest([small, large]) != _fingerprint.files_digest([large, small])


def test_weights_are_read_in_every_kind_of_number(tmp_path: Path) -> None:
    halves = np.array([[1.5, -2.0]], np.float16).tobytes()
    brain = (np.array([3.25, -0.5], np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes()
    head = {
        "__metadata__": {"format": "pt"},
        "bert.half": {"dtype": "F16", "shape": [1, 2], "data_offsets": [0, 4]},
        "brain": {"dtype": "BF16", "shape": [2], "data_offsets": [4, 8]},
    }
    text = json.dumps(head).encode()
    (tmp_path / "w").write_bytes(len(text).to_bytes(8, "little") + text + halves + brain)
    weights = Weights(tmp_path / "w")
    assert weights["half"].tolist() == [[1.5, -2.0]]
    assert weights["brain"].tolist() == [3.25, -0.5]
    assert "other" not in weights


def test_which_models_a_graph_can_be_made_for() -> None:
    assert problem({"model_type": "bert"}) == ""
    assert "not for 't5'" in problem({"model_type": "t5"})
    assert "'relu'" in problem({"model_type": "bert", "hidden_act": "relu"})
    assert "absolute" in problem({"model_type": "bert", "position_embedding_type": "relative_key"})


def test_an_onnx_file_is_what_onnx_reads(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the package onnx", exc_type=ImportError)
    graph = Graph({"x": (np.int64, ("n", 3))}, {"y": (np.int64, ("n", 3))})
    graph.node("Add", ["x", graph.constant("c", np.array([1, -2, 300], np.int64))], "y")
    with (tmp_path / "g.onnx").open("wb") as file:
        graph.write(file)
    model = onnx.load(str(tmp_path / "g.onnx"))
    onnx.checker.check_model(model)
    assert onnx.numpy_helper.to_array(model.graph.initializer[0]).tolist() == [1, -2, 300]
    assert [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == ["n", 3]
