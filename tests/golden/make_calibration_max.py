"""Write calibration_max.json: torchmetrics' maximum calibration error of lists of confidences, by equal widths.

    pip install torch torchmetrics==1.9.0
    python tests/golden/make_calibration_max.py

Confidences have three decimals and a five at the end, so that none stands on an edge of a bin, where programs differ.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import torch
from torchmetrics.functional.classification import binary_calibration_error

BINS = (1, 3, 10, 15)


def main() -> None:
    torch.manual_seed(20240517)
    rows = []
    for n in (7, 30, 101, 1000):
        sure = (torch.randint(0, 999, (n,)).double() + 0.5) / 1000
        for right in (torch.rand(n) < sure, torch.rand(n) < 1 - sure):
            # In the binary form a confidence is that of the positive class: so is ours with one answer, right or wrong.
            found = {k: float(binary_calibration_error(sure, right.int(), n_bins=k, norm="max")) for k in BINS}
            rows.append({"sure": sure.tolist(), "right": right.int().tolist(), "max": found})
    golden = {"made_with": {name: version(name) for name in ("torch", "torchmetrics")}, "rows": rows}
    Path(__file__).with_name("calibration_max.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
