"""The selfcheck metrics give the released program's numbers (tests/golden/make_selfcheckgpt.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmkit.metrics.selfcheck_bertscore import SelfcheckBertscore
from llmkit.metrics.selfcheck_ngram import SelfcheckNgram
from llmkit.metrics.selfcheck_nli import SelfcheckNli

ROWS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "golden" / "selfcheckgpt.json").read_text("utf-8")
)["rows"]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("by", ["mean", "max"])
def test_n_grams(row: dict[str, Any], n: int, by: Any) -> None:
    [found] = SelfcheckNgram(n=n, by=by).inconsistencies([(row["sentences"], row["samples"])])
    assert found == pytest.approx(row[f"ngram_{n}"][by], abs=1e-12)


@pytest.mark.parametrize("row", ROWS)
def test_likeness(row: dict[str, Any]) -> None:
    [found] = SelfcheckBertscore(of="token_f1").inconsistencies([(row["sentences"], row["samples"])])
    assert found == pytest.approx(row["bertscore"], abs=1e-6)


def test_inference() -> None:
    """One batch of all pairs gives what the program gets pair by pair, with a class that is neither left out."""
    torch = pytest.importorskip("torch")
    logits = {(one, other): (entails, 9.0, denies) for row in ROWS for one, other, entails, denies in row["logits"]}

    class Model:
        device = torch.device("cpu")
        config = type("Config", (), {"max_position_embeddings": 512})()

        def __call__(self, *, input_ids: Any) -> Any:
            table = list(logits.values())
            rows = [table[int(number)] for number in input_ids[:, 0]]
            return type("Out", (), {"logits": torch.tensor(rows)})()

    class Tokenizer:
        model_max_length = 512

        def __call__(self, sentences: list[str], texts: list[str], **_: Any) -> Any:
            places = list(logits)
            return {"input_ids": torch.tensor([[places.index(pair)] for pair in zip(sentences, texts, strict=True)])}

    metric = SelfcheckNli()
    metric._loaded.extend((Tokenizer(), Model(), [0, 2]))
    found = metric.inconsistencies([(row["sentences"], row["samples"]) for row in ROWS])
    for values, row in zip(found, ROWS, strict=True):
        assert values == pytest.approx(row["nli"], abs=1e-6)
