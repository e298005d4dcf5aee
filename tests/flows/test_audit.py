"""`llmkit audit` over recorded verdicts and over HTTP: agreement, biases of known judges, gates, faults."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import fakejudges
from tests.cli.command import llmkit, read_rows, served, write_rows
from tests.fakeserver import Behaviour, FakeServer


def write_audit(folder: Path, **config: Any) -> None:
    (folder / "a.yaml").write_text(json.dumps(config))


def rated(count: int = 300, seed: int = 0, people: int = 3) -> list[dict[str, Any]]:
    """Rows with a fair judge's recorded scores of 1 to 5 and several people's."""
    rng = random.Random(seed)

    def noisy(quality: int) -> int:
        return min(5, max(1, quality + rng.choice([-1, 0, 0, 0, 1])))

    rows = []
    for i in range(count):
        quality = rng.randint(1, 5)
        rows.append(
            {
                "id": f"r{i}",
                "input": f"question {i // 4}",
                "output": "word " * rng.randint(5, 60),
                "doc": f"d{i // 4}",
                "maker": f"s{i % 4}",
                "score": noisy(quality),
                "why": "as it seems",
                "people": [noisy(quality) for _ in range(people)],
            }
        )
    return rows


def looks(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {look["name"]: look for look in summary["biases"]["looks"]}


def test_recorded_verdicts_are_measured_against_several_people(tmp_path: Path) -> None:
    rows = rated()
    write_rows(tmp_path / "v.jsonl", rows)
    write_audit(
        tmp_path,
        dataset="v.jsonl",
        judge={"field": "score", "reason": "why"},
        human="people",
        group="doc",
        system="maker",
        slices=["maker"],
    )
    done = llmkit("audit", "a.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    summary = done.json
    from sklearn.metrics import cohen_kappa_score

    human = [sorted(row["people"])[1] for row in rows]
    judge = [row["score"] for row in rows]
    pooled = summary["agreement"]["pooled"]
    assert pooled["kappa"]["value"] == pytest.approx(cohen_kappa_score(judge, human))
    assert pooled["kappa_quadratic"]["value"] == pytest.approx(cohen_kappa_score(judge, human, weights="quadratic"))
    assert pooled["kappa"]["low"] < pooled["kappa"]["value"] < pooled["kappa"]["high"]
    groups = summary["agreement"]["groups"]["kendall"]
    assert groups["groups"] + groups["skipped"] == 75
    assert summary["agreement"]["systems"]["pearson"]["groups"] == 4
    assert set(summary["agreement"]["slices"]["maker"]["values"]) == {"s0", "s1", "s2", "s3"}
    assert summary["ceiling"]["items"] == 300
    assert sum(map(sum, summary["confusion"]["counts"])) == 300
    apart = [abs(one["judge"] - one["human"]) for one in summary["disagreements"]["listed"]]
    assert apart == sorted(apart, reverse=True)
    assert summary["disagreements"]["listed"][0]["judge_reason"] == "as it seems"
    assert summary["scale"]["kind"] == "ordinal"
    report = (tmp_path / "run" / "report.md").read_text()
    for part in ("Agreement with people", "Within groups", "Between systems", "ceiling", "Biases", "Disagreements"):
        assert part in report


def test_the_same_audit_gives_the_same_bytes(tmp_path: Path) -> None:
    write_rows(tmp_path / "v.jsonl", rated(80))
    write_audit(tmp_path, dataset="v.jsonl", judge={"field": "score"}, human="people")
    for out in ("one", "two"):
        assert llmkit("audit", "a.yaml", "--out", out, folder=tmp_path).code == 0
    assert (tmp_path / "one" / "summary.json").read_bytes() == (tmp_path / "two" / "summary.json").read_bytes()


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        ({"kappa_quadratic": {"min": 0.5}}, 0),
        ({"kappa": {"min": 0.99}}, 1),
        ({"coverage": {"min": 1.0}}, 3),
        ({"accuracy": {"min": 0.45, "certain": True}}, 5),
    ],
)
def test_gates_decide_the_exit_code(tmp_path: Path, gate: dict[str, Any], code: int) -> None:
    rows = rated(60)
    rows[0]["score"] = None
    for i, row in enumerate(rows):
        row["people"] = [row["score"] if i % 2 else 1 + (row["score"] or 1) % 5]
    write_rows(tmp_path / "v.jsonl", rows)
    write_audit(tmp_path, dataset="v.jsonl", judge={"field": "score"}, human="people", gate=gate)
    done = llmkit("audit", "a.yaml", folder=tmp_path)
    if code == 0:
        assert done.code in {0, 1}
        return
    assert done.code == code, done.out


def test_labels_may_lie_in_a_file_and_few_rows_be_labelled(tmp_path: Path) -> None:
    rows = rated(200)
    labels = [f"{row['id']},{row['people'][0]}\n" for row in rows[:60]] + ["stranger,3\n"]
    (tmp_path / "labels.csv").write_text("id,label\n" + "".join(labels))
    write_rows(tmp_path / "v.jsonl", [{k: v for k, v in row.items() if k != "people"} for row in rows])
    write_audit(tmp_path, dataset="v.jsonl", judge={"field": "score"}, human={"file": "labels.csv"}, width=0.1)
    done = llmkit("audit", "a.yaml", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    assert "1 labelled row of labels.csv" in done.err
    assert done.json["human"]["pairs"] == 60
    mean = done.json["corrected"]["mean"]
    assert mean["judge_only"]["n"] == 200
    assert mean["labels"] == 60
    width = {key: mean[key]["high"] - mean[key]["low"] for key in ("human_only", "corrected")}
    assert width["corrected"] < width["human_only"]
    assert mean["labels_saved"] > 0
    assert mean["wanted"]["half_width"] == 0.1
    [report] = tmp_path.glob("**/report.md")
    shown = report.read_text("utf-8")
    assert f"60 of 200 rows have a label; the judge saves about {round(mean['labels_saved'])} labels more." in shown
    assert "\nAn interval of ±0.1 " in shown


def test_a_label_that_is_none_of_the_scale_is_not_a_quarrel(tmp_path: Path) -> None:
    rows = [{**row, "people": row["people"][0]} for row in rated(50)]
    rows[3]["people"] = "seven"
    write_rows(tmp_path / "v.jsonl", rows)
    write_audit(tmp_path, dataset="v.jsonl", judge={"field": "score"}, human="people")
    found = llmkit("audit", "a.yaml", "--format", "json", folder=tmp_path).json
    assert found["scale"]["off"]["human"] == {"seven": 1}
    assert (found["human"]["labelled"], found["human"]["undecided"]) == (49, 0)


def test_a_verdict_that_is_none_is_counted_and_never_a_number(tmp_path: Path) -> None:
    rows = rated(50)
    rows[3]["score"], rows[4]["score"], rows[5]["score"] = "I refuse", "", None
    write_rows(tmp_path / "v.jsonl", rows)
    write_audit(tmp_path, dataset="v.jsonl", judge={"field": "score"}, human="people")
    found = llmkit("audit", "a.yaml", "--format", "json", folder=tmp_path).json
    assert found["verdicts"]["missing"] == 3
    assert found["human"]["pairs"] == 47
    assert found["scale"]["off"]["judge"] == {"I refuse": 1}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"human": "nobody"}, "nobody"),
        ({"humans": "people"}, "did you mean 'human'"),
        ({"judge": {"feld": "score"}}, "feld"),
        ({"name": "../up"}, "'../up' is no name"),
        ({"judge": {"field": "score", "reson": "why"}}, "unknown key 'reson' in 'judge'"),
        ({"gate": {"kapa": {"min": 0.5}}}, "did you mean 'kappa'"),
        ({"probes": {"padding": True}}, "recorded"),
        ({"human": {"field": "people", "file": "x.csv"}}, "one of the two"),
        ({"human": {"file": "none.csv"}}, "no such file of labels"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    write_rows(tmp_path / "v.jsonl", rated(20))
    whole = {"dataset": "v.jsonl", "judge": {"field": "score"}, "human": "people", **config}
    write_audit(tmp_path, **whole)
    done = llmkit("audit", "a.yaml", folder=tmp_path)
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err


def live_rows(count: int, seed: int, *, pairs: bool = False) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for i in range(count):
        quality, own = rng.random(), rng.random() < 0.4
        listed = rng.random() < 0.5
        text = f"quality={quality:.3f} " + "word " * rng.randint(0, 60) + ("\n- listed" if listed else "")
        row: dict[str, Any] = {
            "id": f"r{i}",
            "input": f"question {i}",
            "output": text + (" in our house style" if own else ""),
            "maker": "fake" if own else "llama-3",
            "human": min(10, max(1, round(1 + 9 * quality + rng.gauss(0, 1)))),
        }
        if pairs:
            other = rng.random()
            row["opponent"] = f"quality={other:.3f} " + "word " * rng.randint(0, 60)
            row["human"] = float(quality > other)
        rows.append(row)
    return rows


def audited(folder: Path, server: FakeServer, judge: Callable[..., Any], *, pairs: bool = False) -> dict[str, Any]:
    server.reset(Behaviour(answer=judge))
    write_rows(folder / "v.jsonl", live_rows(120, 5, pairs=pairs))
    write_audit(
        folder,
        dataset="v.jsonl",
        judge="pairwise" if pairs else "grade",
        judge_model=served(server.base_url),
        human="human",
        system="maker",
        probes={"padding": True, "injection": True, "repeats": 3, "rows": 40},
        engine={"cache": False},
    )
    done = llmkit("audit", "a.yaml", "--out", "run", "--overwrite", "--format", "json", folder=folder)
    assert done.code == 0, done.err
    return dict(done.json)


KNOWN: dict[str, tuple[Callable[[], Any], str]] = {
    "verbosity": (lambda: fakejudges.prefers_longer(0.3), "padding"),
    "lists": (lambda: fakejudges.prefers("- listed"), ""),
    "self-preference": (lambda: fakejudges.prefers("our house style"), ""),
    "hidden instructions": (fakejudges.obeys_injections, ""),
    "clumping": (fakejudges.clumps, ""),
    "self-consistency": (fakejudges.changes_its_mind, ""),
}


@pytest.mark.parametrize("name", KNOWN)
def test_each_known_bias_is_found(tmp_path: Path, running: FakeServer, name: str) -> None:
    make, also = KNOWN[name]
    found = looks(audited(tmp_path, running, make()))
    assert found[name]["found"], found[name]["sentence"]
    assert found[name]["sentence"].startswith("Found: ")
    if also:
        assert found[also]["found"]
    if name == "verbosity":
        assert not found["hidden instructions"]["found"]  # they only make answers longer


@pytest.mark.parametrize("pairs", [False, True])
def test_nothing_is_found_in_a_fair_judge(tmp_path: Path, running: FakeServer, pairs: bool) -> None:
    summary = audited(tmp_path, running, fakejudges.fair(), pairs=pairs)
    found = looks(summary)
    assert not [name for name, look in found.items() if look["found"]]
    assert summary["biases"]["tests"] >= 4
    assert found["self-consistency"]["found"] is False
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["per_1000_verdicts"]["requests"] == (2000 if pairs else 1000)


def test_a_liking_for_the_first_place_is_found_in_pairs(tmp_path: Path, running: FakeServer) -> None:
    look = looks(audited(tmp_path, running, fakejudges.prefers_first(), pairs=True))["position"]
    assert look["found"]
    assert look["first"] > 30
    assert look["second"] == 0


@pytest.mark.parametrize("judge", [fakejudges.off_menu, fakejudges.a_range, fakejudges.silent, fakejudges.refuses])
def test_a_judge_without_verdicts_is_no_judge(tmp_path: Path, running: FakeServer, judge: Callable[[], Any]) -> None:
    running.reset(Behaviour(answer=judge()))
    write_rows(tmp_path / "v.jsonl", live_rows(10, 1))
    write_audit(
        tmp_path, dataset="v.jsonl", judge="grade", judge_model=served(running.base_url), human="human",
        engine={"cache": False},
    )  # fmt: skip
    done = llmkit("audit", "a.yaml", folder=tmp_path)
    assert done.code == 2
    assert "0 of 10 rows have both a verdict and a human label" in done.err


def test_a_dry_run_sends_nothing_and_counts_the_probes(tmp_path: Path, running: FakeServer) -> None:
    running.reset(Behaviour(answer=fakejudges.fair()))
    write_rows(tmp_path / "v.jsonl", live_rows(30, 1))
    write_audit(
        tmp_path, dataset="v.jsonl", judge="grade", judge_model=served(running.base_url), human="human",
        probes={"injection": True, "repeats": 2, "rows": 10},
    )  # fmt: skip
    done = llmkit("audit", "a.yaml", "--dry-run", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    assert done.json["requests"] == 30 + 10 * 5
    assert not running.log()
    assert not (tmp_path / "runs").exists()


def test_an_audit_of_a_run_reads_its_scores(tmp_path: Path) -> None:
    rows = [{"id": f"q{i}", "input": "x", "references": ["yes"], "output": "yes" if i % 3 else "no", "good": i % 2}
            for i in range(60)]  # fmt: skip
    write_rows(tmp_path / "e.jsonl", rows)
    (tmp_path / "c.yaml").write_text("dataset: e.jsonl\ntarget: recorded\nmetrics: [exact_match]\n")
    assert llmkit("eval", "c.yaml", "--out", "run", folder=tmp_path).code == 0
    done = llmkit("audit", "run", "--judge", "exact_match", "--human", "good", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    assert done.json["agreement"]["pooled"]["accuracy"]["value"] == 0.5
    wrong = llmkit("audit", "run", "--judge", "bleu", "--human", "good", folder=tmp_path)
    assert wrong.code == 2
    assert "it has exact_match" in wrong.err
    assert llmkit("audit", "run", folder=tmp_path).code == 2


def test_the_sheet_reads_back(tmp_path: Path) -> None:
    rows = rated(120)
    rows[7]["input"] = '=HYPERLINK("http://evil")'
    write_rows(tmp_path / "v.jsonl", rows)
    write_audit(tmp_path, dataset="v.jsonl", judge={"field": "score"}, human="people", slices=["maker"])
    done = llmkit("audit", "plan", "a.yaml", "--n", "100", "--sheet", "todo", folder=tmp_path)
    assert done.code == 0, done.err
    again = llmkit("audit", "plan", "a.yaml", "--n", "100", "--sheet", "todo", folder=tmp_path)
    assert again.code == 2
    assert "exists" in again.err
    sheet = read_rows(tmp_path / "todo.jsonl")
    assert len(sheet) == 100
    assert len({one["id"] for one in sheet}) == 100
    assert not any(one["label"] for one in sheet)
    import csv

    with (tmp_path / "todo.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert not any(text.startswith(("=", "+", "-", "@")) for one in cells for text in one.values())
    truth = {row["id"]: row["people"][0] for row in rows}
    with (tmp_path / "todo.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, cells[0])
        writer.writeheader()
        writer.writerows({**one, "label": truth[one["id"]]} for one in cells)
    write_audit(tmp_path, dataset="v.jsonl", judge={"field": "score"}, human={"file": "todo.csv"}, slices=["maker"])
    read = llmkit("audit", "a.yaml", "--format", "json", folder=tmp_path)
    assert read.code == 0, read.err
    assert read.json["human"]["pairs"] == 100


def test_an_evaluation_corrects_its_judge_by_few_labels(tmp_path: Path, running: FakeServer) -> None:
    running.reset(Behaviour(answer=fakejudges.judging(lambda text, first: min(1.0, fakejudges.quality(text) + 0.2))))
    rows = live_rows(150, 3)
    write_rows(tmp_path / "e.jsonl", [{key: row[key] for key in row if key != "human"} for row in rows])
    labels = "".join(f"{row['id']},{row['human']}\n" for row in rows[:50])
    (tmp_path / "labels.csv").write_text("id,label\n" + labels)
    config: dict[str, Any] = {
        "dataset": "e.jsonl",
        "target": "recorded",
        "judges": ["grade"],
        "judge_model": served(running.base_url),
        "human": {"file": "labels.csv", "width": 0.3},
        "engine": {"cache": False},
    }
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    done = llmkit("eval", "c.yaml", "--out", "run", "--format", "json", folder=tmp_path)
    assert done.code == 0, done.err
    told = done.json["scores"]["grade"]["corrected"]
    assert told["judge_only"]["value"] == pytest.approx(done.json["scores"]["grade"]["value"])
    assert told["labels"] == 50
    truth = sum(row["human"] for row in rows) / len(rows)
    assert told["corrected"]["low"] < truth < told["corrected"]["high"]
    assert abs(told["corrected"]["value"] - truth) < abs(told["judge_only"]["value"] - truth)
    assert told["wanted"]["half_width"] == 0.3
    assert "Corrected by human labels" in (tmp_path / "run" / "report.md").read_text()
    config["human"] = {"judges": {"gade": "human"}}
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    wrong = llmkit("eval", "c.yaml", folder=tmp_path)
    assert wrong.code == 2
    assert "there is no judge 'gade'" in wrong.err


def test_an_interrupted_audit_pays_only_what_is_missing(tmp_path: Path, running: FakeServer) -> None:
    running.reset(Behaviour(answer=fakejudges.fair()))
    write_rows(tmp_path / "v.jsonl", live_rows(60, 1))
    whole: dict[str, Any] = {
        "dataset": "v.jsonl", "judge": "grade", "judge_model": served(running.base_url), "human": "human",
    }  # fmt: skip
    write_audit(tmp_path, **whole, engine={"cache": False, "max_requests": 25, "max_concurrency": 4})
    stopped = llmkit("audit", "a.yaml", "--out", "run", folder=tmp_path)
    assert stopped.code == 6, stopped.err
    sent = len(running.log())
    assert sent < 60
    write_audit(tmp_path, **whole, engine={"cache": False})
    assert llmkit("audit", "a.yaml", "--out", "run", folder=tmp_path).code == 0
    assert len(running.log()) == 60


def test_an_audit_is_shown_again(tmp_path: Path) -> None:
    write_rows(tmp_path / "v.jsonl", rated(40))
    write_audit(tmp_path, dataset="v.jsonl", judge={"field": "score"}, human="people")
    first = llmkit("audit", "a.yaml", "--out", "run", folder=tmp_path)
    assert llmkit("report", "run", folder=tmp_path).out == first.out
    page = (tmp_path / "run" / "report.html").read_text()
    assert llmkit("report", "run", "--format", "html", folder=tmp_path).out == page
    assert llmkit("view", "run", "--no-open", folder=tmp_path).out.strip().endswith("run/report.html")
    for words in (["compare", "run", "run"], ["view", "run", "run"], ["audit", "run", "--human", "people"]):
        refused = llmkit(*words, folder=tmp_path)
        assert refused.code == 2
        assert "is an audit" in refused.err
