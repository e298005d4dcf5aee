"""Makes short_answers.json: what SQuAD's and HELM's own functions give for pairs of short texts.

Needs an environment of its own, because transformers 5 no longer has the module:

    pip install "transformers==4.57.6" "crfm-helm==0.5.16" --no-deps
    pip install numpy nltk==3.10.4 requests filelock regex tqdm pyyaml packaging "huggingface_hub<1" "tokenizers<0.23" safetensors
    python tests/golden/make_short_answers.py

The SQuAD figures are those of transformers.data.metrics.squad_metrics, the official SQuAD 2.0 script as a module. HELM's
module imports half of HELM, so the four matches and the F1 are taken out of its source file and run.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import random
import re
import string
from itertools import pairwise
from pathlib import Path
from typing import Any

SEED = 20240517
WANTED = (
    "normalize_text",
    "exact_match",
    "quasi_exact_match",
    "prefix_exact_match",
    "quasi_prefix_exact_match",
    "f1_score",
)
TEXTS = (
    "the Eiffel Tower", "Eiffel Tower", "eiffel tower!", "The  tower, Eiffel", "An apple a day", "apple day", "apple day apple",
    "Yes", "yes.", "Yes, because it rains", "42", "42.0", "$1,234", "U.S.A.", "usa", "a", "The", "", "  ", "...", "an-other one",
    "co-operate", "Ångström", "ångström", "“quoted” text", "quoted text", "naïve—an essay", "naïve — essay", "the\tnew\nline",
    "new line", "theatre", "an theatre", "x a y", "x y", "İstanbul", "istanbul", "the the the", "blue blue green", "green blue",
)  # fmt: skip
WORDS = ("the", "a", "an", "cat", "Cat", "sat,", "on", "mat.", "mat", "-", "The", "it's", "its", "é", "e")


def helm_functions() -> dict[str, Any]:
    from nltk.metrics.scores import f_measure

    root = importlib.util.find_spec("helm")
    assert root is not None
    assert root.submodule_search_locations
    source = Path(root.submodule_search_locations[0]) / "benchmark/metrics/evaluate_reference_metrics.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in WANTED]
    space: dict[str, Any] = {"re": re, "string": string, "f_measure": f_measure}
    exec(compile(tree, str(source), "exec"), space)
    return space


def pairs() -> list[tuple[str, str]]:
    rng = random.Random(SEED)
    found = [(rng.choice(TEXTS), rng.choice(TEXTS)) for _ in range(120)]
    found += [(text, text) for text in TEXTS]
    found += [(one, two) for one, two in pairwise(TEXTS)]
    for _ in range(150):
        one = [rng.choice(WORDS) for _ in range(rng.randint(0, 6))]
        two = [rng.choice(WORDS) for _ in range(rng.randint(0, 6))]
        found.append((" ".join(one), " ".join(one[:2] + two)))
    return list(dict.fromkeys(found))


def main() -> None:
    from transformers.data.metrics import squad_metrics

    helm = helm_functions()
    rows = [
        {
            "gold": gold,
            "output": output,
            "squad_normalised": squad_metrics.normalize_answer(output),
            "helm_normalised": helm["normalize_text"](output),
            "squad_exact": squad_metrics.compute_exact(gold, output),
            "squad_f1": squad_metrics.compute_f1(gold, output),
            **{f"helm_{name}": helm[name](gold, output) for name in WANTED[1:]},
        }
        for gold, output in pairs()
    ]
    versions = {name: importlib.metadata.version(name) for name in ("transformers", "crfm-helm", "nltk")}
    path = Path(__file__).with_name("short_answers.json")
    path.write_text(
        json.dumps({"versions": versions, "rows": rows}, ensure_ascii=False, indent=0) + "\n", encoding="utf-8"
    )
    print(len(rows), "rows")


if __name__ == "__main__":
    main()
