from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import ConfigError
from llmkit.metrics import NO_REFERENCE, MeanMetric
from llmkit.metrics.json_match import JsonMatch
from llmkit.metrics.json_schema import JsonSchema
from llmkit.registry import build
from llmkit.types import Output, Sample, Skipped

FENCED = 'Here it is:\n```json\n{"a": 1}\n```\nAnything else?'
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def score(metric: MeanMetric, output: str, *references: str) -> float | bool | Skipped:
    return metric.score(Sample("s", references=references), Output("s", output))


def reason(found: object) -> str:
    assert isinstance(found, Skipped)
    return found.reason


@pytest.mark.parametrize(
    ("metric", "output", "reference", "expected"),
    [
        (JsonMatch(), '{"b": [1, 2], "a": null}', '{"a":null,"b":[1,2]}', 1),
        (JsonMatch(), '{"a": [2, 1]}', '{"a":[1,2]}', 0),
        (JsonMatch(), '{"a": 1.0}', '{"a":1}', 1),
        (JsonMatch(), '{"a": true}', '{"a":1}', 0),
        (JsonMatch(), '{"a": 0}', '{"a":false}', 0),
        (JsonMatch(), '{"a": 1, "b": 2}', '{"a":1}', 0),
        (JsonMatch(extra=True), '{"a": 1, "b": 2}', '{"a":1}', 1),
        (JsonMatch(extra=True), '{"a": {"x": 1}, "b": [1, 2]}', '{"a":{},"b":[1]}', 1),
        (JsonMatch(extra=True), '{"a": [1]}', '{"a":{}}', 0),
        (JsonMatch(extra=True), "[1]", "[{}]", 0),
        (JsonMatch(extra=True), '{"b": {"x": 1}}', '{"a":{}}', 0),
        (JsonMatch(keys=("a",)), '{"a": 1, "b": 2}', '{"a":1,"b":3}', 1),
        (JsonMatch(keys=("a",)), "[1]", '{"a":1}', 0),
        (JsonMatch(keys=("a",)), "{}", '{"a":1}', 0),
        (JsonMatch(), "", '{"a":1}', 0),
        (JsonMatch(), "a is 1", '{"a":1}', 0),
        (JsonMatch(), "NaN", "1", 0),
        (JsonMatch(), FENCED, '{"a":1}', 1),
        (JsonMatch(where="whole"), FENCED, '{"a":1}', 0),
        (JsonMatch(), 'It is {"a": 1}, I think', '{"a":1}', 0),
        (JsonMatch(where="anywhere"), 'It {is} {"a": 1}, I think', '{"a":1}', 1),
        (JsonMatch(where="anywhere"), "{" * 100_000, '{"a":1}', 0),
        (JsonMatch(), "[" * 100_000, "1", 0),
        (JsonMatch(abs_tol=0.01), '{"a": 0.333}', '{"a":0.3333}', 1),
        (JsonMatch(rel_tol=0.1), "[109]", "[100]", 1),
        (JsonMatch(rel_tol=0.1), "[111]", "[100]", 0),
        (JsonMatch(abs_tol=1.0), "1" + "0" * 400, "1.5", 0),
        (JsonMatch(), "9007199254740993", "9007199254740992", 0),
        (JsonMatch(score_by="leaves"), '{"a": 1, "b": 2}', '{"a":1,"b":3}', 0.5),
        (JsonMatch(score_by="leaves"), '{"a": 1, "b": 2}', '{"a":1}', 0.5),
        (JsonMatch(score_by="leaves", extra=True), '{"a": 1, "b": 2}', '{"a":1}', 1),
        (JsonMatch(score_by="leaves"), '{"a": {"x": [1, 2]}}', '{"a":{"x":[1,3],"y":[]}}', 1 / 3),
        (JsonMatch(score_by="leaves"), "[]", "{}", 0),
        (JsonSchema({"type": "object", "required": ["a"]}), FENCED, "", 1),
        (JsonSchema({"type": "object", "required": ["b"]}), FENCED, "", 0),
        (JsonSchema({"type": "object"}, where="whole"), FENCED, "", 0),
        (JsonSchema(schema=True), "no JSON", "", 0),
        (JsonSchema(schema=True), "NaN", "", 0),
        (JsonSchema(schema=True), "[-Infinity]", "", 0),
        (JsonSchema(schema=True), "null", "", 1),
        (JsonSchema({"type": "integer"}), "1.0", "", 1),
        (JsonSchema({"type": "string", "format": "ipv4"}), '"x"', "", 1),
        (JsonSchema({"type": "string", "format": "ipv4"}, formats=True), '"x"', "", 0),
        # Draft 4 wrote exclusiveMaximum as a flag.
        (
            JsonSchema({"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 3, "exclusiveMaximum": True}),
            "3",
            "",
            0,
        ),
    ],
)
def test_scores(metric: MeanMetric, output: str, reference: str, expected: float) -> None:
    assert score(metric, output, reference) == pytest.approx(expected)


def test_the_best_of_several_references_counts() -> None:
    assert score(JsonMatch(score_by="leaves"), "[1, 2]", "[3,4]", "[1,3]") == 0.5


def test_what_cannot_be_scored_is_skipped_with_the_reason() -> None:
    assert score(JsonMatch(), "1") == NO_REFERENCE
    assert reason(score(JsonMatch(), "1", "one")) == "the reference is not JSON"
    assert "not a JSON object" in reason(score(JsonMatch(keys=("a",)), "{}", "[1]"))
    assert "none of the keys" in reason(score(JsonMatch(keys=("anwser",)), '{"answer": 1}', '{"answer": 2}'))
    remote = JsonSchema({"$ref": "http://localhost:1/other.json"})
    assert reason(score(remote, "1")) == "the schema refers to 'http://localhost:1/other.json', which is not in it"
    endless = JsonSchema({"$ref": "#"})
    assert "too deeply" in reason(score(endless, "1"))


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def no_network(*args: object, **kwargs: object) -> None:
        asked.append(args)
        raise OSError

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    reason(score(JsonSchema({"$ref": "https://example.com/a.json"}), "1"))
    assert asked == []


def test_a_schema_may_stand_in_a_file_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"type": "array"}')
    built = build("metrics", {"json_schema": "s.json"}, base=tmp_path)
    assert built.name == "json_schema(schema='s.json')"
    assert score(built.plugin, "[]") == 1
    assert score(built.plugin, "{}") == 0
    inline = build("metrics", {"json_schema": {"schema": {"type": "array"}}}).plugin
    assert inline.signature == built.plugin.signature
    assert inline.signature != JsonSchema({"type": "object"}).signature


def write(folder: Path, content: bytes) -> Path:
    path = folder / "schema.json"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: JsonSchema({"type": "foo"}), "schema: not a valid JSON Schema at $.type: 'foo' is not valid"),
        (
            lambda folder: JsonSchema({"$schema": "draft-99"}),
            "schema: '$schema' names no draft that is known: 'draft-99'",
        ),
        (lambda folder: JsonSchema({"$schema": 7}), "schema: '$schema' names no draft that is known: 7"),
        (lambda folder: JsonSchema(folder / "none.json"), "cannot read the schema: No such file"),
        (lambda folder: JsonSchema(write(folder, b'{"a":\n}')), "the schema is not JSON: Expecting value"),
        (lambda folder: JsonSchema(write(folder, b'"\xff"')), "the schema is not JSON: 'utf-8' codec"),
        (lambda folder: JsonSchema(write(folder, b"[1]")), "schema: a JSON Schema is an object, true or false"),
        (lambda folder: JsonMatch(abs_tol=float("inf")), "abs_tol: a tolerance is a finite number"),
    ],
)
def test_a_wrong_argument_is_a_config_error(make: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        make(tmp_path)
    assert caught.value.problems[0].message.startswith(message)


def test_binary_is_claimed_only_where_it_holds() -> None:
    assert JsonMatch().binary
    assert JsonSchema(schema=True).binary
    assert not JsonMatch(score_by="leaves").binary


@given(VALUES, VALUES)
def test_leaves_are_a_share_and_exact_is_when_it_is_whole(found: Any, wanted: Any) -> None:
    output, reference = json.dumps(found), json.dumps(wanted)
    share = score(JsonMatch(score_by="leaves"), output, reference)
    assert not isinstance(share, Skipped)
    assert 0 <= share <= 1
    assert (share == 1) == score(JsonMatch(), output, reference)
    assert score(JsonMatch(score_by="leaves"), reference, output) == share


NEAR = st.recursive(
    st.sampled_from([None, True, 1, 1.0, 0, False, "1", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(NEAR | VALUES, NEAR | VALUES)
def test_exact_is_json_schemas_const(found: Any, wanted: Any) -> None:
    same = jsonschema.Draft202012Validator({"const": wanted}).is_valid(found)
    assert score(JsonMatch(), json.dumps(found), json.dumps(wanted)) == same


@given(VALUES)
def test_a_value_matches_itself_however_it_is_written(value: Any) -> None:
    assert score(JsonMatch(), json.dumps(value, indent=1), json.dumps(value, sort_keys=True)) == 1
    assert score(JsonMatch(extra=True), json.dumps(value), json.dumps(value)) == 1


@given(st.text(alphabet='{}[]":,1a`\n ', max_size=40), st.sampled_from(["whole", "fenced", "anywhere"]))
def test_any_output_has_a_score(output: str, where: Any) -> None:
    assert score(JsonMatch(where=where), output, '{"a":1}') in {0, 1}
    assert score(JsonSchema(schema=True, where=where), output) in {0, 1}
