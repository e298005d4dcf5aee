"""Makes calibration.json: what HELM's calibration program gives for lists of confidences.

    pip install uncertainty-calibration==0.1.4 numpy==2.4.6 scikit-learn==1.9.1
    python tests/golden/make_calibration.py

HELM (basic_metrics.py) calls get_ece_em with 10 bins, get_ece with 1, and get_selective_stats, and repeats the first two
on confidences rescaled by get_platt_scaler. The scaler stops early by default (its coefficients are then good to about
1e-4), so the coefficients here are those of the same model run to convergence.
"""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import calibration  # type: ignore[import-not-found]
import numpy as np
from sklearn.linear_model import LogisticRegression

SEED = 20240517


def lists() -> list[tuple[str, Any, Any]]:
    """Return named pairs of confidences and whether each is right."""
    rng = np.random.default_rng(SEED)
    found = []
    for n in (7, 10, 30, 101, 1000):
        sure = rng.beta(5, 2, n)
        found.append((f"overconfident {n}", sure, rng.random(n) < sure**2))
        found.append((f"reversed {n}", sure, rng.random(n) < 1 - sure))
        found.append((f"ties {n}", np.round(sure, 1), rng.random(n) < sure))
    found.append(
        ("extremes", np.array([0.0, 1.0, 1.0, 0.0, 0.5, 1.0, 0.3, 0.7, 0.1, 0.9, 1.0, 0.2]), rng.random(12) < 0.6)
    )
    found.append(("constant", np.full(20, 0.75), rng.random(20) < 0.5))
    found.append(("all right", rng.random(25), np.ones(25, dtype=bool)))
    return found


def row(name: str, sure: Any, correct: Any) -> dict[str, Any]:
    """Return the figures of one list; null where the program has none, or where ties leave them to the sort."""
    right = correct.astype(int)
    area, top = calibration.get_selective_stats(sure, right)
    untied = len(np.unique(sure)) == len(sure)
    found: dict[str, Any] = {
        "name": name,
        "sure": sure.tolist(),
        "right": right.tolist(),
        "mass": {bins: calibration.get_ece_em(sure, right, num_bins=bins) for bins in (1, 3, 10, 15)},
        "width": {bins: calibration.get_ece(sure, right, num_bins=bins) for bins in (1, 3, 10, 15)},
        "area": area if untied else None,
        "top10": top if untied else None,
        "platt": None,
    }
    if 0 < right.sum() < len(right) and len(np.unique(sure)) > 1:
        odds = np.log(np.clip(sure, 1e-12, 1 - 1e-12) / (1 - np.clip(sure, 1e-12, 1 - 1e-12)))[:, None]
        model = LogisticRegression(C=1e10, solver="newton-cholesky", tol=1e-14, max_iter=1000).fit(odds, right)
        scaled = model.predict_proba(odds)[:, 1]
        helm = calibration.get_platt_scaler(sure, right)(sure)
        found["platt"] = {
            "slope": float(model.coef_[0, 0]),
            "intercept": float(model.intercept_[0]),
            "ece10": calibration.get_ece_em(scaled, right, num_bins=10),
            "helm_ece1": calibration.get_ece(helm, right, num_bins=1),
            "helm_ece10": calibration.get_ece_em(helm, right, num_bins=10),
        }
    return found


def main() -> None:
    """Write the file."""
    names = ("uncertainty-calibration", "scikit-learn", "numpy")
    versions = {name: importlib.metadata.version(name) for name in names}
    rows = [row(*one) for one in lists()]
    path = Path(__file__).with_name("calibration.json")
    text = ",\n".join(json.dumps(one) for one in rows)
    path.write_text(f'{{"versions": {json.dumps(versions)},\n"rows": [\n{text}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
