"""Metrics: one file each, the file name is the metric's name.

A metric of your own is one file; see CONTRIBUTING.md. Importing this package imports no metric.
"""

from llmkit.metrics._ballots import Ballots
from llmkit.metrics._base import (
    NO_REFERENCE,
    BaseMetric,
    MeanMetric,
    References,
    RowsMetric,
    TotalsMetric,
    over_references,
)
from llmkit.registry import metric

__all__ = [
    "NO_REFERENCE",
    "Ballots",
    "BaseMetric",
    "MeanMetric",
    "References",
    "RowsMetric",
    "TotalsMetric",
    "metric",
    "over_references",
]
