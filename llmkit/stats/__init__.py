"""Estimates, comparisons of two runs, verdicts, and a judge against people, usable alone.

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
    from llmkit.stats.agreement import accuracy, cohen_kappa, gwet_ac, kendall_tau_b, pearson, pooled, spearman
    from llmkit.stats.alpha import alpha_agreement, krippendorff_alpha
    from llmkit.stats.beta import beta_quantile, jeffreys
    from llmkit.stats.bradley_terry import BradleyTerry, bradley_terry_ratings
    from llmkit.stats.confusion import Confusion, LabelRates, confusion_table
    from llmkit.stats.effects import mcnemar_p
    from llmkit.stats.elo import elo_over_orders, elo_ratings
    from llmkit.stats.group_agreement import by_group, group_values
    from llmkit.stats.human_ceiling import Ceiling, ceiling
    from llmkit.stats.judge_bias import (
        FeatureEffect,
        InjectionResistance,
        PositionBias,
        feature_effects,
        injection_resistance,
        position_bias,
        prefers_more,
    )
    from llmkit.stats.judge_error import mode_error, rest_error
    from llmkit.stats.judge_steadiness import Consistency, ScoreUse, score_use, self_consistency
    from llmkit.stats.labelling import LabelPlan, LabelsNeeded, labels_needed, plan_labels
    from llmkit.stats.length_controlled import LengthControlled, length_controlled_win_rate
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
    from llmkit.stats.prediction_powered import (
        Corrected,
        prediction_powered_difference,
        prediction_powered_mean,
        prediction_powered_win_rate,
    )
    from llmkit.stats.preferences import WinRate, mean_win_rates, pairwise_win_rates, win_rate
    from llmkit.stats.proportions import binomial_test, clopper_pearson
    from llmkit.stats.regression import least_squares
    from llmkit.stats.resampling import resamples_for
    from llmkit.stats.rogan_gladen import RoganGladen, rogan_gladen_share
    from llmkit.stats.sequential import ConfidenceSequence, settle_drop, settle_value, split_alpha
    from llmkit.stats.spread import Spread, spread_of_means
    from llmkit.stats.statistic import Statistic
    from llmkit.stats.system_agreement import by_system
    from llmkit.stats.variance import Variance, variance_components
    from llmkit.stats.verdicts import Claim, Decision, decide, decide_all

_HOMES = {
    "agreement": ("accuracy", "cohen_kappa", "gwet_ac", "kendall_tau_b", "pearson", "pooled", "spearman"),
    "alpha": ("alpha_agreement", "krippendorff_alpha"),
    "beta": ("beta_quantile", "jeffreys"),
    "bradley_terry": ("BradleyTerry", "bradley_terry_ratings"),
    "confusion": ("Confusion", "LabelRates", "confusion_table"),
    "effects": ("mcnemar_p",),
    "elo": ("elo_over_orders", "elo_ratings"),
    "group_agreement": ("by_group", "group_values"),
    "human_ceiling": ("Ceiling", "ceiling"),
    "judge_bias": (
        "FeatureEffect",
        "InjectionResistance",
        "PositionBias",
        "feature_effects",
        "injection_resistance",
        "position_bias",
        "prefers_more",
    ),
    "judge_error": ("mode_error", "rest_error"),
    "judge_steadiness": ("Consistency", "ScoreUse", "score_use", "self_consistency"),
    "labelling": ("LabelPlan", "LabelsNeeded", "labels_needed", "plan_labels"),
    "length_controlled": ("LengthControlled", "length_controlled_win_rate"),
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
    "prediction_powered": (
        "Corrected",
        "prediction_powered_difference",
        "prediction_powered_mean",
        "prediction_powered_win_rate",
    ),
    "preferences": ("WinRate", "mean_win_rates", "pairwise_win_rates", "win_rate"),
    "proportions": ("binomial_test", "clopper_pearson"),
    "regression": ("least_squares",),
    "resampling": ("resamples_for",),
    "rogan_gladen": ("RoganGladen", "rogan_gladen_share"),
    "spread": ("Spread", "spread_of_means"),
    "statistic": ("Statistic",),
    "system_agreement": ("by_system",),
    "sequential": ("ConfidenceSequence", "settle_drop", "settle_value", "split_alpha"),
    "variance": ("Variance", "variance_components"),
    "verdicts": ("Claim", "Decision", "decide", "decide_all"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BradleyTerry",
    "Ceiling",
    "Claim",
    "ConfidenceSequence",
    "Confusion",
    "Consistency",
    "Corrected",
    "Decision",
    "FeatureEffect",
    "InjectionResistance",
    "LabelPlan",
    "LabelRates",
    "LabelsNeeded",
    "LengthControlled",
    "Noise",
    "PairedResult",
    "Plan",
    "PositionBias",
    "RoganGladen",
    "ScoreUse",
    "Spread",
    "Statistic",
    "Variance",
    "WinRate",
    "accuracy",
    "adjust",
    "alpha_agreement",
    "average_repeats",
    "bca_interval",
    "benjamini_hochberg",
    "beta_cdf",
    "beta_quantile",
    "binomial_cdf",
    "binomial_pmf",
    "binomial_test",
    "bootstrap_rows",
    "bootstrap_totals",
    "bradley_terry_ratings",
    "by_group",
    "by_system",
    "ceiling",
    "clopper_pearson",
    "cohen_kappa",
    "confusion_table",
    "connor_size",
    "decide",
    "decide_all",
    "elo_over_orders",
    "elo_ratings",
    "feature_effects",
    "group_values",
    "gwet_ac",
    "holm",
    "injection_resistance",
    "jeffreys",
    "kendall_tau_b",
    "krippendorff_alpha",
    "labels_needed",
    "least_squares",
    "length_controlled_win_rate",
    "mcnemar_p",
    "mcnemar_power",
    "mean_estimate",
    "mean_win_rates",
    "mode_error",
    "noise_of",
    "noise_of_run",
    "normal_cdf",
    "normal_quantile",
    "paired_difference",
    "paired_rows",
    "paired_totals",
    "pairwise_win_rates",
    "pearson",
    "plan_labels",
    "plan_size",
    "pooled",
    "position_bias",
    "prediction_powered_difference",
    "prediction_powered_mean",
    "prediction_powered_win_rate",
    "prefers_more",
    "quantile",
    "resamples_for",
    "rest_error",
    "rogan_gladen_share",
    "score_use",
    "self_consistency",
    "settle_drop",
    "settle_value",
    "smallest_drop",
    "spearman",
    "split_alpha",
    "spread_of_means",
    "t_cdf",
    "t_quantile",
    "variance_components",
    "wilson",
    "win_rate",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__} has no {name}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
