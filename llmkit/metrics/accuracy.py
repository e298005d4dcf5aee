"""Accuracy: is the predicted label the gold one?"""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.metrics import MeanMetric, metric
from llmkit.metrics._labels import LabelFields
from llmkit.types import Output, Sample, Skipped


@metric("accuracy")
@dataclass(frozen=True)
class Accuracy(LabelFields, MeanMetric):
    """Share of outputs that name the gold label.

    Formula: right rows / rows. Range 0 to 1, higher is better. It is a mean, so it has a proportion's interval; the
    confusion behind it is shown by `confusion` and `f1`.

    The gold label is the row's ``answer`` (an index into ``choices``, or a label), else its first reference. With
    choices, a letter and a choice's text are both understood ("B", "(b)", "B) Paris", "Paris"). An output that names
    no known label is wrong; an empty one is too.

    Use it for classes of similar size and multiple choice. Not where one class is rare: `f1` or `mcc`. With
    ``extract``, mind words that look like letters: "A dog" stands for choice A.

    Source: scikit-learn's ``accuracy_score``.

    Attributes:
        labels: The known labels; empty means the choices of the row, or else the gold labels that occur.
        extract: ``exact``: the whole output is a label; ``first`` or ``last``: the known label found in it.
        normalise: Named normalisations before labels are compared.
    """

    bounds = (0.0, 1.0)

    @property
    def binary(self) -> bool:
        """Always true."""
        return True

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return 1 where the labels agree, else 0; skipped without a gold label."""
        pair = self.gold_and_predicted(sample, output)
        return pair if isinstance(pair, Skipped) else float(pair[0] == pair[1])
