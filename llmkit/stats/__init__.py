"""Estimates, comparisons of two runs and verdicts, usable alone.

What needs numpy as soon as it is imported is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llmkit.stats.bootstrap import bootstrap_rows, bootstrap_totals
from llmkit.stats.distributions import (
    beta_cdf,
    binomial_cdf,
    binomial_pmf,
    normal_cdf,
    normal_quantile,
    t_cdf,
    t_quantile,
)
from llmkit.stats.intervals import average_repeats, mean_estimate, quantile, wilson

if TYPE_CHECKING:
    from llmkit.stats.effects import mcnemar_p
    from llmkit.stats.means import bca_interval
    from llmkit.stats.multiplicity import adjust, benjamini_hochberg, holm
    from llmkit.stats.paired import PairedResult, paired_difference
    from llmkit.stats.paired_corpus import paired_totals
    from llmkit.stats.paired_tables import paired_rows
    from llmkit.stats.power import (
        Noise,
        Plan,
        connor_size,
        mcnemar_power,
        noise_of,
        noise_of_run,
        plan_size,
        smallest_drop,
    )
    from llmkit.stats.resampling import resamples_for
    from llmkit.stats.variance import Variance, variance_components
    from llmkit.stats.verdicts import Claim, Decision, decide, decide_all

_HOMES = {
    "effects": ("mcnemar_p",),
    "means": ("bca_interval",),
    "multiplicity": ("adjust", "benjamini_hochberg", "holm"),
    "paired": ("PairedResult", "paired_difference"),
    "paired_corpus": ("paired_totals",),
    "paired_tables": ("paired_rows",),
    "power": (
        "Noise",
        "Plan",
        "connor_size",
        "mcnemar_power",
        "noise_of",
        "noise_of_run",
        "plan_size",
        "smallest_drop",
    ),
    "resampling": ("resamples_for",),
    "variance": ("Variance", "variance_components"),
    "verdicts": ("Claim", "Decision", "decide", "decide_all"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Claim",
    "Decision",
    "Noise",
    "PairedResult",
    "Plan",
    "Variance",
    "adjust",
    "average_repeats",
    "bca_interval",
    "benjamini_hochberg",
    "beta_cdf",
    "binomial_cdf",
    "binomial_pmf",
    "bootstrap_rows",
    "bootstrap_totals",
    "connor_size",
    "decide",
    "decide_all",
    "holm",
    "mcnemar_p",
    "mcnemar_power",
    "mean_estimate",
    "noise_of",
    "noise_of_run",
    "normal_cdf",
    "normal_quantile",
    "paired_difference",
    "paired_rows",
    "paired_totals",
    "plan_size",
    "quantile",
    "resamples_for",
    "smallest_drop",
    "t_cdf",
    "t_quantile",
    "variance_components",
    "wilson",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__} has no {name}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
