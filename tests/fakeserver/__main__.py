"""``python -m tests.fakeserver --port 0 --latency 0.05``: listens on loopback and prints its port."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
from pathlib import Path
from typing import Any

from tests.fakeserver._behaviour import FAULTS, Behaviour
from tests.fakeserver._server import State, close, listen


def _share(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    if name not in FAULTS:
        raise argparse.ArgumentTypeError(f"unknown fault '{name}'; known: {', '.join(FAULTS)}")
    return name, float(share)


def _behaviour(arguments: argparse.Namespace) -> Behaviour:
    settings: dict[str, Any] = {
        "latency": arguments.latency,
        "jitter": arguments.jitter,
        "answer": arguments.answer,
        "faults": dict(arguments.fault),
        "seed": arguments.seed,
        "api_key": arguments.api_key,
    }
    if arguments.answers is not None:
        settings["answers"] = json.loads(arguments.answers.read_text("utf-8"))
    if arguments.script is not None:
        settings["script"] = json.loads(arguments.script.read_text("utf-8"))
    return Behaviour(**(settings | json.loads(arguments.settings)))


async def _serve(behaviour: Behaviour, port: int) -> None:
    state = State(behaviour)
    server, port = await listen(state, port)
    done = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, done.set)
    print(port, flush=True)
    await done.wait()
    await close(server, state)


def main() -> None:
    """Read the arguments and serve until terminated."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakeserver", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--jitter", type=float, default=0.0, help="up to this many seconds more")
    parser.add_argument("--answer", default="echo", help="'echo', or the answer to everything")
    parser.add_argument("--answers", type=Path, help="JSON file: question -> answer")
    parser.add_argument("--script", type=Path, help="JSON file: part of a prompt -> faults of its first requests")
    parser.add_argument("--fault", type=_share, action="append", default=[], metavar="NAME=SHARE", help="429=0.05")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--api-key", help="answer 401 to other keys")
    parser.add_argument("--settings", default="{}", help="Behaviour's fields as JSON; they win over the others")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(_behaviour(arguments), arguments.port))


if __name__ == "__main__":
    main()
