"""A gate that stops asking as soon as it is settled: what is asked, what is said of it, and that it may be trusted."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from llmkit import Options, registry, run_eval
from llmkit.config.gate import Gate
from llmkit.errors import ConfigError, DataError, NotComparableError
from llmkit.flows.aggregates import _without_intervals
from llmkit.flows.compare import compare_runs
from llmkit.flows.difference import difference
from llmkit.flows.gating import exit_code
from llmkit.flows.options import Warned
from llmkit.flows.order import asking_order
from llmkit.flows.summarise import Design
from llmkit.flows.tally import Tally
from llmkit.report.limitations import limitations
from llmkit.stats import ConfidenceSequence
from llmkit.store import write_baseline
from llmkit.types import Output, Run, Sample
from tests.cli.command import Done, finish, llmkit, read_rows, results, served, start, until, write_config, write_rows
from tests.fakeserver import Behaviour, FakeServer

BOT = "def answer(text):\n    return text.split('|')[1]\n"
"""Answers what its question says after a bar, so that rows decide what comes out."""

Make = Callable[..., Run]


def rows(count: int, wrong: Callable[[int], bool] = lambda n: n % 20 == 0, **more: Any) -> list[dict[str, Any]]:
    """Return rows to which the bot says ``yes``, or ``no`` where it is wrong."""
    return [
        {
            "id": f"r{n:04d}",
            "input": f"{n}|{'no' if wrong(n) else 'yes'}",
            "references": ["yes"],
            "lang": "de" if n % 4 == 0 else "en",
            **more,
        }
        for n in range(count)
    ]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return what makes a run; all of them are named ``t`` and differ in their answers alone."""
    (tmp_path / "bot.py").write_text(BOT)

    def made(name: str, asked: Sequence[dict[str, Any]], options: dict[str, Any] | None = None, **keys: Any) -> Run:
        write_rows(tmp_path / f"{name}.jsonl", asked)
        target = {"python": f"{tmp_path / 'bot.py'}:answer"}
        keys = {"metrics": ["exact_match"], "target": target, "dataset": f"{name}.jsonl", **keys}
        config = write_config(tmp_path, f"{name}.yaml", **keys)
        return run_eval(config, options=Options(out=tmp_path / name, cache=False, **(options or {})))

    return made


def answers(tmp_path: Path, name: str, wrong: Callable[[int], bool]) -> dict[str, Any]:
    """Return a target that is wrong about some rows of one and the same set."""
    bad = [n for n in range(2000) if wrong(n)]
    body = f"BAD = set({bad})\ndef answer(text):\n    return 'no' if int(text.split('|')[0]) in BAD else 'yes'\n"
    (tmp_path / f"{name}_bot.py").write_text(body)
    return {"python": f"{tmp_path / f'{name}_bot.py'}:answer"}


def test_it_stops_when_the_limit_is_surely_kept(make: Make, tmp_path: Path) -> None:
    run = make("a", rows(800), gate={"sequential": True, "exact_match": {"min": 0.8}})
    told = run.summary["sequential"]
    assert told["settled"]
    assert (told["rows"], told["asked"] + told["not_asked"]) == (800, 800)
    assert told["asked"] % 20 == 0
    assert told["asked"] <= 100
    assert told["requests_saved"] == told["not_asked"] == 800 - run.manifest["usage"]["sent"]
    entry, gate = run.summary["scores"]["exact_match"], run.summary["gate"]["exact_match min"]
    assert (entry["n"], run.summary["rows"], run.summary["coverage"]) == (told["asked"], told["asked"], 1.0)
    assert gate["pass"]
    assert 0.8 <= gate["low"] <= 0.95 <= gate["high"]
    assert exit_code(run.summary["gate"].values()) == 0
    assert "|ci:confidence sequence|" in entry["signature"]
    said = f"{told['asked']} of 800 rows asked in random order until the gate was settled: about "
    for name in ("report.md", "report.html"):
        assert said + f"{told['not_asked']} requests saved" in (tmp_path / "a" / name).read_text()
    properties = ET.parse(tmp_path / "a" / "junit.xml").iter("property")
    assert {one.get("name"): one.get("value") for one in properties}["requests_saved"] == str(told["not_asked"])
    assert f"{told['asked']} rows drawn at random from the 800" in limitations(run, set()).measured


def test_what_was_asked_is_random_and_is_recorded_in_the_order_of_the_set(make: Make, tmp_path: Path) -> None:
    run = make("a", rows(400), gate={"sequential": {"look_every": 30}, "exact_match": {"min": 0.8}}, slices=["lang"])
    ids = [row.sample.id for row in run.samples]
    assert ids == sorted(ids)
    assert ids == [output.sample_id for output in run.outputs] == [score.sample_id for score in run.scores]
    assert len(ids) == run.summary["sequential"]["asked"]
    assert len(ids) % 30 == 0
    assert ids != [f"r{n:04d}" for n in range(len(ids))]
    whole = make("w", rows(400))
    order = asking_order([row.digest for row in whole.samples], 0)
    assert sorted(f"r{n:04d}" for n in order[: len(ids)]) == ids
    assert sum(part["rows"] for part in run.summary["slices"]["lang"]["values"].values()) == len(ids)
    other = make("b", rows(400), gate={"sequential": {"look_every": 30}, "exact_match": {"min": 0.8}}, seed=1)
    assert [row.sample.id for row in other.samples] != ids
    again = make("c", rows(400), gate={"sequential": {"look_every": 30}, "exact_match": {"min": 0.8}}, slices=["lang"])
    assert results(Path(again.path)) == results(Path(run.path))


def test_the_interval_that_is_shown_is_the_sequences_own(make: Make) -> None:
    run = make("a", rows(400), gate={"sequential": True, "exact_match": {"min": 0.8}})
    digests = {row.sample.id: row.digest for row in run.samples}
    values = {score.sample_id: score.value for score in run.scores}
    ids = list(digests)
    order = asking_order([digests[one] for one in ids], 0)
    sequence = ConfidenceSequence(0, 1)
    low, high = sequence.update([values[ids[place]] for place in order])  # type: ignore[arg-type]
    entry = run.summary["scores"]["exact_match"]
    assert (entry["low"], entry["high"]) == (low, high)


def test_it_stops_when_the_limit_is_surely_missed(make: Make) -> None:
    run = make("a", rows(800, lambda n: n % 3 == 0), gate={"sequential": True, "exact_match": {"min": 0.9}})
    assert run.summary["sequential"]["asked"] <= 120
    gate = run.summary["gate"]["exact_match min"]
    assert (gate["pass"], exit_code(run.summary["gate"].values())) == (False, 1)
    assert gate["note"].endswith("not at least 0.9")


def test_on_the_edge_every_row_is_asked_and_the_value_is_known(make: Make, tmp_path: Path) -> None:
    run = make("a", rows(100, lambda n: n % 5 == 0), gate={"sequential": True, "exact_match": {"min": 0.8, "max": 0.8}})
    told, gate = run.summary["sequential"], run.summary["gate"]["exact_match min"]
    assert (told["asked"], told["not_asked"], told["requests_saved"], told["settled"]) == (100, 0, 0, True)
    assert (gate["pass"], gate["value"], gate["low"], gate["high"]) == (True, 0.8, 0.8, 0.8)
    assert "all 100 rows asked in random order" in (tmp_path / "a" / "report.md").read_text()


def test_certainty_is_about_rows_like_these_and_may_stay_out_of_reach(make: Make) -> None:
    gate = {"sequential": True, "certain": True, "exact_match": {"min": 0.8}}
    run = make("a", rows(100, lambda n: n % 5 == 0), gate=gate)
    assert run.summary["sequential"]["asked"] == 100
    assert not run.summary["sequential"]["settled"]
    assert exit_code(run.summary["gate"].values()) == 5
    assert "is not certain from 100 of 100 rows" in run.summary["gate"]["exact_match min"]["note"]


def test_a_drop_is_settled_against_a_baseline_and_again_by_compare(make: Make, tmp_path: Path) -> None:
    base = make("base", rows(800), gate={"exact_match": {"min": 0}})
    worse = answers(tmp_path, "worse", lambda n: n % 4 == 0)
    gate = {"sequential": True, "exact_match": {"max_drop": 0.05}}
    for name, against in (("a", "base"), ("b", "base.json")):
        if against.endswith("json"):
            write_baseline(base, tmp_path / against)
        run = make(name, rows(800), {"baseline": tmp_path / against}, target=worse, gate=gate, dataset="base.jsonl")
        found = run.comparison
        assert found is not None
        assert (found.verdict, found.exit_code) == ("regressed", 1)
        told = run.summary["sequential"]
        assert told["settled"]
        assert told["asked"] < 480
        assert found.samples == told["asked"]
        entry = found.metrics["exact_match"]
        question = told["questions"]["exact_match max_drop"]
        assert entry["difference"]["method"] == "confidence sequence"
        assert (entry["difference"]["low"], entry["difference"]["high"]) == pytest.approx(
            (question["low"], question["high"])
        )
        sentence = f"{told['not_asked']} of 800 rows were not asked in the candidate"
        assert found.left_out["not asked"][0].startswith(sentence)
        for file in ("comparison.md", "report.html"):
            assert sentence in (tmp_path / name / file).read_text()
        later = compare_runs(tmp_path / against, tmp_path / name)
        assert (later.verdict, later.exit_code, later.metrics["exact_match"]["difference"]) == (
            "regressed",
            1,
            entry["difference"],
        )


def test_slices_that_nobody_gates_share_one_alpha(make: Make, tmp_path: Path) -> None:
    base = make("base", rows(200), slices=["lang"])
    worse = answers(tmp_path, "worse", lambda n: n % 2 == 0)
    gate = {"sequential": True, "exact_match": {"max_drop": 0.05}}
    chosen = {"baseline": base.path}
    run = make("a", rows(200), chosen, target=worse, gate=gate, slices=["lang"], dataset="base.jsonl")
    assert run.comparison is not None
    levels = [part["exact_match"]["difference"]["level"] for part in run.comparison.slices["lang"].values()]
    assert levels == pytest.approx([1 - 0.05 / 3] * 2)
    assert run.comparison.metrics["exact_match"]["difference"]["level"] == pytest.approx(0.95)
    assert "in the order of asking; confidence sequences, at level 0.95" in (tmp_path / "a/comparison.md").read_text()


def test_a_drop_within_a_wide_margin_passes_early(make: Make, tmp_path: Path) -> None:
    base = make("base", rows(600))
    same = answers(tmp_path, "same", lambda n: n % 20 == 1)
    gate = {"sequential": True, "exact_match": {"max_drop": 0.2}}
    run = make("a", rows(600), {"baseline": base.path}, target=same, gate=gate, dataset="base.jsonl")
    assert run.comparison is not None
    assert (run.comparison.verdict, run.comparison.exit_code) == ("pass", 0)
    assert run.summary["sequential"]["not_asked"] > 300


def test_what_no_row_settles_is_inconclusive_and_fails_only_a_gate_that_asks_for_certainty(
    make: Make, tmp_path: Path
) -> None:
    base = make("base", rows(80))
    other = answers(tmp_path, "other", lambda n: n % 20 == 1)
    for certain, code in ((False, 0), (True, 5)):
        gate = {"sequential": True, "certain": certain}
        run = make(f"a{code}", rows(80), {"baseline": base.path}, target=other, gate=gate, dataset="base.jsonl")
        assert run.summary["sequential"]["asked"] == 80
        assert run.comparison is not None
        assert (run.comparison.verdict, run.comparison.exit_code) == ("inconclusive", code)
        assert run.comparison.metrics["exact_match"]["difference"]["p"] is None


def test_a_base_that_stopped_early_is_compared_by_its_own_sequence(make: Make, tmp_path: Path) -> None:
    base = make("base", rows(400), gate={"sequential": True, "exact_match": {"min": 0.8}})
    worse = answers(tmp_path, "worse", lambda n: n % 2 == 0)
    whole = make("whole", rows(400), target=worse, dataset="base.jsonl")
    found = compare_runs(base, whole)
    assert (found.verdict, found.samples) == ("regressed", base.summary["sequential"]["asked"])
    assert found.metrics["exact_match"]["difference"]["method"] == "confidence sequence"
    write_baseline(base, tmp_path / "base.json")
    assert compare_runs(tmp_path / "base.json", whole).metrics == found.metrics
    seeded = {"sequential": True, "exact_match": {"min": 0.4}}
    other = make("other", rows(400), target=worse, dataset="base.jsonl", gate=seeded, seed=3)
    refused = compare_runs(base, other)
    assert refused.exit_code == 4
    assert (
        "both runs stopped asking early, in different orders (seed 0 in the base, 3 in the candidate)"
        in refused.reasons
    )
    with pytest.raises(NotComparableError, match="in the order of seed 0, not 4"):
        make("none", rows(400), {"baseline": base.path}, dataset="base.jsonl", gate=seeded, seed=4)


def test_a_later_gate_on_what_was_not_settled_never_opens(make: Make) -> None:
    run = make("a", rows(800), gate={"sequential": True, "exact_match": {"min": 0.8}})
    value = run.summary["scores"]["exact_match"]["value"]
    later = Gate.model_validate({"exact_match": {"min": value}})
    assert compare_runs(run, run, gate=later).exit_code == 5
    low = Gate.model_validate({"exact_match": {"min": 0.5}})
    assert compare_runs(run, run, gate=low).exit_code == 0


def test_every_rule_is_waited_for_and_alpha_is_split_among_them(make: Make) -> None:
    gate = {
        "sequential": True,
        "exact_match": {"min": 0.5},
        "token_f1": {"min": 0.93, "max": 0.99},
        "slices": {"lang": {"de": {"exact_match": {"max": 0.85}}}},
        "cost": {"max": 1},
    }
    run = make("a", rows(400), gate=gate, slices=["lang"], metrics=["exact_match", "token_f1"])
    told = run.summary["sequential"]
    assert {name: round(one["alpha"], 6) for name, one in told["questions"].items()} == dict.fromkeys(
        ("exact_match value", "token_f1 value", "exact_match value where lang = de"), round(0.05 / 3, 6)
    )
    assert all(one["settled"] for one in told["questions"].values())
    assert told["questions"]["exact_match value where lang = de"]["n"] < told["asked"] > 200
    assert {name for name, one in run.summary["gate"].items() if one["pass"]} >= {"exact_match min", "token_f1 min"}
    assert run.summary["gate"]["exact_match max where lang = de"]["pass"]
    assert run.manifest["gate"]["cost"]["pass"]


def test_repeats_count_as_one_row(make: Make) -> None:
    gate = {"sequential": True, "exact_match": {"min": 0.8}}
    run = make("a", rows(200), gate=gate, repeats=3, metrics=["exact_match", "bleu"])
    told = run.summary["sequential"]
    assert run.summary["scores"]["exact_match"]["n"] == 3 * told["asked"]
    assert told["requests_saved"] == 3 * told["not_asked"] > 0
    assert told["questions"]["exact_match value"]["n"] == told["asked"]
    assert run.summary["scores"]["bleu"]["low"] is None
    assert "ci:no interval, asking stopped early" in run.summary["scores"]["bleu"]["signature"]


def test_answers_that_fail_are_left_out_and_count_against_coverage(make: Make, tmp_path: Path) -> None:
    body = "def answer(text):\n    n = int(text.split('|')[0])\n    assert n % 10\n    return 'yes'\n"
    (tmp_path / "fails.py").write_text(body)
    target = {"python": f"{tmp_path / 'fails.py'}:answer"}
    gate = {"sequential": True, "exact_match": {"min": 0.8}}
    run = make("a", rows(400), gate=gate, target=target, engine={"max_retries": 0})
    told = run.summary["sequential"]
    entry = run.summary["scores"]["exact_match"]
    assert told["questions"]["exact_match value"]["n"] == entry["n"] == told["asked"] - entry["errors"]
    assert entry["errors"] > 0
    assert run.summary["gate"]["exact_match min"]["pass"]
    assert exit_code(run.summary["gate"].values()) == 3


def test_rows_that_a_metric_skips_are_left_out(make: Make) -> None:
    some = [row if n % 3 else {k: v for k, v in row.items() if k != "references"} for n, row in enumerate(rows(90))]
    run = make("a", some, gate={"sequential": True, "exact_match": {"min": 0.94}})
    told = run.summary["sequential"]
    assert told["asked"] == 90 or told["questions"]["exact_match value"]["settled"]
    assert run.summary["scores"]["exact_match"]["skipped"] > 0
    assert run.summary["coverage"] == 1.0


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"metrics": ["bleu"], "gate": {"bleu": {"min": 1}}},
            "'bleu' cannot be settled while answers come in: its value",
        ),
        ({"metrics": ["latency"], "gate": {"latency": {}, "scorers": {"latency": {"max": 1}}}}, "p50"),
        ({"metrics": ["tokens"], "gate": {"tokens": {"max": 9}}}, "its scores have no finite range"),
        ({"cluster": "lang"}, "'sequential' and 'cluster' do not go together"),
        ({"perturb": ["typos"]}, "'sequential' and 'perturb' do not go together"),
        (
            {"gate": {"slices": {"lang": {"de": {"f1": {"min": 0}}}}}, "metrics": ["f1"], "slices": ["lang"]},
            "'f1' cannot",
        ),
    ],
)
def test_what_cannot_be_settled_is_refused_before_anything_is_asked(
    make: Make, tmp_path: Path, keys: dict[str, Any], said: str
) -> None:
    gate = {"sequential": True, "exact_match": {"min": 0.5}, **keys.get("gate", {})}
    if keys.get("metrics"):
        gate.pop("exact_match")
    with pytest.raises(ConfigError, match=said):
        make("a", rows(40), **{**keys, "gate": gate})
    assert not (tmp_path / "a").exists()


def test_a_rule_that_nobody_wrote_is_refused_with_a_baseline_only(make: Make) -> None:
    keys: dict[str, Any] = {"metrics": ["exact_match", "bleu"], "dataset": "base.jsonl"}
    gate = {"sequential": True, "exact_match": {"min": 0.5}}
    base = make("base", rows(60), metrics=["exact_match", "bleu"])
    assert make("a", rows(60), gate=gate, **keys).summary["sequential"]["settled"]
    with pytest.raises(ConfigError, match="name a max_drop for the scorers that matter"):
        make("b", rows(60), {"baseline": base.path}, gate=gate, **keys)
    named = {**gate, "exact_match": {"min": 0.5, "max_drop": 0.3}}
    run = make("c", rows(60), {"baseline": base.path}, gate=named, **keys)
    assert run.comparison is not None
    assert run.comparison.exit_code == 0
    assert run.comparison.metrics["bleu"]["difference"] is None


def test_without_a_question_or_without_anyone_to_ask_every_row_is_scored(make: Make, tmp_path: Path) -> None:
    heard: list[str] = []

    def observe(event: Any) -> None:
        heard.extend([event.message] if isinstance(event, Warned) else [])

    run = make("a", rows(60), {"observe": observe}, gate={"sequential": True})
    assert "sequential" not in run.summary
    assert run.summary["rows"] == 60
    recorded = [{**row, "output": "yes"} for row in rows(60)]
    gate = {"sequential": True, "exact_match": {"min": 0.5}}
    whole = make("b", recorded, {"observe": observe}, target="recorded", gate=gate)
    assert "sequential" not in whole.summary
    assert [message.partition(":")[0] for message in heard] == [
        "gate.sequential has nothing to settle, so every row is asked",
        "gate.sequential saves nothing where nobody is asked",
    ]


def test_answers_of_a_run_that_stopped_are_scored_again_as_what_they_are(make: Make, tmp_path: Path) -> None:
    gate = {"sequential": True, "exact_match": {"min": 0.8}}
    run = make("a", rows(400), gate=gate)
    count = run.summary["sequential"]["asked"]
    keys: dict[str, Any] = {"dataset": "a.jsonl", "metrics": ["exact_match", "token_f1", "bleu"]}
    again = make("b", rows(400), {"outputs": tmp_path / "a"}, gate=gate, **keys)
    assert (again.summary["rows"], again.summary["coverage"]) == (count, 1.0)
    assert again.summary["gate"] == run.summary["gate"]
    assert again.summary["scores"]["exact_match"]["low"] == run.summary["scores"]["exact_match"]["low"]
    assert again.summary["scores"]["bleu"]["low"] is None
    fixed = make("c", rows(400), {"outputs": tmp_path / "a"}, gate={"exact_match": {"min": 0.94}}, seed=9, **keys)
    assert fixed.summary["sequential"]["seed"] == 0
    assert exit_code(fixed.summary["gate"].values()) == 5


def test_a_scorer_that_leaves_its_range_is_told(make: Make, tmp_path: Path) -> None:
    body = (
        "from dataclasses import dataclass\nfrom llmkit.metrics import MeanMetric\nfrom llmkit.registry import register\n"
        "@register('metrics', 'wild')\n@dataclass(frozen=True)\nclass Wild(MeanMetric):\n    'Too much.'\n"
        "    bounds = (0.0, 1.0)\n    def score(self, sample, output):\n        return 2.0\n"
    )
    (tmp_path / "wild.py").write_text(body)
    keys: dict[str, Any] = {"plugins": ["wild.py"], "metrics": ["wild"]}
    with pytest.raises(DataError, match="wild gave a score outside of its range, 0 to 1"):
        make("a", rows(40), gate={"sequential": True, "wild": {"min": 0.5}}, **keys)


def asked(server: FakeServer) -> list[str]:
    return [str(prompt) for _, prompt, status in server.log() if status == 200]


def prepare(folder: Path, server: FakeServer) -> None:
    """Write a set of which a server that echoes gets nine in ten right, and a gate that needs some hundred of them."""
    write_rows(
        folder / "set.jsonl",
        [{"input": f"question {n}", "references": [f"question {n}" if n % 10 else "else"]} for n in range(600)],
    )
    gate = {"sequential": {"look_every": 10}, "exact_match": {"min": 0.8}}
    keys: dict[str, Any] = {"metrics": ["exact_match"], "gate": gate}
    write_config(folder, target=served(server.base_url), engine={"max_concurrency": 6, "cache": False}, **keys)


WORDS = ["eval", "c.yaml", "--out", "run"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_or_interrupted_and_run_again_it_stops_at_the_same_row(
    server: FakeServer, tmp_path: Path, number: int
) -> None:
    server.reset(Behaviour())
    whole = tmp_path / "whole"
    whole.mkdir()
    prepare(whole, server)
    assert llmkit(*WORDS, folder=whole).code == 0
    count = len(asked(server))
    assert 60 <= count <= 300
    server.reset(Behaviour(latency=0.02, jitter=0.02))
    prepare(tmp_path, server)
    process = start(WORDS, tmp_path)
    until(lambda: len(asked(server)) >= 30, process)
    process.send_signal(number)
    if number == signal.SIGKILL:
        process.communicate()
    else:
        done: Done = finish(process)
        assert done.code == 130
        kept = len(read_rows(tmp_path / "run" / "outputs.jsonl"))
        assert f"kept: {kept} of 600 outputs in run" in done.err
        assert kept == len(asked(server))
    before = len(asked(server))
    assert before < count
    server.reset(Behaviour())
    resumed = llmkit(*WORDS, folder=tmp_path)
    assert resumed.code == 0, resumed.err
    assert f"{count} of 600 rows asked in random order until the gate was settled" in resumed.out
    assert results(tmp_path / "run") == results(whole / "run")
    assert (
        before - 6 <= count - len(asked(server)) <= before
    )  # only what was in flight when it was killed is asked twice


def test_judges_are_not_asked_about_rows_that_nobody_needs(server: FakeServer, tmp_path: Path) -> None:
    server.reset(Behaviour(answer="Weighed.\nGrade: 8"))
    prepare(tmp_path, server)
    judge = {"grade": {"model": served(server.base_url, temperature=0), "form": "text", "name": "fine"}}
    gate = {"sequential": True, "fine": {"min": 5}}
    keys: dict[str, Any] = {"judges": [judge], "gate": gate, "engine": {"cache": False}}
    write_config(tmp_path, target=served(server.base_url), **keys)
    done = llmkit(*WORDS, "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    told = done.json["sequential"]
    assert told["not_asked"] > 400
    assert told["requests_saved"] == 2 * told["not_asked"]
    assert done.json["gate"]["fine min"]["pass"]
    dry = llmkit("eval", "c.yaml", "--dry-run", folder=tmp_path)
    assert "600, asked 1 time(s) each; fewer where the gate is settled sooner" in dry.out


def test_a_limit_on_the_rows_is_the_whole_set(make: Make) -> None:
    gate = {"sequential": True, "exact_match": {"min": 0.8}}
    run = make("a", rows(300), gate=gate, dataset={"path": "a.jsonl", "limit": 50})
    assert run.summary["sequential"]["rows"] == 50
    assert run.summary["sequential"]["asked"] <= 50
    assert run.summary["sequential"]["questions"]["exact_match value"]["settled"]


def test_a_difference_that_stands_in_the_summary_has_no_interval_that_forgets_the_stopping() -> None:
    metric = registry.build("metrics", "exact_match").plugin
    ours, theirs = Tally("exact_match", metric), Tally("exact_match", metric)
    for n in range(30):
        sample = Sample(str(n), references=("a",))
        ours.add(n, sample, Output(str(n), "a" if n % 3 else "b"))
        theirs.add(n, sample, Output(str(n), "a" if n % 2 else "b"))
    whole = difference(ours, theirs, Design())
    stopped = difference(ours, theirs, Design(order=np.arange(30)))
    assert whole is not None
    assert stopped is not None
    assert whole.low is not None
    assert (stopped.value, stopped.low, stopped.method) == (whole.value, None, "no interval, asking stopped early")


def test_a_win_rate_of_a_run_that_stopped_is_a_value_alone() -> None:
    estimate = {"value": 0.6, "low": 0.5, "high": 0.7, "n": 9}
    found = {
        "tables": [
            {"title": "Win rates", "columns": ["", "value", "low", "high"], "rows": [["win rate", 0.6, 0.5, 0.7]]}
        ],
        "notes": ["Exact test of no favour: p = 0.5.", "Few pairs."],
        "numbers": {"win_rate": {"value": 0.6, "standard_error": 0.1, "length_controlled": estimate}},
    }
    told = _without_intervals(found)
    assert told["tables"][0]["rows"] == [["win rate", 0.6, "-", "-"]]
    assert told["notes"] == ["Few pairs.", "No intervals: asking stopped early."]
    assert told["numbers"] == {"win_rate": {"value": 0.6, "length_controlled": {"value": 0.6, "n": 9}}}
