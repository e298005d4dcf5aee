"""The page about configs names every key, and what it shows works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from llmkit.config import eval_schema, load_eval_config

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BASE = {"dataset": "rows.jsonl", "target": "echo", "metrics": ["exact_match"]}
PLUGIN = """
from dataclasses import dataclass
from llmkit.metrics import MeanMetric, metric

@metric("polite")
@dataclass(frozen=True)
class Polite(MeanMetric):
    '''Whether the answer says please.'''

    def score(self, sample, output):
        return "please" in output.text
"""


def keys(schema: Any, path: str = "") -> list[str]:
    """Return every key path that a schema lists."""
    found: list[str] = []
    for key, value in schema.get("properties", {}).items():
        below = f"{path}.{key}" if path else key
        found += [below, *keys(value, below)]
    for option in schema.get("anyOf", []):
        found += keys(option, path)
    if isinstance(schema.get("items"), dict):
        found += keys(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        found += keys(schema["additionalProperties"], f"{path}.*")
    return found


def test_every_key_is_on_the_page() -> None:
    every = [key for key in keys(eval_schema()) if not key.startswith(("few_shot.from.", "choice.from."))]
    assert len(every) > 45
    assert [key for key in every if f"| `{key}` |" not in PAGE] == []


def test_the_page_names_no_other_key() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
    assert sorted(set(rows) - set(keys(eval_schema()))) == []


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_loads(block: str, tmp_path: Path) -> None:
    (tmp_path / "my_metrics.py").write_text(PLUGIN, encoding="utf-8")
    shown = yaml.safe_load(block)
    base = {key: value for key, value in BASE.items() if not (key == "target" and "ensemble" in shown)}
    jsonschema.Draft202012Validator(eval_schema()).validate({**base, **shown})
    # An example shows only the keys it is about; the three that every config needs are added.
    rest = yaml.safe_dump({key: value for key, value in base.items() if key not in shown})
    path = tmp_path / "eval.yaml"
    path.write_text(block + ("" if rest == "{}\n" else rest), encoding="utf-8")
    assert load_eval_config(path).resolved()
