"""Write ragas.json: what ragas' own classes compute from verdicts that are given to them.

No model is asked: the verdicts are drawn, and handed to the methods and to the function that turn verdicts into scores
(`_compute_score`, `_calculate_average_precision`, `_calculate_score`, `fbeta_score`).

pip install ragas 'langchain-community<0.4'
python tests/golden/make_ragas.py
"""

from __future__ import annotations

import json
import random
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace as Said
from typing import Any

import numpy as np
from ragas.metrics._answer_relevance import ResponseRelevancy
from ragas.metrics._context_precision import LLMContextPrecisionWithReference
from ragas.metrics._context_recall import LLMContextRecall
from ragas.metrics._faithfulness import Faithfulness
from ragas.metrics._noise_sensitivity import NoiseSensitivity
from ragas.metrics.utils import fbeta_score

VECTORS = {"q": [1.0, 2.0, 3.0], "a": [1.0, 2.0, 2.5], "b": [-1.0, 0.5, 0.0], "c": [0.0, 0.0, 2.0]}
EMBEDDER = Said(embed_query=VECTORS.__getitem__, embed_documents=lambda texts: [VECTORS[text] for text in texts])


def noise(mode: str, right: list[bool], by_passage: list[list[bool]], gold: list[list[bool]]) -> float:
    """ragas holds claims in rows and passages in columns."""
    verdicts = {
        "ground_truth2answer": np.array(right),
        "retrieved2answer": np.array(by_passage).T,
        "retrieved2ground_truth": np.array(gold).T,
    }
    return float(NoiseSensitivity(mode=mode)._compute_score(verdicts))


def main() -> None:
    draw = random.Random(4)

    def verdicts(count: int) -> list[bool]:
        return [draw.random() < 0.5 for _ in range(count)]

    lists = [verdicts(draw.randint(1, 7)) for _ in range(30)] + [[False, False], [True], [False, True]]
    tables: list[Any] = []
    for _ in range(30):
        claims, gold, passages = (draw.randint(1, 5) for _ in range(3))
        case: list[Any] = [
            verdicts(claims),
            [verdicts(claims) for _ in range(passages)],
            [verdicts(gold) for _ in range(passages)],
        ]
        tables.append([*case, noise("relevant", *case), noise("irrelevant", *case)])
    counts = [[a, b, c, beta] for a in range(4) for b in range(4) for c in range(4) for beta in (0.5, 1.0, 2.0)]
    relevancy = ResponseRelevancy(embeddings=EMBEDDER)
    questions = [Said(question=text, noncommittal=0) for text in ("a", "b", "c")]
    evasive = [Said(question=text, noncommittal=1) for text in ("a", "b", "c")]
    golden = {
        "versions": {name: version(name) for name in ("ragas", "numpy")},
        "faithfulness": [
            [v, Faithfulness()._compute_score(Said(statements=[Said(verdict=x) for x in v]))] for v in lists
        ],
        "context_recall": [[v, LLMContextRecall()._compute_score([Said(attributed=x) for x in v])] for v in lists],
        "context_precision": [
            [v, LLMContextPrecisionWithReference()._calculate_average_precision([Said(verdict=x) for x in v])]
            for v in lists
        ],
        "f_beta": [[*case, float(fbeta_score(*case))] for case in counts],
        "noise_sensitivity": tables,
        "answer_relevancy": {
            "vectors": VECTORS,
            "committed": float(relevancy._calculate_score(questions, {"user_input": "q"})),
            "evasive": float(relevancy._calculate_score(evasive, {"user_input": "q"})),
        },
    }
    path = Path(__file__).with_suffix("").with_name("ragas.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
