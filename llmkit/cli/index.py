"""`llmkit index`: documents in, an index out, and only what changed is touched."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmkit.cli._formats import Format
from llmkit.cli._index_calibrate import calibrate_command
from llmkit.cli._index_eval import eval_command
from llmkit.cli._index_tune import tune_command
from llmkit.cli._options import Named, Quiet, replaced, shown

if TYPE_CHECKING:
    from llmkit.flows.index.forecast import Forecast
    from llmkit.flows.index.options import Built


index_app = typer.Typer(
    name="index",
    no_args_is_help=True,
    add_help_option=False,  # as in _app
    rich_markup_mode=None,
    help="Index documents: only what changed is read and embedded. Exit codes: 'llmkit --help'.",
)

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The index config (YAML).")]
Set = Annotated[list[str] | None, replaced("INDEX")]
Shown = Annotated[Format, shown("INDEX")]


def _help(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        typer.echo(ctx.get_help())
        raise typer.Exit


@index_app.callback()
def _root(
    help_: Annotated[
        bool,
        typer.Option(
            "--help", "-h", callback=_help, is_eager=True, allow_from_autoenv=False, help="Show this message and exit."
        ),
    ] = False,
) -> None:
    """Hold the options that stand before a command."""


index_app.command("eval")(eval_command)
index_app.command("tune")(tune_command)
index_app.command("calibrate")(calibrate_command)


@index_app.command("build")
def build_command(
    config: Config,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, its tokens, cost and time; do nothing.")
    ] = False,
    allow_deletes: Annotated[
        bool, typer.Option("--allow-deletes", help="Go on where many documents have vanished.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hash every document instead of trusting sizes and times.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Read failed documents again though nothing about them changed.")
    ] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that read documents; without, as many as pay.")
    ] = None,
    override: Set = None,
    output_format: Shown = Format.text,
    quiet: Quiet = False,
) -> int:
    """Bring an index in step with its documents. Killed at any moment, run again, it goes on where it was.

    Exit codes: 0 good, 2 the config is wrong, 3 a guard refused (another writer, an empty source, many deletions or
    failures) or the endpoint or disk failed, 6 the budget was reached, 130 interrupted. The last index serves on.
    """
    from llmkit.cli._build_talk import BuildTalk
    from llmkit.config.index_config import load_index_config
    from llmkit.errors import Interrupted, LlmkitError
    from llmkit.flows.index.build import build_index
    from llmkit.flows.index.options import BuildOptions
    from llmkit.flows.index.setup import prepared

    loaded = load_index_config(config, override or ())
    with ExitStack() as stack:
        talk = stack.enter_context(BuildTalk(quiet=quiet))
        parts = stack.enter_context(prepared(loaded))
        options = BuildOptions(allow_deletes, verify, retry_failed, talk, processes)
        if dry_run:
            from llmkit.flows.index.forecast import forecast

            planned = forecast(parts, options)
            talk.stop()
            _show_forecast(planned, output_format)
            return LlmkitError.exit_code if planned.would_refuse else 0
        try:
            built = build_index(parts, options)
        except Interrupted as error:
            from llmkit.cli._talk import command_line

            error.add_note(f"to continue, run the same command again: {command_line()}")
            raise
        talk.stop()
        _show_built(built, output_format, quiet=quiet)
    return 0


@index_app.command("status")
def status_command(named: Named, output_format: Shown = Format.text) -> None:
    """Say what an index holds, how old it is, and what its last runs did."""
    from llmkit.flows.index.named import index_folder
    from llmkit.flows.index.status import index_status, status_lines

    status = index_status(index_folder(named))
    _print(status, status_lines(status), output_format)


@index_app.command("verify")
def verify_command(
    named: Named,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Restore texts from their documents (give the config), mark what a build is to mend.",
        ),
    ] = False,
    sample: Annotated[int, typer.Option(min=0, help="With a config: chunks to embed again and compare.")] = 32,
    output_format: Shown = Format.text,
) -> int:
    """Check an index byte by byte; with its config, also against its documents and its embedder.

    Exit codes: 0 whole, or made whole by --repair; 2 there is none; 3 damaged or in use by another writer.
    """
    from dataclasses import asdict

    from llmkit.errors import LlmkitError
    from llmkit.flows.index.named import index_folder
    from llmkit.flows.index.verify import verify_index

    folder = index_folder(named)
    path = Path(named)
    with ExitStack() as stack:
        parts: Any = None
        if path.is_file() and path.suffix in (".yaml", ".yml"):
            from llmkit.config.index_config import load_index_config
            from llmkit.flows.index.setup import prepared

            parts = stack.enter_context(prepared(load_index_config(path)))
        found = verify_index(folder, parts, sample=sample, repair=repair)
    behind = ", ".join(f"{count:,} {name}" for name, count in (found.behind or {}).items())
    lines = [f"damaged: {fault}" for fault in found.faults] or ["whole: every chunk and vector is what was written"]
    if found.embedded and not found.faults:
        lines.append(f"embedder: {found.embedded:,} chunks embedded again, all the same")
    if found.behind is not None:
        lines.append(f"documents: {behind} since the last build" if behind else "documents: in step")
    if found.restored:
        lines.append(f"restored: {len(found.restored):,} documents from their sources")
    lines += [f"to be read again: {path}: {why}" for path, why in [*found.marked.items()][:10]]
    if len(found.marked) > 10:  # noqa: PLR2004
        lines.append(f"and {len(found.marked) - 10:,} more")
    if found.faults and not found.left:
        lines.append("mended: every chunk and vector is what was written")
    elif found.faults:
        lines += [f"left: {fault}" for fault in found.left if repair and fault not in found.faults]
        config = "" if parts is not None or repair else " with the index's config"
        lines.append(f"to mend it: {'' if repair else f'--repair{config}, then '}llmkit index build")
    _print(asdict(found), lines, output_format)
    return LlmkitError.exit_code if found.left else 0


@index_app.command("gc")
def gc_command(named: Named, output_format: Shown = Format.text) -> None:
    """Drop vectors that no chunk needs any more; a build does so by itself when they are many."""
    from llmkit.flows.index.derive import collect_dead
    from llmkit.flows.index.named import index_folder

    gone = collect_dead(index_folder(named))
    _print({"removed": gone}, [f"{gone:,} vectors without a chunk removed"], output_format)


@index_app.command("export")
def export_command(
    named: Named,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where to: a name ending in .parquet or .jsonl.")],
    vectors: Annotated[bool, typer.Option("--vectors", help="Write vectors too.")] = False,
    output_format: Shown = Format.text,
) -> None:
    """Write every chunk to one file for other programs: Parquet or JSONL."""
    from llmkit.flows.index.export import export_index
    from llmkit.flows.index.named import index_folder

    count = export_index(index_folder(named), out, vectors=vectors)
    _print({"chunks": count, "file": str(out)}, [f"{count:,} chunks in {out}"], output_format)


def _print(data: Any, lines: list[str], output_format: Format) -> None:
    from llmkit.text.visible import visible

    if output_format is Format.json:
        sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write(visible("\n".join(lines)) + "\n")


def _show_built(built: Built, output_format: Format, *, quiet: bool) -> None:
    from dataclasses import asdict

    from llmkit.cli._streams import say
    from llmkit.text.visible import visible

    counts = built.counts
    did = ", ".join(f"{counts[name]:,} {name}" for name in ("added", "changed", "moved", "removed") if counts[name])
    lines = [
        f"documents  {counts['documents']:,}: {did or 'nothing changed'}",
        f"chunks     {counts['chunks']:,}, {counts['embedded']:,} embedded",
        f"index      {built.folder}, generation {built.generation}",
    ]
    if built.tokens:
        cost = "" if built.cost is None else f", ${built.cost:.4f}"
        lines.insert(2, f"tokens     {built.tokens:,}{cost}")
    _print(asdict(built), lines, output_format)
    if built.failures and not quiet:
        for path, why in list(built.failures.items())[:10]:
            say(visible(f"failed: {path}: {why}{_staying(built, path)}"))
        if len(built.failures) > 10:  # noqa: PLR2004
            say(f"and {len(built.failures) - 10:,} more; 'llmkit index status' lists them")


def _staying(built: Built, path: str) -> str:
    """Return what of a failed document stays in the index, as the end of a sentence."""
    if path in built.kept:
        return "; its last good version stays"
    held = built.held.get(path, ())
    if not held:
        return ""
    more = f" and {len(held) - 1:,} more" if len(held) > 1 else ""
    return f"; {held[0]}{more}, which is gone and may be the same, stays (--allow-deletes lets it go)"


def _show_forecast(planned: Forecast, output_format: Format) -> None:
    from llmkit.cli._plan_talk import said_cost
    from llmkit.cli._streams import say

    counts = planned.counts
    did = ", ".join(f"{counts[name]:,} {name}" for name in counts if counts[name] and name != "unchanged")
    time = "unknown before the first build" if planned.seconds is None else f"about {planned.seconds:,.0f} s"
    lines = [
        f"documents  {did or 'nothing changed'}; {counts['unchanged']:,} unchanged",
        f"chunks     {planned.chunks:,} to write, {planned.embed:,} to embed",
        f"tokens     {planned.tokens:,}",
        f"cost       {said_cost(planned.cost)}",
        f"time       {time}",
    ]
    if planned.truncated:
        lines.append(f"cut off    {planned.truncated:,} chunks are longer than the embedder reads")
    _print(planned.as_dict(), lines, output_format)
    if planned.would_refuse:
        say(f"error: {planned.would_refuse}")
