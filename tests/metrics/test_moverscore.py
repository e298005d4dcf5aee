"""moverscore: equal to the released program's way, exact transport, defined for empty texts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from llmkit.errors import ConfigError, MissingExtraError
from llmkit.metrics import _embedding_texts
from llmkit.metrics.moverscore import MoverScore
from llmkit.types import Output, Skipped
from tests.golden.embedding_texts import ROWS
from tests.metrics.embedding_model import SHORT, needed_folder, numbers, pairs

FOLDER = needed_folder()
pytest.importorskip("ot", reason="needs the extra 'moverscore'")
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "moverscore.json").read_text(encoding="utf-8"))
TEXTS = st.sampled_from([output for output, _ in SHORT if any(map(str.isalpha, output))] + ["a", "no", "the cat"])
NO_WEIGHT = Skipped("no token has a weight under idf: all of them are in every text")


def metric(**more: Any) -> MoverScore:
    arguments: dict[str, Any] = {"folder": FOLDER, "idf": False, "cache_mb": 0, "device": "cpu"}
    return MoverScore(**(arguments | more))


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['n']}-{case['layers']}-{case['idf']}")
def test_values_equal_the_released_way(case: dict[str, Any]) -> None:
    rows = [(output, references[:1]) for output, references in ROWS if any(map(str.isalpha, output))]
    distance = "euclidean" if case["euclidean"] else "squared"
    found = metric(n=case["n"], layers=case["layers"], idf=case["idf"], distance=distance).stats_many(pairs(rows))
    # The program's single precision shows in the root of a distance near 0.
    assert numbers(found) == pytest.approx(case["scores"], abs=5e-4 if case["euclidean"] else 1e-5)


def test_the_transport_is_the_cheapest() -> None:
    import numpy as np

    one = metric()
    rng = np.random.default_rng(1)
    for _ in range(5):
        rows = [rng.normal(size=(size, 8)) for size in rng.integers(2, 7, size=2)]
        unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in rows]
        shares = [part / part.sum() for part in (rng.random(len(rows[0])), rng.random(len(rows[1])))]
        costs = 2 - 2 * unit[0] @ unit[1].T
        m, n = costs.shape
        limits = np.vstack([np.kron(np.eye(m), np.ones(n)), np.kron(np.ones(m), np.eye(n))])
        best = linprog(costs.ravel(), A_eq=limits, b_eq=np.concatenate(shares)).fun
        assert one._moved((unit[0], shares[0]), (unit[1], shares[1])) == pytest.approx(1 - best, abs=1e-9)


def test_empty_texts_are_defined() -> None:
    rows = [("", ["a reference"]), ("?!", ["x"]), ("text", ["..."]), ("text", []), ("text", ["!", "text"])]
    found = metric().stats_many(pairs(rows))
    assert found[0] == (-1.0,)
    assert found[1] == (-1.0,)
    assert found[2] == Skipped("empty reference")
    assert found[3] == Skipped("no reference")
    assert found[4] == pytest.approx((1.0,), abs=1e-5)
    (found_euclidean,) = numbers(metric(distance="euclidean").stats_many(pairs(rows[:1])))
    assert found_euclidean == pytest.approx(1 - math.sqrt(2))


def test_idf_without_a_weight_is_skipped() -> None:
    assert metric(idf=True).stats_many(pairs([("one two", ["one two"])])) == [NO_WEIGHT]


def test_idf_takes_all_rows_at_once_and_counts_references_once_a_sample() -> None:
    assert metric(idf=True).batch >= 1_000_000
    assert metric().batch == 2048
    rows = pairs()
    again = [(sample, Output(sample.id, "quite another answer", repeat=1)) for sample, _ in rows]
    of_references = metric(idf=True).stats_many(rows + again)
    assert len(of_references) == 2 * len(rows)


def test_stop_words_count_for_nothing() -> None:
    rows = [("the cat sat", ["a the cat the sat"])]
    without = numbers(metric(stop_words=("the", "a")).stats_many(pairs(rows)))
    assert without != numbers(metric().stats_many(pairs(rows)))
    assert metric(stop_words=("cat",)).stats_many(pairs([("cat", ["a dog"])])) == [(-1.0,)]


@settings(max_examples=8)
@given(
    st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=3)), min_size=1, max_size=4), st.sampled_from([1, 2])
)
def test_laws(rows: list[tuple[str, list[str]]], n: int) -> None:
    one = metric(n=n)
    assert one.bounds is not None
    found = numbers(one.stats_many(pairs(rows)))
    assert all(one.bounds[0] <= value <= one.bounds[1] for value in found)
    assert numbers(one.stats_many(pairs(rows[::-1])))[::-1] == pytest.approx(found, abs=1e-5)
    itself = numbers(one.stats_many(pairs([(output, [output]) for output, _ in rows])))
    assert itself == pytest.approx([1.0] * len(rows), abs=1e-5)
    first = numbers(metric(n=n, refs="first").stats_many(pairs(rows)))
    swapped = numbers(one.stats_many(pairs([(several[0], [output]) for output, several in rows])))
    assert swapped == pytest.approx(first, abs=1e-5)


def test_the_signature_names_model_and_settings() -> None:
    signature = metric(n=2).signature
    for part in ("model:model@", "n:2", "layers:5", "distance:squared", "idf:no", "stop_words:none", "impl:llmkit-"):
        assert part in signature


def test_wrong_arguments_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="layers is 0: it is at least 1"):
        metric(layers=0)
    monkeypatch.setattr(_embedding_texts, "find_spec", lambda name: None if name == "ot" else name)
    with pytest.raises(MissingExtraError, match=r"'moverscore' needs .* pip install 'llmkit\[moverscore\]'"):
        metric()
