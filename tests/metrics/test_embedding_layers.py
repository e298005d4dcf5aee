"""Layers laid out for the CPU give the vectors of the layers they replace, or are not used."""

from __future__ import annotations

import random
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra 'bertscore', 'moverscore' or 'embeddings'")
pytest.importorskip("transformers", reason="needs the extra 'bertscore', 'moverscore' or 'embeddings'")

import torch
import transformers
from torch import nn

from llmkit.metrics import _embedding_model
from llmkit.metrics._embedding_layers import PackedLinear, pack
from llmkit.metrics.bertscore import BertScore
from llmkit.types import Output, Sample
from tests.golden.embedding_texts import ROWS
from tests.metrics.embedding_model import needed_folder, numbers

FOLDER = needed_folder()
SMALL = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
MODELS = {
    "bert": lambda: transformers.BertModel(transformers.BertConfig(**SMALL)),
    "roberta": lambda: transformers.RobertaModel(transformers.RobertaConfig(**SMALL, pad_token_id=1)),
    "albert": lambda: transformers.AlbertModel(transformers.AlbertConfig(**SMALL, embedding_size=16)),
    "mpnet": lambda: transformers.MPNetModel(transformers.MPNetConfig(**SMALL)),
    "distilbert": lambda: transformers.DistilBertModel(
        transformers.DistilBertConfig(vocab_size=60, dim=32, n_layers=2, n_heads=4, hidden_dim=48)
    ),
    "t5": lambda: transformers.T5EncoderModel(
        transformers.T5Config(vocab_size=60, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4)
    ),
    "modernbert": lambda: transformers.ModernBertModel(transformers.ModernBertConfig(**SMALL, pad_token_id=0)),
}
needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN")


def vectors(model: Any) -> Any:
    ids = torch.tensor([[5, 9, 31, 7, 2, 40, 40], [1, 44, 3, 2, 0, 0, 0]])
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    with torch.inference_mode():
        return model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()].float()


@needs_onednn
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", MODELS)
def test_vectors_stay_the_same(name: str, precision: str) -> None:
    torch.manual_seed(1)
    model = MODELS[name]().eval().to(getattr(torch, precision))
    before = vectors(model)
    assert pack(model)
    assert sum(isinstance(layer, PackedLinear) for layer in model.modules()) >= (4 if name == "albert" else 8)
    assert float((vectors(model) - before).abs().max()) <= (1e-5 if precision == "float32" else 0.15)


class Transposing(transformers.BertModel):  # type: ignore[misc] # transformers is not typed here
    """A model that reads a layer's weights itself."""

    def forward(self, *given: Any, **named: Any) -> Any:
        found = super().forward(*given, **named)
        found.last_hidden_state = found.last_hidden_state @ self.encoder.layer[0].output.dense.weight.t()[:, :1]
        return found


@needs_onednn
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_that_would_change_keeps_its_layers(precision: str) -> None:
    torch.manual_seed(1)
    model = Transposing(transformers.BertConfig(**SMALL | {"intermediate_size": 32})).eval()
    model.to(getattr(torch, precision))
    before, kinds = vectors(model), [type(one) for one in model.modules()]
    assert not pack(model)
    assert [type(one) for one in model.modules()] == kinds
    assert torch.equal(vectors(model), before)


@needs_onednn
def test_a_layer_is_unpacked_as_it_was() -> None:
    layer = nn.Linear(48, 17)
    back = PackedLinear(layer).unpacked()
    assert torch.equal(back.weight, layer.weight)
    assert back.bias is not None
    assert torch.equal(back.bias, layer.bias)


@pytest.mark.parametrize(("precision", "close"), [("fp32", 1e-5), ("bf16", 5e-3)])
def test_company_does_not_change_values(precision: Any, close: float, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = BertScore(folder=FOLDER, layer=6, cache_mb=0, device="cpu", precision=precision)
    rows = [(Sample(str(i), references=tuple(several)), Output(str(i), text)) for i, (text, several) in enumerate(ROWS)]
    together = metric.stats_many(rows)
    alone = [metric.stats_many([row])[0] for row in rows]
    assert numbers(alone) == pytest.approx(numbers(together), abs=close)
    order = list(range(len(rows)))
    random.Random(3).shuffle(order)
    monkeypatch.setattr(_embedding_model, "TOKEN_BUDGET", {precision: 4096})
    mixed = metric.stats_many([rows[i] for i in order])
    assert numbers(mixed) == pytest.approx([numbers(together)[i] for i in order], abs=close)
