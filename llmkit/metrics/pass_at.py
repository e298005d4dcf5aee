"""pass@k: does one of k answers pass?"""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.metrics._repeats import PassK, none_of
from llmkit.registry import metric


@metric("pass_at")
@dataclass(frozen=True)
class PassAt(PassK):
    """Chance that at least one of k answers passes (pass@k).

    Formula: 1 - C(n - c, k) / C(n, k) for each sample, where c of its n scored repeats pass; then the mean over
    samples. Range 0 to 1, higher is better.

    Without bias for any n >= k; more repeats only make it more certain. Failed repeats are left out of n. A sample with
    fewer than k scored repeats has no score. ``pass_at@1`` is the mean of all repeats.

    The details say how far repeats vary: the share of flaky samples, the variance within and between samples, and
    pass@j for every j up to k.

    Use it for code and whatever else can be tried again and checked. Not for what a user sees once: that is
    ``pass_at@1``, or `pass_hat` where every try must succeed. Needs ``repeats`` of k or more.

    Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code", arXiv 2107.03374, equation 1.

    Attributes:
        k: How many answers are taken.
        of: Spec of the metric that says whether an answer passes, by a score of 1 (or see ``threshold``).
        threshold: An answer passes with this score or a better one; needed where the metric gives more than 0 and 1.
    """

    def share(self, n: int, c: int, k: int) -> float:
        """Return the share of choices with at least one that passes."""
        return 1.0 - none_of(n, c, k)
