"""G-Eval of 4 criteria over recorded answers, against a fake server that answers after 50 ms, beside the peers found.

    python benchmarks/bench_judges.py [--quick] [--deepeval PROGRAM] [--inspect PROGRAM] [--rounds N]

llmkit's ``geval`` takes the probabilities of its one request a row and criterion; DeepEval's ``GEval`` (through its
`LocalModel`, which has none) and inspect_ai's ``model_graded_qa`` ask their own questions of the same server, each with
64 at a time. Then the same with 5 % of the verdicts out of form: how many rows have a score that nobody gave.
Ideal is the time that one request a row and criterion takes with 64 always in flight.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from _measure import ROOT, header, heading, llmkit, measure, row, tail, verdict
from _tools import QUIET, Job, version_of

sys.path.insert(0, str(ROOT))

from tests.fakeserver import Behaviour, FakeServer

CONCURRENCY, LATENCY, TARGET = 64, 0.05, 1.15
CRITERIA = ("coherence", "consistency", "correctness", "relevance")
OFF_FORM = "The answer reads well on the whole, with some room to grow."
PEERS = {"deepeval": "pip install deepeval", "inspect": "pip install inspect_ai openai"}
QUIET_TOO = {
    **QUIET, "DEEPEVAL_TELEMETRY_OPT_OUT": "YES", "ERROR_REPORTING": "NO", "DEEPEVAL_NO_INSPECT_PROMPT": "1",
    "DEEPEVAL_UPDATE_WARNING_OPT_OUT": "YES", "CI": "true",
    "DEEPEVAL_PER_TASK_TIMEOUT_SECONDS_OVERRIDE": "600",
}  # fmt: skip

_DEEPEVAL = """
import json, sys
from deepeval import evaluate
from deepeval.evaluate.configs import AsyncConfig, CacheConfig, DisplayConfig, ErrorConfig
from deepeval.metrics import GEval
from deepeval.models import LocalModel
from deepeval.test_case import LLMTestCase, SingleTurnParams

url, at, criteria = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
rows = [json.loads(line) for line in open("rows.jsonl")]
cases = [LLMTestCase(input=r["input"], actual_output=r["output"]) for r in rows]
model = LocalModel(model="fake", base_url=url, api_key="none")
shown = [SingleTurnParams.INPUT, SingleTurnParams.ACTUAL_OUTPUT]
metrics = [GEval(name=c, criteria=f"The {c} of the answer.", evaluation_params=shown, model=model) for c in criteria]
done = evaluate(
    cases, metrics, async_config=AsyncConfig(max_concurrent=at), cache_config=CacheConfig(write_cache=False),
    display_config=DisplayConfig(show_indicator=False, print_results=False, inspect_after_run=False),
    error_config=ErrorConfig(ignore_errors=True),
)
data = [m for result in done.test_results for m in result.metrics_data]
scored = [m.score for m in data if m.score is not None and not m.error]
print("FIGURES", json.dumps([len(scored), len(cases) * len(criteria) - len(scored)]))
"""

_INSPECT = """
import json, math, sys
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import model_graded_qa
from inspect_ai.solver import solver

url, at, criteria = sys.argv[1], int(sys.argv[2]), sys.argv[3:]

@solver
def recorded():
    async def solve(state, generate):
        state.output.completion = state.metadata["output"]
        return state
    return solve

from inspect_ai.model import get_model
grader = get_model("openai/fake", base_url=url, api_key="none", responses_api=False)
rows = [json.loads(line) for line in open("rows.jsonl")]
data = [Sample(id=r["id"], input=r["input"], target=f"good {r['id']}", metadata={"output": r["output"]}) for r in rows]
template = "{question} {answer} {criterion} {instructions} "
scorers = [model_graded_qa(template=template + c, model=grader) for c in criteria]
[log] = eval(
    Task(dataset=data, solver=recorded(), scorer=scorers), model="mockllm/model", max_samples=at, max_connections=at,
    display="none", log_dir="logs",
)
values = [s.value for sample in log.samples for s in (sample.scores or {}).values()]
scored = [v for v in values if v is not None and not (isinstance(v, float) and math.isnan(v))]
print("FIGURES", json.dumps([len(scored), len(rows) * len(criteria) - len(scored)]))
"""


@dataclass(frozen=True, slots=True)
class Program:
    """One way to judge: how it is started, and how many scores and rows without one it reports."""

    name: str
    command: Callable[[Job], list[str]]
    read: Callable[[Job, str], tuple[int, int]]


def write_rows(folder: Path, count: int) -> None:
    """Write recorded answers."""
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for number in range(count):
            question = f"What should one know of town number {number}?"
            output = f"Town {number} has {number * 7 % 90} houses and a market on Fridays. The road is narrow."
            file.write(json.dumps({"id": f"r{number}", "input": question, "output": output}) + "\n")


def rater(off: float) -> Callable[[Mapping[str, Any]], Any]:
    """Return a model that gives 4 in whatever form is asked for, and out of form for a share of all questions."""

    def answer(body: Mapping[str, Any]) -> Any:
        text = "\n".join(str(message["content"]) for message in body["messages"])
        if "Write the steps" in text:
            return "1. Read the answer.\n2. Look for faults.\n3. Rate it."
        if "concise evaluation steps" in text:
            return json.dumps({"steps": [f"Read for {asked_about(text)}.", "Look for faults.", "Rate it."]})
        town = re.search(r"town number (\d+)", text)
        if town and is_off(int(town[1]), asked_about(text), off):
            return OFF_FORM
        if "as one whole number" in text:
            return {"content": "4", "logprobs": _LOGPROBS if body.get("logprobs") else None}
        return "Fine.\nGRADE: C" if "GRADE:" in text else '{"reason": "Fine.", "score": 8}'

    return answer


def asked_about(text: str) -> str:
    """Return the criterion that a prompt names first."""
    places = {name: text.casefold().find(name) for name in CRITERIA}
    return min((name for name in CRITERIA if places[name] >= 0), key=lambda name: places[name], default="")


def is_off(number: int, criterion: str, off: float) -> bool:
    """Whether the model never answers in form about this row and criterion."""
    return crc32(f"{number} {criterion}".encode()) % 10_000 < off * 10_000


def _token(text: str, share: float) -> dict[str, Any]:
    return {"token": text, "logprob": math.log(share), "bytes": None}


_LOGPROBS = {"content": [_token("4", 0.7) | {"top_logprobs": [_token("4", 0.7), _token("3", 0.2), _token("5", 0.1)]}]}


def ours() -> Program:
    def command(job: Job) -> list[str]:
        for left in ("run", "judges", ".llmkit"):
            shutil.rmtree(job.folder / left, ignore_errors=True)
        judges = [{"geval": {"criteria": name, "shows": ["input", "output"], "name": name}} for name in CRITERIA]
        model = {"openai": {"model": "fake", "base_url": job.base_url, "api_key_env": None}}
        config = {
            "name": "bench", "dataset": "rows.jsonl", "target": "recorded", "judge_model": model, "judges": judges,
            "engine": {"max_concurrency": job.concurrency},
        }  # fmt: skip
        (job.folder / "eval.yaml").write_text(json.dumps(config), encoding="utf-8")
        return [*llmkit(), "eval", "eval.yaml", "-q", "--no-cache", "--format", "json", "--out", "run"]

    def read(job: Job, _said: str) -> tuple[int, int]:
        scores = json.loads((job.folder / "run" / "summary.json").read_text("utf-8"))["scores"]
        return sum(scores[name]["n"] for name in CRITERIA), sum(scores[name]["errors"] for name in CRITERIA)

    return Program("llmkit", command, read)


def peer(name: str, program: str) -> Program:
    """Return a peer, started by the Python beside its program."""
    script = {"deepeval": _DEEPEVAL, "inspect": _INSPECT}[name]

    def command(job: Job) -> list[str]:
        shutil.rmtree(job.folder / "logs", ignore_errors=True)
        (job.folder / f"bench_{name}.py").write_text(script, encoding="utf-8")
        python = str(Path(program).with_name("python"))
        return [python, f"bench_{name}.py", job.base_url, str(job.concurrency), *CRITERIA]

    def read(_job: Job, said: str) -> tuple[int, int]:
        scored, missing = json.loads(said.split("FIGURES ")[1].splitlines()[0])
        return int(scored), int(missing)

    return Program({"deepeval": "DeepEval GEval", "inspect": "inspect_ai model_graded_qa"}[name], command, read)


def peers(options: argparse.Namespace) -> Iterator[Program]:
    """Yield the peers that are installed; say how to get the others."""
    for name, install in PEERS.items():
        wanted = getattr(options, name) or os.environ.get(f"LLMKIT_BENCH_{name.upper()}") or name
        program = None if options.no_peers else shutil.which(wanted)
        if program is not None:
            print(f"{name} {version_of(program)}")
            yield peer(name, program)
        elif not options.no_peers:
            print(f"{name}: not installed: {install}, or say where with --{name} or LLMKIT_BENCH_{name.upper()}")


def once(program: Program, job: Job, server: FakeServer, off: float) -> dict[str, float]:
    """Run one program; return what it took, what it sent and what it reported."""
    asked = job.count * len(CRITERIA)
    command = program.command(job)
    server.reset(Behaviour(answer=rater(off), latency=LATENCY))
    taken = measure(command, folder=job.folder, environment=QUIET_TOO, timeout=900)
    finished = [at for at, _, status in server.log() if status == 200]
    if taken.code not in ({0, 3} if off else {0}) or len(finished) < asked:
        raise SystemExit(f"{program.name}: exit code {taken.code}, {len(finished)} answered\n{tail(taken)}")
    scored, missing = program.read(job, taken.output)
    if not off and missing:
        raise SystemExit(f"{program.name}: {missing} rows without a score\n{tail(taken)}")
    sending = max(finished) - min(finished) + LATENCY
    return {
        "wall": taken.wall, "cpu": taken.cpu, "sent": len(server.log()), "sending": sending, "scored": scored,
        "missing": missing,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small run that shows that everything works")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out, installed or not")
    parser.add_argument("--rounds", type=int, default=3, help="of llmkit, without faults; 3 unless told")
    parser.add_argument("--rows", type=int, default=1000, help="1,000 unless told")
    for name in PEERS:
        parser.add_argument(f"--{name}", metavar="PROGRAM", help=f"where {name} is")
    options = parser.parse_args()
    count, rounds = (30, 1) if options.quick else (options.rows, options.rounds)
    header(f"judges: {count:,} rows x {len(CRITERIA)} criteria, {LATENCY * 1000:g} ms, {CONCURRENCY} at a time")
    programs = [ours(), *peers(options)]
    ideal = count * len(CRITERIA) * LATENCY / CONCURRENCY
    print(f"ideal {ideal:.3g} s\n")
    with tempfile.TemporaryDirectory() as folder, FakeServer() as server:
        write_rows(Path(folder), count)
        job = Job(Path(folder), server.base_url, CONCURRENCY, count)
        heading("program", "verdicts off form", "wall s", "sending s", "x ideal", "CPU s", "requests", "scored",
                "scores nobody gave", "verdicts lost")  # fmt: skip
        best = math.inf
        for off in (0.0, 0.05):
            for program in programs:
                for _ in range(rounds if program.name == "llmkit" and not off else 1):
                    found = once(program, job, server, off)
                    row(
                        program.name, f"{off:.0%}", f"{found['wall']:.2f}", f"{found['sending']:.2f}",
                        f"{found['sending'] / ideal:.2f}", f"{found['cpu']:.2f}", f"{found['sent']:,.0f}",
                        f"{found['scored']:,.0f}", f"{max(0.0, found['scored'] - given(count, off)):,.0f}",
                        f"{max(0.0, given(count, off) - found['scored']):,.0f}",
                    )  # fmt: skip
                    if program.name == "llmkit" and not off:
                        best = min(best, found["sending"])
    print()
    met = verdict("llmkit sending, of the ideal, best round", best / ideal, TARGET, " x")
    return 0 if met or options.quick else 1


def given(count: int, off: float) -> int:
    """Return how many verdicts in form the model gives."""
    return sum(not is_off(number, name, off) for number in range(count) for name in CRITERIA)


if __name__ == "__main__":
    sys.exit(main())
