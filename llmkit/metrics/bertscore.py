"""BERTScore: how close the meanings of an output's words are to those of a reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from llmkit.errors import Problem
from llmkit.metrics._base import References
from llmkit.metrics._bert_score_files import baseline_file, layers, read_baseline
from llmkit.metrics._embedding_texts import (
    WHOLE_SET,
    EmbeddedTexts,
    EmbeddingMetric,
    Pair,
    Vectors,
    combined,
    used_references,
    without_references,
)
from llmkit.metrics._embedding_words import NO_WEIGHT, InverseFrequency
from llmkit.registry import metric
from llmkit.types import Output, Sample, Skipped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llmkit.metrics._embedding_model import Tokens


@metric("bertscore")
@dataclass(frozen=True)
class BertScore(EmbeddingMetric):
    """Similarity of the words of output and reference by a language model's vectors, as bert-score computes it.

    Each token is matched with the token of the other text whose vector has the highest cosine with its own:
    p = mean of these cosines over the output's tokens, r = over the reference's tokens, f = 2pr / (p + r). Special
    tokens can be matched but do not count. With ``idf`` the means are weighted by ln((N + 1) / (n + 1)), where n of the
    eval set's N references have the token. With ``rescale`` a score x becomes (x - b) / (1 - b), where b is what
    unrelated texts score.

    Range -1 to 1, in practice 0 to 1 (rescaled: somewhat below 0 to 1); higher is better. The corpus value is the mean.

    An output without a token scores 0 before rescaling, as in bert-score. Blank references are left out; a sample with
    no other is skipped. f is 0 where p or r is not above 0. Where ``idf`` leaves a text no weight at all, its
    sample is skipped. Texts longer than the model takes are cut, as bert-score cuts them. ``idf`` takes the references
    of all answered samples, each sample once, and for that holds the texts of the whole eval set in memory.

    Source: Zhang et al. 2020, "BERTScore: Evaluating Text Generation with BERT"; values equal bert-score 0.3.13 on the
    same model and layer. It may differ where a token's best cosine is negative: there bert-score takes 0
    if the pair happens to share a batch with a longer one.

    Use it for texts that may say the same in other words: translations, summaries, captions. Do not use it to
    check facts (a negation or another number changes it little), to compare across models or layers, or, without
    ``rescale``, to judge one score by itself: unrelated texts score high with most models.

    Attributes:
        model: A model's name on the Hugging Face hub, or a folder seen from the working directory.
        folder: A folder with a model, relative to the config; in place of ``model``.
        revision: The model's version on the hub.
        precision: fp32, or bf16 for about twice the speed and scores within 0.005.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``...
        cache_mb: How many megabytes of vectors are kept in .llmkit/embeddings.sqlite for later runs; 0 keeps none.
        layer: The layer whose vectors are compared; null takes bert-score's choice for the model.
        measure: Recall, precision, or f, their harmonic mean.
        idf: Weigh rare tokens more.
        rescale: Rescale with a baseline: that of bert-score for the model, or the one in ``baseline``.
        lang: The language whose baseline is taken, where bert-score has several.
        baseline: A file of baselines as bert-score writes it (a line of LAYER,P,R,F for each layer).
        refs: The best of the references by the measure, their mean, or the first.
    """

    model: str = "roberta-large"
    layer: int | None = None
    measure: Literal["f", "p", "r"] = "f"
    idf: bool = False
    rescale: bool = False
    lang: str = "en"
    baseline: Path | None = None
    refs: References = "max"

    bounds = (-1.0, 1.0)
    extra = "bertscore"

    def __post_init__(self) -> None:
        """Settle layer and baseline, or say what is missing; make one batch of the whole set for ``idf``."""
        super().__post_init__()
        if self.rescale:
            object.__setattr__(self, "bounds", None)
        if self.idf:
            object.__setattr__(self, "batch", WHOLE_SET)

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the arguments."""
        yield from super().problems()
        if self.layer is not None and self.layer < 0:
            yield Problem(f"layer is {self.layer}: layers are counted from 0, the word vectors", key="layer")
        if self._layer is None:
            hint = "give layer: a number from 1 to the model's layers; or install bert-score, which knows some models"
            yield Problem(f"bert-score names no layer for the model '{self.named}'", key="layer", hint=hint)
        elif self.rescale:
            yield from self._baseline_problems()
        if self.baseline is not None and not self.rescale:
            yield Problem("baseline has no use without rescale", key="baseline", hint="rescale: true")

    def _baseline_problems(self) -> Iterator[Problem]:
        path = self._baseline_path
        if path is None or not path.is_file():
            message = f"bert-score has no baseline of '{self.named}' for the language '{self.lang}'"
            if self.baseline is not None:
                message = f"no such file: {self.baseline}"
            yield Problem(message, key="baseline", hint="baseline: FILE with a line of LAYER,P,R,F for each layer")
            return
        try:
            read_baseline(path, self._layer or 0)
        except ValueError as error:
            yield Problem(str(error), key="baseline")

    @property
    def _layer(self) -> int | None:
        return layers().get(self.named) if self.layer is None else self.layer

    @property
    def _baseline_path(self) -> Path | None:
        return baseline_file(self.lang, self.named) if self.baseline is None else self.baseline

    @property
    def settings(self) -> dict[str, Any]:
        """What makes the number, with the layer that is taken."""
        found = super().settings | {"layer": self._layer}
        del found["baseline"]
        if not self.rescale:
            del found["lang"]
        elif self.baseline is not None:
            found["rescale"] = self.baseline.name
        return found

    def stats_many(self, pairs: Sequence[tuple[Sample, Output]]) -> Sequence[tuple[float] | Skipped]:
        """Return the score of each output over its references."""
        texts = self._texts()
        outputs = [(output.text or "").strip() for _, output in pairs]
        references = [used_references(sample, self.refs) for sample, _ in pairs]
        tokens = texts.read([*outputs, *(text for several in references for text in several)])
        of_sample = {sample.id: several for (sample, _), several in zip(pairs, references, strict=True)}
        idf = InverseFrequency(tokens[text] for several in of_sample.values() for text in several) if self.idf else None
        jobs = [(output, text) for output, several in zip(outputs, references, strict=True) for text in several]
        scores = self._scores(texts, list(dict.fromkeys(jobs)), tokens, idf)
        found: list[tuple[float] | Skipped] = []
        for (sample, _), output, several in zip(pairs, outputs, references, strict=True):
            each = [scores[output, text] for text in several]
            found.append(combined(self.refs, each) if each else without_references(sample))
        return found

    def _texts(self) -> EmbeddedTexts:
        from llmkit.metrics._embedding_model import Source

        source = Source(self.named, self.revision, self._layer, self.precision, self.device)
        return EmbeddedTexts(source, Vectors("tokens", unit_rows), self._disk)

    def _scores(
        self, texts: EmbeddedTexts, jobs: Sequence[Pair], tokens: Mapping[str, Tokens], idf: InverseFrequency | None
    ) -> dict[Pair, float | Skipped]:
        """Return the score of each different pair."""
        from llmkit.metrics._embedding_threads import each

        base = self._baselines()
        found: dict[Pair, float | Skipped] = {}
        full = [pair for pair in jobs if not any(tokens[text].empty for text in pair)]
        found.update(dict.fromkeys(jobs, -base / (1 - base)))  # what is empty scores 0, rescaled
        for portion in texts.portions(full, tokens):
            different = {text: tokens[text] for pair in portion for text in pair}
            vectors = texts.vectors(different)
            weights = {text: _weights(one, texts.model.ends, idf) for text, one in different.items()}
            sides = {text: (vectors[text], weights[text]) for text in different}
            weighed = [pair for pair in portion if all(weights[text].any() for text in pair)]
            matched = each(match, [(*sides[output], *sides[reference]) for output, reference in weighed])
            found.update(dict.fromkeys(portion, Skipped(NO_WEIGHT)))
            for pair, one in zip(weighed, matched, strict=True):
                found[pair] = (one[self.measure] - base) / (1 - base)
        return found

    def _baselines(self) -> float:
        path = self._baseline_path
        return read_baseline(path, self._layer or 0)[self.measure] if self.rescale and path is not None else 0.0


def unit_rows(layers: Sequence[Any], mask: Any) -> Any:  # noqa: ARG001 - others need the mask
    """Return the last state's vectors, each of length 1."""
    last = layers[-1].float()
    return last / last.norm(dim=-1, keepdim=True).clamp_min(1e-12)


def _weights(tokens: Tokens, ends: frozenset[int], idf: InverseFrequency | None) -> NDArray[Any]:
    """Return the share of each token in its text's mean, of shape (tokens,); all 0 where none has a weight."""
    import numpy as np

    found = [float(number not in ends) for number in tokens.ids] if idf is None else idf.weights(tokens)
    weights = np.array(found, dtype=np.float32)
    total = weights.sum()
    return weights / total if total > 0 else weights * 0


def match(output: NDArray[Any], own: NDArray[Any], reference: NDArray[Any], other: NDArray[Any]) -> dict[str, float]:
    """Return precision, recall and f of two texts, as ``p``, ``r``, ``f``.

    Args:
        output: Unit vectors of the output's tokens, of shape (tokens, d).
        own: Their weights, which add up to 1, of shape (tokens,).
        reference: Unit vectors of the reference's tokens.
        other: Their weights.
    """
    import torch

    # Not numpy's product: its threads wait for one another, on a busy machine a hundred times as long as they work.
    cosines = (torch.from_numpy(output) @ torch.from_numpy(reference).T).numpy()
    p = min(1.0, float(cosines.max(axis=1).clip(-1.0, 1.0) @ own))
    r = min(1.0, float(cosines.max(axis=0).clip(-1.0, 1.0) @ other))
    return {"p": p, "r": r, "f": 2 * p * r / (p + r) if p > 0 and r > 0 else 0.0}
