"""A tournament: recorded systems, every two of them compared on every row by a pairwise judge."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from llmkit import registry
from llmkit.config import EvalConfig, load_eval_config
from llmkit.engine import Engine
from llmkit.errors import ConfigError, DataError, InfrastructureError, LlmkitError, Problem, UsageError
from llmkit.flows.judging import OPPONENT, Bench, Seat
from llmkit.flows.loop import heed_signals_as_before, run_loop, stop_on_signals
from llmkit.flows.manifest import last_manifest, now
from llmkit.flows.options import Options, Started, cache_path, tell
from llmkit.flows.recorder import Progress
from llmkit.flows.rows import checked_rows
from llmkit.flows.seating import read_opponents
from llmkit.flows.setup import Setup, prepare
from llmkit.flows.standings import Game, standings
from llmkit.hashing import digest
from llmkit.report.tournament import tournament_html, tournament_markdown
from llmkit.spec import parse
from llmkit.store import Journal, RecordWriter, ResponseCache, RunFolder, at, new_or_resumed
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
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(setup, chosen, fingerprint))
        started = time.perf_counter()
        manifest = {
            "schema": 1,
            "name": f"{setup.config.name}-tournament",
            "kind": "tournament",
            "players": {name: str(path) for name, path in players.items()},
            "judge": seat.signature,
            "conditions": setup.conditions,
            "started": now(),
        }
        folder.begin(manifest, setup.config.resolved_yaml())
        total = setup.census.rows * _each(len(players), pairs)
        tell(chosen, Started(folder.path, folder.resumed, total))
        try:
            plan = Plan(setup, seat, answers, pairs, total)
            games, failures, usage = _play(plan, folder, chosen)
        except BaseException as error:
            folder.mark("interrupted" if isinstance(error, (KeyboardInterrupt, LlmkitError)) else "failed")
            if isinstance(error, LlmkitError):
                error.run_path = str(folder.path)
            raise
        found = standings(games, baseline=baseline, seed=setup.config.seed, level=setup.config.level)
        found |= {"judge": seat.signature, "failed": failures, "asked": total}
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


def _folder(setup: Setup, options: Options, fingerprint: str) -> RunFolder:
    if options.out is not None:
        return at(options.out, fingerprint, overwrite=options.overwrite)
    name = f"{setup.config.name}-tournament"
    return new_or_resumed(Path(setup.config.out), name, fingerprint, now=datetime.now(UTC))


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


def _each(players: int, pairs: int | None) -> int:
    every = players * (players - 1) // 2
    return every if pairs is None else min(pairs, every)


def pairings(setup: Setup, names: Sequence[str], pairs: int | None) -> Iterator[Pairing]:
    """Yield who plays whom on which row; with ``pairs``, so many a row, drawn by the seed and the row's id."""
    every = list(combinations(names, 2))
    for sample in checked_rows(setup):
        drawn = every
        if pairs is not None and pairs < len(every):
            drawn = random.Random(digest([setup.config.seed, sample.id])).sample(every, pairs)  # noqa: S311 - a draw
        for a, b in drawn:
            yield sample, a, b


@dataclass(frozen=True, slots=True)
class Plan:
    """Who plays, by whose verdict, how often."""

    setup: Setup
    seat: Seat
    answers: Mapping[str, Answers]
    pairs: int | None
    total: int


def _play(plan: Plan, folder: RunFolder, options: Options) -> tuple[list[Game], dict[str, int], dict[str, Any]]:
    setup, seat, answers = plan.setup, plan.seat, plan.answers
    games: list[Game] = []
    failures: dict[str, int] = {}
    with ExitStack() as stack:
        journal = stack.enter_context(closing(Journal(folder.journal_path)))
        path = cache_path(setup, options)
        cache = None if path is None else stack.enter_context(closing(ResponseCache(path)))
        engine = Engine(
            setup.settings, journal=journal, cache=cache, refresh=options.refresh, prices=setup.prices,
            seed=setup.config.seed, observe=options.observe,
        )  # fmt: skip
        writer = stack.enter_context(RecordWriter[dict[str, Any]](folder.path / "games.jsonl", dict))
        bench = Bench([seat], engine)

        async def play(pairing: Pairing) -> tuple[Pairing, Judgment]:
            sample, a, b = pairing
            output, judged = _sides(sample, answers[a][sample.id][0], answers[b][sample.id][0])
            return pairing, (await bench.judge(judged, output))[seat.name]

        async def play_all() -> None:
            if options.catch_signals:
                stop_on_signals(engine)
            try:
                async with aclosing(engine.map(play, pairings(setup, list(answers), plan.pairs))) as played:
                    async for (sample, a, b), judgment in played:
                        found = _game_of(judgment)
                        writer.write({"row": sample.id, "a": a, "b": b, **found})
                        if "score" in found:
                            lengths = found["length_a"], found["length_b"]
                            games.append(Game(a, b, found["score"], sample.id, lengths))
                        else:
                            failures[found["failed"]] = failures.get(found["failed"], 0) + 1
                        if options.observe is not None:
                            done, failed = len(games) + sum(failures.values()), sum(failures.values())
                            tokens = engine.usage.tokens_in + engine.usage.tokens_out
                            options.observe(Progress(done, plan.total, failed, engine.usage.cost, tokens))
            finally:
                if options.catch_signals:
                    heed_signals_as_before()
                await bench.aclose()

        run_loop(play_all())
        usage = engine.usage.as_dict()
    if not games:
        why = ", ".join(f"{kind} ({count})" for kind, count in failures.items())
        raise InfrastructureError(f"no game could be judged: {why}")
    return games, failures, usage


def _sides(sample: Sample, mine: Sequence[str], theirs: Sequence[str]) -> tuple[Output, Sample]:
    """Return one system's answer as an output, and the row with the other's in it."""
    meta = {**sample.meta, OPPONENT: theirs[-1], "opponent_turns": tuple(theirs)}
    row = Sample(
        sample.id,
        sample.input,
        sample.turns,
        sample.references,
        sample.contexts,
        sample.choices,
        sample.answer,
        None,
        meta,
    )
    return Output(sample.id, mine[-1], turns=tuple(mine) if sample.turns else ()), row


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
