"""`llmkit search`: ranked passages of an index."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmkit.cli._formats import Format
from llmkit.cli._options import Legs, NamedOrAsked, replaced, shown

if TYPE_CHECKING:
    from rich.console import Console

    from llmkit.flows.opening import Opened
    from llmkit.flows.search import Found, Hit


_SNIPPET = 320
_INDENT = "    "


def search_command(
    index: NamedOrAsked,
    query: Annotated[str | None, typer.Argument(metavar="QUERY", help="What to look for.", show_default=False)] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="TEST",
            help="Only documents for which this holds: 'date >= 2023-01-01'; all of several.",
        ),
    ] = None,
    k: Annotated[int | None, typer.Option("--k", "-k", min=1, help="How many passages.")] = None,
    mode: Legs = None,
    override: Annotated[list[str] | None, replaced("SEARCH", "a key of 'retrieve': diversity=0.7")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Print whole passages, not the part that fits best.")] = False,
    output_format: Annotated[Format, shown("SEARCH")] = Format.text,
) -> int:
    """Search an index and print the passages that fit best, each with its document and characters."""
    from llmkit.cli._streams import say
    from llmkit.flows.index.named import named_or_only
    from llmkit.flows.opening import open_to_search, search_settings

    index, words = named_or_only(index, query)
    settings = search_settings(override, where=where, k=k, mode=mode and mode.value)
    with open_to_search(index, settings) as opened:
        found = opened.search(words)
        for note in found.notes:
            say(f"note: {note}")
        if output_format is Format.json:
            _print_json(opened, found)
        else:
            _print_text(found, whole=whole)
        if not found.hits:
            say(nothing_found(opened, found))
    return 0


def nothing_found(opened: Opened, found: Found) -> str:
    """Return a sentence about why nothing was found."""
    meta = opened.index.meta
    if found.passing == 0:
        return f"the filter lets none of the {meta.documents:,} documents through"
    among = "" if found.passing is None else f" among the {found.passing:,} chunks that the filter lets through"
    return f"nothing was found{among} in {meta.documents:,} documents"


def hit_row(hit: Hit, query: str, rank: int) -> dict[str, Any]:
    """Return a hit as JSON: ``highlights`` count characters of its text, ``start`` and ``end`` its document's.

    ``spans`` are the stretches of the document that the text is made of; between several stands an empty line.
    ``page`` is the one that it starts on, null where the document has none.
    """
    from llmkit.retrieval.highlight import highlights

    return {
        "rank": rank,
        "path": hit.chunk.path,
        "title": hit.chunk.title,
        "headings": list(hit.chunk.headings),
        "start": hit.start,
        "end": hit.end,
        "spans": [list(span) for span in hit.spans],
        "page": hit.chunk.page or None,
        "score": hit.score,
        "ranks": dict(hit.ranks),
        "text": hit.text,
        "highlights": [list(span) for span in highlights(hit.text, query)],
        "meta": dict(hit.chunk.meta),
        "flags": [{"start": flag.start, "end": flag.end, "reason": flag.reason} for flag in hit.flags],
    }


def index_row(opened: Opened) -> dict[str, Any]:
    """Return what was searched as JSON."""
    meta = opened.index.meta
    return {
        "name": meta.name,
        "folder": str(opened.index.folder),
        "generation": meta.generation,
        "built": meta.built,
        "documents": meta.documents,
        "chunks": meta.chunks,
        "oldest": meta.oldest,
        "newest": meta.newest,
    }


def _print_json(opened: Opened, found: Found) -> None:
    import json

    row = {
        "query": found.query,
        "mode": found.mode,
        "legs": list(found.legs),
        "passing": found.passing,
        "index": index_row(opened),
        "hits": [hit_row(hit, found.query, rank) for rank, hit in enumerate(found.hits, 1)],
        "notes": list(found.notes),
    }
    sys.stdout.write(json.dumps(row, ensure_ascii=False, indent=2) + "\n")


def _print_text(found: Found, *, whole: bool) -> None:
    from llmkit.cli._talk import stdout_console

    console = stdout_console()
    for rank, hit in enumerate(found.hits, 1):
        if rank > 1:
            console.print()
        print_hit(console, hit, found.query, rank, whole=whole)


def print_hit(console: Console, hit: Hit, query: str, rank: int, *, whole: bool) -> None:
    """Print one hit: where it stands, why it was found, and its text with the question's words marked."""
    from rich.text import Text

    from llmkit.retrieval.highlight import highlights, snippet
    from llmkit.text.visible import visible

    where = Text(f"{rank:>2}  ")
    where.append(visible(hit.chunk.path), style="bold")
    ranges = ",".join(f"{start}-{end}" for start, end in hit.spans or [(hit.start, hit.end)])
    where.append(f":{ranges}" + (f", page {hit.chunk.page}" if hit.chunk.page else ""))
    above = [part for part in dict.fromkeys((hit.chunk.title, *hit.chunk.headings)) if part]
    if above:
        where.append("  " + visible(" > ".join(above)).replace("\n", " "), style="cyan")
    ranks = ", ".join(f"{name} {place}" for name, place in hit.ranks.items())
    where.append(f"  {hit.score:.4f}" + (f" ({ranks})" if len(hit.ranks) > 1 else ""), style="dim")
    console.print(where, soft_wrap=not console.is_terminal)
    start, end = (0, len(hit.text)) if whole else snippet(hit.text, query, _SNIPPET)
    shown = hit.text[start:end]
    body = Text(visible(shown) if whole else visible(shown).replace("\n", " "))
    for first, last in highlights(shown, query):
        body.stylize("bold yellow", first, last)
    if not whole:
        body = Text("... " if start else "") + body + Text(" ..." if end < len(hit.text) else "")
    for line in body.wrap(console, max(20, console.width - len(_INDENT))):
        line.rstrip()
        console.print(Text(_INDENT) + line, soft_wrap=True)
    for reason in dict.fromkeys(flag.reason for flag in hit.flags):
        console.print(Text(f"    careful: this text {reason}", style="red"))
