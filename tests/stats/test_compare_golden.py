"""Paired tests, adjusted p-values and sample sizes beside statsmodels (tests/golden/make_compare_stats.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmkit.stats import Noise, benjamini_hochberg, binomial_pmf, holm, mcnemar_p, plan_size

near = pytest.approx
GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "compare_stats.json").read_text("utf-8"))


def test_the_mid_p_is_statsmodels_exact_p_less_half_of_each_tail() -> None:
    for row in GOLDEN["mcnemar"]:
        gained, lost = row["gained"], row["lost"]
        half = binomial_pmf(min(gained, lost), gained + lost, 0.5)
        expected = 1.0 if gained == lost else row["exact"] - half
        assert mcnemar_p(gained, lost) == near(expected, rel=1e-9), row


def test_adjusted_p_values_are_statsmodels() -> None:
    for family in GOLDEN["families"]:
        assert holm(family["p"]) == near(family["holm"], rel=1e-12)
        assert benjamini_hochberg(family["p"]) == near(family["bh"], rel=1e-12)


def test_sample_sizes_are_statsmodels_to_a_sample_or_a_hundredth() -> None:
    for row in GOLDEN["sizes"]:
        found = plan_size(Noise(row["spread"] ** 2), row["drop"], power=row["power"]).samples
        assert found == near(row["samples"], rel=0.01, abs=1.5), row
