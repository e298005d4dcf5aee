"""Makes compare_stats.json: what statsmodels gives for paired yes/no tables, families of p-values and sample sizes.

pip install statsmodels==0.15.0 scipy==1.12.0
python tests/golden/make_compare_stats.py
"""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar  # type: ignore[import-not-found]
from statsmodels.stats.multitest import multipletests  # type: ignore[import-not-found]
from statsmodels.stats.power import TTestPower  # type: ignore[import-not-found]

TABLES = [(0, 1), (3, 3), (1, 9), (12, 2), (40, 61), (200, 150), (0, 30)]
SIZES = [(0.02, 0.1, 0.8), (0.05, 0.1, 0.95), (0.5, 1.0, 0.9), (0.01, 0.2, 0.8)]


def main() -> None:
    """Write the file beside this one."""
    rng = np.random.default_rng(7)
    families: list[list[float]] = [(rng.random(n) ** 3).round(5).tolist() for n in (1, 2, 5, 20)]
    found: dict[str, Any] = {
        "made_by": {name: importlib.metadata.version(name) for name in ("statsmodels", "scipy", "numpy")},
        "mcnemar": [
            {"gained": g, "lost": lost, "exact": float(mcnemar([[5, lost], [g, 7]], exact=True).pvalue)}
            for g, lost in TABLES
        ],
        "families": [
            {
                "p": p,
                "holm": multipletests(p, method="holm")[1].tolist(),
                "bh": multipletests(p, method="fdr_bh")[1].tolist(),
            }
            for p in families
        ],
        "sizes": [
            {
                "drop": drop,
                "spread": spread,
                "power": power,
                "samples": float(TTestPower().solve_power(drop / spread, power=power, alpha=0.05)),
            }
            for drop, spread, power in SIZES
        ],
    }
    Path(__file__).with_name("compare_stats.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
