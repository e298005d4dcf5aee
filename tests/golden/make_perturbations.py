"""Write perturbations.json: what HELM's perturbations make of some texts, and HELM's worst cases of some scores.

HELM draws from ``random.Random``, as we do, so where both draw at the same places the texts are equal to the letter.
Its word lists are not kept here, only what it makes of our own sentences.

pip install --no-deps crfm-helm, and what its imports name
python tests/golden/make_perturbations.py
"""

from __future__ import annotations

import json
import random
from importlib.metadata import version
from pathlib import Path
from typing import Any

from helm.benchmark.augmentations.contraction_expansion_perturbation import (
    ContractionPerturbation,
    ExpansionPerturbation,
)
from helm.benchmark.augmentations.extra_space_perturbation import ExtraSpacePerturbation
from helm.benchmark.augmentations.gender_perturbation import GenderPerturbation
from helm.benchmark.augmentations.lowercase_perturbation import LowerCasePerturbation
from helm.benchmark.augmentations.mild_mix_perturbation import MildMixPerturbation
from helm.benchmark.augmentations.misspelling_perturbation import MisspellingPerturbation
from helm.benchmark.augmentations.perturbation_description import PerturbationDescription
from helm.benchmark.augmentations.space_perturbation import SpacePerturbation
from helm.benchmark.augmentations.typos_perturbation import TyposPerturbation
from helm.benchmark.metrics.metric import compute_worst_case_metrics
from helm.benchmark.metrics.metric_name import MetricName
from helm.benchmark.metrics.statistic import Stat
from helm.benchmark.scenarios.scenario import Input, Instance

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "She is a nurse, and I am a cook; they are not here, and we will not wait.",
    "It's late, isn't it? I can't say that I'd mind, but he won't come.",
    "He gave him a coat. His sister does not like it, and he himself cannot see why.",
    "My father told the waiter that the king was a man of his word.",
    "I HAVE a dog. You have two. THEY ARE mine!",
    "  Two spaces   in front, three in the middle.",
    "Who is it? I know who he is.",
    "Numbers like 42 stay; so does C3PO.",
    "",
    "A red fox ran up a hill.",
    "I am old; Ann has a cat.",
    "We are at sea. Eat fish.",
    "Who won a cake? He is Tom. She is Ann.",
    "How can we fly a kite?",
]
SEEDS = (0, 1, 2)
KEYS = "abcdefghijklmnopqrstuvwxyz"
ONCE = {
    "lowercase": LowerCasePerturbation(),
    "contract": ContractionPerturbation(),
    "expand": ExpansionPerturbation(),
    "extra_space": ExtraSpacePerturbation(num_spaces=2),
    "gender_terms": GenderPerturbation("terms", 1.0, "male", "female"),
    "gender_pronouns": GenderPerturbation("pronouns", 1.0, "male", "female"),
}
DRAWN = {"spaces": SpacePerturbation(max_spaces=3), "mild_mix": MildMixPerturbation()}
GROUPS = {
    "a": PerturbationDescription(name="a", robustness=True),
    "b": PerturbationDescription(name="b", robustness=True),
    "c": PerturbationDescription(name="c", fairness=True),
}


def neighbours(key: str) -> str:
    typos = TyposPerturbation(prob=1.0)
    return "".join(sorted({typos.perturb(key, random.Random(seed)) for seed in range(200)}))


def worst_cases() -> dict[str, Any]:
    """Return scores of 40 rows, some of which a perturbation leaves as they are, and HELM's means of worst cases."""
    rng = random.Random(7)
    rows, stats = [], {}
    for number in range(40):
        scores = {name: round(rng.random(), 3) for name in (None, *GROUPS) if name is None or rng.random() < 0.7}
        rows.append({"original" if name is None else name: value for name, value in scores.items()})
        for name, value in scores.items():
            description = None if name is None else GROUPS[name]
            instance = Instance(Input(text="x"), references=[], id=f"r{number}", perturbation=description)
            stats[instance] = [Stat(MetricName("score", perturbation=description)).add(value)]
    found = {
        stat.name.perturbation.name: stat.mean
        for stat in compute_worst_case_metrics(stats)
        if stat.name.perturbation.computed_on == "worst" and stat.name.perturbation.name in ("robustness", "fairness")
    }
    return {"rows": rows, "worst": found}


def main() -> None:
    shortened = [ONCE["contract"].perturb(text.lower(), random.Random(0)) for text in TEXTS]
    unseen = MisspellingPerturbation(prob=1.0)
    found = {
        "versions": {"crfm-helm": version("crfm-helm")},
        "texts": TEXTS,
        "once": {name: [p.perturb(text, random.Random(0)) for text in TEXTS] for name, p in ONCE.items()},
        "drawn": {
            name: {str(seed): [p.perturb(text, random.Random(seed)) for text in TEXTS] for seed in SEEDS}
            for name, p in DRAWN.items()
        },
        "not_misspelt": [unseen.mispelling_pattern.search(text) is None for text in shortened],
        "neighbours": {key: neighbours(key) for key in KEYS},
        "worst_cases": worst_cases(),
    }
    path = Path(__file__).with_suffix("").with_name("perturbations.json")
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
