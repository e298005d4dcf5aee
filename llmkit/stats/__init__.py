"""Estimates and their intervals, usable alone."""

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

__all__ = [
    "average_repeats",
    "beta_cdf",
    "binomial_cdf",
    "binomial_pmf",
    "bootstrap_rows",
    "bootstrap_totals",
    "mean_estimate",
    "normal_cdf",
    "normal_quantile",
    "quantile",
    "t_cdf",
    "t_quantile",
    "wilson",
]
