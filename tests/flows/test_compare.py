"""Two runs through ``compare_runs``: what is paired, what is refused, and what the verdict is."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmkit import Options, run_eval
from llmkit.config.gate import Gate
from llmkit.errors import ConfigError, DataError, NotComparableError, UsageError
from llmkit.flows.compare import compare_runs
from llmkit.flows.compare_files import comparison_files, comparison_json, load_gate
from llmkit.report.comparison import LONGEST, MARKER, comparison_markdown
from llmkit.store import baseline_text, open_baseline, write_baseline
from llmkit.types import Comparison, Run

Make = Callable[..., Run]
METRICS = ("exact_match", "token_f1", "bleu", "f1")


def answers(count: int, wrong: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Return rows with recorded outputs, of which some are wrong."""
    bad = set(wrong)
    return [
        {
            "id": f"r{n:03d}",
            "input": f"say the number {n} aloud",
            "references": [f"the number is {n} indeed"],
            "output": "no idea at all today" if n in bad else f"the number is {n} indeed",
            "lang": "de" if n % 4 == 0 else "en",
        }
        for n in range(count)
    ]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return what makes a run of rows with recorded outputs."""

    def made(name: str, rows: list[dict[str, Any]], **keys: Any) -> Run:
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        whole = {"name": "t", "dataset": f"{name}.jsonl", "target": "recorded", "metrics": METRICS, **keys}
        config = tmp_path / f"{name}.yaml"
        config.write_text(json.dumps(whole))
        return run_eval(config, options=Options(out=tmp_path / name))

    return made


def test_the_same_system_never_regresses(make: Make) -> None:
    base, again = (make(name, answers(60, range(0, 60, 5))) for name in ("a", "b"))
    found = compare_runs(base, again)
    assert (found.verdict, found.exit_code, found.changed) == ("pass", 0, ())
    assert {entry["difference"]["value"] for entry in found.metrics.values()} == {0.0}


def test_a_clear_drop_is_a_regression_of_every_kind_of_metric(make: Make) -> None:
    base, worse = make("a", answers(120, [3])), make("b", answers(120, range(0, 120, 3)))
    found = compare_runs(base, worse)
    assert (found.verdict, found.exit_code) == ("regressed", 1)
    assert {name: entry["verdict"] for name, entry in found.metrics.items()} == dict.fromkeys(METRICS, "regressed")
    exact = found.metrics["exact_match"]
    assert (exact["worse"], exact["better"], exact["difference"]["value"]) == (39, 0, pytest.approx(-39 / 120))
    assert exact["difference"]["p_adjusted"] >= exact["difference"]["p"]
    assert found.changed[0] == "r000"
    assert len(found.changed) == 39
    back = compare_runs(worse, base)
    assert (back.verdict, back.exit_code) == ("improved", 0)


def test_a_small_change_is_inconclusive_and_only_a_gate_that_asks_for_certainty_fails(make: Make) -> None:
    base, candidate = make("a", answers(40, [1, 2, 3])), make("b", answers(40, [3, 4, 5, 6]))
    found = compare_runs(base, candidate)
    assert (found.verdict, found.exit_code) == ("inconclusive", 0)
    assert found.metrics["exact_match"]["needed"] > 40
    assert compare_runs(base, candidate, gate=Gate(certain=True)).exit_code == 5
    wide = Gate.model_validate({"exact_match": {"max_drop": 0.3}, "certain": True})
    assert compare_runs(base, candidate, gate=wide).exit_code == 0


def test_rows_that_differ_are_named_and_refused(make: Make) -> None:
    before = answers(30)
    after = [dict(row) for row in before[5:]]
    after[0]["references"] = ["another"]
    after.append({**before[0], "id": "new"})
    base, candidate = make("a", before), make("b", after)
    found = compare_runs(base, candidate)
    assert (found.verdict, found.exit_code, dict(found.metrics)) == ("not_comparable", 4, {})
    said = " ".join(found.reasons)
    assert "5 rows are only in the base: 'r000'" in said
    assert "1 row is only in the candidate: 'new'" in said
    assert "1 row has another content: 'r005' (changed: references in 1)" in said
    common = compare_runs(base, candidate, intersection=True)
    assert (common.verdict, common.samples) == ("pass", 24)
    assert {reason: len(ids) for reason, ids in common.left_out.items()} == {
        "only in the base": 5,
        "only in the candidate": 1,
        "changed": 1,
    }


def test_nothing_in_common_is_never_good(make: Make) -> None:
    base, candidate = make("a", answers(4)), make("b", [{**row, "id": f"x{row['id']}"} for row in answers(4)])
    found = compare_runs(base, candidate, intersection=True)
    assert (found.verdict, found.exit_code) == ("not_comparable", 4)
    assert found.reasons[0] == "no row is the same in both runs"


def test_another_way_to_measure_is_named(make: Make) -> None:
    base = make("a", answers(20), metrics=["token_f1", "bleu"])
    candidate = make("b", answers(20), metrics=["token_f1", {"bleu": {"lowercase": True}}, "exact_match"])
    found = compare_runs(base, candidate)
    assert found.exit_code == 4
    assert found.reasons[0] == "bleu was not measured in the candidate"
    assert compare_runs(base, candidate, metrics=["token_f1"]).exit_code == 0
    common = compare_runs(base, candidate, intersection=True)
    assert list(common.metrics) == ["token_f1"]
    assert common.left_out["scorers"] == ["bleu was not measured in the candidate"]


def test_a_judge_that_changed_is_named_by_what_changed() -> None:
    from llmkit.flows.conditions import parts_that_differ

    assert (
        parts_that_differ("grade|prompt:ab12|model:openai(model='m1')", "grade|prompt:ab12|model:openai(model='m2')")
        == "model:openai(model='m1') in the base, model:openai(model='m2') in the candidate"
    )


def test_repeats_that_differ_are_refused_and_flaky_samples_are_a_class_of_their_own(make: Make, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(
        "seen = {}\n"
        "def answer(text):\n"
        "    n = int(text.split()[3])\n"
        "    seen[n] = seen.get(n, 0) + 1\n"
        "    flaky = n % 5 == 0 and seen[n] % 2\n"
        "    return 'no' if flaky else f'the number is {n} indeed'\n"
    )
    asked: dict[str, Any] = {"target": {"python": "bot.py:answer"}, "metrics": ["exact_match"]}
    base, candidate = (make(name, answers(20), repeats=2, **asked) for name in ("a", "b"))
    found = compare_runs(base, candidate)
    assert [(one["id"], one["pass_rate"]) for one in found.flaky["exact_match"]] == [
        (f"r{n:03d}", 0.5) for n in range(0, 20, 5)
    ]
    assert found.changed == ()
    once = make("c", answers(20), repeats=1, **asked)
    assert compare_runs(base, once).reasons[0] == "the base asked every row 2 time(s), the candidate 1"
    assert compare_runs(base, once, intersection=True).exit_code in {0, 1}


def test_answers_that_failed_are_counted_and_never_scored(make: Make) -> None:
    rows = answers(50)
    for row in rows[:5]:
        del row["output"]
    base, candidate = make("a", answers(50)), make("b", rows, gate={"coverage": {"min": 0.5}})
    found = compare_runs(base, candidate)
    assert found.metrics["exact_match"]["missing"] == {"base": 0, "candidate": 5}
    assert (found.metrics["exact_match"]["n"], found.verdict) == (45, "pass")
    assert found.left_out["without exact_match in the candidate"] == 5
    strict = compare_runs(base, candidate, gate=Gate())
    assert (strict.exit_code, strict.gate["coverage"]["pass"]) == (3, False)


def test_slices_are_compared_and_gated(make: Make) -> None:
    base = make("a", answers(200), slices=["lang"])
    gate = {"exact_match": {"max_drop": 0.9}, "slices": {"lang": {"de": {"exact_match": {"max_drop": 0.05}}}}}
    candidate = make("b", answers(200, range(0, 200, 8)), slices=["lang"], gate=gate)
    found = compare_runs(base, candidate)
    assert found.slices["lang"]["de"]["exact_match"]["verdict"] == "regressed"
    assert found.gate["exact_match max_drop"]["pass"]
    assert not found.gate["exact_match max_drop where lang = de"]["pass"]
    assert found.exit_code == 1
    nobody = Gate.model_validate({"slices": {"lang": {"fr": {"exact_match": {"max_drop": 0.05}}}}})
    assert compare_runs(base, candidate, gate=nobody).exit_code == 3


@pytest.mark.parametrize(
    "gate",
    [
        {"slices": {"lang": {"de": {"exact_match": {"max_drop": 0.5}}}}},
        {"all": {"min": 0.1}},
        {"exact_match": {"min": 0.1}},
    ],
)
def test_a_rule_about_a_part_of_the_rows_does_not_let_the_others_drop(make: Make, gate: dict[str, Any]) -> None:
    base, worse = make("a", answers(120), slices=["lang"]), make("b", answers(120, range(1, 120, 2)), slices=["lang"])
    found = compare_runs(base, worse, gate=Gate.model_validate(gate))
    assert (found.verdict, found.exit_code) == ("regressed", 1)
    assert {name for name in found.gate if name.endswith(" max_drop")} == {f"{name} max_drop" for name in METRICS}
    named = Gate.model_validate({**gate, "token_f1": {"max_drop": 0.9}})
    assert compare_runs(base, worse, gate=named).exit_code == 0


def test_a_value_with_few_rows_is_kept_where_the_gate_names_it(make: Make) -> None:
    rows = [{**row, "lang": f"l{n // 2}"} for n, row in enumerate([*answers(104), answers(105)[-1]])]
    rule = {"lang": {"l52": {"exact_match": {"min": 0.5}}}}
    run = make("a", rows, slices=["lang"], gate={"slices": rule})
    assert len(run.summary["slices"]["lang"]["values"]) == 51
    assert run.summary["gate"]["exact_match min where lang = l52"]["pass"]
    again = make("b", rows, slices=["lang"])
    late = compare_runs(again, again, gate=Gate.model_validate({"slices": rule}))
    assert late.exit_code == 3
    assert "3 values of lang with few rows are not kept; name it in the 'gate' of the run's own config" in " ".join(
        late.reasons
    )
    lost = Gate.model_validate({"slices": {"lang": {"xx": {"exact_match": {"min": 0.5}}}}})
    few = make("c", answers(8), slices=["lang"])
    assert "no row has this lang" in " ".join(compare_runs(few, few, gate=lost).reasons)


@pytest.mark.parametrize(
    ("gate", "code", "said"),
    [
        ({"exact_match": {"min": 0.6}}, 0, ""),
        ({"exact_match": {"min": 0.76}}, 0, "other samples like these could miss 0.76"),
        ({"exact_match": {"min": 0.76}, "certain": True}, 5, "whether it is at least 0.76 is not certain"),
        ({"exact_match": {"min": 0.95}, "certain": True}, 1, "not at least 0.95"),
        ({"exact_match": {"max": 0.5}}, 1, "not at most 0.5"),
        ({"cost": {"max": 0}}, 0, ""),
        ({"latency": {"p95": {"max": 9}}}, 0, ""),
        ({"token_f1": {"min": 0.99}, "coverage": {"min": 0}}, 1, "token_f1 is"),
    ],
)
def test_absolute_gates(make: Make, gate: dict[str, Any], code: int, said: str) -> None:
    run = make("a", answers(100, range(0, 100, 5)))
    found = compare_runs(run, run, gate=Gate.model_validate(gate))
    assert found.exit_code == code
    assert said in " ".join(found.reasons)


def test_a_gate_that_names_what_is_not_there_is_refused(make: Make) -> None:
    run = make("a", answers(5))
    with pytest.raises(ConfigError, match=r"the gate asks for 'exact_mach'.*did you mean 'exact_match'"):
        compare_runs(run, run, gate=Gate.model_validate({"exact_mach": {"min": 1}}))
    with pytest.raises(ConfigError, match=r"there are no slices by 'lang'"):
        compare_runs(run, run, gate=Gate.model_validate({"slices": {"lang": {"de": {"bleu": {"min": 1}}}}}))


def test_a_config_whose_gate_is_wrong_asks_nothing(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gate\.f2.*no scorer here is called"):
        make("a", answers(5), gate={"f2": {"min": 1}})
    assert not (tmp_path / "a").exists()


def test_a_baseline_file_gates_as_the_run_itself_does(make: Make, tmp_path: Path) -> None:
    base, candidate = make("a", answers(80, [1])), make("b", answers(80, range(0, 80, 4)))
    write_baseline(base, tmp_path / "base.json")
    assert (tmp_path / "base.json").read_text() == baseline_text(base)
    kept = open_baseline(tmp_path / "base.json")
    through, direct = compare_runs(kept, candidate), compare_runs(base, candidate)
    assert through.metrics["exact_match"] == direct.metrics["exact_match"]
    assert through.metrics["bleu"] == direct.metrics["bleu"]
    assert through.metrics["f1"] == direct.metrics["f1"]
    assert (through.verdict, through.exit_code, through.changed) == (direct.verdict, direct.exit_code, direct.changed)
    assert "no idea" not in (tmp_path / "base.json").read_text().replace("no idea at all today", "")
    assert "say the number" not in (tmp_path / "base.json").read_text()


def test_a_baseline_with_texts_shows_both_answers(make: Make, tmp_path: Path) -> None:
    base, candidate = make("a", answers(20)), make("b", answers(20, [4]))
    write_baseline(base, tmp_path / "base.json", texts=True)
    kept = open_baseline(tmp_path / "base.json")
    files = comparison_files(kept, candidate, compare_runs(kept, candidate))
    assert "base: the number is 4 indeed" in files["comparison.md"]
    assert "candidate: no idea at all today" in files["comparison.md"]
    assert set(files) == {"comparison.json", "comparison.md", "report.html"}


def test_long_texts_do_not_slip_into_a_baseline_through_statistics(make: Make, tmp_path: Path) -> None:
    rows = [{**row, "references": ["a secret that is longer than any label of a class ever is"]} for row in answers(9)]
    base = make("a", [{**row, "output": row["references"][0]} for row in rows])
    candidate = make("b", [{**row, "output": row["references"][0]} for row in rows])
    write_baseline(base, tmp_path / "base.json")
    assert "secret" not in (tmp_path / "base.json").read_text()
    assert compare_runs(tmp_path / "base.json", candidate).metrics["f1"]["difference"]["value"] == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"baseline": 2, "rows": []}', '{"baseline": 1, "rows": [[1, 2, 3]]}'])
def test_a_file_that_is_no_baseline_is_said_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageError, match=r"x\.json (is not a baseline|was written by another|is damaged)"):
        open_baseline(tmp_path / "x.json")


def test_an_evaluation_that_cannot_be_compared_asks_nothing(make: Make, tmp_path: Path) -> None:
    base = make("a", answers(10))
    make("b", answers(8))
    options = Options(out=tmp_path / "c", baseline=base.path)
    with pytest.raises(NotComparableError, match=r"2 rows are only in the base: 'r008', 'r009'"):
        run_eval(tmp_path / "b.yaml", options=options)
    assert not (tmp_path / "c").exists()
    found = run_eval(tmp_path / "b.yaml", options=dataclasses.replace(options, intersection=True)).comparison
    assert found is not None
    assert (found.verdict, found.samples) == ("pass", 8)
    assert json.loads((tmp_path / "c" / "comparison.json").read_text())["samples"] == 8


def test_a_new_run_never_replaces_its_baseline(make: Make, tmp_path: Path) -> None:
    base = make("a", answers(4))
    with pytest.raises(UsageError, match="both name"):
        run_eval(tmp_path / "a.yaml", options=Options(out=Path(base.path), overwrite=True, baseline=base.path))


def test_hand_edited_numbers_are_refused(make: Make) -> None:
    base, candidate = make("a", answers(4)), make("b", answers(4))
    scores = Path(candidate.path, "scores.jsonl")
    scores.write_text(scores.read_text().replace('"stats":[1.0]', '"stats":[NaN]', 1))
    with pytest.raises(DataError, match=r"the score of 'r000' by \w+ is wrong: the statistic nan"):
        compare_runs(base, candidate)


def test_ids_that_collide_are_refused_and_left_out(make: Make) -> None:
    base, candidate = make("a", answers(6)), make("b", answers(6))
    samples = Path(candidate.path, "samples.jsonl")
    first = samples.read_text().splitlines()[0]
    samples.write_text(samples.read_text() + first + "\n")
    found = compare_runs(base, candidate)
    assert found.exit_code == 4
    assert "1 id stands more than once: 'r000'" in found.reasons
    assert compare_runs(base, candidate, intersection=True).samples == 5


@pytest.mark.parametrize(("before", "after"), [([], []), (range(9), range(9)), ([], range(9)), (range(9), [])])
@pytest.mark.parametrize("count", [1, 9])
def test_all_right_all_wrong_and_a_single_sample(
    make: Make, count: int, before: Sequence[int], after: Sequence[int]
) -> None:
    found = compare_runs(make("a", answers(count, before)), make("b", answers(count, after)))
    text = comparison_json(found)
    assert "NaN" not in text
    assert "Infinity" not in text
    exact = found.metrics["exact_match"]["difference"]["value"]
    assert exact == (bool(before) - bool(after))
    if count == 1:
        assert found.verdict in {"pass", "inconclusive"}


def test_the_comment_is_short_however_much_changed(make: Make) -> None:
    rows, worse = answers(3), answers(3)
    base, candidate = make("a", rows), make("b", worse)
    found = compare_runs(base, candidate)
    many = dataclasses.replace(found, changed=tuple(f"sample-{n:06d}" for n in range(20_000)))
    text = comparison_markdown(many, {one: {"input": "x" * 5000, "base": "<b>|`"} for one in many.changed[:200]})
    assert text.startswith(MARKER)
    assert len(text) < LONGEST
    assert "more changed; all are in comparison.json" in text
    assert "<b>" not in text
    assert text.count("<details>") == text.count("</details>") == 1


def test_what_strangers_wrote_is_shown_as_text() -> None:
    found = Comparison(
        "not_comparable",
        4,
        ("1 row is only in the base: '<img src=x>|\x1b[31m'",),
        {"name": "`a`|<b>"},
        {"name": "c"},
    )
    text = comparison_markdown(found)
    assert "<img" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("all: {max_drop: 0.1}", None),
        ("gate: {all: {max_drop: 0.1}}", None),
        ("exact_match: {mn: 1}", "exact_match.mn: unknown key 'mn' in 'gate.exact_match' (did you mean 'min'?)"),
        ("all: {max_drop: -1}", "all.max_drop: must be at least 0, got -1"),
        ("coverage: 1", "coverage: expected a mapping"),
        ("- a", "a gate is a mapping of rules"),
        ("{", "gate.yaml"),
    ],
)
def test_a_gate_in_a_file_of_its_own(tmp_path: Path, text: str, said: str | None) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    if said is None:
        assert load_gate(path).names_drops
        return
    with pytest.raises(ConfigError) as caught:
        load_gate(path)
    assert said in str(caught.value)
    assert "gate.yaml" in str(caught.value)


def bare_run(folder: Path, scores: dict[str, list[float]]) -> Path:
    """Write a run folder with nothing but what a comparison reads."""
    folder.mkdir()
    count = len(next(iter(scores.values())))
    entries = {
        name: {
            **dict.fromkeys(("value", "low", "high"), 0.5), "n": count, "unit": "", "higher_is_better": True,
            "kind": "mean", "binary": set(values) <= {0.0, 1.0}, "bounds": [0.0, 1.0], "coverage": 1.0,
        }
        for name, values in scores.items()
    }  # fmt: skip
    lines = [
        {"sample_id": str(n), "scorer": name, "value": value, "stats": [value]}
        for name, values in scores.items()
        for n, value in enumerate(values)
    ]
    samples = [{"id": str(n), "digest": f"d{n}", "input": "q"} for n in range(count)]
    summary = {"name": "t", "rows": count, "repeats": 1, "coverage": 1.0, "scores": entries, "slices": {}}
    conditions = {"dataset": "d", "scorers": dict.fromkeys(scores, "s"), "repeats": 1, "cluster": None}
    manifest = {"format": 1, "status": "complete", "name": "t", "conditions": conditions, "repeats": 1}
    (folder / "samples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in samples))
    (folder / "scores.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "config.yaml").write_text("{}\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("count", [50, 300])
def test_a_system_compared_with_itself_seldom_fails_through_the_whole_command(tmp_path: Path, count: int) -> None:
    rng = random.Random(count)
    rounds, failed = 300, 0
    for number in range(rounds):
        hard = [rng.betavariate(2, 1) for _ in range(count)]

        def asked(hard: list[float] = hard) -> dict[str, list[float]]:
            return {
                "yes": [float(rng.random() < p) for p in hard],
                "graded": [min(1.0, max(0.0, rng.gauss(p, 0.2))) for p in hard],
                "rare": [float(rng.random() < p / 10) for p in hard],
            }

        runs = [bare_run(tmp_path / f"{side}{number}", asked()) for side in "ab"]
        failed += compare_runs(*runs).exit_code == 1
    assert failed <= 0.05 * rounds, f"{failed} of {rounds}"
