"""``perturb:`` from the config to the report: what is asked, what is scored, what a drop is."""

from __future__ import annotations

import json
import random
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from llmkit import Options, __version__, run_eval
from llmkit.errors import ConfigError, DataError
from llmkit.flows.compare import compare_runs
from llmkit.flows.plan import plan_eval
from llmkit.flows.robustness import Reworded, Robustness, Sides, paired
from llmkit.flows.run_rows import run_rows
from llmkit.flows.setup import prepare
from llmkit.flows.summarise import Design, estimate
from llmkit.flows.tally import Tally
from llmkit.metrics import MeanMetric
from llmkit.metrics.edit_similarity import EditSimilarity
from llmkit.perturbations.lowercase import Lowercase
from llmkit.perturbations.names import Names
from llmkit.report.limitations import limitations
from llmkit.report.markdown import markdown_report
from llmkit.types import Output, Sample

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "perturbations.json").read_text(encoding="utf-8")
)
BOT = """
def answer(text):
    if "BREAK".casefold() in text and "BREAK" not in text:
        raise ValueError("no capitals")
    return "right" if text != text.lower() or "easy" in text else "wrong"
"""
ROWS = [
    *({"id": f"e{n}", "input": f"easy question {n}", "references": ["right"], "kind": "easy"} for n in range(3)),
    *({"id": f"h{n}", "input": f"Hard question {n}", "references": ["right"], "kind": "hard"} for n in range(7)),
]


def evaluated(
    folder: Path, perturb: str, *, rows: list[dict[str, Any]] | None = None, bot: str = BOT, **keys: Any
) -> Any:
    path = config(folder, perturb, rows=rows, bot=bot, **keys)
    return run_eval(path, options=Options(out=folder / "run", overwrite=True))


def config(
    folder: Path, perturb: str, *, rows: list[dict[str, Any]] | None = None, bot: str = BOT, **keys: Any
) -> Path:
    (folder / "bot.py").write_text(bot)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (ROWS if rows is None else rows)))
    whole = {"name": "t", "dataset": "rows.jsonl", "target": {"python": "bot.py:answer"}, "metrics": ["exact_match"]}
    lines = [f"{key}: {json.dumps(value)}" for key, value in {**whole, **keys}.items()]
    (folder / "c.yaml").write_text("\n".join([*lines, f"perturb: {perturb}"]) + "\n")
    return folder / "c.yaml"


def test_a_target_that_needs_capitals_loses_what_it_must(tmp_path: Path) -> None:
    run = evaluated(tmp_path, "[lowercase]", slices=["kind"])
    found = run.summary["robustness"]
    assert found["rows"] == 10
    assert found["perturbations"]["lowercase"] == {
        "group": "robustness",
        "changed": 7,
        "failed": 0,
        "failures": {},
        "signature": f"lowercase|impl:llmkit-{__version__}|seed:0",
    }
    scores = found["scores"]["exact_match"]
    assert scores["original"]["value"] == 1.0
    assert (scores["perturbed"]["lowercase"]["value"], scores["perturbed"]["lowercase"]["n"]) == (0.3, 10)
    drop = scores["drop"]["lowercase"]
    assert (drop["value"], drop["n"]) == (0.7, 10)
    assert 0 < drop["low"] < 0.7 < drop["high"] <= 1
    assert (scores["worst"]["value"], scores["no_worst"]) == (0.3, 0)
    # 3 of the rows stayed as they were and were not asked again.
    assert run.manifest["usage"]["sent"] == 17
    ids = [output.sample_id for output in run.outputs]
    assert ids == ["e0", "e1", "e2", *(f"h{n}{mark}" for n in range(7) for mark in ("", "~lowercase"))]
    assert [score.sample_id for score in run.scores] == ids


def test_scores_slices_and_coverage_are_those_of_the_rows_as_they_are(tmp_path: Path) -> None:
    keys: dict[str, Any] = {
        "slices": ["kind"],
        "metrics": ["exact_match", "token_f1", "bleu"],
        "repeats": 2,
        "cluster": "kind",
    }
    plain = evaluated(tmp_path, "[]", **keys).summary
    perturbed = evaluated(tmp_path, "[lowercase, spaces, typos(rate=0.2)]", **keys).summary
    assert perturbed.pop("robustness")["perturbations"]["spaces"]["changed"] > 3
    assert perturbed == plain


def test_a_perturbed_answer_that_failed_is_counted_and_has_no_score_and_no_worst_case(tmp_path: Path) -> None:
    rows = [*ROWS, {"id": "b", "input": "BREAK it", "references": ["right"], "kind": "hard"}]
    run = evaluated(tmp_path, "[lowercase, names]", rows=rows)
    found = run.summary["robustness"]
    assert found["perturbations"]["lowercase"]["failed"] == 1
    assert sum(found["perturbations"]["lowercase"]["failures"].values()) == 1
    scores = found["scores"]["exact_match"]
    assert scores["unscored"] == {"lowercase": 1, "names": 0}
    assert scores["perturbed"]["lowercase"]["n"] == scores["drop"]["lowercase"]["n"] == scores["worst"]["n"] == 10
    assert (scores["worst"]["value"], scores["no_worst"]) == (0.3, 1)
    assert (scores["worst_drop"]["value"], scores["worst_drop"]["n"], scores["original"]["n"]) == (0.7, 10, 11)
    assert scores["drop"]["names"]["value"] is None  # it changed no row
    summary = run.summary
    assert (summary["coverage"], summary["outputs"]["error"], summary["gate"]["coverage"]["pass"]) == (1.0, 0, True)
    page = markdown_report(run)
    assert "1 output of rows perturbed by lowercase failed and got no score" in page
    assert "names changed no row, so nothing was learnt from it" in page
    assert "1 row has no worst exact_match: a perturbed answer got no score" in page
    assert "| lowercase | 0.300 | 0.700 |" in page


def test_failed_answers_make_no_worst_case_look_better(tmp_path: Path) -> None:
    bot = """
def answer(text):
    if text.startswith("hard"):
        raise ValueError("no capitals")
    return "right" if "easy" in text.lower() else "wrong"
"""
    rows = [{"id": f"e{n}", "input": f"Easy question {n}", "references": ["right"]} for n in range(4)]
    rows += [{"id": f"h{n}", "input": f"Hard question {n}", "references": ["right"]} for n in range(6)]
    run = evaluated(tmp_path, "[lowercase]", rows=rows, bot=bot)
    scores = run.summary["robustness"]["scores"]["exact_match"]
    assert scores["original"]["value"] == 0.4
    # The six rows that are left out are the hard ones: what is left looks better, and its drop says that it is not.
    assert (scores["worst"]["value"], scores["worst"]["n"], scores["no_worst"]) == (1.0, 4, 6)
    assert scores["worst_drop"]["value"] == scores["drop"]["lowercase"]["value"] == 0.0
    page = markdown_report(run)
    assert "| worst of all | 1.000 | 0.000 |" in page
    assert "6 rows have no worst exact_match: a perturbed answer got no score" in page


def test_what_is_drawn_depends_on_the_row_and_not_on_its_neighbours(tmp_path: Path) -> None:
    spec = "[typos(rate=0.3), mild_mix]"
    asked = {o.sample.id: o.sample.input for o in evaluated(tmp_path, spec).samples}
    shuffled = random.Random(1).sample(ROWS, 6)
    fewer = {o.sample.id: o.sample.input for o in evaluated(tmp_path, spec, rows=shuffled).samples}
    assert len(fewer) > 12
    assert fewer.items() <= asked.items()
    alone = {o.sample.id: o.sample.input for o in evaluated(tmp_path, "[typos(rate=0.3)]").samples}
    assert alone.items() <= asked.items()
    other = {o.sample.id: o.sample.input for o in evaluated(tmp_path, spec, seed=1).samples}
    assert other != asked
    assert all(row.sample.perturbation in row.sample.id for row in evaluated(tmp_path, spec).samples)


def test_repeats_are_averaged_before_rows_are_paired(tmp_path: Path) -> None:
    bot = BOT.replace(
        "def answer(text):", "turn = [0]\ndef answer(text):\n    turn[0] += 1\n    if turn[0] % 2: return 'no'"
    )
    keys: dict[str, Any] = {
        "repeats": 2,
        "metrics": ["exact_match", "pass_at@2", "agreement"],
        "engine": {"max_concurrency": 1},
    }
    run = evaluated(tmp_path, "[lowercase]", bot=bot, **keys)
    found = run.summary["robustness"]["scores"]
    assert run.manifest["usage"]["sent"] == 34
    exact = found["exact_match"]
    assert (exact["original"]["value"], exact["perturbed"]["lowercase"]["value"]) == (0.5, 0.15)
    assert (exact["drop"]["lowercase"]["value"], exact["drop"]["lowercase"]["n"]) == (0.35, 10)
    assert (exact["worst"]["value"], exact["worst"]["n"]) == (0.15, 10)
    assert (exact["worst_drop"]["value"], exact["original"]["n"]) == (0.35, 10)
    assert exact["perturbed"]["lowercase"]["n"] == 10
    passed = found["pass_at@2"]
    assert (passed["original"]["value"], passed["perturbed"]["lowercase"]["value"]) == (1.0, 0.3)
    assert passed["unscored"] == {"lowercase": 0}
    assert passed["worst"]["value"] == 0.3


def test_bleu_drops_by_the_difference_of_two_corpora_and_has_no_worst_case(tmp_path: Path) -> None:
    bot = "def answer(text):\n    return text"
    rows = [
        {"id": str(n), "input": f"The Cat sat {'and Slept ' * (n % 4)}on a mat{' in the sun' * (n % 3)} by a door",
         "references": [f"The Cat sat {'and Slept ' * (n % 4)}on a mat{' in the sun' * (n % 3)} by a window {'sill' * (n % 5)}"]}
        for n in range(30)
    ]  # fmt: skip
    run = evaluated(tmp_path, "[lowercase]", rows=rows, bot=bot, metrics=["bleu", "ter"])
    texts, references = [str(row["input"]) for row in rows], [[row["references"][0] for row in rows]]
    before = sacrebleu.corpus_bleu(texts, references).score
    after = sacrebleu.corpus_bleu([text.lower() for text in texts], references).score
    found = run.summary["robustness"]["scores"]["bleu"]
    assert found["perturbed"]["lowercase"]["value"] == pytest.approx(after)
    drop = found["drop"]["lowercase"]
    assert drop["value"] == pytest.approx(before - after)
    assert drop["low"] < drop["value"] < drop["high"]
    assert "bootstrap" in drop["method"]
    assert found["worst"] is None
    ter = run.summary["robustness"]["scores"]["ter"]  # lower is better: a drop is a rise
    assert ter["drop"]["lowercase"]["value"] == ter["perturbed"]["lowercase"]["value"] - ter["original"]["value"]


def test_macro_f1_of_the_perturbed_rows_is_theirs_though_their_labels_have_other_codes(tmp_path: Path) -> None:
    bot = "def answer(text):\n    return 'cat' if 'Cat' in text else 'dog' if 'og' in text else 'eel'"
    rows = [
        {"id": str(n), "input": f"{'Cat' if n % 3 else 'Dog'} {n}", "references": ["cat" if n % 3 else "dog"]}
        for n in range(12)
    ]
    run = evaluated(tmp_path, "[lowercase, spaces]", rows=rows, bot=bot, metrics=["f1"])
    found = run.summary["robustness"]["scores"]["f1"]
    # All dogs stay dogs; every cat becomes an eel: F1 is 1 for dogs and 0 for cats.
    assert found["original"]["value"] == 1.0
    assert found["perturbed"]["lowercase"]["value"] == 0.5
    assert found["drop"]["lowercase"]["value"] == 0.5
    assert found["perturbed"]["spaces"]["value"] == 1.0


def test_earlier_answers_are_scored_again_with_their_perturbed_ones(tmp_path: Path) -> None:
    first = evaluated(tmp_path, "[lowercase]")
    again = run_eval(
        tmp_path / "c.yaml", overrides=["metrics=[exact_match, contains]"],
        options=Options(out=tmp_path / "again", outputs=tmp_path / "run"),
    )  # fmt: skip
    assert again.summary["robustness"]["scores"]["exact_match"] == first.summary["robustness"]["scores"]["exact_match"]
    assert "contains" in again.summary["robustness"]["scores"]
    for overrides, message in (
        (["perturb=[typos]"], "it was not asked the rows as typos perturbs them"),
        (["seed=3"], "its rows were perturbed with the seed 0, and the config says 3"),
    ):
        with pytest.raises(DataError) as caught:
            run_eval(
                tmp_path / "c.yaml", overrides=overrides, options=Options(tmp_path / "no", outputs=tmp_path / "run")
            )
        assert message in str(caught.value.problems[0])
    bare = run_eval(
        tmp_path / "c.yaml", overrides=["perturb=[]"], options=Options(tmp_path / "bare", outputs=tmp_path / "run")
    )
    assert "robustness" not in bare.summary


def test_a_dry_run_counts_the_reworded_rows(tmp_path: Path) -> None:
    setup = prepare(config(tmp_path, "[lowercase, names, contractions]", repeats=3))
    assert setup.variants.counts == {"lowercase": 7, "names": 0, "contractions": 0}
    assert plan_eval(setup).requests == 3 * 17


def test_of_a_chat_the_last_user_message_is_perturbed_and_pictures_stay(tmp_path: Path) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:,X"}}
    chat: list[dict[str, Any]] = [
        {"role": "system", "content": "Be Kind."},
        {"role": "user", "content": "First Question"},
        {"role": "assistant", "content": "First Answer"},
        {"role": "user", "content": [{"type": "text", "text": "Second Question"}, picture]},
        {"role": "assistant", "content": "Well"},
    ]
    rows: list[dict[str, Any]] = [
        {"id": "c", "input": chat},
        {"id": "t", "input": ["One", "Two"]},
        {"id": "s", "input": chat[:1] + chat[2:3]},
    ]
    setup = prepare(config(tmp_path, "[lowercase]", rows=rows, metrics=["length"]))
    variants = [one for sample in setup.dataset for one in setup.variants.of(sample)]
    assert [one.id for one in variants] == ["c~lowercase", "t~lowercase"]  # no user speaks in the third
    assert variants[0].input == (
        *chat[:3], {"role": "user", "content": [{"type": "text", "text": "second question"}, picture]}, chat[4],
    )  # fmt: skip
    assert (variants[1].input, variants[1].turns) == ("one", ("Two",))


def test_names_are_replaced_in_the_whole_row_so_that_the_right_answer_stays_right(tmp_path: Path) -> None:
    rows = [
        {"id": "n", "input": "Did Emily or Greg win?", "contexts": ["Emily won, not greg."], "choices": ["Emily", "Greg"],
         "answer": "Emily", "references": ["Emily"]},
        {"id": "k", "input": "Is it raining?", "contexts": ["Anne says so."], "choices": ["Anne"], "references": ["Anne"]},
    ]  # fmt: skip
    bot = "def answer(sample):\n    return next(c for c in sample['choices'] if c in sample['contexts'][0])"
    run = evaluated(tmp_path, "[names]", rows=rows, bot=bot, metrics=["exact_match"])
    reworded = {row.sample.id: row.sample for row in run.samples if row.sample.perturbation}
    assert set(reworded) == {"n~names", "k~names"}
    changed = reworded["n~names"]
    assert changed.references == (changed.answer,) == changed.choices[:1] != ("Emily",)
    assert changed.choices[1] in changed.input
    assert "greg" in changed.contexts[0]
    assert run.summary["robustness"]["scores"]["exact_match"]["drop"]["names"]["value"] == 0.0


def test_the_target_is_not_told_and_shown_examples_are_those_of_the_row_itself(tmp_path: Path) -> None:
    bot = "seen = []\ndef answer(sample, messages):\n    return sample['id'] + '|' + '|'.join(m['content'] for m in messages)"
    rows = [
        {"id": "a", "input": "Alpha Row", "references": ["1"]},
        {"id": "b", "input": "Alpha Row", "references": ["2"]},  # the same question: no example for the other
        {"id": "c", "input": "Gamma Row", "references": ["3"]},
        {"id": "d", "input": "Delta Row", "references": ["4"]},
    ]
    run = evaluated(tmp_path, "[lowercase]", rows=rows, bot=bot, few_shot={"n": 2}, metrics=["length"])
    texts = {output.sample_id: output.text for output in run.outputs}
    assert texts["b~lowercase"] == "b|Gamma Row|3|Delta Row|4|alpha row"
    for name in "abcd":
        assert (
            texts[f"{name}~lowercase"] == texts[name].rpartition("|")[0] + "|" + texts[name].rpartition("|")[2].lower()
        )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"target": "recorded"}, "answers that were recorded are answers to the rows as they are"),
        ({"prompt": "Say hello to {{ kind }}"}, "the prompt does not show it"),
    ],
)
def test_what_would_measure_nothing_is_refused(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    rows = [{**row, "output": "right"} for row in ROWS]
    with pytest.raises(ConfigError) as caught:
        prepare(config(tmp_path, "[lowercase]", rows=rows, **more))
    assert message in str(caught.value.problems[0])


@pytest.mark.parametrize(
    ("perturb", "message"),
    [
        ("[lowercase, lowercase]", "'lowercase' is listed already at perturb[0]"),
        ("[typo]", "unknown perturbation 'typo' (did you mean 'typos'?)"),
        ("[typos(rate=2)]", "rate must be between 0 and 1, not 2"),
        ("typos", "expected a list"),
    ],
)
def test_what_is_wrong_in_the_list_is_said(tmp_path: Path, perturb: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(config(tmp_path, perturb))
    assert message in "\n".join(map(str, caught.value.problems))


def test_an_id_that_a_reworded_row_would_have_and_a_set_that_nothing_changes_are_refused(tmp_path: Path) -> None:
    clash = [*ROWS, {"id": "h0~lowercase", "input": "Hm", "references": ["x"]}]
    with pytest.raises(DataError) as caught:
        prepare(config(tmp_path, "[lowercase]", rows=clash))
    assert "the id 'h0~lowercase' ends as those of rows that are perturbed by 'lowercase'" in str(
        caught.value.problems[0]
    )
    with pytest.raises(DataError) as caught:
        prepare(config(tmp_path, "[names, dialect]"))
    assert "not one of 10 rows is changed by names, dialect" in str(caught.value.problems[0])


class Lower(MeanMetric):
    higher_is_better = False
    bounds = (0.0, 1.0)

    def score(self, sample: Sample, output: Output) -> float:
        return float(output.text or 0)


class Higher(Lower):
    higher_is_better = True


def tallied(metric: Any, values: dict[int, float]) -> Tally:
    tally = Tally("m", metric)
    for row, value in sorted(values.items()):
        tally._append(row, (value,))
    return tally


def summary_of(
    metric: Any, rows: list[dict[str, float]], groups: dict[str, Any], lost: Collection[tuple[int, str]] = ()
) -> Any:
    """Return the robustness of rows of scores, each with its own as ``original`` and with those of some perturbations."""
    original: dict[int, float] = {}
    versions: dict[str, dict[int, float]] = {name: {} for name in groups}
    reworded = {name: Reworded() for name in groups}
    number = 0
    for row in rows:
        first = number
        original[first] = row["original"]
        number += 1
        for name in groups:
            if name in row:
                reworded[name].add(number, first, Output("x", "x"))
                if (first, name) not in lost:
                    versions[name][number] = row[name]
                number += 1
    mine = tallied(metric, original)
    sides = Sides(mine, {name: tallied(metric, values) for name, values in versions.items()})
    entry = {"value": None, "low": None, "high": None, "n": 0, "method": ""}
    found = Robustness(groups, dict.fromkeys(groups, ""), reworded, len(rows), 1, Design()).summary(
        [sides], {"m": entry}
    )
    return found["scores"]["m"]


def test_worst_cases_are_helms() -> None:
    golden = GOLDEN["worst_cases"]
    groups = {"a": Lowercase(), "b": Lowercase(), "c": Names()}
    found = summary_of(EditSimilarity(), golden["rows"], groups)
    for group, value in golden["worst"].items():
        assert found["worst_of"][group]["value"] == pytest.approx(value, abs=1e-12)
    assert found["worst"]["value"] <= min(golden["worst"].values())


scores = st.floats(0, 1)
versions = st.fixed_dictionaries({"original": scores}, optional={"a": scores, "b": scores, "c": scores})


@given(rows=st.lists(versions, min_size=1, max_size=12), lower=st.booleans())
def test_the_worst_case_is_no_better_than_any_version_and_a_drop_is_the_mean_of_differences(
    rows: list[dict[str, float]], lower: bool
) -> None:
    groups = {"a": Lowercase(), "b": Lowercase(), "c": Names()}
    found = summary_of(Lower() if lower else EditSimilarity(), rows, groups)
    own = float(np.mean([row["original"] for row in rows]))
    sign = -1 if lower else 1
    worst = found["worst"]["value"]
    assert sign * worst <= sign * own + 1e-12
    for group in ("robustness", "fairness"):
        assert sign * worst <= sign * found["worst_of"][group]["value"] + 1e-12
    for name in groups:
        if not any(name in row for row in rows):
            assert found["drop"][name]["value"] is None
            continue
        whole = float(np.mean([row.get(name, row["original"]) for row in rows]))
        assert found["perturbed"][name]["value"] == pytest.approx(whole, abs=1e-12)
        assert found["drop"][name]["value"] == pytest.approx(sign * (own - whole), abs=1e-12)
        assert sign * worst <= sign * whole + 1e-12


@given(rows=st.lists(versions, min_size=1, max_size=8), data=st.data())
def test_a_version_without_a_score_leaves_its_pair_out_and_takes_the_worst_case_with_it(
    rows: list[dict[str, float]], data: st.DataObject
) -> None:
    groups = {"a": Lowercase(), "b": Lowercase()}
    rows = [{name: value for name, value in row.items() if name != "c"} for row in rows]
    starts = np.cumsum([0, *(len(row) for row in rows)])
    there = [(int(start), name) for start, row in zip(starts, rows, strict=False) for name in row if name != "original"]
    lost = set(data.draw(st.lists(st.sampled_from(there), unique=True))) if there else set()
    found = summary_of(Higher(), rows, groups, lost)
    assert found["unscored"] == {name: sum(one == name for _, one in lost) for name in groups}
    assert found["no_worst"] == len({start for start, _ in lost})
    for name in groups:
        pairs = [
            (row["original"], row.get(name, row["original"]))
            for start, row in zip(starts, rows, strict=False)
            if (int(start), name) not in lost
        ]
        if any(name in row for row in rows) and pairs:
            assert found["drop"][name]["n"] == found["perturbed"][name]["n"] == len(pairs)
            assert found["drop"][name]["value"] == pytest.approx(np.mean([one - two for one, two in pairs]), abs=1e-12)


def test_a_paired_tally_translates_texts_and_keeps_the_order_of_rows() -> None:
    original, changed = tallied(Higher(), {}), tallied(Higher(), {})
    for row, text in ((0, "x"), (2, "y"), (3, "x")):
        original._append(row, (text, 1.0))
    changed._append(1, ("z", 0.0))
    changed._append(4, ("y", 0.5))
    reworded = Reworded()
    reworded.add(1, 0, Output("a", "x"))
    reworded.add(4, 3, Output("b", None))
    whole = paired(original, changed, reworded, repeats=1)
    assert list(whole.rows) == [0, 2, 3]
    words = list(whole.vocabulary[0])
    assert [words[int(code)] for code in whole.columns[0]] == ["z", "y", "y"]
    assert list(whole.columns[1]) == [0.0, 1.0, 0.5]
    assert estimate(tallied(Lower(), {0: 1.0}), Design()) is not None


def test_metrics_that_take_many_outputs_at_once_score_each_version_of_the_rows(tmp_path: Path) -> None:
    """Windows of three, so that they end inside the rows of one sample and its versions."""
    plugin = '''
from dataclasses import dataclass
from llmkit.metrics import MeanMetric, metric

@metric("few_at_once")
@dataclass(frozen=True)
class FewAtOnce(MeanMetric):
    """Whether the answer is right, three rows at a time."""
    batch = 3

    def score(self, sample, output):
        raise TypeError("it takes many")

    def stats_many(self, pairs):
        assert len(pairs) <= 3
        assert len({sample.perturbation for sample, _ in pairs}) == 1
        return [(float(output.text == "right"),) for _, output in pairs]

@metric("few_over_repeats")
@dataclass(frozen=True)
class FewOverRepeats(MeanMetric):
    """Share of the repeats that are right, three rows at a time."""
    batch = 3
    over_repeats = True

    def score(self, sample, output):
        raise TypeError("it takes many")

    def stats_over_many(self, groups):
        assert all(len(outputs) == 2 for _, outputs in groups)
        return [(sum(output.text == "right" for output in outputs) / 2,) for _, outputs in groups]
'''
    (tmp_path / "few.py").write_text(plugin)
    metrics = ["exact_match", "few_at_once", "few_over_repeats"]
    run = evaluated(tmp_path, "[lowercase, spaces]", metrics=metrics, plugins=["few.py"], repeats=2)
    found = run.summary["robustness"]["scores"]
    for name in metrics[1:]:
        assert found[name]["perturbed"]["lowercase"]["value"] == 0.3
        assert found[name]["drop"]["spaces"]["value"] == 0.0
        assert found[name]["worst"]["value"] == 0.3
        assert found[name]["unscored"] == {"lowercase": 0, "spaces": 0}
    by_id = {row["id"]: row for row in run_rows(run)}
    assert [row["perturbation"] for row in by_id.values()][:3] == ["", "spaces", ""]
    for row in by_id.values():
        assert [len(row["scores"][name]) for name in metrics] == [2, 2, 1]


JUDGE = """
def judge(messages):
    text = messages[-1]["content"]
    assert "Hard question" in text or "easy question" in text, text
    return "Grade: 10" if text.count("right") > text.count("wrong") else "Grade: 1"
"""


def test_judges_score_perturbed_answers_and_read_the_question_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "judge.py").write_text(JUDGE)
    keys: dict[str, Any] = {"judges": ["grade"], "judge_model": {"python": "judge.py:judge"}, "repeats": 2}
    rows = [{key: value for key, value in row.items() if key != "references"} for row in ROWS]
    run = evaluated(tmp_path, '[lowercase, "contractions"]', rows=rows, metrics=["length"], **keys)
    found = run.summary["robustness"]["scores"]["grade"]
    own = run.summary["scores"]["grade"]["value"]
    assert found["original"]["value"] == own
    assert found["drop"]["lowercase"]["value"] == pytest.approx(0.7 * (own - _graded(run, "h0~lowercase")))
    assert found["worst"]["value"] == found["perturbed"]["lowercase"]["value"] < own
    assert found["unscored"] == {"lowercase": 0, "contractions": 0}
    assert {one.sample_id for one in run.transcripts} == {output.sample_id for output in run.outputs}
    again = run_eval(tmp_path / "c.yaml", options=Options(out=tmp_path / "again", outputs=tmp_path / "run"))
    assert again.summary["robustness"] == run.summary["robustness"]


def _graded(run: Any, sample_id: str) -> float:
    return float(next(score.value for score in run.scores if (score.sample_id, score.scorer) == (sample_id, "grade")))


def test_multiple_choice_is_asked_in_other_words_by_every_rule_and_so_are_likelihoods(tmp_path: Path) -> None:
    rows = [
        {"id": str(n), "input": f"What Colour is {n}?", "choices": ["Red", "Blue"], "answer": n % 2} for n in range(4)
    ]
    echo: dict[str, Any] = {"target": {"echo": {"text": "B"}}, "metrics": ["choice_accuracy(rule='helm')"]}
    asked = config(tmp_path, "[lowercase]", rows=rows, choice={"rules": ["original", "helm"]}, **echo)
    run = run_eval(asked, options=Options(out=tmp_path / "run"))
    prompts = [row.sample.input for row in run.samples]
    assert prompts[:2] == ["What Colour is 0?", "what colour is 0?"]
    found = run.summary["robustness"]["scores"]["choice_accuracy(rule='helm')"]
    assert (found["original"]["value"], found["drop"]["lowercase"]["value"], found["drop"]["lowercase"]["n"]) == (
        0.5,
        0.0,
        4,
    )
    # The echo target finds its own prompt certain, and gives any other text -1 for each word.
    likely = [{"id": str(n), "input": f"Word {n}", "references": [f"Word {n}"]} for n in range(3)]
    (tmp_path / "c.yaml").unlink()
    asked = config(tmp_path, "[lowercase]", rows=likely, ask="references", target="echo", metrics=["perplexity"])
    found = run_eval(asked, options=Options(out=tmp_path / "more")).summary["robustness"]["scores"]["perplexity"]
    assert found["original"]["value"] == 1.0
    assert found["perturbed"]["lowercase"]["value"] == pytest.approx(np.e)
    assert found["drop"]["lowercase"]["value"] == pytest.approx(np.e - 1)  # lower is better


def test_limitations_name_what_rewording_costs_for_certain(tmp_path: Path) -> None:
    run = evaluated(tmp_path, "[lowercase, spaces]")
    [line] = [line for line in limitations(run, {"exact_match"}).where if "other words" in line]
    assert line.startswith("Asked in other words, exact_match is worse: under lowercase (0.700, ")
    assert "spaces" not in line
    assert "Robustness" in (tmp_path / "run" / "report.html").read_text()


def test_runs_with_metrics_over_repeats_and_reworded_rows_can_be_compared(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"repeats": 2, "metrics": ["exact_match", "pass_at@2", "agreement", "bleu"]}
    folders = []
    for name in ("base", "candidate"):
        (tmp_path / name).mkdir()
        folders.append(Path(str(evaluated(tmp_path / name, "[lowercase]", **keys).path)))
    found = compare_runs(*folders)
    assert {name: entry["n"] for name, entry in found.metrics.items()} == {
        "exact_match": 10, "pass_at@2": 10, "agreement": 10, "bleu": 10
    }  # fmt: skip
    scores = folders[1] / "scores.jsonl"
    kept = [line for line in scores.read_text("utf-8").splitlines() if '"e1"' not in line or "pass_at" not in line]
    scores.write_text("\n".join(kept) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="pass_at@2 has 10 scores by its summary, and 9 are there"):
        compare_runs(*folders)
