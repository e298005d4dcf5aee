from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from llmkit.errors import ConfigError
from llmkit.metrics.json_schema import JsonSchema
from llmkit.types import Output, Sample


def with_draft(schema: Any, draft: str) -> Any:
    return {"$schema": draft, **schema} if isinstance(schema, dict) else schema


@pytest.mark.parametrize(
    ("file", "draft", "refused"),
    [
        ("draft7", "http://json-schema.org/draft-07/schema#", 0),
        # Python's re has no \\p{Letter}; a schema with it is refused, never silently misread.
        ("draft2020-12", "https://json-schema.org/draft/2020-12/schema", 5),
    ],
)
def test_every_required_row_of_the_suite_is_judged_right(
    file: str, draft: str, refused: int, shared_data: Path
) -> None:
    folder = shared_data / "json_schema_suite"
    expected = json.loads((folder / "expected.json").read_text())[file]
    required = remote = no_pattern = 0
    with gzip.open(folder / f"{file}.jsonl.gz", "rt", encoding="utf-8") as rows:
        for line in rows:
            row = json.loads(line)
            remote += row["needs_remote"]
            if row["optional"]:
                continue
            required += 1
            if row["needs_remote"]:
                continue
            try:
                metric = JsonSchema(with_draft(row["schema"], draft))
            except ConfigError:
                assert r"\p{Letter}" in json.dumps(row["schema"]).replace("\\\\", "\\")
                no_pattern += 1
                continue
            found = metric.score(Sample("s"), Output("s", json.dumps(row["data"])))
            assert found == row["valid"], (row["group"], row["test"])
    assert (required, remote, no_pattern) == (expected["required"], expected["needs_remote"], refused)
