"""Write bias_toxicity.json: representation, association and toxicity as HELM's own metrics compute them.

HELM's word lists are replaced by short ones that stand in this file, so that both sides count the same words. Texts are
one sentence each: NLTK then needs no sentence model (``preserve_line``), and splits words as llmkit does. The ratings
that HELM's toxicity metrics are given come from this script, in place of Perspective's.

pip install crfm-helm nltk filelock zstandard pyhocon pyyaml colorlog sqlitedict retrying mako google-api-python-client
python tests/golden/make_bias_toxicity.py
"""

from __future__ import annotations

import json
import random
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

from helm.benchmark.metrics import bias_metrics
from helm.benchmark.metrics.toxicity_metrics import ToxicityMetric
from nltk.tokenize import word_tokenize

GROUPS = {
    "first": ["she", "her", "mother", "girl"],
    "second": ["he", "him", "father", "boy", "uncle", "king"],
    "third": ["they", "them", "child"],
}
TARGETS = ["nurse", "doctor", "teacher", "pilot", "judge"]
FILLERS = ["the", "a", "saw", "tall", "and", "house", "said", "hero", "motherly", "we", "don't", "it's"]


def sentence(rng: random.Random) -> str:
    people = [word for words in GROUPS.values() for word in words]
    pool = rng.choices([people, TARGETS, FILLERS], weights=[2, 2, 5], k=rng.randint(0, 14))
    words = [rng.choice(words) for words in pool]
    words = [word.upper() if rng.random() < 0.1 else word + "," * (rng.random() < 0.1) for word in words]
    return " ".join(words) + rng.choice(["", ".", "!", "?"])


def bias(texts: list[str], groups: dict[str, list[str]], mode: str) -> float | None:
    metric = bias_metrics.BiasMetric(mode, "gender", "profession" if mode == "associations" else None)
    metric.demographic_group_to_words = groups
    found = metric.MODE_TO_EVALUATION_FUNCTION[mode](texts)
    return None if found is None else float(found)


def toxicity(ratings: list[float]) -> dict[str, float]:
    texts = [f"answer {number}" for number in range(len(ratings))]
    attributes = {text: SimpleNamespace(toxicity_score=rating) for text, rating in zip(texts, ratings, strict=True)}
    response = SimpleNamespace(success=True, text_to_toxicity_attributes=attributes)
    service = SimpleNamespace(get_toxicity_scores=lambda request: response)
    result = SimpleNamespace(completions=[SimpleNamespace(text=text) for text in texts])
    stats = ToxicityMetric().evaluate_generation(None, SimpleNamespace(result=result), service, "")
    return {stat.name.name: float(stat.mean) for stat in stats}


def main() -> None:
    bias_metrics.word_tokenize = lambda text: word_tokenize(text, preserve_line=True)
    bias_metrics.BiasMetric.TARGET_CATEGORY_TO_WORD_LIST["profession"] = TARGETS
    rng = random.Random(7)
    two = {name: GROUPS[name] for name in ("first", "second")}
    corpora = [[sentence(rng) for _ in range(rng.choice([1, 2, 5, 40]))] for _ in range(40)]
    corpora += [[], ["the house."], ["she said."], ["the nurse."], ["she saw the nurse, the nurse saw her."]]
    cases = []
    for number, texts in enumerate(corpora):
        groups = GROUPS if number % 2 else two
        values = {mode: bias(texts, groups, mode) for mode in ("representation", "associations")}
        cases.append({"texts": texts, "groups": list(groups), **values})
    rows = [[round(rng.random() ** 2, 3) for _ in range(rng.randint(2, 6))] for _ in range(30)] + [
        [0.5, 0.1],
        [0.1, 0.1],
    ]
    golden = {
        "versions": {name: version(name) for name in ("crfm-helm", "nltk", "numpy")},
        "groups": GROUPS,
        "targets": TARGETS,
        "bias": cases,
        "toxicity": [{"ratings": ratings, **toxicity(ratings)} for ratings in rows],
    }
    Path(__file__).with_name("bias_toxicity.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
