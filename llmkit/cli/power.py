"""`llmkit power`: how large an eval set must be for a drop to be seen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from llmkit.cli._formats import Format
from llmkit.cli._options import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmkit.flows.power import Planned


def power_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A pilot run: a folder, or the name of an eval.")],
    drop: Annotated[float, typer.Option(help="The drop to be seen, in each scorer's unit.")] = 0.02,
    power: Annotated[float, typer.Option(help="The chance to see it.")] = 0.8,
    against: Annotated[
        str | None, typer.Option(metavar="RUN", help="Another run over the same rows: then no noise is guessed.")
    ] = None,
    correlation: Annotated[
        float, typer.Option(help="Without --against: how alike two versions score, sample by sample.")
    ] = 0.5,
    output_format: Annotated[Format, shown("POWER")] = Format.text,
) -> None:
    """Plan the size of an eval set from a pilot run: how many rows a drop needs, and what repeats would save."""
    from llmkit.flows.power import plan_eval_set
    from llmkit.flows.show import find_run

    other = None if against is None else find_run(against)
    found = plan_eval_set(find_run(run), drop=drop, power=power, against=other, correlation=correlation)
    if output_format is Format.json:
        import dataclasses
        import json

        data = {name: dataclasses.asdict(one) for name, one in found.items()}
        sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")
        return
    guessed = (
        "" if against else f"; two versions are taken to score alike by {correlation:g} (--correlation, --against)"
    )
    sys.stdout.write(
        f"to see a drop of {drop:g} in {power:.0%} of comparisons, {len(found)} scorers together{guessed}\n"
    )
    _print(found, drop)


def _print(found: Mapping[str, Planned], drop: float) -> None:
    from llmkit.cli._talk import stdout_console
    from llmkit.report.terminal import Grid, print_grid

    console = stdout_console()
    rows = []
    for name, one in found.items():
        if one.plan is None:
            rows.append([name, f"{one.samples:,}", "-", "-", "-"])
            continue
        repeats = ", ".join(f"{n:,} x{r}" for r, n, _ in one.plan.by_repeats[1:]) or "-"
        now = "-" if one.now is None else f"{one.now:.3g}"
        rows.append([name, f"{one.samples:,}", now, f"{one.plan.samples:,}", repeats])
    console.print()
    print_grid(console, Grid(["scorer", "samples now", "drop seen now", "samples needed", "with repeats"], rows))
    curve = {name: one.plan.curve for name, one in found.items() if one.plan is not None}
    if curve:
        sizes = [f"{n:,}" for n, _ in next(iter(curve.values()))]
        drops = [[name, *("-" if d is None else f"{d:.3g}" for _, d in points)] for name, points in curve.items()]
        console.print()
        print_grid(console, Grid(["drop seen with", *sizes], drops))
    for name, one in found.items():
        if one.plan is None:
            sys.stdout.write(f"{name}: no plan for a drop of {drop:g}: {one.reason}\n")
