"""Write selfcheckgpt.json: the scores of the released SelfCheckGPT program.

Its classes are used as they are; what they read with is ours, so that the same tokens, sentences, likenesses and logits
go in on both sides: a stand-in for spaCy (sentences end with a full stop, tokens are words and marks), one for
BERTScore (F1 of words) and one for the inference model (logits drawn by pair).

pip install --no-deps selfcheckgpt; pip install nltk numpy torch transformers
python tests/golden/make_selfcheckgpt.py
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from types import SimpleNamespace as Made
from typing import Any

import numpy as np
import torch

WORDS = ["he", "painted", "rome", "in", "1921", "and", "lived", "there", "alone"]


class Doc(list[Any]):
    """Tokens of a text, with its sentences."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(Made(text=token) for token in re.findall(r"\w+|[^\w\s]", text))

    @property
    def sents(self) -> list[Doc]:
        return [Doc(part.strip()) for part in re.findall(r"[^.]+\.", self.text)]


def f1(one: str, other: str) -> float:
    a, b = (Counter(re.findall(r"\w+", text.casefold())) for text in (one, other))
    common = (a & b).total()
    return 2 * common / (a.total() + b.total())


def bertscore(cands: list[str], refs: list[str], **_: Any) -> tuple[None, None, torch.Tensor]:
    return None, None, torch.tensor([f1(one, other) for one, other in zip(cands, refs, strict=True)])


def passage(draw: random.Random) -> list[str]:
    """Return sentences of four words or more: the program leaves shorter ones out of its BERTScore variant."""
    return [" ".join(draw.sample(WORDS, draw.randint(4, 7))).capitalize() + "." for _ in range(draw.randint(1, 4))]


def main() -> None:
    spacy = ModuleType("spacy")
    spacy.load = lambda _: Doc  # type: ignore[attr-defined]
    likeness = ModuleType("bert_score")
    likeness.score = bertscore  # type: ignore[attr-defined]
    unused = ModuleType("selfcheckgpt.modeling_mqag")
    unused.question_generation_sentence_level = unused.answering = None  # type: ignore[attr-defined]
    sys.modules |= {"spacy": spacy, "bert_score": likeness, unused.__name__: unused}
    from selfcheckgpt.modeling_ngram import NgramModel, UnigramModel
    from selfcheckgpt.modeling_selfcheck import SelfCheckBERTScore, SelfCheckNLI

    draw = random.Random(8)
    rows = []
    for _ in range(12):
        sentences = passage(draw)
        samples = [" ".join(passage(draw)) for _ in range(draw.randint(1, 4))]
        row: dict[str, Any] = {"sentences": sentences, "samples": samples}
        for n in (1, 2, 3):
            model = UnigramModel() if n == 1 else NgramModel(n)
            for text in [" ".join(sentences), *samples]:
                model.add(text)
            model.train(k=0)
            said = model.evaluate(sentences)["sent_level"]
            row[f"ngram_{n}"] = {
                "mean": [float(value) for value in said["avg_neg_logprob"]],
                "max": [float(value) for value in said["max_neg_logprob"]],
            }
        row["bertscore"] = [float(value) for value in SelfCheckBERTScore().predict(sentences, samples)]
        logits = {(s, t): [draw.uniform(-3, 3), draw.uniform(-3, 3)] for s in sentences for t in samples}

        def tokenizer(*args: Any, batch_text_or_text_pairs: Any = None, **_: Any) -> Any:
            pairs = batch_text_or_text_pairs or args[0]
            return _Inputs(pairs=pairs)

        checker = SelfCheckNLI.__new__(SelfCheckNLI)
        checker.device = torch.device("cpu")
        checker.tokenizer = Made(batch_encode_plus=tokenizer)
        checker.model = lambda table=logits, **given: Made(
            logits=torch.tensor([table[tuple(p)] for p in given["pairs"]])
        )
        row["nli"] = [float(value) for value in checker.predict(sentences, samples)]
        row["logits"] = [[*pair, *values] for pair, values in logits.items()]
        rows.append(row)
    golden = {"versions": {name: version(name) for name in ("selfcheckgpt", "nltk", "numpy", "torch")}, "rows": rows}
    path = Path(__file__).with_name("selfcheckgpt.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")
    print(np.mean([len(row["sentences"]) for row in rows]), "sentences a passage")


class _Inputs(dict[str, Any]):
    def to(self, _: Any) -> _Inputs:
        return self


if __name__ == "__main__":
    main()
