"""What HELM makes of the same texts with the same draws; see tests/golden/make_perturbations.py."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from llmkit import registry
from llmkit.perturbations._misspellings import MISSPELLINGS
from llmkit.perturbations._words import WORD
from llmkit.perturbations.typos import NEIGHBOURS

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "perturbations.json").read_text(encoding="utf-8")
)
TEXTS = GOLDEN["texts"]
PRONOUN_FIRST, CAPITALS, INDENTED = 3, 5, 6


def ours(spec: str, text: str, seed: int = 0) -> str:
    return str(registry.build("perturbations", spec).plugin.perturb(text, random.Random(seed)))


@pytest.mark.parametrize(
    ("name", "spec", "apart"),
    [
        ("lowercase", "lowercase", {}),
        # HELM takes "I HAVE" for a word with one capital.
        ("contract", "contractions", {CAPITALS: "I'VE a dog. You've two. THEY'RE mine!"}),
        ("expand", "contractions(direction='expand')", {}),
        # HELM doubles every space, those that indent a line too.
        (
            "extra_space",
            "spaces(least=2, most=2)",
            {INDENTED: "  Two  spaces  in  front,  three  in  the  middle."},
        ),
        ("gender_terms", "gender_terms", {}),
        # HELM wants a sign before the word, and so keeps the first one of a text.
        (
            "gender_pronouns",
            "gender_pronouns",
            {PRONOUN_FIRST: "She gave her a coat. Her sister does not like it, and she herself cannot see why."},
        ),
    ],
)
def test_without_draws_the_texts_are_helms_but_where_we_differ_on_purpose(
    name: str, spec: str, apart: dict[int, str]
) -> None:
    wanted = [apart.get(place, text) for place, text in enumerate(GOLDEN["once"][name])]
    assert [ours(spec, text) for text in TEXTS] == wanted
    assert sum(text != other for text, other in zip(TEXTS, wanted, strict=True)) >= 1


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", ["spaces", "mild_mix"])
def test_with_the_same_draws_the_texts_are_helms(name: str, seed: int) -> None:
    """Compared where no word of either list of misspellings stands, and no spaces indent a line."""
    compared = 0
    for place, text in enumerate(TEXTS):
        words = {word.lower() for word in WORD.findall(text)}
        if place == INDENTED or (name == "mild_mix" and (words & set(MISSPELLINGS) or not _unseen(place))):
            continue
        assert ours(name, text, seed) == GOLDEN["drawn"][name][str(seed)][place]
        compared += 1
    assert compared >= (9 if name == "spaces" else 4)


def _unseen(place: int) -> bool:
    return bool(GOLDEN["not_misspelt"][place])


def test_keys_are_neighbours_as_in_helm_but_only_where_they_touch() -> None:
    helms = {key: set(near) for key, near in GOLDEN["neighbours"].items()}
    mine = {key: set(near) for key, near in NEIGHBOURS.items()}
    assert mine.keys() == helms.keys()
    assert {key for key in mine if mine[key] != helms[key]} <= set("qwertyuiop")
    assert all(mine[key] <= helms[key] for key in mine)
    assert all(key in mine[near] for key in mine for near in mine[key])  # HELM's table is not symmetric
