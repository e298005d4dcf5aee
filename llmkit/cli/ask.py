"""`llmkit ask`: an answer from an index, with citations that resolve."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmkit.cli._formats import Format
from llmkit.cli._options import Cache, Legs, NamedOrAsked, replaced, shown
from llmkit.cli.search import hit_row, index_row, print_hit

if TYPE_CHECKING:
    from llmkit.flows.answer import Answer, Answerer

_NEAREST = 3


def ask_command(
    index: NamedOrAsked,
    query: Annotated[str | None, typer.Argument(metavar="QUESTION", help="What to answer.", show_default=False)] = None,
    target: Annotated[
        str, typer.Option(metavar="SPEC", help="Who answers, as a target is written: \"openai(model='gpt-4o-mini')\".")
    ] = "extractive",
    where: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="TEST", help="Only documents for which this holds; all of several."),
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="How many passages are read.")] = 6,
    mode: Legs = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--min-confidence",
            min=0.0,
            max=1.0,
            help="Below this, say that it is not in these documents; without, as calibrated, or 0.5.",
        ),
    ] = None,
    override: Annotated[list[str] | None, replaced("ASK", "a key of 'retrieve'")] = None,
    cache: Cache = True,
    output_format: Annotated[Format, shown("ASK")] = Format.text,
) -> int:
    """Answer a question from an index, with numbered citations; say so where the documents do not hold the answer."""
    from llmkit.cli._streams import say
    from llmkit.config.engine_config import CACHE_PATH
    from llmkit.flows.answer import Answerer
    from llmkit.flows.index.named import named_or_only
    from llmkit.flows.opening import asked_model, open_to_search, search_settings

    index, words = named_or_only(index, query)
    settings = search_settings(override, where=where, k=k, mode=mode and mode.value)
    asked = asked_model(target, Path(), "--target")
    with open_to_search(index, settings) as opened:
        answerer = Answerer(opened, asked, confidence)
        answer = answerer.ask(words, cache=CACHE_PATH if cache else None)
        for note in answer.notes:
            say(f"note: {note}")
        if output_format is Format.json:
            _print_json(answerer, answer)
        else:
            _print_text(answerer, answer)
    return 0


def _print_json(answerer: Answerer, answer: Answer) -> None:
    import json

    opened, known = answerer.opened, answerer.calibrated
    row = {
        "question": answer.query,
        "answer": None if answer.abstained else answer.text,
        "abstained": answer.abstained,
        "reason": answer.reason,
        "confidence": round(answer.confidence, 4),
        "threshold": round(answer.threshold, 4),
        "calibration": None if known is None else {name: value for name, value in known.items() if name != "curve"},
        "citations": [{"number": number, **hit_row(hit, answer.query, number)} for number, hit in answer.sources],
        "marks": [
            {"start": mark.start, "end": mark.end, "numbers": list(mark.numbers)} for mark in answer.cited.citations
        ],
        "quality": {
            "validity": answer.quality.validity,
            "coverage": answer.quality.coverage,
            "exactness": answer.quality.exactness,
        },
        "found": [hit_row(hit, answer.query, rank) for rank, hit in enumerate(answer.found.hits, 1)],
        "index": index_row(opened),
        "notes": list(answer.notes),
    }
    sys.stdout.write(json.dumps(row, ensure_ascii=False, indent=2) + "\n")


def _print_text(answerer: Answerer, answer: Answer) -> None:
    from rich.text import Text

    from llmkit.cli._talk import stdout_console
    from llmkit.text.visible import visible

    console = stdout_console()
    console.print(Text(visible(answer.text), style="bold" if answer.abstained else ""))
    shown = answer.sources
    if answer.abstained:
        console.print(Text(f"({answer.reason})", style="dim"))
        shown = list(enumerate(answer.found.hits[:_NEAREST], 1))
        if shown:
            console.print("\nNearest passages:")
    for number, hit in shown:
        console.print()
        print_hit(console, hit, answer.query, number, whole=False)
    console.print()
    console.print(Text(made_of(answerer, answer), style="dim"))


def made_of(answerer: Answerer, answer: Answer) -> str:
    """Return what the answer was made of and when: index, generation, documents and their dates, confidence."""
    meta, known = answerer.opened.index.meta, answerer.calibrated
    dates = f", dated {meta.oldest} to {meta.newest}" if meta.oldest and meta.newest else ""
    about = "uncalibrated for this index"
    if known is not None:
        false = known["false"]
        about = f"calibrated on {false['n'] + known['coverage']['n']:,} questions"
        if answerer.least is None and false["value"] is not None:
            about += f": of those without an answer {false['value']:.1%} are answered"
    return (
        f"From the index {meta.name}, generation {meta.generation}, built {meta.built} of {meta.documents:,} "
        f"documents{dates}. Confidence {answer.confidence:.2f}, answered from {answer.threshold:.2f} on ({about})."
    )
