"""The same job for every tool: the same questions, one chat request each, exact match, nothing cached.

A tool is found by an option, by an environment variable, or on PATH; one that is not there is named, not an error.
Telemetry and update checks are switched off: a benchmark is meant to talk to loopback only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from _measure import llmkit, measure

HERE = Path(__file__).resolve().parent
NAMES = {"promptfoo": "promptfoo", "inspect": "inspect", "lmeval": "lm_eval"}
INSTALL = {
    "promptfoo": "npm install promptfoo",
    "inspect": "pip install inspect_ai openai",
    "lmeval": "pip install 'lm_eval[api]'",
}
QUIET = {
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    "PROMPTFOO_DISABLE_SHARING": "1",
    "PROMPTFOO_CACHE_ENABLED": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "OPENAI_API_KEY": "none",
    "LOGLEVEL": "ERROR",
}


@dataclass(frozen=True, slots=True)
class Job:
    """What to do: a folder with ``questions.jsonl``, the endpoint, how many requests in flight."""

    folder: Path
    base_url: str
    concurrency: int
    count: int


@dataclass(frozen=True, slots=True)
class Tool:
    """One program that does the job.

    Attributes:
        name: Shown in the table.
        command: Writes what the program needs into the job's folder and returns its command line.
        accuracy: The share of right answers that the program reports, from the folder and what it printed.
        environment: Added to the environment, given the job.
        leftovers: What a run leaves in the folder, to be removed before the next one.
    """

    name: str
    command: Callable[[Job], Sequence[str]]
    accuracy: Callable[[Job, str], float]
    environment: Callable[[Job], Mapping[str, str]] = lambda _job: {}
    leftovers: Sequence[str] = field(default=())

    def clear(self, job: Job) -> None:
        """Forget earlier runs."""
        for name in self.leftovers:
            path = job.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def write_questions(folder: Path, count: int) -> None:
    """Write questions whose echo is right nine times in ten, as JSON lines and as promptfoo's tests."""
    questions, tests = folder / "questions.jsonl", folder / "tests.jsonl"
    with questions.open("w", encoding="utf-8") as rows, tests.open("w", encoding="utf-8") as checks:
        for number in range(count):
            text = f"What is {number} plus {number % 7}? Say only the number, please: {number + number % 7}."
            reference = text if number % 10 else "no such answer"
            rows.write(json.dumps({"id": f"q{number}", "input": text, "references": [reference]}) + "\n")
            check = {"type": "equals", "value": reference}
            checks.write(json.dumps({"vars": {"question": text}, "assert": [check]}) + "\n")


def found(kind: str, given: str | None) -> str | None:
    """Return the program of a peer: as given, as ``LLMKIT_BENCH_<KIND>`` says, or from PATH."""
    wanted = given or os.environ.get(f"LLMKIT_BENCH_{kind.upper()}")
    return shutil.which(wanted or NAMES[kind])


def version_of(program: str) -> str:
    """Return the version that a peer states, the last number that looks like one."""
    path = Path(program)
    for command in ([str(path.with_name("python")), "-c", _ASK_VERSION], [program, "--version"]):
        if shutil.which(command[0]) is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            said = measure(command, folder=Path(folder), environment=QUIET | {"PROMPTFOO_CONFIG_DIR": folder}).output
        numbers = re.findall(r"^\d+\.\d+[\w.]*$", said, re.MULTILINE)
        if numbers:
            return str(numbers[-1])
    return "?"


_ASK_VERSION = """
from importlib.metadata import PackageNotFoundError, version
for name in ("inspect_ai", "lm_eval"):
    try:
        print(version(name))
    except PackageNotFoundError:
        pass
"""


def ours(*, name: str = "llmkit", extra: str = "", environment: Mapping[str, str] | None = None) -> Tool:
    def command(job: Job) -> list[str]:
        (job.folder / "eval.yaml").write_text(
            f"name: bench\ndataset: questions.jsonl\nmetrics: [exact_match]\n"
            f"target: {{openai: {{model: fake, base_url: '{job.base_url}', api_key_env: null{extra}}}}}\n"
            f"engine: {{max_concurrency: {job.concurrency}}}\n",
            encoding="utf-8",
        )
        return [*llmkit(), "eval", "eval.yaml", "-q", "--format", "json", "--out", "run"]

    def accuracy(job: Job, _output: str) -> float:
        summary = json.loads((job.folder / "run" / "summary.json").read_text("utf-8"))
        return float(summary["scores"]["exact_match"]["value"])

    return Tool(name, command, accuracy, lambda _job: environment or {}, leftovers=("run", ".llmkit"))


def bare() -> Tool:
    return Tool(
        "bare asyncio loop",
        lambda job: [
            sys.executable, str(HERE / "_bare_loop.py"), "questions.jsonl", job.base_url, str(job.concurrency)
        ],
        lambda _job, output: float(output.split("accuracy ")[1].split()[0]),
    )  # fmt: skip


def promptfoo(program: str) -> Tool:
    def command(job: Job) -> list[str]:
        config = {
            "prompts": ["{{question}}"],
            "providers": [{"id": "openai:chat:fake", "config": {"apiBaseUrl": job.base_url, "apiKey": "none"}}],
            "tests": "file://tests.jsonl",
        }
        (job.folder / "promptfooconfig.json").write_text(json.dumps(config), encoding="utf-8")
        flags = ["--no-cache", "--no-progress-bar", "--no-table", "--no-write", "-o", "promptfoo.json"]
        return [program, "eval", "-c", "promptfooconfig.json", "-j", str(job.concurrency), *flags]

    def accuracy(job: Job, _output: str) -> float:
        stats = json.loads((job.folder / "promptfoo.json").read_text("utf-8"))["results"]["stats"]
        return float(stats["successes"]) / job.count

    return Tool(
        "promptfoo",
        command,
        accuracy,
        lambda job: QUIET | {"PROMPTFOO_CONFIG_DIR": str(job.folder / "promptfoo")},
        leftovers=("promptfoo.json", "promptfoo"),
    )


_INSPECT_TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.scorer import exact
from inspect_ai.solver import generate

def sample(row):
    return Sample(id=row["id"], input=row["input"], target=row["references"][0])

@task
def bench():
    return Task(dataset=json_dataset("questions.jsonl", sample), solver=generate(), scorer=exact())
"""


def inspect(program: str) -> Tool:
    def command(job: Job) -> list[str]:
        (job.folder / "inspect_task.py").write_text(_INSPECT_TASK, encoding="utf-8")
        at = str(job.concurrency)
        flags = ["--max-connections", at, "--max-samples", at, "--display", "plain", "--log-dir", "logs"]
        model = ["--model", "openai/fake", "--model-base-url", job.base_url, "-M", "responses_api=false"]
        return [program, "eval", "inspect_task.py", *model, *flags]

    def accuracy(_job: Job, output: str) -> float:
        # Inspect's `exact` also removes punctuation and articles; here that changes nothing.
        return float(re.findall(r"mean\D+([01]\.\d+)", output)[-1])

    return Tool("inspect_ai", command, accuracy, lambda _job: QUIET, leftovers=("logs",))


_LMEVAL_TASK = """
task: bench
dataset_path: json
dataset_kwargs: {data_files: {test: questions.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{input}}"
doc_to_target: "{{references[0]}}"
generation_kwargs: {until: [], do_sample: false, max_gen_toks: 64}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""


def lmeval(program: str) -> Tool:
    def command(job: Job) -> list[str]:
        (job.folder / "bench.yaml").write_text(_LMEVAL_TASK, encoding="utf-8")
        url = f"base_url={job.base_url}/chat/completions,num_concurrent={job.concurrency},max_retries=3"
        model = ["--model", "local-chat-completions", "--model_args", f"model=fake,{url},tokenizer_backend=none"]
        flags = ["--tasks", "bench", "--include_path", ".", "--apply_chat_template", "--output_path", "lmeval"]
        return [program, "run", *model, *flags]

    def accuracy(job: Job, _output: str) -> float:
        path = next((job.folder / "lmeval").rglob("results*.json"))
        return float(json.loads(path.read_text("utf-8"))["results"]["bench"]["exact_match,none"])

    return Tool(
        "lm-eval",
        command,
        accuracy,
        lambda job: QUIET | {"HF_HOME": str(job.folder / "hf")},
        leftovers=("lmeval", "hf"),
    )


PEERS: Mapping[str, Callable[[str], Tool]] = {"promptfoo": promptfoo, "inspect": inspect, "lmeval": lmeval}


def options_for(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with what the benchmarks beside peers share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small run that shows that everything works")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out, installed or not")
    for kind in PEERS:
        parser.add_argument(f"--{kind}", metavar="PROGRAM", help=f"where {kind} is")
    return parser


def peers_found(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Yield each peer that is installed and its program; say which, and how to get the others."""
    for kind in () if options.no_peers else PEERS:
        program = found(kind, getattr(options, kind))
        if program is None:
            print(f"{kind}: not installed: {INSTALL[kind]}, or say where with --{kind} or LLMKIT_BENCH_{kind.upper()}")
        else:
            print(f"{kind} {version_of(program)}")
            yield kind, program
