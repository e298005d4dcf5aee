from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from llmkit.config import eval_schema
from llmkit.config.schema import audit_schema, audit_schema_text, eval_schema_text, index_schema, index_schema_text
from llmkit.config.yaml_source import parse

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "configs" / "schema" / "eval.schema.json"

Valid = Callable[[str], bool]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return eval_schema()


@pytest.fixture(scope="module")
def valid(schema: dict[str, Any]) -> Valid:
    validator = jsonschema.Draft202012Validator(schema)
    return lambda text: bool(validator.is_valid(parse(text).data))


def test_the_committed_schema_is_fresh() -> None:
    fresh = COMMITTED.read_text(encoding="utf-8") == eval_schema_text()
    assert fresh, "run: make schema"  # not compared in the assertion: the difference would fill the screen


def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


def test_every_config_here_is_valid(valid: Valid) -> None:
    configs = [*ROOT.glob("configs/*.yaml"), *ROOT.glob("configs/*.yml")]
    audits = [path for path in configs if path.stem.startswith("audit")]
    indexes = [path for path in configs if path.stem.startswith("index")]
    evals = [path for path in configs if path not in (*audits, *indexes)]
    assert [path.name for path in evals if not valid(path.read_text(encoding="utf-8"))] == []
    made = jsonschema.Draft202012Validator(audit_schema())
    assert audits
    assert [path.name for path in audits if not made.is_valid(parse(path.read_text(encoding="utf-8")).data)] == []
    assert (ROOT / "configs/schema/audit.schema.json").read_text(encoding="utf-8") == audit_schema_text()
    made = jsonschema.Draft202012Validator(index_schema())
    assert indexes
    assert [path.name for path in indexes if not made.is_valid(parse(path.read_text(encoding="utf-8")).data)] == []
    fresh = (ROOT / "configs/schema/index.schema.json").read_text(encoding="utf-8") == index_schema_text()
    assert fresh, "run: make schema"


def test_the_engine_for_words_is_not_that_of_requests() -> None:
    made = jsonschema.Draft202012Validator(index_schema())
    assert made.is_valid({"source": "docs", "lexical": {"engine": "tantivy", "tokenizer": "unicode61"}})
    assert not made.is_valid({"source": "docs", "lexical": {"engine": "lucene"}})
    assert not made.is_valid({"source": "docs", "lexical": {"engine": {"timeout": 3}}})
    assert made.is_valid({"source": "docs", "engine": {"timeout": 3}})


def _described(part: Any, path: str = "") -> list[str]:
    """Return the keys that say nothing about themselves."""
    if isinstance(part, list):
        return [name for item in part for name in _described(item, path)]
    if not isinstance(part, dict):
        return []
    bare = [
        f"{path}.{key}"
        for key, value in part.get("properties", {}).items()
        if isinstance(value, dict) and not value.get("description")
    ]
    return bare + [name for key, value in part.items() if key != "$defs" for name in _described(value, f"{path}.{key}")]


def test_every_key_is_described(schema: dict[str, Any]) -> None:
    top = {key: value for key, value in schema.items() if key not in ("then", "else", "$defs")}
    assert _described(top) == []


BASE = "dataset: a\ntarget: echo\nmetrics: [exact_match]\n"


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        BASE + "engine:\nprices:\n",
        BASE + "few_shot: {n: 1, from: null}\n",
        BASE.replace("target: echo", "target: {echo: }"),
        BASE.replace("target: echo", "target: {echo: hello}"),
        BASE.replace("target: echo", "target: echo(text='a')"),
        BASE.replace("target: echo", "target: {python: app:answer}"),
        BASE.replace("[exact_match]", "[exact_match(mode='prefix'), {exact_match: {mode: prefix}}]"),
        BASE.replace("[exact_match]", "[mine, {mine: {x: 1}}]") + "plugins: [mine.py]\n",
        BASE + "cluster: 5\nname: 2024\n",
    ],
)
def test_accepts(valid: Valid, text: str) -> None:
    assert valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "target: echo\nmetrics: [exact_match]\n",
        BASE + "seeed: 1\n",
        BASE + "repeats: 0\n",
        BASE + "level: 1\n",
        BASE + "engine: {timeout: '5'}\n",
        BASE + "engine: {timeot: 5}\n",
        BASE + "gate: {coverage: {min: 2}}\n",
        BASE + "dataset: {limit: 0}\n".replace("dataset", "few_shot"),
        BASE.replace("dataset: a", "dataset: {path: a, limit: 0}"),
        BASE.replace("target: echo", "target: ecko"),
        BASE.replace("target: echo", "target: {echo: {txt: a}}"),
        BASE.replace("target: echo", "target: {echo: , python: a}"),
        BASE.replace("target: echo", "target: {python: {threads: 2}}"),
        BASE.replace("[exact_match]", "[]"),
        BASE.replace("[exact_match]", "[mine]"),
        BASE.replace("[exact_match]", "[exact_match, {exact_match: {mode: some}}]"),
    ],
)
def test_refuses(valid: Valid, text: str) -> None:
    assert not valid(text)
