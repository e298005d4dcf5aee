"""The event loop of a run: it stays awake while rows are scored, and it can be interrupted from anywhere."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmkit import Options, run_eval
from llmkit.flows.loop import run_loop
from llmkit.metrics import MeanMetric, metric
from llmkit.types import Output, Sample

ROWS = 6

BOT = f"""
import asyncio

answered, seen = 0, set()

async def answer(sample):
    global answered
    if sample["id"] == "0":
        while answered < {ROWS - 2}:
            await asyncio.sleep(0)
    elif sample["id"] == "{ROWS - 1}":
        while len(scored) < {ROWS - 1}:
            seen.add(len(scored))
            await asyncio.sleep(0)
    answered += 1
    return "x"
"""


@metric("ponderous")
@dataclass(frozen=True)
class Ponderous(MeanMetric):
    """Takes its time."""

    def score(self, sample: Sample, output: Output) -> float:
        end = time.perf_counter() + 0.011
        while time.perf_counter() < end:
            pass
        import bot_for_the_event_loop  # type: ignore[import-not-found]  # written by the test

        bot_for_the_event_loop.scored.append(sample.id)
        return 1.0


def test_requests_in_flight_are_heard_while_a_backlog_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first row answers late, so that all others but the last wait to be scored at once."""
    (tmp_path / "bot_for_the_event_loop.py").write_text("scored = []\n" + BOT, encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"id": str(number), "input": "x"}) + "\n" for number in range(ROWS)), encoding="utf-8"
    )
    config = tmp_path / "config.yaml"
    config.write_text(
        "name: loop\ndataset: rows.jsonl\ntarget: {python: 'bot_for_the_event_loop:answer'}\nmetrics: [ponderous]\n"
        "engine: {timeout: 20}\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    run = run_eval(config, options=Options(out=tmp_path / "run"))
    import bot_for_the_event_loop

    assert run.summary["coverage"] == 1.0
    assert bot_for_the_event_loop.seen >= {1, 2, 3}


def waits(thread: int) -> bool:
    stack = traceback.walk_stack(sys._current_frames()[thread])
    return any(frame.f_code.co_name == "result" for frame, _ in stack)


def test_an_interrupted_notebook_does_not_wait_for_the_whole_run() -> None:
    ended: list[str] = []
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    async def work() -> None:
        while not waits(main_thread):  # noqa: ASYNC110 - a blocked thread sets no event
            await asyncio.sleep(0)
        signal.pthread_kill(main_thread, signal.SIGINT)
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 10)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def notebook() -> None:
        run_loop(work())

    loop = asyncio.new_event_loop()  # as a notebook's kernel has one: it leaves Ctrl-C to Python
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever other tests have left
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(notebook())
    finally:
        signal.signal(signal.SIGINT, before)
        loop.close()
    assert ended == ["cancelled"]
