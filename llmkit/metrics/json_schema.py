"""JSON Schema: does the answer have the agreed shape?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmkit.errors import ConfigError, Problem
from llmkit.hashing import digest
from llmkit.metrics import MeanMetric, metric
from llmkit.metrics._json_answer import NOT_JSON, Where, json_answer
from llmkit.types import Output, Sample, Skipped


@metric("json_schema")
@dataclass(frozen=True)
class JsonSchema(MeanMetric):
    r"""Share of answers that are JSON and valid against a JSON Schema.

    Formula: 1 where the output holds JSON that the schema accepts, else 0. Range 0 to 1, higher is better. No reference
    is needed. An output without JSON is an answer, a wrong one: 0.

    The draft is the one that the schema's ``$schema`` names (3, 4, 6, 7, 2019-09 or 2020-12), else 2020-12. A schema
    that is wrong stops the run before anything is asked. Nothing is fetched: a ``$ref`` must point into the schema
    itself or to a JSON Schema draft; a sample that needs another is skipped, with the reason. ``pattern`` is read as
    Python's ``re`` reads it, which lacks ECMAScript's ``\p{Letter}``: such a schema is refused.

    Use it for structured output and tool arguments. Not alone: values of the right type may be wrong (`json_match`).

    Source: JSON Schema (json-schema.org), as the ``jsonschema`` package implements it.

    Attributes:
        schema: The schema, or the path of a JSON file with it.
        where: Where the output may hold its JSON: ``whole``, ``fenced`` (whole, or the first fenced block that holds
            JSON), ``anywhere`` (else the first object or array in the text).
        formats: Also check ``format`` (date, ipv4...), which the drafts from 2019-09 on leave as an annotation. Formats
            whose checkers are not installed are accepted.
    """

    schema: Mapping[str, Any] | bool | Path
    where: Where = "fenced"
    formats: bool = False

    bounds = (0.0, 1.0)

    _validator: Any = field(init=False, repr=False, compare=False)
    _content: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        content = _read(self.schema) if isinstance(self.schema, Path) else self.schema
        object.__setattr__(self, "_content", content)
        object.__setattr__(self, "_validator", _validator(content, formats=self.formats))

    @property
    def binary(self) -> bool:
        """Always true."""
        return True

    @property
    def settings(self) -> dict[str, Any]:
        """The fields, the schema as a digest of its content wherever it is kept."""
        return {**super().settings, "schema": digest(self._content, 8)}

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return 1 for valid, 0 for invalid or no JSON; skipped where the schema refers to what is not there."""
        from referencing.exceptions import Unresolvable

        value = json_answer(output.text or "", self.where)
        if value is NOT_JSON:
            return 0.0
        try:
            return float(self._validator.is_valid(value))
        except Unresolvable as error:
            return Skipped(f"the schema refers to {error.ref!r}, which is not in it")
        except RecursionError:
            return Skipped("the schema or the answer nests too deeply to validate")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(problems=[Problem(f"cannot read the schema: {error.strerror}", file=str(path))]) from None
    except json.JSONDecodeError as error:
        problem = Problem(f"the schema is not JSON: {error.msg}", file=str(path), line=error.lineno)
        raise ConfigError(problems=[problem]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(problems=[Problem(f"the schema is not JSON: {error}", file=str(path))]) from None


def _validator(schema: Any, *, formats: bool) -> Any:
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]

    if not isinstance(schema, (Mapping, bool)):
        raise ConfigError(problems=[Problem("schema: a JSON Schema is an object, true or false")])
    draft = schema.get("$schema") if isinstance(schema, Mapping) else None
    found: Any = Draft202012Validator
    if draft is not None:
        unknown: Any = None
        found = validator_for({"$schema": draft}, default=unknown) if isinstance(draft, str) else unknown
    if found is None:
        message = f"schema: '$schema' names no draft that is known: {draft!r}"
        raise ConfigError(
            problems=[Problem(message, hint="https://json-schema.org/draft/2020-12/schema is the default")]
        )
    try:
        found.check_schema(schema)
    except SchemaError as error:
        message = f"schema: not a valid JSON Schema at {error.json_path}: {error.message}"
        raise ConfigError(problems=[Problem(message)]) from None
    # A registry of the drafts alone: the default one would fetch a remote $ref over the network.
    return found(schema, registry=REGISTRY, format_checker=found.FORMAT_CHECKER if formats else None)
