"""SelfCheckGPT by inference: whether other answers contradict a sentence, by a local model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

from llmkit.errors import ConfigError, MissingExtraError, Problem
from llmkit.metrics._selfcheck import Checked, SelfCheck
from llmkit.registry import metric

_HINT = "it needs entailment and contradiction; where its labels have no names: labels: [entailment, contradiction]"
_PAIRS = 16
_WORDS = ("entail", "contradict")
_PAPERS = "potsawee/deberta-v3-large-mnli"
"""The paper's own model: entailment and contradiction, in this order."""


@metric("selfcheck_nli")
@dataclass(frozen=True)
class SelfcheckNli(SelfCheck):
    """Probability that further answers to the same question contradict an answer's sentences, by an inference model.

    Formula: for each sentence the mean over the further answers of P(contradiction) / (P(contradiction) +
    P(entailment)), with the further answer as premise; the mean over sentences and over samples. Range 0 to 1, lower is
    better.

    Needs ``repeats`` of 2 or more (the paper takes 20) at a temperature above 0, and torch and transformers (``pip
    install 'llmkit[transformers]'``). A premise that is longer than the model can read makes the metric refuse, instead
    of cutting it. Failed and empty repeats are left out; a sample whose first answer is missing or empty is skipped.

    Use it to find what a model makes up, where there is neither a reference nor a source. Not for what a model gets
    wrong in the same way each time: that passes.

    Source: SelfCheckGPT, NLI variant (Manakul et al. 2023, arXiv 2303.08896), whose program takes the sentence first
    and the answer second, and a DeBERTa model trained on MultiNLI; the order is kept.

    Attributes:
        model: A classifier with the labels entailment and contradiction: its name on the Hugging Face hub.
        folder: A folder with one, relative to the config; in place of ``model``.
        labels: What the model's outputs are, in their order, where its config does not name them: ``[entailment,
            neutral, contradiction]``.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``...
    """

    model: str = _PAPERS
    folder: Path | None = None
    labels: tuple[str, ...] = ()
    device: str = field(default="auto", metadata={"identity": False, "signature": False})

    bounds = (0.0, 1.0)
    batch: ClassVar[int] = 64

    _loaded: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    def inconsistencies(self, groups: Sequence[Checked]) -> Sequence[Sequence[float]]:
        """Return each sentence's mean probability of being contradicted; every different pair is asked once."""
        pairs = sorted({(s, t) for sentences, texts in groups for s in sentences for t in texts})
        pairs.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
        chance = dict(zip(pairs, self._contradicted(pairs), strict=True))
        return [[fmean(chance[s, t] for t in texts) for s in sentences] for sentences, texts in groups]

    def _contradicted(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        import torch

        tokenizer, model, places = self._parts()
        limit = min(int(tokenizer.model_max_length), int(getattr(model.config, "max_position_embeddings", 1 << 30)))
        found: list[float] = []
        for start in range(0, len(pairs), _PAIRS):
            sentences, texts = zip(*pairs[start : start + _PAIRS], strict=True)
            read = tokenizer(list(sentences), list(texts), return_tensors="pt", padding=True)
            if read["input_ids"].shape[1] > limit:
                message = (
                    f"an answer with {read['input_ids'].shape[1]} tokens is longer than the {limit} the model reads"
                )
                raise ConfigError(problems=[Problem(message, hint="take a model with a longer limit")])
            with torch.inference_mode():
                logits = model(**{name: value.to(model.device) for name, value in read.items()}).logits
            found += torch.softmax(logits[:, places].float(), dim=-1)[:, 1].tolist()
        return found

    def _parts(self) -> tuple[Any, Any, list[int]]:
        """Return tokenizer, model and the places of entailment and contradiction, loaded once."""
        if not self._loaded:
            try:
                import torch
                from transformers import AutoModelForSequenceClassification, AutoTokenizer
            except ImportError as error:
                raise MissingExtraError("selfcheck_nli", "transformers") from error
            named = str(self.folder) if self.folder is not None else self.model
            try:
                tokenizer = AutoTokenizer.from_pretrained(named)
                model = AutoModelForSequenceClassification.from_pretrained(named)
            except (OSError, ValueError) as error:
                problem = Problem(f"the model '{named}' cannot be loaded: {' '.join(str(error).split())}")
                raise ConfigError(problems=[problem]) from error
            device = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
            named_labels = dict(enumerate(self.labels)) or model.config.id2label
            labels = {int(place): str(label).casefold() for place, label in named_labels.items()}
            if len(labels) != int(model.config.num_labels):
                message = f"labels names {len(labels)} outputs, and the model '{named}' has {model.config.num_labels}"
                raise ConfigError(problems=[Problem(message, key="labels")])
            places = [next((p for p, label in labels.items() if word in label), -1) for word in _WORDS]
            if -1 in places and named == _PAPERS and len(labels) == 2:  # noqa: PLR2004 - its labels have no names
                places = [0, 1]
            if -1 in places:
                shown = ", ".join(labels.values())
                message = f"the model '{named}' is no inference model: its labels are {shown}"
                raise ConfigError(problems=[Problem(message, hint=_HINT)])
            self._loaded.extend((tokenizer, model.to(device).eval(), places))
        tokenizer, model, places = self._loaded
        return tokenizer, model, places
