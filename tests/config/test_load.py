from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmkit.config import EvalConfig, load_eval_config, make_eval_config
from llmkit.errors import ConfigError, Problem
from tests.config.conftest import Load, Refusal

GOOD = "dataset: rows.jsonl\ntarget: echo\nmetrics: [exact_match]\n"

FULL = """
name: support-qa.v2_1
dataset:
  path: ../rows.csv
  format: csv
  fields: {input: question, references: [a, b], meta.topic: topic, choices: {field: options, split: ";"}}
  where: lang == "en"
  limit: 100
  sample: {n: 10, seed: 3}
  skip_bad_rows: true
prompt:
  - {role: system, content: Answer briefly.}
  - {role: user, content: "{{ input }}"}
few_shot: {n: 5, from: {hf: gsm8k, name: main, split: train, revision: 1234567}, pick: random, seed: 1}
target: {echo: {text: 5}}
metrics:
  - exact_match
  - contains(match=all)
  - {contains: {ignore_case: false}}
repeats: 3
slices: [topic]
cluster: source
seed: 7
level: 0.9
gate: {coverage: {min: 1}}
engine:
  max_concurrency: 8
  timeout: null
  max_retries: 0
  requests_per_minute: 60
  tokens_per_minute: 1000
  max_cost: 5
  max_tokens: 10000
  max_requests: 100
  patience: 0
  cache: .cache/answers.sqlite
prices: prices.yaml
out: results
"""


def test_a_small_config_has_defaults(load: Load, tmp_path: Path) -> None:
    config = load(GOOD)
    assert config.name == "eval"
    assert config.dataset_source == {"path": "rows.jsonl"}
    assert config.target == "echo"
    assert config.metrics == ("exact_match",)
    assert (config.repeats, config.seed, config.level, config.out) == (1, 0, 0.95, "runs")
    assert config.gate.coverage.min == 0.98
    assert config.engine.cache is True
    assert (config.base, config.file) == (tmp_path, str(tmp_path / "eval.yaml"))


def test_every_key(load: Load, tmp_path: Path) -> None:
    config = load(FULL)
    assert config.name == "support-qa.v2_1"
    assert config.dataset_source == {
        "path": "../rows.csv",
        "format": "csv",
        "fields": {
            "input": "question",
            "references": ("a", "b"),
            "meta.topic": "topic",
            "choices": {"field": "options", "split": ";"},
        },
        "where": 'lang == "en"',
        "limit": 100,
        "sample": {"n": 10, "seed": 3},
        "skip_bad_rows": True,
    }
    assert config.prompt is not None
    assert [(m.role, m.content) for m in config.prompt if not isinstance(m, str)] == [
        ("system", "Answer briefly."),
        ("user", "{{ input }}"),
    ]
    assert config.few_shot is not None
    assert config.few_shot.source == {"hf": "gsm8k", "name": "main", "split": "train", "revision": "1234567"}
    assert config.target == {"echo": {"text": 5}}
    assert config.engine.timeout is None
    assert config.engine.max_cost == 5.0
    assert config.engine.cache == ".cache/answers.sqlite"
    assert config.paths(config.prices) == (tmp_path / "prices.yaml",)


def test_a_config_does_not_change(load: Load) -> None:
    config = load(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3


def test_resolved_is_explicit(load: Load) -> None:
    resolved = load(FULL).resolved()
    assert resolved["target"] == {"echo": {"text": "5", "prefix": ""}}
    assert resolved["metrics"][1]["contains"]["match"] == "all"
    assert resolved["metrics"][1]["contains"]["ignore_case"] is True
    assert resolved["few_shot"]["from"]["hf"] == "gsm8k"
    assert set(resolved) == {"name", *(f.alias or n for n, f in EvalConfig.model_fields.items())}


@pytest.mark.parametrize("text", [GOOD, FULL, GOOD + "few_shot: {n: 2}\n", GOOD + "prompt: p.md\n"])
def test_a_resolved_config_loads_to_itself(load: Load, text: str) -> None:
    config = load(text)
    again = load(config.resolved_yaml())
    assert again.resolved() == config.resolved()
    assert yaml.safe_load(config.resolved_yaml()) == config.resolved()


def test_few_shot_examples_come_from_the_eval_set_by_default(load: Load) -> None:
    config = load(GOOD + "few_shot: {n: 2}\n")
    assert config.few_shot is not None
    assert config.few_shot.source == {"path": "rows.jsonl"}


def test_a_key_without_a_value_means_its_default(load: Load) -> None:
    config = load(GOOD + "engine:\n#  timeout: 5\nslices:\nseed: null\n")
    assert (config.engine.timeout, config.slices, config.seed) == (60.0, (), 0)


def test_nothing_is_taken_from_the_environment(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWER", "42")
    assert load(GOOD + "prompt: $ANSWER ${ANSWER}\n").prompt == "$ANSWER ${ANSWER}"


def test_a_file_name_makes_a_name(tmp_path: Path) -> None:
    path = tmp_path / "my eval (2).yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_eval_config(path).name == "my-eval-2"


def test_a_bom_and_windows_line_ends(load: Load) -> None:
    assert load("\ufeff" + GOOD.replace("\n", "\r\n")).target == "echo"


def test_plugins_of_the_user_are_checked(load: Load, tmp_path: Path, refusal: Refusal) -> None:
    plugin = """
from dataclasses import dataclass
from llmkit.metrics import MeanMetric, metric

@metric("config_test_words")
@dataclass(frozen=True)
class Words(MeanMetric):
    '''Counts words.'''
    least: int = 1

    def score(self, sample, output):
        return len(output.text.split()) >= self.least
"""
    (tmp_path / "my metrics.py").write_text(plugin, encoding="utf-8")
    text = GOOD.replace("[exact_match]", "[config_test_words(least=2)]") + "plugins: [my metrics.py]\n"
    config = load(text)
    assert config.paths(config.plugins) == (tmp_path / "my metrics.py",)
    assert config.resolved()["metrics"] == [{"config_test_words": {"least": 2}}]
    assert refusal(text.replace("least=2", "leest=2")) == [
        "eval.yaml:3: metrics[0].leest: 'config_test_words' has no argument 'leest' (did you mean 'least'?)"
    ]


def test_later_problems_find_their_line(load: Load, tmp_path: Path) -> None:
    config = load(GOOD)
    place = config.placed(Problem("late", key="metrics[0].x"))
    assert (place.file, place.line) == (str(tmp_path / "eval.yaml"), 3)
    assert config.placed(Problem("late", file="other")).file == "other"


def test_a_config_made_in_python() -> None:
    data = {"dataset": Path("a.jsonl"), "target": {"echo": None}, "metrics": ("exact_match",), "slices": ("x",)}
    config = make_eval_config(data, ["repeats=2"])
    assert (config.name, config.base, config.file, config.repeats) == ("eval", Path(), "", 2)
    with pytest.raises(ConfigError) as refused:
        make_eval_config({**data, "repets": 1})
    assert str(refused.value) == "repets: unknown key 'repets' (did you mean 'repeats'?)"


SIX = """\
name: support qa
datset: rows.jsonl
target: {echo: {txt: hello}}
metrics: [exact_mach, contains(match=some)]
engine: {timeout: "60"}
"""


def test_six_mistakes_are_six_problems(refusal: Refusal) -> None:
    assert refusal(SIX) == [
        "eval.yaml:1: name: 'support qa' is no name: use letters, digits, '.', '_' and '-', a letter or digit first",
        "eval.yaml:2: datset: unknown key 'datset' (did you mean 'dataset'?)",
        "eval.yaml:3: target.echo.txt: 'echo' has no argument 'txt' (did you mean 'text'?)",
        "eval.yaml:4: metrics[0]: unknown metric 'exact_mach' (did you mean 'exact_match'?)",
        "eval.yaml:4: metrics[1].match: expected one of 'any', 'all', got 'some'",
        "eval.yaml:5: engine.timeout: expected a number, got '60'",
    ]


def test_problems_of_an_override_say_so(refusal: Refusal) -> None:
    assert refusal(GOOD, "repeats=none", "engine.timeot=5", "target.echo.txt=1", "nonsense", "x y=[", "seed=-1") == [
        "--set engine.timeot: unknown key 'timeot' in 'engine' (did you mean 'timeout'?)",
        "--set nonsense: expected key.path=value, as in target.openai.temperature=0.5",
        "--set repeats: expected a whole number, got 'none'",
        "--set seed: must be at least 0, got -1",
        "--set target.echo.txt: 'echo' has no argument 'txt' (did you mean 'text'?)",
        (
            "--set x y: the value cannot be read: column 1: the '[' or '{' that opens here is not closed, "
            "or a comma is missing in it"
        ),
    ]


def test_a_misspelt_section_in_an_override(refusal: Refusal) -> None:
    assert refusal(GOOD, "enigne.timeout=5") == [
        "--set enigne.timeout: enigne: unknown key 'enigne' (did you mean 'engine'?)"
    ]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("repeats.x=1", "--set repeats.x: 'repeats' is 2, which has no 'x' to set"),
        ("metrics.first=bleu", "--set metrics.first: 'metrics' is a list; name its item by a number, as in metrics[0]"),
        ("metrics[5]=bleu", "--set metrics[5]: 'metrics' has 1 items, so 'metrics[5]' is none of them"),
        (
            "target.openai.model=x",
            "--set target.openai.model: 'target' is 'echo', which has no 'openai' to set",
        ),
        ("=5", "--set : expected key.path=value, as in target.openai.temperature=0.5"),
        ("a..b=5", "--set a..b: expected key.path=value, as in target.openai.temperature=0.5"),
    ],
)
def test_overrides_that_lead_nowhere(refusal: Refusal, override: str, sentence: str) -> None:
    assert refusal(GOOD + "repeats: 2\n", override) == [sentence]


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("dataset.limit=100", "dataset_source", {"path": "rows.jsonl", "limit": 100}),
        ("dataset=other.jsonl", "dataset_source", {"path": "other.jsonl"}),
        ("dataset.where=a == 'x=y'", "dataset_source", {"path": "rows.jsonl", "where": "a == 'x=y'"}),
        ("target.echo.text=hi", "target", {"echo": {"text": "hi"}}),
        ("target={echo: {text: hi}}", "target", {"echo": {"text": "hi"}}),
        ("metrics=[contains]", "metrics", ("contains",)),
        ("metrics[0]=contains", "metrics", ("contains",)),
        ("metrics.0=contains", "metrics", ("contains",)),
        ("metrics[1]=contains", "metrics", ("exact_match", "contains")),
        ("metrics[0].exact_match.mode=prefix", "metrics", ({"exact_match": {"mode": "prefix"}},)),
        ("slices=[a, b]", "slices", ("a", "b")),
        ("prompt=", "prompt", None),
        ("engine.max_cost=0.5", "engine.max_cost", 0.5),
        ("few_shot.n=3", "few_shot.n", 3),
        (" seed = 4", "seed", 4),
    ],
)
def test_overrides(load: Load, override: str, key: str, value: Any) -> None:
    found: Any = load(GOOD, override)
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


def test_overrides_reach_into_a_value_alone(load: Load) -> None:
    text = GOOD.replace("target: echo", "target: {echo: hello}")
    assert load(text, "target.echo.prefix=x").resolved()["target"] == {"echo": {"text": "hello", "prefix": "x"}}
    called = GOOD.replace("target: echo", "target: echo(text='hello')")
    assert load(called, "target.echo.prefix=x").resolved()["target"] == {"echo": {"text": "hello", "prefix": "x"}}


def test_overrides_come_one_after_the_other(load: Load) -> None:
    assert load(GOOD, "seed=1", "seed=2").seed == 2
    assert load(GOOD, "dataset=b.jsonl", "dataset.limit=3").dataset_source == {"path": "b.jsonl", "limit": 3}


def test_loading_imports_nothing_heavy_before_it_must() -> None:
    code = "import sys, llmkit.config; print(sorted({'pydantic', 'yaml', 'jsonschema', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("true", Path(".llmkit/responses.sqlite")),
        ("false", None),
        ("kept.sqlite", Path("conf/kept.sqlite")),
        ("~/kept.sqlite", Path.home() / "kept.sqlite"),
    ],
)
def test_a_cache_lies_beside_the_config_or_where_all_do(written: str, expected: Path | None, load: Load) -> None:
    config = load(f"dataset: rows.jsonl\ntarget: echo\nmetrics: [exact_match]\nengine: {{cache: {written}}}\n")
    assert config.engine.cache_file(Path("conf")) == expected
