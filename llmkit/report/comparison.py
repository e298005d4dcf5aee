"""A comparison in words: the verdict first, then every scorer, then the samples that changed, worst first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmkit.report._corrected import corrected_sentences
from llmkit.report._words import interval, number, percent, plural
from llmkit.report.markdown import escaped
from llmkit.text.visible import visible
from llmkit.types import Comparison

if TYPE_CHECKING:
    from rich.console import Console

MARKER = "<!-- llmkit compare -->"
"""First line of the Markdown: a bot finds its own comment by it and replaces it."""

LONGEST = 60_000
"""Characters of the Markdown, less than any forge allows in a comment."""

_TITLES = {
    "improved": "Improved",
    "pass": "Pass",
    "regressed": "Regressed",
    "inconclusive": "Inconclusive",
    "not_comparable": "Not comparable",
}
_SIGNS = {"improved": "✅", "pass": "✅", "regressed": "❌", "inconclusive": "❔", "not_comparable": "⚠️"}
_MEANS = {
    "improved": "better, and not by chance alone",
    "pass": "no worse by more than the margin",
    "regressed": "worse, and not by chance alone",
    "inconclusive": "the data cannot tell",
    "not_comparable": "the conditions of the two runs differ",
}
SEQUENCE = "confidence sequence"
"""The method of an interval that allows for asking that stopped early."""

_SMALL_P = 0.001
_GATE_CODES = {3: "scores are missing, so the gate fails closed", 5: "the gate asks for certainty"}
_TERMINAL_REASONS = 12


def headline(comparison: Comparison) -> str:
    """Return the verdict in a line."""
    title, means = _TITLES[comparison.verdict], _MEANS[comparison.verdict]
    if comparison.exit_code and comparison.verdict not in {"regressed", "not_comparable"}:
        why = _GATE_CODES.get(comparison.exit_code, "see below")
        return f"Gate failed: {why} (comparison: {title.lower()})"
    return f"{title}: {means}"


def comparison_markdown(comparison: Comparison, texts: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Return a comparison as Markdown for one comment on a pull request: below `LONGEST` characters.

    Args:
        comparison: The comparison.
        texts: For changed samples, where known: ``input``, ``base`` and ``candidate``.
    """
    base, candidate = comparison.base, comparison.candidate
    failed = comparison.exit_code != 0
    sign = "❌" if failed and comparison.verdict != "not_comparable" else _SIGNS[comparison.verdict]
    names = f"`{_code(candidate['name'])}` against `{_code(base['name'])}`"
    lines = [
        MARKER,
        f"## {sign} {headline(comparison)}",
        "",
        f"{names}, {plural(comparison.samples, 'sample')}. Exit code {comparison.exit_code}.",
        "",
    ]
    lines += [f"- {escaped(reason)}" for reason in comparison.reasons]
    if comparison.metrics:
        lines += ["", *_table(_heads(comparison), _rows(comparison.metrics))]
    lines += _corrected_lines(comparison)
    lines += _left_out_lines(comparison)
    lines += _slice_lines(comparison)
    lines += _flaky_lines(comparison)
    head = visible("\n".join(lines))
    if len(head) > LONGEST - 2000:
        head = head[: LONGEST - 2000].rsplit("\n", 1)[0] + "\n\n(cut: see comparison.json)"
    return head + "\n" + _changed_block(comparison, texts or {}, LONGEST - len(head) - 400) + "\n" + _made(comparison)


def _heads(comparison: Comparison) -> list[str]:
    level = f"{comparison.level * 100:g}%"
    adjusted = "" if comparison.adjust == "none" else f" ({comparison.adjust})"
    return [
        "scorer",
        "base",
        "candidate",
        "difference",
        f"{level} interval",
        f"p{adjusted}",
        "verdict",
        "better / worse",
    ]


def _rows(metrics: Mapping[str, Mapping[str, Any]], *, in_slice: bool = False) -> Iterator[list[str]]:
    for name, found in metrics.items():
        verdict = found["verdict"]
        word = "shown only" if verdict is None else _TITLES[verdict].lower()
        if verdict is not None and not found["gated"] and not in_slice:
            word += ", not gated"
        yield [f"`{_code(name)}` {_arrow(found)}", *cells(found), word, _counts(found)]


def cells(found: Mapping[str, Any]) -> list[str]:
    """Return base, candidate, difference, interval and p of one scorer as texts."""
    difference = found["difference"]
    if difference is None:
        return ["-"] * 5
    p = difference["p_adjusted"]
    return [
        number(found["base"]["value"], found),
        number(found["candidate"]["value"], found),
        signed(difference["value"], found),
        interval(difference, found),
        "-" if p is None else f"<{_SMALL_P}" if p < _SMALL_P else f"{p:.3f}",
    ]


def signed(value: float, found: Mapping[str, Any]) -> str:
    """Return a difference with its sign."""
    text = number(abs(value), found)
    return f"{'+' if value > 0 else '-' if value < 0 else ''}{text}"


def _counts(found: Mapping[str, Any]) -> str:
    return "-" if found["better"] is None else f"{found['better']:,} / {found['worse']:,}"


def _arrow(found: Mapping[str, Any]) -> str:
    better = found["higher_is_better"]
    return "" if better is None else "↑" if better else "↓"


def left_out(comparison: Comparison) -> list[str]:
    """Return a sentence for everything that was not compared."""
    lines = []
    for reason, what in comparison.left_out.items():
        if reason == "scorers":
            lines += [f"not compared: {sentence}" for sentence in what]
        elif reason == "not asked":
            lines += what
        elif reason == "new scorers":
            lines.append(f"not in the base, so not compared: {', '.join(what)}")
        elif isinstance(what, int):
            lines.append(f"{plural(what, 'sample')} {reason}: not compared by it")
        else:
            shown = ", ".join(map(str, what[:5])) + (", ..." if len(what) > 5 else "")  # noqa: PLR2004 - a few
            lines.append(f"{plural(len(what), 'row')} {reason}, left out: {shown}")
    return lines


def _corrected_lines(comparison: Comparison) -> list[str]:
    """Return what people's labels make of judges' differences."""
    lines = [
        f"- `{_code(name)}`: {escaped('; '.join(sentences))}"
        for name, found in comparison.metrics.items()
        if (sentences := corrected_sentences(found))
    ]
    return ["", "**By people's labels**", "", *lines] if lines else []


def _left_out_lines(comparison: Comparison) -> list[str]:
    lines = left_out(comparison)
    return ["", "**Left out**", "", *(f"- {escaped(line)}" for line in lines)] if lines else []


def _slice_lines(comparison: Comparison) -> list[str]:
    rows = [
        [f"{escaped(field)} = {escaped(value)}", *row]
        for field, value, scorers in _slices(comparison)
        for row in _rows(scorers, in_slice=True)
    ]
    if not rows:
        return []
    grave = sum("regressed" in row[-2] for row in rows)
    heads = ["rows", *_heads(comparison)]
    rows.sort(key=lambda row: "regressed" not in row[-2])
    kept = rows[:60]
    more = ["", f"{len(rows) - len(kept):,} more are in comparison.json."] if len(rows) > len(kept) else []
    summary = f"Slices: {grave:,} of {len(rows):,} regressed" if grave else f"Slices: {len(rows):,} compared"
    return ["", "<details>", f"<summary>{summary}</summary>", "", *_table(heads, kept), *more, "", "</details>"]


def _slices(comparison: Comparison) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for field, values in comparison.slices.items():
        for value, scorers in values.items():
            yield field, value, scorers


def _flaky_lines(comparison: Comparison) -> list[str]:
    lines: list[str] = []
    for name, every in comparison.flaky.items():
        rows = [[escaped(one["id"]), _rate(one["base_pass_rate"]), _rate(one["pass_rate"])] for one in every[:20]]
        more = ["", f"{len(every) - 20:,} more are in comparison.json."] if len(every) > 20 else []  # noqa: PLR2004
        what = f"{plural(len(every), 'flaky sample')} by {escaped(name)}: their repeats disagree"
        table = _table(["sample", "passes in the base", "passes now"], rows)
        lines += ["", "<details>", f"<summary>{what}</summary>", "", *table, *more, "", "</details>"]
    return lines


def _rate(rate: float | None) -> str:
    return "-" if rate is None else percent(rate)


def _changed_block(comparison: Comparison, texts: Mapping[str, Mapping[str, str]], room: int) -> str:
    """Return the changed samples, worst first, folded; as many as there is room for, and how many are left out."""
    if not comparison.changed:
        return ""
    by_id: dict[str, list[str]] = {}
    for name, found in comparison.metrics.items():
        flips = found.get("flips") or {}
        for one in (*flips.get("worse", ()), *flips.get("better", ())):
            line = f"{escaped(name)} {number(one['base'], found)} → {number(one['candidate'], found)}"
            by_id.setdefault(one["id"], []).append(line)
    blocks: list[str] = []
    used = 0
    for one in comparison.changed:
        block = _changed_one(one, by_id.get(one, []), texts.get(one))
        if used + len(block) + 1 > room:
            break
        blocks.append(block)
        used += len(block) + 1
    rest = len(comparison.changed) - len(blocks)
    note = f"\n\n{rest:,} more changed; all are in comparison.json." if rest else ""
    body = "\n".join(blocks)
    title = f"{plural(len(comparison.changed), 'changed sample')}, worst first"
    return f"\n<details>\n<summary>{title}</summary>\n\n{body}{note}\n\n</details>\n"


def _changed_one(one: str, lines: Sequence[str], texts: Mapping[str, str] | None) -> str:
    block = f"- **{escaped(one)}** {'; '.join(lines)}".rstrip()
    for key in ("input", "base", "candidate"):
        text = (texts or {}).get(key)
        if text:
            block += f"\n  - {key}: {escaped(text[:300])}{'…' if len(text) > 300 else ''}"  # noqa: PLR2004 - enough
    return block


def _made(comparison: Comparison) -> str:
    shown = [found["difference"] for found in comparison.metrics.values() if found["difference"]]
    if any(difference["method"] == SEQUENCE for difference in shown):
        how = f"by row in the order of asking; confidence sequences, at level {comparison.level:g} together"
    else:
        adjusted = "unadjusted" if comparison.adjust == "none" else f"adjusted by {comparison.adjust}"
        how = f"by row; p {adjusted}; level {comparison.level:g}"
    return f"\n<sub>Paired {how}; seed {comparison.seed}.</sub>\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    line = "|".join(["---", *("---:" for _ in heads[1:])])
    return [f"| {' | '.join(heads)} |", f"|{line}|", *(f"| {' | '.join(row)} |" for row in rows)]


def _code(text: str) -> str:
    return visible(" ".join(str(text).split())).replace("`", "'").replace("|", "\\|")


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print a comparison: the verdict, the scorers, what is worth knowing beside them."""
    from rich.text import Text

    from llmkit.report.terminal import Grid, print_grid

    style = (
        "bold red" if comparison.exit_code else "bold green" if comparison.verdict != "inconclusive" else "bold yellow"
    )
    console.print(Text(headline(comparison), style=style))
    names = comparison.candidate["name"], comparison.base["name"]
    console.print(Text(visible(f"{names[0]} against {names[1]} · {plural(comparison.samples, 'sample')}")))
    if comparison.metrics:
        console.print()
        print_grid(console, Grid(_terminal_heads(), [*_terminal_rows("", comparison.metrics)]))
    worse = [
        row
        for field, value, scorers in _slices(comparison)
        for row in _terminal_rows(f"{field} = {value}: ", _only(scorers, "regressed"))
    ]
    if worse:
        console.print()
        print_grid(console, Grid(["regressed in", *_terminal_heads()[1:]], worse))
    console.print()
    for reason in comparison.reasons[:_TERMINAL_REASONS]:
        console.print(Text(visible(f"- {reason}")))
    rest = len(comparison.reasons) - _TERMINAL_REASONS
    if rest > 0:
        console.print(Text(f"- and {rest:,} more: see --format json"))
    for name, found in comparison.metrics.items():
        for sentence in corrected_sentences(found):
            console.print(Text(visible(f"- {name}: {sentence}")))
    for line in left_out(comparison):
        console.print(Text(visible(f"- {line}"), style="dim"))
    for name, every in comparison.flaky.items():
        console.print(Text(visible(f"- {plural(len(every), 'flaky sample')} by {name}: repeats disagree")))
    if comparison.changed:
        shown = ", ".join(comparison.changed[:5]) + (", ..." if len(comparison.changed) > 5 else "")  # noqa: PLR2004
        console.print(Text(visible(f"- {plural(len(comparison.changed), 'sample')} changed, worst first: {shown}")))


def _terminal_heads() -> list[str]:
    return ["scorer", "base", "candidate", "change", "interval", "p", "verdict"]


def _terminal_rows(prefix: str, metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    for name, found in metrics.items():
        verdict = "-" if found["verdict"] is None else found["verdict"]
        yield [f"{prefix}{name} {_arrow(found)}", *cells(found), verdict]


def _only(scorers: Mapping[str, Any], verdict: str) -> dict[str, Any]:
    return {name: found for name, found in scorers.items() if found["verdict"] == verdict}
