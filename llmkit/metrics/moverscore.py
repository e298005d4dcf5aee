"""MoverScore: how far the meanings of an output's words must be moved to become those of a reference."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from llmkit.errors import Problem
from llmkit.metrics._base import References
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

    Mass = tuple[NDArray[Any], NDArray[Any]]

_PUNCTUATION = frozenset(string.punctuation)
_ITERATIONS = 10_000_000  # so many that the transport of long texts is exact as well


@metric("moverscore")
@dataclass(frozen=True)
class MoverScore(EmbeddingMetric):
    """Similarity of output and reference by the cheapest way to move the words of one onto those of the other.

    Score = 1 - min over flows F of sum F_ij d_ij, where i runs over the output's n-grams of words, j over the
    reference's, d is the distance of their vectors, and F moves each n-gram's share of its text's weight. A word's
    vector is made of the last ``layers`` hidden states (minimum, mean and maximum, each state scaled to length 1); an
    n-gram's is the weighted sum of its words', scaled to length 1. With ``idf`` a word weighs ln((N + 1) / (n + 1)), n
    of N texts having it, counted among the references for references and among the outputs for outputs. Punctuation,
    stop words and all but the first piece of a word are left out; the marks of beginning and end are words.

    Range -3 to 1 (squared) or -1 to 1 (euclidean), in practice below 1 by 0.2 and more for texts that differ; higher is
    better. The corpus value is the mean.

    An output without a word scores as if it were unlike every word of the reference (cosine 0): -1 squared, -0.414
    euclidean. References without a word are left out; a sample with no other is skipped, as is one in which ``idf``
    leaves a text no weight. ``idf`` takes the texts of all answered samples, each sample's references once, and holds
    them all in memory. Texts longer than the model takes are cut.

    Source: Zhao et al. 2019, "MoverScore: Text Generation Evaluating with Contextualized Embeddings and Earth Mover
    Distance". The defaults are those of the released moverscore.py, which squares the distance where the paper does
    not; ``layers: 1, distance: euclidean`` is its moverscore_v2.py. Its model, a BERT tuned on MNLI, is not on the
    hub; scores by another model are other scores. There, a text without weight scores 1.

    Use it for texts that may say the same in other words and another order: summaries, captions. Do not use it to
    check facts, to compare across models, or to judge one score by itself.

    Attributes:
        model: A model's name on the Hugging Face hub, or a folder seen from the working directory.
        folder: A folder with a model, relative to the config; in place of ``model``.
        revision: The model's version on the hub.
        precision: fp32, or bf16 for about twice the speed and nearly the same scores.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``...
        cache_mb: How many megabytes of vectors are kept in .llmkit/embeddings.sqlite for later runs; 0 keeps none.
        n: 1 moves words, 2 moves pairs of neighbours.
        layers: How many of the last hidden states make a word's vector.
        distance: Of two vectors: squared or euclidean.
        idf: Weigh rare words more.
        stop_words: Tokens to leave out, as the model's tokenizer writes them.
        refs: The best of the references, their mean, or the first.
    """

    model: str = "distilbert-base-uncased"
    n: Literal[1, 2] = 1
    layers: int = 5
    distance: Literal["squared", "euclidean"] = "squared"
    idf: bool = True
    stop_words: tuple[str, ...] = ()
    refs: References = "max"

    bounds = (-3.0, 1.0)
    extra = "moverscore"
    packages: ClassVar[tuple[str, ...]] = ("torch", "transformers", "ot")

    def __post_init__(self) -> None:
        """Check the arguments; make one batch of the whole set for ``idf``."""
        super().__post_init__()
        if self.distance == "euclidean":
            object.__setattr__(self, "bounds", (-1.0, 1.0))
        if self.idf:
            object.__setattr__(self, "batch", WHOLE_SET)

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the arguments."""
        yield from super().problems()
        if self.layers < 1:
            yield Problem(f"layers is {self.layers}: it is at least 1, the last state alone", key="layers")

    def stats_many(self, pairs: Sequence[tuple[Sample, Output]]) -> Sequence[tuple[float] | Skipped]:
        """Return the score of each output over its references."""
        from llmkit.metrics._embedding_model import Source

        source = Source(self.named, self.revision, None, self.precision, self.device)
        wanted = Vectors(f"means-{self.layers}", means(self.layers), states=True, per_dimension=3)
        texts = EmbeddedTexts(source, wanted, self._disk)
        outputs = [(output.text or "").strip() for _, output in pairs]
        references = [used_references(sample, self.refs) for sample, _ in pairs]
        tokens = texts.read([*outputs, *(text for several in references for text in several)])
        worded = [[text for text in several if self._has_words(tokens[text])] for several in references]
        scores = self._scores(texts, pairs, list(zip(outputs, worded, strict=True)), tokens)
        found: list[tuple[float] | Skipped] = []
        for (sample, _), output, several in zip(pairs, outputs, worded, strict=True):
            each = [scores[output, text] for text in several]
            found.append(combined(self.refs, each) if each else without_references(sample))
        return found

    def _scores(
        self,
        texts: EmbeddedTexts,
        pairs: Sequence[tuple[Sample, Output]],
        compared: Sequence[tuple[str, Sequence[str]]],
        tokens: Mapping[str, Tokens],
    ) -> dict[Pair, float | Skipped]:
        """Return the score of each different pair of output and reference."""
        from llmkit.metrics._embedding_threads import each

        of_sample = {sample.id: several for (sample, _), (_, several) in zip(pairs, compared, strict=True)}
        of_references = self._weigher([tokens[text] for several in of_sample.values() for text in several])
        of_outputs = self._weigher([tokens[output] for output, _ in compared if output])
        jobs = list(dict.fromkeys((output, text) for output, several in compared for text in several))
        unlike = 1 - (math.sqrt(2) if self.distance == "euclidean" else 2.0)
        found: dict[Pair, float | Skipped] = dict.fromkeys(jobs, unlike)
        full = [pair for pair in jobs if self._has_words(tokens[pair[0]])]
        for portion in texts.portions(full, tokens):
            vectors = texts.vectors({text: tokens[text] for pair in portion for text in pair})
            sides = (
                {text: self._mass(tokens[text], vectors[text], weigh) for text in {pair[side] for pair in portion}}
                for side, weigh in enumerate((of_outputs, of_references))
            )
            left, right = sides
            moved = each(self._moved, [(left[output], right[reference]) for output, reference in portion])
            found.update(zip(portion, moved, strict=True))
        return found

    def _weigher(self, texts: Sequence[Tokens]) -> Callable[[Tokens], list[float]]:
        return InverseFrequency(texts).weights if self.idf else lambda tokens: [1.0] * len(tokens.ids)

    def _kept(self, tokens: Tokens) -> list[int]:
        """Return the places of the tokens that count, special ones among them."""
        left_out = _PUNCTUATION.union(self.stop_words)
        return [i for i, piece in enumerate(tokens.pieces) if tokens.first[i] and piece not in left_out]

    def _has_words(self, tokens: Tokens) -> bool:
        return any(not tokens.special[i] for i in self._kept(tokens))

    def _mass(self, tokens: Tokens, vectors: NDArray[Any], weigh: Callable[[Tokens], list[float]]) -> Mass:
        """Return the unit vectors of a text's n-grams that weigh something, and their shares of its weight."""
        import numpy as np

        places = self._kept(tokens)
        weights = np.array(weigh(tokens))[places]
        # Twice the digits, for the root of a rounding error would show.
        rows = vectors[places].astype(np.float64) * weights[:, None]
        size = min(self.n, len(places))
        if size > 1:
            weights = weights[:-1] + weights[1:]
            rows = rows[:-1] + rows[1:]
        some = weights > 0
        rows, weights = rows[some], weights[some]
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.maximum(lengths, 1e-12), weights / max(weights.sum(), 1e-12)

    def _moved(self, left: Mass, right: Mass) -> float | Skipped:
        """Return 1 - the cost of the cheapest transport of one text onto the other."""
        import numpy as np
        import torch
        from ot import emd2

        if not len(left[1]) or not len(right[1]):
            return Skipped(NO_WEIGHT)
        # Not numpy's product: its threads wait for one another, on a busy machine a hundred times as long as they work.
        cosines = (torch.from_numpy(left[0]) @ torch.from_numpy(right[0]).T).numpy()
        costs = (2 - 2 * cosines).clip(0.0, 4.0)
        if self.distance == "euclidean":
            costs = np.sqrt(costs)
        return 1 - max(0.0, float(emd2(left[1], right[1], costs, numItermax=_ITERATIONS)))


def means(layers: int) -> Callable[[Any, Any], Any]:
    """Return what joins minimum, mean and maximum over the last hidden states, each of length 1."""

    def reduce(states: Sequence[Any], mask: Any) -> Any:  # noqa: ARG001 - others need the mask
        import torch

        last = torch.stack([state.float() for state in states[-layers:]])
        last = last / last.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        return torch.cat([last.amin(0), last.mean(0), last.amax(0)], dim=-1)

    return reduce
