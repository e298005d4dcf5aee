"""Answers scored by probabilities: laws, and parity with the RAG heads of transformers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llmkit.retrieval.likelihoods import (
    direct,
    log_prior,
    logsumexp,
    noisy_channel,
    product_of_experts,
    rag_sequence,
    rag_sequence_of_sums,
    rag_token,
)

matrices = st.tuples(st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-30, 0))
)
scores = st.lists(st.floats(-10, 10), min_size=5, max_size=5)


def test_by_hand() -> None:
    tokens = np.log([[0.5, 0.5], [0.1, 0.2]])
    prior = np.log([0.75, 0.25])
    assert math.exp(rag_sequence(tokens, prior)) == pytest.approx(0.75 * 0.25 + 0.25 * 0.02)
    assert math.exp(rag_token(tokens, prior)) == pytest.approx((0.75 * 0.5 + 0.25 * 0.1) * (0.75 * 0.5 + 0.25 * 0.2))
    assert rag_sequence_of_sums(tokens.sum(axis=1), prior) == pytest.approx(rag_sequence(tokens, prior))


@given(matrices, scores)
def test_laws(tokens: Any, some: list[float]) -> None:
    prior = log_prior(some[: len(tokens)])
    sequence, token = rag_sequence(tokens, prior), rag_token(tokens, prior)
    sums = tokens.sum(axis=1)
    assert sums.min() - 1e-9 <= sequence <= sums.max() + 1e-9
    if len(tokens) == 1 or tokens.shape[1] == 1:
        assert sequence == pytest.approx(token, abs=1e-9)
    same = np.repeat(tokens[:1], len(tokens), axis=0)
    assert rag_sequence(same, prior) == pytest.approx(rag_token(same, prior), abs=1e-9)
    assert rag_sequence(same, prior) == pytest.approx(float(sums[0]), abs=1e-9)


@given(scores, st.floats(-100, 100))
def test_a_prior_sums_to_one_and_forgets_the_origin(some: list[float], origin: float) -> None:
    prior = log_prior(some)
    assert np.exp(prior).sum() == pytest.approx(1)
    assert np.allclose(prior, log_prior([score + origin for score in some]))


def test_logsumexp_at_the_edges() -> None:
    assert logsumexp([-math.inf, -math.inf]) == -math.inf
    assert logsumexp([1000.0, 1000.0]) == pytest.approx(1000 + math.log(2))
    assert logsumexp(np.zeros((2, 3)), axis=0).tolist() == pytest.approx([math.log(2)] * 3)


def test_the_channel_and_the_experts() -> None:
    assert direct(-2.0) == -2.0
    assert noisy_channel(-3.0, -2.0, -4.0) == -1.0
    logs = {"direct": -2.0, "question": -3.0, "prior": -4.0, "answer": -1.0}
    assert product_of_experts(logs) == -10.0
    assert product_of_experts(logs, {"question": 1, "answer": 1, "prior": -1}) == noisy_channel(-3.0, -1.0, -4.0)
    with pytest.raises(ValueError, match="without a log-probability: retrieval"):
        product_of_experts(logs, {"retrieval": 1.0})
    with pytest.raises(ValueError, match="no experts: luck"):
        product_of_experts({"luck": 1.0})
    with pytest.raises(ValueError, match="temperature"):
        log_prior([1.0], temperature=0)


@pytest.mark.slow
def test_parity_with_the_rag_heads_of_transformers() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_outputs import BaseModelOutput

    torch.manual_seed(0)
    encoder = transformers.DPRConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    generator = transformers.BartConfig(
        vocab_size=40, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=3,
    )  # fmt: skip
    config = transformers.RagConfig.from_question_encoder_generator_configs(encoder, generator, n_docs=3)
    targets = torch.tensor([[10, 11, 12, 2]])
    contexts = torch.randint(4, 40, (3, 7))
    retrieved = torch.tensor([[0.3, -1.2, 0.9]])
    for head, ours in (
        (transformers.RagTokenForGeneration, rag_token),
        (transformers.RagSequenceForGeneration, rag_sequence),
    ):
        model = head(
            config=config,
            question_encoder=transformers.DPRQuestionEncoder(encoder),
            generator=transformers.BartForConditionalGeneration(generator),
        ).eval()
        with torch.no_grad():
            outputs = model(
                input_ids=None,
                encoder_outputs=BaseModelOutput(model.rag.generator.get_encoder()(contexts).last_hidden_state),
                doc_scores=retrieved,
                context_attention_mask=torch.ones_like(contexts),
                decoder_input_ids=targets,  # their loss is of the tokens behind the first
                labels=targets,
                n_docs=3,
                reduce_loss=False,
                exclude_bos_score=False,
            )
            per_token = torch.log_softmax(outputs.logits, dim=-1)
        tokens = per_token[:, torch.arange(3), targets[0, 1:]].numpy().astype(np.float64)
        prior = log_prior(retrieved[0].tolist())
        assert -float(outputs.loss) == pytest.approx(ours(tokens, prior), abs=1e-4)
