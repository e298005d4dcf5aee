from __future__ import annotations

from pathlib import Path

import pytest

from llmkit.config import EvalConfig, load_eval_config
from llmkit.errors import ConfigError
from tests.config.conftest import Refusal

GOOD = "dataset: rows.jsonl\ntarget: echo\nmetrics: [exact_match]\n"


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        ("name: a/b", "name: 'a/b' is no name: use letters, digits, '.', '_' and '-', a letter or digit first"),
        ("name: ..", "name: '..' is no name: use letters, digits, '.', '_' and '-', a letter or digit first"),
        ("name: größe", "name: 'größe' is no name: use letters, digits, '.', '_' and '-', a letter or digit first"),
        ("name: ''", "name: must not be empty, got ''"),
        ("name: 1.5", "name: expected a text, got the number 1.5; put quotes around it"),
        ("prompt: {a: b}", "prompt: expected a text, or a list of messages with role and content, got {'a': 'b'}"),
        ("prompt: [{role: usr, content: x}]", ("prompt[0].role: expected one of 'system', 'developer', 'user', "
         "'assistant', got 'usr' (did you mean 'user'?)")),
        ("prompt: [{role: user}]", "prompt[0].content: the key 'content' is missing"),
        ("prompt: [hello]", "prompt[0]: expected a mapping, got 'hello'"),
        ("few_shot: 5", "few_shot: expected a mapping, got 5"),
        ("few_shot: {}", "few_shot.n: the key 'n' is missing"),
        ("few_shot: {n: -1}", "few_shot.n: must be at least 0, got -1"),
        ("few_shot: {n: 1, pick: rand}", ("few_shot.pick: expected one of 'first', 'random', got 'rand' "
         "(did you mean 'random'?)")),
        ("few_shot: {n: 1, from: 5}", "few_shot.from: expected a file name or a mapping, got 5"),
        ("few_shot: {n: 1, from: {paht: x}}", ("few_shot.from.paht: unknown key 'paht' in 'few_shot.from' "
         "(did you mean 'path'?)")),
        ("few_shot: {n: 1, form: x}", "few_shot.form: unknown key 'form' in 'few_shot' (did you mean 'from'?)"),
        ("few_shot: {n: 1, from_: x}", "few_shot.from_: unknown key 'from_' in 'few_shot' (did you mean 'from'?)"),
        ("repeats: 1.5", "repeats: expected a whole number, got 1.5"),
        ("repeats: yes", "repeats: expected a whole number, got 'yes'"),
        ("repeats: true", "repeats: expected a whole number, got true"),
        ("slices: topic", "slices: expected a list, got 'topic' (write [topic])"),
        ("slices: [[a]]", "slices[0]: expected a text, got ['a']"),
        ("cluster: [a]", "cluster: expected a text, got ['a']"),
        ("seed: -1", "seed: must be at least 0, got -1"),
        ("level: 95", "level: must be at most 0.9999, got 95"),
        ("level: 0", "level: must be above 0, got 0"),
        ("level: .nan", "level: expected a number, got '.nan'"),
        ("gate: {token_f1: 1}", ("gate.token_f1: unknown key 'token_f1' in 'gate' (known: coverage, all, scorers, "
         "slices, cost, latency, adjust, level, sequential, certain)")),
        ("gate: {token_f1: {mn: 1, max: 1}}", ("gate.token_f1.mn: unknown key 'mn' in 'gate.token_f1' "
         "(did you mean 'min'?)")),
        ("gate: {token_f1: {}}", ("gate.token_f1: give 'max_drop', 'min' or 'max': without one of them nothing is "
         "asked for")),
        ("gate: {token_f1: {min: 2, max: 1}}", "gate.token_f1: 'min' (2) is above 'max' (1)"),
        ("gate: {all: {max_drop: -1}}", "gate.all.max_drop: must be at least 0, got -1"),
        ("gate: {sequential: 5}", "gate.sequential: expected true, false or {look_every: 20}, got 5"),
        ("gate: {sequential: {look_every: 0}}", "gate.sequential.look_every: must be at least 1, got 0"),
        ("gate: {sequential: {look_evry: 3}}", ("gate.sequential.look_evry: unknown key 'look_evry' in "
         "'gate.sequential' (did you mean 'look_every'?)")),
        ("gate: {latency: {}}", ("gate.latency: give 'p50', 'p90', 'p95' or 'p99': without one of them nothing is "
         "asked for")),
        ("gate: {latency: {p96: {max: 1}}}", ("gate.latency.p96: unknown key 'p96' in 'gate.latency' "
         "(did you mean 'p99'?)")),
        ("gate: {latency: {p95: {mx: 1}}}", ("gate.latency.p95.mx: unknown key 'mx' in 'gate.latency.p95' "
         "(did you mean 'max'?)")),
        ("gate: {slices: {lang: {de: {bleu: {mn: 1}}}}}", ("gate.slices.lang.de.bleu.mn: unknown key 'mn' in "
         "'gate.slices.lang.de.bleu' (did you mean 'min'?)")),
        ("gate: {coverage: {min: 98}}", "gate.coverage.min: must be at most 1, got 98"),
        ("gate: {coverage: {mim: 1}}", "gate.coverage.mim: unknown key 'mim' in 'gate.coverage' (did you mean 'min'?)"),
        ("engine: {max_concurrency: 0}", "engine.max_concurrency: must be at least 1, got 0"),
        ("engine: {timeout: 0}", "engine.timeout: must be above 0, got 0"),
        ("engine: {timeout: 1e999}", "engine.timeout: expected a finite number, got inf"),
        ("engine: {cache: [a]}", "engine.cache: expected true, false, or the path of the cache file, got ['a']"),
        ("engine: {cache: 5}", "engine.cache: expected true, false, or the path of the cache file, got 5"),
        ("engine: [a]", "engine: expected a mapping, got ['a']"),
        ("prices: {a: 1}", "prices: expected the path of a price file, or a list of them, got {'a': 1}"),
        ("plugins: mine.py", "plugins: expected a list, got 'mine.py' (write [mine.py])"),
        ("out: ''", "out: must not be empty, got ''"),
        ("metrcs: [bleu]", "metrcs: unknown key 'metrcs' (did you mean 'metrics'?)"),
        ("zzz: red", f"zzz: unknown key 'zzz' (known: {', '.join(EvalConfig.model_fields)})"),
        ("prompt: use sk-abc123def456ghi789jkl", ("prompt: this looks like a secret key, and a config must not hold one "
         "(put it into an environment variable and name that variable with api_key_env)")),
    ],
)  # fmt: skip
def test_a_bad_value_is_one_sentence(refusal: Refusal, added: str, sentence: str) -> None:
    assert refusal(f"{GOOD}{added}\n") == [f"eval.yaml:4: {sentence}"]


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        ("5", "dataset: expected a file name or a mapping, got 5"),
        ("{}", "dataset: give 'path' (a file) or 'hf' (a Hugging Face dataset), one of the two"),
        ("{path: a, hf: b}", "dataset: give 'path' (a file) or 'hf' (a Hugging Face dataset), one of the two"),
        (
            "{path: a, split: test}",
            "dataset: 'split' is for Hugging Face datasets: it needs 'hf' in the place of 'path'",
        ),
        ("{path: a, limit: 0}", "dataset.limit: must be at least 1, got 0"),
        ("{path: a, limt: 5}", "dataset.limt: unknown key 'limt' in 'dataset' (did you mean 'limit'?)"),
        ("{path: a, sample: 5}", "dataset.sample: expected a mapping, got 5"),
        ("{path: a, sample: {seed: 1}}", "dataset.sample.n: the key 'n' is missing"),
        ("{path: a, skip_bad_rows: yes}", "dataset.skip_bad_rows: expected true or false, got 'yes'"),
        (
            "{path: a, format: xls}",
            (
                "dataset.format: expected one of 'jsonl', 'json', 'csv', 'tsv', 'parquet', 'qrels', "
                "'mmlu', 'truthfulqa', 'commonsenseqa', 'aqua', 'arc', got 'xls'"
            ),
        ),
        ("{path: a, fields: [b]}", "dataset.fields: expected a mapping, got ['b']"),
        (
            "{path: a, fields: {input: true}}",
            "dataset.fields.input: expected a field, a list of fields or {field: ..., split: ...}, got true",
        ),
        (
            "{path: a, fields: {input: {field: b, splt: c}}}",
            "dataset.fields.input.splt: unknown key 'splt' in 'dataset.fields.input' (did you mean 'split'?)",
        ),
    ],
)
def test_a_bad_dataset_is_one_sentence(refusal: Refusal, dataset: str, sentence: str) -> None:
    assert refusal(f"target: echo\nmetrics: [exact_match]\ndataset: {dataset}\nfew_shot: {{n: 1}}\n") == [
        f"eval.yaml:3: {sentence}"
    ]


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("[]", "metrics: nothing to score: the list is empty (write metrics: [exact_match]; 'llmkit list metrics' shows all)"),
        ("exact_match", "metrics: expected a list, got 'exact_match' (write [exact_match])"),
        ("[5]", "metrics[0]: expected a name, or a mapping of a name to its arguments, got 5"),
        ("[null]", "metrics[0]: expected a name, or a mapping of a name to its arguments, got null"),
        ("[exact_match, 'exact_match()']", "metrics[1]: 'exact_match' is listed already at metrics[0] (remove one)"),
        ("[exact_match, {contains: , match: all}]", ("metrics[1]: expected one name with its arguments, got 2 "
         "(contains, match); indent the arguments under 'contains'")),
        ("[exact match]", "metrics[0]: 'exact match' is not a name such as rouge, ndcg@10 or rouge(variant='L')"),
        ("[exact_match(mode=1.5)]", "metrics[0].mode: expected one of 'exact', 'prefix', got 1.5"),
        ("[{exact_match: {modus: exact}}]", ("metrics[0].exact_match.modus: 'exact_match' has no argument 'modus' "
         "(did you mean 'mode'?)")),
    ],
)  # fmt: skip
def test_bad_metrics_are_one_sentence(refusal: Refusal, written: str, sentence: str) -> None:
    assert refusal(f"dataset: a\ntarget: echo\nmetrics: {written}\n") == [f"eval.yaml:3: {sentence}"]


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("5", "target: expected a name, or a mapping of a name to its arguments, got 5"),
        ("[echo]", "target: expected a name, or a mapping of a name to its arguments, got ['echo']"),
        ("ecko", "target: unknown provider 'ecko' (did you mean 'echo'?)"),
        ("{echo: {text: true}}", "target.echo.text: expected a text, got true"),
        ("python", "target: 'python' needs the argument 'target'"),
        ("{echo: {text: sk-abc123def456ghi789jkl}}", ("target.echo.text: this looks like a secret key, and a config must "
         "not hold one (put it into an environment variable and name that variable with api_key_env)")),
        ("{echo: {api_key: sk-abc123def456ghi789jkl}}", ("target.echo.api_key: this looks like a secret key, and a config "
         "must not hold one (put it into an environment variable and name that variable with api_key_env)")),
        ("echo(text='hf_abcdefghijklmnopqrstuvwx')", ("target: this looks like a secret key, and a config must not hold "
         "one (put it into an environment variable and name that variable with api_key_env)")),
    ],
)  # fmt: skip
def test_bad_targets_are_one_sentence(refusal: Refusal, written: str, sentence: str) -> None:
    assert refusal(f"dataset: a\ntarget: {written}\nmetrics: [exact_match]\n") == [f"eval.yaml:2: {sentence}"]


def test_a_secret_is_never_shown(refusal: Refusal) -> None:
    secret = "sk-abc123def456ghi789jkl"
    text = (
        f"dataset: {secret}\ntarget: {{echo: {{text: [{secret}]}}}}\nmetrics: [exact_match({secret})]\nnme: {secret}\n"
    )
    for lines in (refusal(text), refusal(GOOD, f"target.echo.text={secret}", f"repeats={secret}")):
        assert lines
        assert secret not in "\n".join(lines)


def test_words_with_sk_are_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "eval.yaml"
    path.write_text(GOOD + "prompt: the sk-learn-based-classification task-1234567890123456789\n", encoding="utf-8")
    assert load_eval_config(path).prompt is not None


def test_missing_keys_are_named_together(refusal: Refusal) -> None:
    assert refusal("seed: 1\n") == [
        "eval.yaml: dataset: the key 'dataset' is missing (write dataset: path/to/rows.jsonl)",
        "eval.yaml: target: the key 'target' is missing (write target: recorded, or target: {openai: {model: gpt-4o-mini}})",
        (
            "eval.yaml: metrics: nothing to score: the key 'metrics' is missing "
            "(write metrics: [exact_match]; 'llmkit list metrics' shows all)"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "eval.yaml: the config is empty (it needs at least dataset, target and metrics; 'llmkit init' writes an example)"),
        ("# later\n", "eval.yaml: the config is empty (it needs at least dataset, target and metrics; 'llmkit init' writes an example)"),
        ("- a\n", "eval.yaml: a config is a mapping of keys such as dataset, target and metrics, got a list"),
        ("hello\n", "eval.yaml: a config is a mapping of keys such as dataset, target and metrics, got 'hello'"),
        ("a: 1\na: 2\n", "eval.yaml:2: the key 'a' stands twice: on line 1 and on line 2"),
        (b"name: gr\xfcn\n", "eval.yaml:1: is not UTF-8: byte 8 is 0xFC (save it as UTF-8)"),
        (b"\xff\xfea\x00", "eval.yaml:1: is not UTF-8: byte 0 is 0xFF (save it as UTF-8)"),
        ("#" * 5_000_001, "eval.yaml: is larger than 5 MB, which no config is (is it the eval set?)"),
    ],
)  # fmt: skip
def test_unreadable_files(refusal: Refusal, text: str | bytes, sentence: str) -> None:
    assert refusal(text) == [sentence]


def test_files_that_are_not_there(tmp_path: Path) -> None:
    def said(path: Path) -> str:
        with pytest.raises(ConfigError) as refused:
            load_eval_config(path)
        return str(refused.value).replace(str(tmp_path), "TMP")

    assert said(tmp_path / "x.yaml") == "TMP/x.yaml: no such config (no config lies in 'TMP')"
    assert said(tmp_path) == "TMP: is a folder, not a config (name a .yaml file)"
    (tmp_path / "quickstart.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    assert said(tmp_path / "quikstart.yaml") == "TMP/quikstart.yaml: no such config (did you mean 'quickstart.yaml'?)"
    assert said(tmp_path / "x.yaml") == "TMP/x.yaml: no such config (known: quickstart.yaml)"
    assert said(tmp_path) == "TMP: is a folder, not a config (name one of its files: quickstart.yaml)"
    assert said(tmp_path / "no" / "x.yaml") == "TMP/no/x.yaml: no such config (there is no folder 'TMP/no')"


def test_plugin_files_that_are_wrong(refusal: Refusal, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = (\n", encoding="utf-8")
    assert refusal(GOOD + "repeats: 0\nplugins: [mine.py, mines.py]\n") == [
        "eval.yaml:4: repeats: must be at least 1, got 0",
        f"eval.yaml:5: plugins: no such plug-in file: '{tmp_path}/mines.py' (did you mean 'mine.py'?)".replace(
            f"{tmp_path}/", ""
        ),
        "mine.py:1: the plug-in is not valid Python: '(' was never closed",
    ]
