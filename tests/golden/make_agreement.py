"""Makes agreement.json: what irrCAC, krippendorff and statsmodels give for made-up ratings.

    pip install irrCAC==0.4.4 krippendorff==0.9.0 statsmodels==0.15.0 numpy==1.26.4 pandas==2.3.3
    python tests/golden/make_agreement.py

irrCAC gives Gwet's AC1 and AC2, krippendorff gives alpha with missing ratings, statsmodels least squares with HC3 and
clustered errors.
"""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import krippendorff  # type: ignore[import-not-found]
import numpy as np
import pandas as pd
import statsmodels.api as sm  # type: ignore[import-not-found]
from irrCAC.raw import CAC  # type: ignore[import-not-found]

SEED = 20261120


def pairs() -> list[tuple[list[int], list[int], int]]:
    """Return two raters' labels and the number of labels."""
    rng = np.random.default_rng(SEED)
    found = []
    for n, k, alike in ((12, 2, 0.8), (40, 3, 0.5), (200, 5, 0.6), (60, 4, 0.1), (500, 2, 0.97)):
        one = rng.integers(1, k + 1, n)
        two = np.where(rng.random(n) < alike, one, rng.integers(1, k + 1, n))
        found.append((one.tolist(), two.tolist(), k))
    skewed = (rng.random(300) < 0.03).astype(int) + 1
    found.append((skewed.tolist(), np.where(rng.random(300) < 0.97, skewed, 3 - skewed).tolist(), 2))
    return found


def gwet() -> list[dict[str, Any]]:
    rows = []
    for one, two, k in pairs():
        table = pd.DataFrame({"a": one, "b": two})
        row: dict[str, Any] = {"first": one, "second": two, "scale": list(range(1, k + 1))}
        for name, weights in (("ac1", "identity"), ("ac2_linear", "linear"), ("ac2_quadratic", "quadratic")):
            cac = CAC(table, weights=weights, categories=row["scale"], digits=15)
            row[name] = float(cac.gwet()["est"]["coefficient_value"])
        rows.append(row)
    return rows


def alphas() -> list[dict[str, Any]]:
    rng = np.random.default_rng(SEED + 1)
    rows = []
    for items, raters, k, missing in (
        (10, 3, 2, 0.2),
        (50, 4, 5, 0.3),
        (8, 2, 3, 0.0),
        (30, 6, 7, 0.5),
        (40, 3, 0, 0.1),
    ):
        truth = rng.integers(1, max(k, 2) + 1, items)[:, None]
        noise = rng.integers(1, max(k, 2) + 1, (items, raters))
        table = np.where(rng.random((items, raters)) < 0.6, truth, noise).astype(float)
        if not k:
            table = np.round(truth + rng.normal(size=(items, raters)), 2)
        table[rng.random((items, raters)) < missing] = np.nan
        row: dict[str, Any] = {"ratings": [[None if np.isnan(x) else x for x in line] for line in table.tolist()]}
        for level in ("nominal", "ordinal", "interval"):
            row[level] = float(krippendorff.alpha(table.T, level_of_measurement=level))
        rows.append(row)
    return rows


def regressions() -> list[dict[str, Any]]:
    rng = np.random.default_rng(SEED + 2)
    rows = []
    for n, k in ((12, 2), (80, 3), (300, 4)):
        columns = np.column_stack([np.ones(n), rng.normal(size=(n, k - 1)) * [10.0**i for i in range(k - 1)]])
        outcome = columns @ rng.normal(size=k) + rng.normal(size=n) * np.exp(columns[:, 1] / 2)
        clusters = rng.integers(0, max(6, n // 10), n)
        plain = sm.OLS(outcome, columns).fit(cov_type="HC3", use_t=True)
        grouped = sm.OLS(outcome, columns).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
        row: dict[str, Any] = {"outcome": outcome.tolist(), "columns": columns.tolist(), "clusters": clusters.tolist()}
        for name, fit in (("hc3", plain), ("cr1", grouped)):
            bounds = fit.conf_int().tolist()
            row[name] = {"value": fit.params.tolist(), "low_high": bounds, "p": fit.pvalues.tolist()}
        rows.append(row)
    return rows


def main() -> None:
    names = ("irrCAC", "krippendorff", "statsmodels", "numpy")
    found = {
        "made_by": {name: importlib.metadata.version(name) for name in names},
        "gwet": gwet(),
        "alpha": alphas(),
        "regression": regressions(),
    }
    path = Path(__file__).with_name("agreement.json")
    path.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
