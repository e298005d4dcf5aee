"""``choice:``, from the config to the scores: every rule over the same rows, targets without log-probabilities."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from llmkit import Options, run_eval
from llmkit.errors import ConfigError, DataError, PermanentError
from llmkit.flows.ask_choices import GENERATION, ChoiceAsker, choice_shots
from llmkit.flows.plan import plan_eval
from llmkit.flows.setup import prepare
from llmkit.report.terminal import print_report
from llmkit.types import Loglikelihood, Output, Request, Response, Run, Sample

ROWS: list[dict[str, Any]] = [
    {"id": str(n), "question": f"What is {n}+1?", "choices": [str(n), str(n + 1)], "answer": n % 2, "subject": subject}
    for n, subject in enumerate(["old_sums", "old_sums", "new_sums"])
]
DEV: list[dict[str, Any]] = [
    {"question": f"And {subject} {n}?", "choices": ["yes", "no"], "answer": n, "subject": subject}
    for subject in ("old_sums", "new_sums")
    for n in (1, 0)
]
ALL = "rules: [original, helm, harness, harness_continuation, harness_2023]"


def config(folder: Path, choice: str, metrics: str, *, target: str = "{echo: {text: B}}", more: str = "") -> Path:
    for name, rows in (("rows", ROWS), ("dev", DEV)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    path = folder / "eval.yaml"
    path.write_text(
        f"name: c\ndataset: {{path: rows.jsonl, format: mmlu}}\nchoice: {{{choice}}}\ntarget: {target}\n"
        f"metrics: [{metrics}]\n{more}",
        "utf-8",
    )
    return path


SHOTS = "shots: 1, from: {path: dev.jsonl, format: mmlu}"


def test_every_rule_over_the_same_rows_and_the_spread(tmp_path: Path) -> None:
    # Echo gives every letter the same likelihood, so the first is chosen; asked for a letter it says B.
    metrics = "choice_accuracy, choice_accuracy(rule=helm), choice_accuracy(rule=harness), choice_spread, accuracy"
    path = config(tmp_path, SHOTS, metrics, more="slices: [subject]\n")
    run = run_eval(path, options=Options(tmp_path / "o"))
    values = {name: entry["value"] for name, entry in run.summary["scores"].items()}
    assert values == pytest.approx(
        {
            "choice_accuracy": 2 / 3,
            "choice_accuracy(rule='helm')": 1 / 3,
            "choice_accuracy(rule='harness')": 2 / 3,
            "choice_spread": 1 / 3,
            "accuracy": 2 / 3,
        }
    )
    assert [output.text for output in run.outputs] == ["A", "A", "A"]
    report = (tmp_path / "o" / "report.md").read_text("utf-8")
    assert "mean of 2 subjects (macro)" in report
    again = run_eval(path, options=Options(tmp_path / "p", outputs=tmp_path / "o"))
    assert again.summary == run.summary


def shown(run: Run) -> str:
    """Return what a terminal shows of a run, each run of white space as one space."""
    console = Console(file=io.StringIO(), width=200)
    print_report(run, console)
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]  # the StringIO above


def test_every_report_says_how_far_the_choice_of_rule_moves_accuracy(tmp_path: Path) -> None:
    metrics = "choice_accuracy, \"choice_accuracy(rule='harness', normalise='char')\""
    run = run_eval(config(tmp_path, "rules: [original, helm, harness]", metrics), options=Options(tmp_path / "o"))
    found = run.summary["rules"]
    assert list(found["rules"]) == ["original", "helm", "harness", "harness:char"]
    assert [one["value"] for one in found["rules"].values()] == pytest.approx([2 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert found["rules"]["helm"]["below"]["value"] == pytest.approx(-1 / 3)
    assert (found["rows"], found["spread"]["value"], found["spread"]["low"]) == (3, pytest.approx(1 / 3), 0)
    high = found["spread"]["high"]
    said = (
        f"The choice of rule alone moves accuracy by 0.333 (95% interval 0.000 to {high:.3f}): from 0.333 (helm) to "
        "0.667 (original), over the same 3 rows. No two rules differ for certain."
    )
    page = (tmp_path / "o" / "report.html").read_text("utf-8")
    for report in ((tmp_path / "o" / "report.md").read_text("utf-8"), shown(run), " ".join(page.split())):
        assert said in report
        assert "harness:char" in report
    assert "choice of rule|rules:original,helm,harness,harness:char|n:3|ci:tango, 6 pairs" in shown(run)


def test_one_rule_has_nothing_to_compare(tmp_path: Path) -> None:
    run = run_eval(config(tmp_path, "rules: [helm]", "choice_accuracy(rule=helm)"), options=Options(tmp_path / "o"))
    assert "rules" not in run.summary
    assert "choice of rule" not in shown(run)


def test_rules_are_compared_over_the_rows_of_the_set_that_all_could_score(tmp_path: Path) -> None:
    more = "perturb: [lowercase]\nrepeats: 2\n"
    run = run_eval(
        config(tmp_path, "rules: [original, helm]", "choice_accuracy", more=more), options=Options(tmp_path / "o")
    )
    assert run.summary["rules"]["rows"] == 6
    assert run.summary["rules"]["spread"]["n"] == 3
    assert run.summary["rules"]["spread"]["value"] == pytest.approx(1 / 3)


def test_what_is_kept_of_each_rule(tmp_path: Path) -> None:
    path = config(
        tmp_path, f"{ALL}, unconditional: true", "{choice_accuracy: {rule: harness_continuation, normalise: pmi}}"
    )
    run = run_eval(path, options=Options(tmp_path / "o"))
    assert [entry["n"] for entry in run.summary["scores"].values()] == [3]
    [first, *_] = run.outputs
    assert first.response is not None
    kept = first.response.extra["choice"]
    likely = {"logprobs": [-1.0, -1.0], "tokens": [1, 1], "greedy": [False, False], "unconditional": [-1.0, -1.0]}
    letters = ("original", "harness", "harness_continuation", "harness_2023")
    assert kept == {"helm": {"text": "B"}, **dict.fromkeys(letters, likely)}


def test_a_dry_run_counts_the_requests_of_all_rules(tmp_path: Path) -> None:
    assert plan_eval(prepare(config(tmp_path, ALL, "choice_accuracy"))).requests == 3 * 5


def asker(*rules: str, n: int = 0, **more: Any) -> ChoiceAsker:
    pool = [
        Sample(str(at), row["question"], choices=("yes", "no"), answer=row["answer"], meta=row)
        for at, row in enumerate(DEV)
    ]
    return ChoiceAsker(rules, choice_shots(pool, n=n, field="subject", source="dev"), **more)


SAMPLE = Sample("s", "Is it?", choices=("yes", "no"), answer=0, meta={"subject": "new_sums"})


def test_requests_carry_the_prompt_of_their_rule_with_examples_of_the_subject() -> None:
    found = asker("original", "helm", n=1, unconditional=True).every_request(SAMPLE, 2)
    about = "The following are multiple choice questions (with answers) about"
    body = "And new_sums 1?\nA. yes\nB. no\nAnswer: B\n\n"
    asked = "Is it?\nA. yes\nB. no\nAnswer:"

    def user(text: str) -> Any:
        return ({"role": "user", "content": text},)

    likely: dict[str, Any] = {"kind": "loglikelihood", "texts": (" A", " B"), "repeat": 2}
    assert found == [
        Request(user(f"{about}  new sums.\n\n{body}{asked}"), **likely),
        Request(user("Answer:"), **likely),
        Request(user(f"{about} new sums.\n\nQuestion: {body}Question: {asked}"), params=GENERATION, repeat=2),
    ]


def finished(dialogue: Any, *answers: Any) -> Output:
    """Run a dialogue with these answers, one a list of requests; an error is thrown."""
    next(dialogue)
    for answer in answers:
        try:
            dialogue.throw(answer) if isinstance(answer, Exception) else dialogue.send(answer)
        except StopIteration as stopped:
            output: Output = stopped.value
            return output
    raise AssertionError("the dialogue goes on")


NO_ECHO = PermanentError("the server returns no log-probabilities", kind="unsupported")


def test_a_target_without_log_probabilities_is_scored_by_helm_alone() -> None:
    dialogue = asker("original", "helm", "harness").dialogue(SAMPLE, 0)
    output = finished(dialogue, NO_ECHO, [Response(" A")], NO_ECHO)
    assert output.text == "A"
    assert output.response is not None
    assert output.response.extra["choice"] == {
        "original": {"unsupported": f"the target cannot be asked by the rule 'original': {NO_ECHO}"},
        "helm": {"text": " A"},
        "harness": {"unsupported": f"the target cannot be asked by the rule 'harness': {NO_ECHO}"},
    }


@pytest.mark.parametrize(
    ("status", "said", "unsupported"),
    [
        (400, "Setting 'echo' and 'logprobs' at the same time is not supported for this model.", True),
        (404, "there is no /completions", True),
        (400, "This model's maximum context length is 4096 tokens.", False),
        (403, "no access", False),
    ],
)
def test_how_servers_say_that_they_score_no_texts(status: int, said: str, unsupported: bool) -> None:
    error = PermanentError(said, kind=f"http_{status}", status=status)
    dialogue = asker("original", "helm").dialogue(SAMPLE, 0)
    if unsupported:
        assert finished(dialogue, error, [Response("B")]).text == "B"
    else:
        with pytest.raises(PermanentError):
            finished(dialogue, error)


def test_code_is_not_asked_for_likelihoods_and_the_report_says_it_once(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text("def answer(text):\n    return 'B'\n", "utf-8")
    path = config(tmp_path, SHOTS, "choice_accuracy, choice_accuracy(rule=helm)", target='{python: "bot.py:answer"}')
    run = run_eval(path, options=Options(tmp_path / "o"))
    original, helm = run.summary["scores"].values()
    assert helm["value"] == pytest.approx(1 / 3)
    assert (original["value"], original["skipped"]) == (None, 3)
    assert run.summary["rules"]["spread"] is None
    said = "How much the choice of rule alone moves accuracy cannot be told: no two rules scored one row."
    left_out = "original has no part in it: the target cannot be asked by the rule 'original'"
    report = (tmp_path / "o" / "report.md").read_text("utf-8")
    for text in (shown(run), report):
        assert said in text
        assert left_out in text
    [(reason, count)] = original["reasons"].items()
    assert ("gives no log-probabilities" in reason, count) == (True, 3)


def test_other_failures_stay_failures() -> None:
    gone = PermanentError("the prompt is too long", kind="too_long", status=400)
    with pytest.raises(PermanentError, match="too long"):
        finished(asker("original", "helm").dialogue(SAMPLE, 0), gone)
    with pytest.raises(PermanentError, match="no log-probabilities"):
        finished(asker("original", "harness").dialogue(SAMPLE, 0), NO_ECHO, NO_ECHO)
    with pytest.raises(PermanentError, match="no log-probabilities"):
        finished(asker("helm").dialogue(SAMPLE, 0), NO_ECHO)
    short = finished(
        asker("original").dialogue(SAMPLE, 0), [Response(loglikelihoods=(Loglikelihood(-1, 1, greedy=True),))]
    )
    assert short.error is not None
    assert short.error.kind == "no_loglikelihoods"


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        (Sample("s", "q"), "no_choices"),
        (Sample("s", ({"role": "user", "content": "q"},), choices=("a", "b")), "no_text"),
        (Sample("s", "q", choices=("a", "b"), meta={"subject": "another"}), "too_few_examples"),
        (Sample("2", "And new_sums 1?", choices=("a", "b"), meta={"subject": "new_sums"}), ""),
    ],
)
def test_rows_that_cannot_be_asked(sample: Sample, kind: str) -> None:
    made = asker("helm", n=1)
    assert (made.every_request(sample, 0) == []) == bool(kind)
    if kind:
        with pytest.raises(StopIteration) as stopped:
            next(made.dialogue(sample, 0))
        assert stopped.value.value.error.kind == kind
    else:  # the row is not its own example
        assert "And new_sums 0?" in made.every_request(sample, 0)[0].messages[0]["content"]


def test_an_example_without_gold_is_refused() -> None:
    with pytest.raises(DataError, match="needs a text, choices, and an answer"):
        choice_shots([Sample("a", "q", choices=("x",), answer="y", line=3)], n=1, field="subject", source="dev")


@pytest.mark.parametrize(
    ("choice", "metrics", "more", "message"),
    [
        ("rules: [helm]", "choice_accuracy", "", "'choice_accuracy' needs a rule that is not asked by: original"),
        ("rules: [helm]", "choice_spread", "", "not asked by: original, harness"),
        (ALL, "'choice_accuracy(normalise=''pmi'')'", "", "write 'unconditional: true' under choice"),
        ("rules: [helm]", "accuracy", "prompt: '{{ input }}'\n", "'prompt' and 'choice' do not go together"),
        ("rules: [helm]", "accuracy", "ask: choices\n", "'ask' and 'choice' do not go together"),
        ("rules: [helm]", "perplexity", "", "'perplexity' needs the log-likelihoods of the references"),
        ("rules: [helm, helm]", "accuracy", "", "a rule is listed twice"),
        ("shots: 1", "accuracy", "", "give 'shots' and 'from' together"),
        ("rules: [mine]", "accuracy", "", "expected one of 'original', 'helm'"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, choice: str, metrics: str, more: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prepare(config(tmp_path, choice, metrics, more=more))


def test_a_metric_of_choices_needs_them_asked(tmp_path: Path) -> None:
    path = config(tmp_path, "rules: [helm]", "choice_accuracy")
    path.write_text(path.read_text("utf-8").replace("choice: {rules: [helm]}\n", ""), "utf-8")
    with pytest.raises(ConfigError, match=r"write 'choice: \{rules: \[original\]\}'"):
        prepare(path)


def test_code_is_refused_where_every_rule_needs_likelihoods(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ask for log-likelihoods, and this target gives none"):
        prepare(config(tmp_path, "rules: [original]", "choice_accuracy", target="recorded"))


def test_the_subject_of_a_run_names_rules_and_examples(tmp_path: Path) -> None:
    path = config(tmp_path, SHOTS, "choice_accuracy")
    with_shots = prepare(path).subject["choice"]
    assert with_shots["rules"] == ("original", "helm", "harness")
    assert prepare(path, ["choice.shots=2"]).subject["choice"] != with_shots
