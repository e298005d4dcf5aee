"""A local cross-encoder: a model that reads question and passage together, and says how well they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from llmkit.errors import ConfigError, MissingExtraError, Problem


@dataclass(frozen=True)
class CrossEncoder:
    """Scores pairs with a sequence-classification model of transformers.

    Attributes:
        model: A local folder or a name of the hub; one label, or two of which the second means that they fit.
        max_tokens: Longer pairs lose the end of the passage.
        batch_size: Pairs at once.
    """

    model: str
    max_tokens: int = 512
    batch_size: int = 32
    _loaded: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        """Return a score for each passage, the greater the better: the model's own logits.

        Raises:
            MissingExtraError: transformers is not installed.
            ConfigError: the model cannot be loaded.
        """
        tokenizer, model, torch = self._model()
        order = sorted(range(len(passages)), key=lambda at: len(passages[at]))
        found = [0.0] * len(passages)
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            inputs = tokenizer(
                [question] * len(batch),
                [passages[at] for at in batch],
                padding=True,
                truncation="only_second",
                max_length=self.max_tokens,
                return_tensors="pt",
            )
            with torch.inference_mode():
                logits = model(**inputs).logits.float()
            values = logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]
            for at, value in zip(batch, values.tolist(), strict=True):
                found[at] = value
        return found

    def _model(self) -> tuple[Any, Any, Any]:
        if not self._loaded:
            try:
                import torch
                import transformers
            except ImportError as error:
                raise MissingExtraError("a cross-encoder", "transformers") from error
            try:
                tokenizer = transformers.AutoTokenizer.from_pretrained(self.model)
                model = transformers.AutoModelForSequenceClassification.from_pretrained(self.model)
            except (OSError, ValueError) as error:
                message = f"the cross-encoder '{self.model}' cannot be loaded: {str(error).splitlines()[0]}"
                raise ConfigError(problems=[Problem(message, key="retrieve.rerank.model")]) from error
            self._loaded.extend((tokenizer, model.eval(), torch))
        tokenizer, model, torch = self._loaded
        return tokenizer, model, torch
