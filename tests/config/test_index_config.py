"""The index config: strict, with suggestions; and its schema accepts what the loader accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from llmkit.config.index_config import load_index_config, make_index_config
from llmkit.config.schema import index_schema
from llmkit.config.yaml_source import parse
from llmkit.errors import ConfigError

GOOD = [
    "source: docs",
    "source: {root: docs, include: '*.md', exclude: [drafts/**], max_bytes: 20MB}",
    "source: {jsonl: rows.jsonl, id: key, text: [title, body]}",
    "source: {hf: squad, split: train}\nmetadata: {from: path, path: '{lang}/...', fields: {tags: 'list[str]'}}",
    "source: docs\nchunk: {fixed: {size: 64, overlap: 8}}\nlexical: trigram\nengine: ray",
    "source: docs\nlexical: {tokenizer: unicode61}\nengine: {run: local, max_cost: 1.5}\nvector: auto",
    "source: docs\nsafety: {max_delete_ratio: 0.5}\nretrieve: {k: 5, boost: {half_life: 30d}}\nstore: /tmp/x",
    "source: docs\nembed:\nmetadata:\n",
]
BAD = [
    ("name: x", "source: the key 'source' is missing"),
    ("source: {root: a, csv: b}", "give root (a folder) or one of jsonl, csv, tsv, parquet, hf, not root and csv"),
    ("sorce: docs", "did you mean 'source'?"),
    ("source: {root: a, includ: b}", "did you mean 'include'?"),
    ("source: a\nchunk: structurl", "did you mean 'structural'?"),
    ("source: a\nchunk: {structural: {siz: 3}}", "chunk"),
    ("source: a\nlexical: none", "nothing could be searched"),
    ("source: a\nvector: exact\nlexical: {tokeniser: porter}", "did you mean 'tokenizer'?"),
    ("source: a\nvector: {exact: {}}", "without 'embed' there are none"),
    ("source: a\nsafety: {max_failures: 2}", "safety.max_failures"),
    ("source: a\nmetadata: {fields: {date: day}}", "metadata.fields.date"),
    ("source: a\nretrieve: {mode: hybird}", "did you mean 'hybrid'?"),
    ("source: a\nengine: spark", "expected one of 'local', 'ray'"),
    ("source: a\nname: ../up", "is no name: use letters"),
    ("", "the config is empty"),
]


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft202012Validator(index_schema())


@pytest.mark.parametrize("text", GOOD)
def test_what_is_right_is_taken_by_loader_and_schema(text: str, tmp_path: Path, validator: Any) -> None:
    path = tmp_path / "handbook.yaml"
    path.write_text(text)
    config = load_index_config(path)
    assert config.name == "handbook"
    assert config.base == tmp_path
    assert validator.is_valid(parse(text).data), list(validator.iter_errors(parse(text).data))
    again = parse(config.resolved_yaml()).data
    assert make_index_config(again, base=tmp_path).resolved() == config.resolved()


@pytest.mark.parametrize(("text", "says"), BAD)
def test_what_is_wrong_is_said_with_its_place(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "handbook.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_index_config(path)
    assert says in str(error.value)
    assert "handbook.yaml" in str(error.value)


def test_an_index_lies_below_the_working_directory_unless_told(tmp_path: Path) -> None:
    assert make_index_config({"name": "a", "source": "docs"}).folder == Path(".llmkit/a")
    assert make_index_config({"name": "a", "source": "docs", "store": str(tmp_path)}).folder == tmp_path


def test_the_schema_is_one(validator: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(validator.schema)
    assert not validator.is_valid({"source": "docs", "sorce": 1})
    assert not validator.is_valid({"source": "docs", "chunk": "structurl"})
