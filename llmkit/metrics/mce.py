"""Maximum calibration error: the worst bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmkit.metrics import metric
from llmkit.metrics._reliability import BinnedRows, Bins, greatest_error

if TYPE_CHECKING:
    from llmkit.metrics._classes import Floats


@metric("mce")
@dataclass(frozen=True)
class Mce(BinnedRows):
    """Maximum calibration error: the greatest distance of confidence and accuracy in any bin.

    Formula: the greatest over bins that hold rows of |mean confidence - accuracy|. Range 0 to 1, lower is better. The
    details have the reliability diagram as a table.

    The worst of several noisy bins is high by chance: a bin of one row is off by up to 1, so bins of equal mass are the
    default. Below about 300 rows the details warn, and the interval, the basic bootstrap's, reaches further down than
    up.

    Use it where being wrong about one's own certainty is dangerous at any level of it. Not to compare models on few
    rows; `ece` swings less.

    Sources: Naeini et al. 2015 (AAAI) and Guo et al. 2017 (arXiv 1706.04599): ``edges: width``. ``edges: mass`` has the
    bins of uncertainty-calibration 0.1.4, as `ece` does.
    """

    def of_bins(self, found: Bins) -> Floats:
        """Return the greatest error, shape (m,)."""
        return greatest_error(found)
