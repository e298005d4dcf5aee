"""selfcheck_ngram, selfcheck_bertscore, selfcheck_nli: an answer against further answers."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import registry
from llmkit.errors import ConfigError
from llmkit.metrics.selfcheck_bertscore import SelfcheckBertscore
from llmkit.metrics.selfcheck_ngram import SelfcheckNgram
from llmkit.metrics.selfcheck_nli import SelfcheckNli
from llmkit.types import Failure, Output, Sample, Skipped

SAMPLE = Sample("q", "Who?")


def outputs(*texts: str | None) -> list[Output]:
    return [
        Output("q", text, repeat, error=None if text is not None else Failure("timeout", "late"))
        for repeat, text in enumerate(texts)
    ]


def value(metric: Any, *texts: str | None) -> Any:
    found = metric.stats_over(SAMPLE, outputs(*texts))
    return found if isinstance(found, Skipped) else found[0]


def test_words_that_all_answers_have_are_likely() -> None:
    # a: 3 of 6 tokens, b: 2 of 6, c: 1 of 6
    metric = SelfcheckNgram(by="mean")
    assert value(metric, "a b", "a b", "a c") == pytest.approx((math.log(6 / 3) + math.log(6 / 2)) / 2)
    assert value(SelfcheckNgram(), "a b", "a b", "a c") == pytest.approx(math.log(6 / 2))


def test_pairs_of_words() -> None:
    # start-a: 3 of 6 pairs, a-b: 2 of 6
    expected = (math.log(6 / 3) + math.log(6 / 2)) / 2
    assert value(SelfcheckNgram(n=2, by="mean"), "a b", "a b", "a c") == pytest.approx(expected)


def test_what_is_said_once_only_is_unlikely_for_every_n() -> None:
    """Given the words before it, a made-up word has probability 1; among all n-grams it does not."""
    for n in (1, 2, 3):
        metric = SelfcheckNgram(n=n, by="mean")
        assert value(metric, "x y z", "a b c", "a b c") > value(metric, "a b c", "a b c", "x y z") > 0


@given(seed=st.integers(0, 999), count=st.integers(1, 5))
def test_single_words_equal_a_plain_count(seed: int, count: int) -> None:
    """As the paper's program counts: -log of a token's share among the tokens of passage and samples."""
    draw = random.Random(seed)
    texts = [" ".join(draw.choices("abcdef", k=draw.randint(1, 8))) for _ in range(count + 1)]
    counts = Counter(token for text in texts for token in text.split())
    total = sum(counts.values())
    expected = max(-math.log(counts[token] / total) for token in texts[0].split())
    assert value(SelfcheckNgram(), *texts) == pytest.approx(expected)


@given(extra=st.integers(1, 4))
def test_more_answers_that_say_the_same_make_it_more_consistent(extra: int) -> None:
    one = value(SelfcheckNgram(), "a b", "c d")
    assert value(SelfcheckNgram(), "a b", "c d", *["a b"] * extra) < one
    assert value(SelfcheckNgram(), "x", *["x"] * extra) == 0.0


LIKE = SelfcheckBertscore(of="token_f1")


def test_the_nearest_sentence_of_each_other_answer_counts() -> None:
    found = value(LIKE, "He lives in Rome. He paints.", "He lives in Rome. She sings.", "He paints.")
    first = 1 - (1 + 1 / 3) / 2  # the same in one answer, one word of four and two in the other
    second = 1 - (1 / 3 + 1) / 2
    assert found == pytest.approx((first + second) / 2)
    assert value(LIKE, "Same here.", "Same here.", "Same here.") == 0.0
    assert value(LIKE, "Alpha beta.", "Gamma delta.") == 1.0


@pytest.mark.parametrize("metric", [SelfcheckNgram(), LIKE])
def test_empties_are_skipped_with_a_reason(metric: Any) -> None:
    assert value(metric, "", "x") == Skipped("empty answer")
    assert value(metric, None, "x") == Skipped("the answer that is checked is missing")
    assert value(metric, "x", None, " ") == Skipped("no other answer to compare with")
    assert metric.higher_is_better is False
    assert metric.min_repeats == 2


def test_sentences_without_a_likeness_are_left_out_and_not_unlike() -> None:
    numbers = SelfcheckBertscore(of="number_match")  # an answer without a number cannot be compared
    assert value(numbers, "It is 4. It is nice.", "It is 4.", "No idea.") == value(
        numbers, "It is 4. Nice.", "It is 4."
    )
    nothing = value(numbers, "It is 4.", "No idea.", "None.")
    assert isinstance(nothing, Skipped)
    assert nothing.reason.startswith("no sentence can be compared with another answer's: ")


def test_an_inner_metric_that_does_not_compare_sentences_is_refused() -> None:
    for of in ("bleu", "majority"):
        with pytest.raises(ConfigError, match="two sentences"):
            registry.build("metrics", {"selfcheck_bertscore": {"of": of}})


@pytest.fixture(scope="module")
def nli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny classifier with random weights and a tokenizer of words."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("nli")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefgh", "."]
    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    tokenizer.save_pretrained(folder)
    import torch

    torch.manual_seed(7)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=24, id2label={0: "CONTRADICTION", 1: "neutral", 2: "Entailment"},
        label2id={"CONTRADICTION": 0, "neutral": 1, "Entailment": 2}, initializer_range=1.0,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_contradiction_is_weighed_against_entailment_alone(nli: Path) -> None:
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(nli)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(nli).eval()

    def plain(sentence: str, text: str) -> float:
        with torch.inference_mode():
            logits = model(**tokenizer(sentence, text, return_tensors="pt")).logits[0]
        contradiction, entailment = math.exp(logits[0]), math.exp(logits[2])
        return contradiction / (contradiction + entailment)

    from llmkit.text.sentences import split_sentences

    answer, texts = "A b c. D e f.", ["a b d.", "e e f g.", "h."]
    sentences = split_sentences(answer)
    assert len(sentences) == 2
    expected = sum(plain(s, t) for s in sentences for t in texts) / 6
    found = value(SelfcheckNli(folder=nli), answer, *texts)
    assert found == pytest.approx(expected, abs=1e-5)
    assert 0 < found < 1


def test_an_answer_too_long_for_the_model_is_refused_and_not_cut(nli: Path) -> None:
    with pytest.raises(ConfigError, match="longer than the 24"):
        value(SelfcheckNli(folder=nli), "a b.", " ".join("abcdefgh" * 4))


def test_a_model_without_the_labels_is_refused(nli: Path, tmp_path: Path) -> None:
    import json
    import shutil

    folder = tmp_path / "other"
    shutil.copytree(nli, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "good", "1": "fair", "2": "bad"}, "label2id": {"good": 0, "fair": 1, "bad": 2}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="its labels are good, fair, bad"):
        value(SelfcheckNli(folder=folder), "a b.", "c d.")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        value(SelfcheckNli(folder=tmp_path / "none"), "a b.", "c d.")
    told = SelfcheckNli(folder=folder, labels=("contradiction", "neutral", "entailment"))
    assert value(told, "a b.", "c d.") == value(SelfcheckNli(folder=nli), "a b.", "c d.")
    with pytest.raises(ConfigError, match="labels names 2 outputs"):
        value(SelfcheckNli(folder=folder, labels=("entailment", "contradiction")), "a b.", "c d.")
