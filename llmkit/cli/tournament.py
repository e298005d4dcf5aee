"""`llmkit tournament`: rate many recorded systems by comparing every two of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from llmkit.cli._formats import ReportFormat
from llmkit.cli._options import Cache, Quiet, shown


def tournament_command(
    config: Annotated[
        Path | None, typer.Argument(help="An eval config with one pairwise judge; its target is not asked.")
    ] = None,
    player: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="A system, and the run folder or JSONL file with its answers."),
    ] = None,
    games: Annotated[
        Path | None, typer.Option(help="Recorded games (JSONL with a, b, winner) in the place of a config.")
    ] = None,
    pairs: Annotated[int | None, typer.Option(min=1, help="So many pairs of systems a row, drawn by the seed.")] = None,
    baseline: Annotated[str | None, typer.Option(help="Compare the others with this system.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write into exactly this folder.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what lies in --out.")] = False,
    override: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replace a value of the config.")
    ] = None,
    cache: Cache = True,
    output_format: Annotated[ReportFormat, shown("TOURNAMENT")] = ReportFormat.text,
    quiet: Quiet = False,
) -> int:
    """Rate recorded systems: Bradley-Terry with intervals, Elo over random orders, win rates.

    A tournament that was interrupted is continued by the same command: what was judged is not asked again.
    """
    from llmkit.errors import UsageError

    if (config is None) == (games is None):
        raise UsageError("give a config with players, or --games with recorded games, one of the two")
    path: Path | None = None
    if games is not None:
        from llmkit.flows.standings import read_games, standings

        found = standings(read_games(games), baseline=baseline)
    else:
        from llmkit.cli._talk import ProgressTalk
        from llmkit.flows.options import Options
        from llmkit.flows.tournament import run_tournament

        assert config is not None
        players = _players(player or [])
        with ProgressTalk(quiet=quiet) as talk:
            options = Options(
                out=out, overwrite=overwrite, cache=cache, observe=None if quiet else talk, catch_signals=True
            )
            path, found = run_tournament(
                config, players, overrides=override or [], pairs=pairs, baseline=baseline, options=options
            )
    if output_format is ReportFormat.json:
        from llmkit.flows.tournament import as_json

        sys.stdout.write(as_json(found, path))
    elif output_format is ReportFormat.md:
        from llmkit.report.tournament import tournament_markdown

        sys.stdout.write(tournament_markdown(found))
    else:
        from llmkit.cli._talk import stdout_console
        from llmkit.report.tournament import print_tournament

        print_tournament(found, stdout_console())
    return _code(found)


def _players(written: list[str]) -> dict[str, Path]:
    from llmkit.errors import UsageError

    players: dict[str, Path] = {}
    for one in written:
        name, equals, path = one.partition("=")
        if not equals or not name or not path:
            raise UsageError(f"--player {one}: write NAME=PATH, the name of a system and where its answers are")
        if name in players:
            raise UsageError(f"two players are called '{name}'")
        players[name] = Path(path)
    return players


def _code(found: dict[str, object]) -> int:
    """Return 3 where more than 2 % of the games have no verdict: the standings would rest on who could be judged."""
    failed = found.get("failed")
    lost = sum(failed.values()) if isinstance(failed, dict) else 0
    asked = found.get("asked")
    return 3 if isinstance(asked, int) and lost > 0.02 * asked else 0
