"""The page of a large run: how long it takes to write, and to open in a headless Chromium.

    python benchmarks/bench_report.py [--quick] [--rows N]

The run has a question, a reference, a passage, an answer and three scores a row, about 900 characters. Beside our page
stands a plain one, which is what most reports are: one HTML table with the same cells, all of them elements. Both
must hold the same rows. Opening is the browser's own time from the start of the navigation to the load event, and then
to the next frame; the fastest of the rounds counts. Without Chromium only the writing is measured.
"""

from __future__ import annotations

import argparse
import html
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _measure import ROOT, header, heading, row

sys.path.insert(0, str(ROOT))

from llmkit.flows.eval import run_eval
from llmkit.flows.options import Options
from llmkit.flows.run_rows import run_rows
from llmkit.flows.show import page_of
from llmkit.store import open_run
from llmkit.types import Run
from tests.report.browser import Browser, program

WRITE_SECONDS, OPEN_SECONDS = 5.0, 2.0
WORDS = [
    "the",
    "of",
    "return",
    "order",
    "parcel",
    "refund",
    "address",
    "payment",
    "within",
    "after",
    "before",
    "account",
    "number",
    "customer",
    "delay",
    "day",
]
OPENED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"


def made_run(folder: Path, rows: int) -> Run:
    """Score made-up recorded answers; return the run."""
    rng = random.Random(rows)

    def text(words: int) -> str:
        return " ".join(rng.choices(WORDS, k=words))

    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for number in range(rows):
            reference = text(20)
            answer = reference if rng.random() < 0.4 else f"{reference[: rng.randrange(20, 80)]} {text(12)}"
            line = {
                "id": f"case-{number:06}",
                "input": text(15),
                "references": [reference],
                "contexts": [text(60)],
                "output": answer,
                "topic": rng.choice(("billing", "delivery", "returns", "other")),
            }
            file.write(json.dumps(line) + "\n")
    config = {
        "name": "bench",
        "dataset": "rows.jsonl",
        "target": "recorded",
        "metrics": ["exact_match", "token_f1", "edit_similarity"],
        "slices": ["topic"],
    }
    (folder / "eval.yaml").write_text(json.dumps(config), encoding="utf-8")
    return open_run(run_eval(folder / "eval.yaml", options=Options(out=folder / "run")).path)


def plain_page(run: Run) -> str:
    """Return one table with a line for each sample, as a report without windowing has it."""
    lines = []
    for one in run_rows(run):
        texts = [one["id"], one["input"], *one["contexts"], *one["references"], one["outputs"][0]["text"]]
        values = [f"{every[0]['value']:.3f}" for every in one["scores"].values()]
        lines.append(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in (*texts, *values))}</tr>")
    head = "<!doctype html><meta charset=utf-8><style>td{border:1px solid #ddd;padding:4px;vertical-align:top}</style>"
    return f"{head}<table id=samples>{''.join(lines)}</table>"


def written(make: Any, run: Run, path: Path, rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        path.write_text(make(run), encoding="utf-8")
        best = min(best, time.process_time() - start)
    return best


def opened(path: Path, rounds: int) -> tuple[float, float, int]:
    """Return seconds to the load event and to the next frame, and how many elements the page has."""
    load, paint, elements = float("inf"), float("inf"), 0
    with Browser() as browser:
        for _ in range(rounds):
            browser.show(path)
            browser.until(f"{OPENED} > 0")
            load = min(load, browser.run(OPENED) / 1000)
            browser.call("Page.navigate", url=path.as_uri())
            browser.until(f"document.readyState === 'complete' && {OPENED} > 0")
            paint = min(paint, browser.run(PAINTED) / 1000)
            elements = browser.run("document.querySelectorAll('*').length")
        assert browser.said == [], browser.said
    return load, paint, elements


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small run, once")
    parser.add_argument("--rows", type=int, default=10_000)
    arguments = parser.parse_args()
    rows, rounds = (500, 1) if arguments.quick else (arguments.rows, 3)
    header(f"The page of {rows:,} rows, fastest of {rounds}")
    heading("page", "written, CPU s", "MB", "open to load s", "to the next frame s", "elements", "target")
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        run = made_run(Path(folder), rows)
        pages = {"llmkit": page_of, "a plain table": plain_page}
        for name, make in pages.items():
            path = Path(folder, f"{name}.html")
            seconds = written(make, run, path, rounds)
            load, paint, elements = opened(path, rounds) if program() else (None, None, None)
            met = seconds < WRITE_SECONDS and (paint is None or paint < OPEN_SECONDS)
            said = "" if name != "llmkit" else f"{WRITE_SECONDS:g} s, {OPEN_SECONDS:g} s{'' if met else ', missed'}"
            fine = fine and (met or name != "llmkit")
            size = f"{path.stat().st_size / 1e6:.1f}"
            told = ["no Chromium"] * 3 if load is None else [f"{load:.2f}", f"{paint:.2f}", f"{elements:,}"]
            row(name, f"{seconds:.2f}", size, *told, said)
        held = json.loads(Path(folder, "llmkit.html").read_text("utf-8").split('id="data">')[1].split("</script>")[0])
        assert len(held["rows"]) == Path(folder, "a plain table.html").read_text("utf-8").count("<tr>") == rows
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
