"""bertscore: equal to bert-score, whatever the batch, and defined for empty texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmkit import registry
from llmkit.errors import ConfigError, MissingExtraError
from llmkit.metrics import _embedding_texts
from llmkit.metrics.bertscore import BertScore
from llmkit.types import Output, Sample, Skipped
from tests.golden.embedding_texts import ROWS
from tests.metrics.embedding_model import needed_folder, numbers, pairs

FOLDER = needed_folder()
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "bertscore.json").read_text(encoding="utf-8"))
TEXTS = st.sampled_from([output for output, _ in ROWS if len(output) < 200] + ["a", "no", "the cat"])


def metric(**more: Any) -> BertScore:
    arguments: dict[str, Any] = {"folder": FOLDER, "layer": 6, "cache_mb": 0, "device": "cpu"}
    return BertScore(**(arguments | more))


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['layer']}-{case['idf']}-{case['rescale']}")
def test_values_equal_bert_score(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where the vectors are kept from one measure to the next
    baseline = tmp_path / "baseline.tsv"
    baseline.write_text(GOLDEN["baseline"])
    more: dict[str, Any] = {"rescale": True, "baseline": baseline} if case["rescale"] else {}
    for measure in ("p", "r", "f"):
        one = metric(layer=case["layer"], idf=case["idf"], measure=measure, cache_mb=64, **more)
        assert numbers(one.stats_many(pairs(ROWS))) == pytest.approx(case[measure], abs=1e-5)


def test_bf16_is_within_5e_3() -> None:
    exact = numbers(metric().stats_many(pairs()))
    quick = numbers(metric(precision="bf16").stats_many(pairs()))
    assert quick != exact
    assert quick == pytest.approx(exact, abs=5e-3)


def test_empty_texts_are_defined() -> None:
    rows = [("", ["a reference"]), (" \n", ["x"]), ("text", [""]), ("text", []), ("text", ["", "text"]), ("", [""])]
    found = metric().stats_many(pairs(rows))
    assert found[0] == (0.0,)
    assert found[1] == (0.0,)
    assert found[2] == Skipped("empty reference")
    assert found[3] == Skipped("no reference")
    assert found[4] == pytest.approx((1.0,), abs=1e-6)
    assert found[5] == Skipped("empty reference")


def test_idf_without_a_weight_is_skipped() -> None:
    (found,) = metric(idf=True).stats_many(pairs([("one two", ["one two"])]))
    assert found == Skipped("no token has a weight under idf: all of them are in every text")


def test_idf_takes_all_rows_at_once_and_counts_a_sample_once() -> None:
    assert metric(idf=True).batch >= 1_000_000
    assert metric().batch == 2048
    rows = pairs()
    again = [(sample, Output(sample.id, output.text, repeat=1)) for sample, output in rows]
    once = numbers(metric(idf=True).stats_many(rows))
    assert numbers(metric(idf=True).stats_many(rows + again)) == pytest.approx(once * 2, abs=1e-6)


def test_references_by_rule() -> None:
    row = pairs([("The cat sat.", ["A dog ran away.", "The cat sat there."])])
    first, second = (numbers(metric().stats_many(pairs([("The cat sat.", [one])])))[0] for one in row[0][0].references)
    assert first < second
    for rule, expected in (("max", second), ("first", first), ("mean", (first + second) / 2)):
        assert numbers(metric(refs=rule).stats_many(row))[0] == pytest.approx(expected, abs=1e-6)


def test_portions_do_not_change_values(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = numbers(metric().stats_many(pairs()))
    monkeypatch.setattr(_embedding_texts, "IN_MEMORY", 50_000)
    assert numbers(metric().stats_many(pairs())) == pytest.approx(expected, abs=1e-6)


def test_the_cache_gives_the_same_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = numbers(metric(cache_mb=64).stats_many(pairs()))
    monkeypatch.setattr("llmkit.metrics._embedding_model.TokenModel._forward", None)  # nothing is computed again
    assert numbers(metric(cache_mb=64).stats_many(pairs())) == first
    with pytest.raises(TypeError):
        metric(cache_mb=64, layer=5).stats_many(pairs())


@settings(max_examples=10)
@given(st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=3)), min_size=1, max_size=5))
def test_laws(rows: list[tuple[str, list[str]]]) -> None:
    found = numbers(metric().stats_many(pairs(rows)))
    assert all(-1 <= value <= 1 for value in found)
    backwards = numbers(metric().stats_many(pairs(rows[::-1])))
    assert backwards[::-1] == pytest.approx(found, abs=1e-5)
    itself = numbers(metric().stats_many(pairs([(output, [output]) for output, _ in rows])))
    assert itself == pytest.approx([1.0] * len(rows), abs=1e-5)
    swapped = numbers(metric(measure="r").stats_many(pairs([(several[0], [output]) for output, several in rows])))
    assert swapped == pytest.approx(
        numbers(metric(measure="p", refs="first").stats_many(pairs(rows))), abs=1e-5
    )  # the precision of one is the recall of the other


def test_one_by_one_equals_many() -> None:
    ((sample, output),) = pairs(ROWS[:1])
    assert metric().stats(sample, output) == pytest.approx(metric().stats_many([(sample, output)])[0], abs=1e-6)


def test_the_signature_names_model_layer_and_settings() -> None:
    signature = metric(idf=True).signature
    assert signature.startswith("model:model@")
    for part in ("layer:6", "idf:yes", "rescale:no", "refs:max", "precision:fp32", "impl:llmkit-", "transformers-"):
        assert part in signature
    assert str(FOLDER) not in signature


def test_layers_and_baselines_come_from_bert_score() -> None:
    pytest.importorskip("bert_score", reason="needs the extra 'bertscore'")
    known = BertScore(model="roberta-large", rescale=True)
    assert "layer:17" in known.signature
    assert known.bounds is None
    assert known._baselines() == pytest.approx(0.83122575)
    with pytest.raises(ConfigError, match="no baseline of 'roberta-large' for the language 'xx'"):
        BertScore(model="roberta-large", rescale=True, lang="xx")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"layer": None}, "names no layer for the model"),
        ({"layer": -1}, "layers are counted from 0"),
        ({"folder": Path("nowhere")}, "no model in nowhere"),
        ({"cache_mb": -1}, "cache_mb is -1"),
        ({"baseline": Path("x.tsv")}, "baseline has no use without rescale"),
        ({"rescale": True, "baseline": Path("x.tsv")}, "no such file: x.tsv"),
        ({"rescale": True}, "no baseline of"),
    ],
)
def test_wrong_arguments_are_refused_at_once(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        metric(**more)


def test_a_layer_the_model_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="has 6 layers and no layer 7"):
        metric(layer=7).stats_many(pairs(ROWS[:1]))


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        metric(folder=tmp_path).stats(Sample("1", references=("a",)), Output("1", "a"))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_embedding_texts, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'bertscore' needs .* pip install 'llmkit\[bertscore\]'"):
        metric()


def test_the_registry_builds_it(tmp_path: Path) -> None:
    (tmp_path / "m").symlink_to(FOLDER)
    built = registry.build("metrics", {"bertscore": {"folder": "m", "layer": 6, "cache_mb": 3}}, base=tmp_path)
    assert built.plugin.folder == tmp_path / "m"
    assert "cache_mb" not in built.name
