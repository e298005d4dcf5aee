from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmkit.stats import least_squares

near = pytest.approx
GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "agreement.json").read_text("utf-8"))


@pytest.mark.parametrize("row", GOLDEN["regression"], ids=lambda row: f"{len(row['outcome'])} rows")
def test_values_intervals_and_p_are_statsmodels(row: dict[str, Any]) -> None:
    outcome, columns = np.array(row["outcome"]), np.array(row["columns"])
    for name, clusters in (("hc3", None), ("cr1", np.array(row["clusters"]))):
        found = least_squares(outcome, columns, clusters=clusters)
        for i, coefficient in enumerate(found):
            assert coefficient.estimate is not None
            assert coefficient.estimate.value == near(row[name]["value"][i], rel=1e-9)
            low, high = row[name]["low_high"][i]
            assert (coefficient.estimate.low, coefficient.estimate.high) == near((low, high), rel=1e-8)
            assert coefficient.p == near(row[name]["p"][i], rel=1e-7, abs=1e-12)


def test_a_fit_without_residue_claims_no_certainty() -> None:
    found = least_squares(np.array([1.0, 2.0, 3.0, 4.0]), np.array([[1.0, i] for i in range(4)]))
    assert found[1].estimate is not None
    assert found[1].estimate.value == near(1)
    assert (found[1].estimate.low, found[1].p, found[1].reason) == (None, None, "the fit leaves no residue")


def test_columns_of_very_different_size_are_solved() -> None:
    rng = np.random.default_rng(0)
    columns = np.column_stack([np.ones(50), rng.normal(size=50) * 1e-12, rng.normal(size=50) * 1e12])
    found = least_squares(columns @ [1, 2e12, 3e-12] + rng.normal(size=50) * 0.01, columns)
    values = [coefficient.estimate.value for coefficient in found if coefficient.estimate is not None]
    assert values == [near(1, rel=0.01), near(2e12, rel=0.01), near(3e-12, rel=0.01)]


def test_too_few_clusters_are_said() -> None:
    columns = np.column_stack([np.ones(6), np.arange(6.0)])
    found = least_squares(np.array([1.0, 3, 2, 5, 4, 6]), columns, clusters=np.array([0, 0, 0, 1, 1, 1]))
    assert found[0].estimate is None
    assert found[0].reason == "2 clusters are too few for 2 coefficients"
