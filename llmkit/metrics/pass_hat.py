"""pass^k: do all of k answers pass?"""

from __future__ import annotations

from dataclasses import dataclass

from llmkit.metrics._repeats import PassK, none_of
from llmkit.registry import metric


@metric("pass_hat")
@dataclass(frozen=True)
class PassHat(PassK):
    """Chance that all of k answers pass (pass^k).

    Formula: C(c, k) / C(n, k) for each sample, where c of its n scored repeats pass; then the mean over samples.
    Range 0 to 1, higher is better.

    Without bias for any n >= k. Failed repeats are left out of n. A sample with fewer than k scored repeats has no
    score. ``pass_hat@1`` is the mean of all repeats, and never more than it is pass^k for a greater k.

    The details say how far repeats vary: the share of flaky samples, the variance within and between samples, and
    pass^j for every j up to k.

    Use it for agents and other systems that must succeed every time. Not where one success is enough: that is
    `pass_at`. Needs ``repeats`` of k or more.

    Source: Yao et al. 2024, "tau-bench", arXiv 2406.12045.

    Attributes:
        k: How many answers are taken.
        of: Spec of the metric that says whether an answer passes, by a score of 1 (or see ``threshold``).
        threshold: An answer passes with this score or a better one; needed where the metric gives more than 0 and 1.
    """

    def share(self, n: int, c: int, k: int) -> float:
        """Return the share of choices of which all pass."""
        return none_of(n, n - c, k)
