"""A tournament: recorded systems, every two of them compared on every row by a pairwise judge."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from llmkit import registry
from llmkit.config import EvalConfig, load_eval_config
from llmkit.engine import Engine
from llmkit.errors import ConfigError, DataError, InfrastructureError, Problem, UsageError
from llmkit.flows.folders import leave_unfinished, open_folder
from llmkit.flows.judging import OPPONENT, OPPONENT_TURNS, Bench, Seat
from llmkit.flows.loop import run_loop, stopped_by_signals
from llmkit.flows.manifest import last_manifest, now
from llmkit.flows.open_engine import open_engine
from llmkit.flows.options import Options, Started, tell
from llmkit.flows.recorder import Progress
from llmkit.flows.rows import checked_rows
from llmkit.flows.seating import read_opponents
from llmkit.flows.setup import Setup, prepare
from llmkit.flows.standings import Game, standings
from llmkit.hashing import digest
from llmkit.report.tournament import tournament_html, tournament_markdown
from llmkit.spec import parse
from llmkit.store import RecordWriter, RunFolder
from llmkit.types import Failure, Judgment, Output, Sample, Skipped

Answers = Mapping[str, Sequence[Sequence[str]]]
"""For each row's id a system's answers: of each repeat, to all turns."""
Pairing = tuple[Sample, str, str]


def run_tournament(
    config: Path,
    players: Mapping[str, Path],
    *,
    overrides: Sequence[str] = (),
    pairs: int | None = None,
    baseline: str | None = None,
    options: Options | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Play a tournament and return its folder and its standings.

    The config is an eval config with one pairwise judge; its target and metrics are not used. Every game is judged in
    both orders where the judge says so. A tournament that was interrupted is continued by the same call.

    Args:
        config: The config.
        players: Each system's name, and the run folder or JSONL file with its answers.
        overrides: ``key.path=value`` texts that replace values of the config.
        pairs: How many pairs of systems play on each row, drawn by the seed; None plays all.
        baseline: A system that the others are compared with.
        options: How to run; ``out``, ``cache``, ``refresh``, ``observe`` and ``catch_signals`` count.

    Raises:
        UsageError: the config, the players or the data are wrong.
        InfrastructureError: no game could be judged.
    """
    chosen = options or Options()
    if len(players) < 2:  # noqa: PLR2004 - nobody plays alone
        raise UsageError("a tournament needs two players or more: --player NAME=RUN --player NAME=RUN")
    if baseline is not None and baseline not in players:
        raise UsageError(f"nobody is called '{baseline}'; the players are {', '.join(players)}")
    setup, seat = _prepared(load_eval_config(config, overrides), next(iter(players.values())))
    answers = {name: read_opponents(path) for name, path in players.items()}
    _check_answers(setup, answers)
    fingerprint = digest([setup.conditions, {name: digest(dict(rows)) for name, rows in answers.items()}, pairs])
    name = f"{setup.config.name}-tournament"
    with open_folder(chosen, root=setup.config.out, name=name, fingerprint=fingerprint) as folder:
        started = time.perf_counter()
        manifest = {
            "schema": 1,
            "name": name,
            "kind": "tournament",
            "players": {name: str(path) for name, path in players.items()},
            "judge": seat.signature,
            "conditions": setup.conditions,
            "started": now(),
        }
        folder.begin(manifest, setup.config.resolved_yaml())
        games = Games(setup, seat, answers, pairs)
        tell(chosen, Started(folder.path, folder.resumed, games.total))
        try:
            usage = games.play(folder, chosen)
        except BaseException as error:
            leave_unfinished(folder, error, done=games.done, total=games.total)
            raise
        found = standings(games.played, baseline=baseline, seed=setup.config.seed, level=setup.config.level)
        found |= {"judge": seat.signature, "failed": dict(games.failures), "asked": games.total}
        manifest = last_manifest(manifest, usage=usage, seconds=time.perf_counter() - started)
        reports = {"report.md": tournament_markdown(found), "report.html": tournament_html(found)}
        folder.finish(manifest, found, reports)
        return folder.path, found


def _prepared(cfg: EvalConfig, anyone: Path) -> tuple[Setup, Seat]:
    """Return the config made ready with its pairwise judge alone, whose opponents come from the players.

    Raises:
        ConfigError: it has no pairwise judge, or several.
    """
    registry.load_plugins(cfg.paths(cfg.plugins))
    written = [parse(one) for one in cfg.judges]
    found = [one for one in written if getattr(registry.lookup("judges", one.name), "aggregates", "") == "preference"]
    if len(found) != 1:
        message = f"a tournament needs one pairwise judge, and the config has {len(found)}"
        raise ConfigError(problems=[cfg.placed(Problem(message, key="judges", hint="write judges: [pairwise]"))])
    judge = {found[0].name: {**found[0].args, OPPONENT: str(anyone.resolve())}}
    setup = prepare(cfg.model_copy(update={"judges": (judge,), "metrics": ()}), rescoring=True)
    return setup, replace(setup.seats[0], opponents=None)


def _check_answers(setup: Setup, answers: Mapping[str, Answers]) -> None:
    """Refuse players who have not answered every row: who sits out hard rows wins."""
    lacking: dict[str, list[str]] = {}
    for sample in checked_rows(setup):
        for name, rows in answers.items():
            if not rows.get(sample.id):
                lacking.setdefault(name, []).append(sample.id)
    problems = [
        Problem(f"'{name}' has no answer to {len(ids):,} rows, first {ids[0]!r}", file=setup.census.source)
        for name, ids in lacking.items()
    ]
    if problems:
        raise DataError(problems=problems)


def pairings(setup: Setup, names: Sequence[str], pairs: int | None) -> Iterator[Pairing]:
    """Yield who plays whom on which row; with ``pairs``, so many a row, drawn by the seed and the row's id."""
    every = list(combinations(names, 2))
    for sample in checked_rows(setup):
        drawn = every
        if pairs is not None and pairs < len(every):
            drawn = random.Random(digest([setup.config.seed, sample.id])).sample(every, pairs)  # noqa: S311 - a draw
        for a, b in drawn:
            yield sample, a, b


@dataclass
class Games:
    """The games of a tournament: who plays, by whose verdict, how often, and what was played so far."""

    setup: Setup
    seat: Seat
    answers: Mapping[str, Answers]
    pairs: int | None
    played: list[Game] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many games there are to play."""
        every = len(self.answers) * (len(self.answers) - 1) // 2
        return self.setup.census.rows * (every if self.pairs is None else min(self.pairs, every))

    @property
    def done(self) -> int:
        """How many were played, to a verdict or not."""
        return len(self.played) + self.failures.total()

    def play(self, folder: RunFolder, options: Options) -> dict[str, Any]:
        """Play them all, write them into the folder, and return what that took."""
        with (
            open_engine(self.setup, options, folder.journal_path) as engine,
            RecordWriter[dict[str, Any]](folder.path / "games.jsonl", dict) as writer,
        ):
            run_loop(self._play_all(engine, options, writer))
        if not self.played:
            why = ", ".join(f"{kind} ({count})" for kind, count in self.failures.items())
            raise InfrastructureError(f"no game could be judged: {why}")
        return engine.usage.as_dict()

    async def _play_all(self, engine: Engine, options: Options, writer: RecordWriter[dict[str, Any]]) -> None:
        bench, usage = Bench([self.seat], engine), engine.usage
        games = pairings(self.setup, list(self.answers), self.pairs)
        try:
            with stopped_by_signals(engine, wanted=options.catch_signals):
                async with aclosing(engine.map(partial(self._judged, bench), games)) as played:
                    async for pairing, judgment in played:
                        writer.write(self._take(pairing, _game_of(judgment)))
                        tokens = usage.tokens_in + usage.tokens_out
                        tell(options, Progress(self.done, self.total, self.failures.total(), usage.cost, tokens))
        finally:
            await bench.aclose()

    async def _judged(self, bench: Bench, pairing: Pairing) -> tuple[Pairing, Judgment]:
        sample, a, b = pairing
        output, judged = _sides(sample, self.answers[a][sample.id][0], self.answers[b][sample.id][0])
        return pairing, (await bench.judge(judged, output))[self.seat.name]

    def _take(self, pairing: Pairing, found: dict[str, Any]) -> dict[str, Any]:
        sample, a, b = pairing
        if "score" in found:
            self.played.append(Game(a, b, found["score"], sample.id, (found["length_a"], found["length_b"])))
        else:
            self.failures[found["failed"]] += 1
        return {"row": sample.id, "a": a, "b": b, **found}


def _sides(sample: Sample, mine: Sequence[str], theirs: Sequence[str]) -> tuple[Output, Sample]:
    """Return one system's answer as an output, and the row with the other's in it."""
    meta = {**sample.meta, OPPONENT: theirs[-1], OPPONENT_TURNS: tuple(theirs)}
    output = Output(sample.id, mine[-1], turns=tuple(mine) if sample.turns else ())
    return output, replace(sample, output=None, meta=meta)


def _game_of(judgment: Judgment) -> dict[str, Any]:
    stats = judgment.stats
    if isinstance(stats, Failure):
        return {"failed": stats.kind, "reason": stats.message}
    if isinstance(stats, Skipped):
        return {"failed": "skipped", "reason": stats.reason}
    score, first, second, length_a, length_b = (float(item) for item in stats[:5])
    orders = [value for value in (first, second) if value >= 0]
    return {
        "score": score,
        "orders": orders,
        "length_a": int(length_a),
        "length_b": int(length_b),
        "reason": judgment.reason,
    }


def as_json(found: Mapping[str, Any], path: Path | None) -> str:
    """Return standings as JSON, with the folder they lie in."""
    return json.dumps({**found, **({"run": str(path)} if path else {})}, ensure_ascii=False, indent=2) + "\n"
