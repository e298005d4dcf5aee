"""The report of an audit: its sections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmkit.report._words import percent, plain, plural, short, spent
from llmkit.report.section import Section, print_sections, sections_html, sections_markdown
from llmkit.types import Run

if TYPE_CHECKING:
    from rich.console import Console

_NAMES = {
    "accuracy": "accuracy",
    "kappa": "Cohen's kappa",
    "kappa_linear": "kappa, linear weights",
    "kappa_quadratic": "kappa, quadratic weights",
    "ac1": "Gwet's AC1",
    "ac2_linear": "Gwet's AC2, linear weights",
    "ac2_quadratic": "Gwet's AC2, quadratic weights",
    "alpha_nominal": "Krippendorff's alpha, nominal",
    "alpha_ordinal": "Krippendorff's alpha, ordinal",
    "alpha_interval": "Krippendorff's alpha, interval",
    "mean_difference": "mean difference",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "kendall": "Kendall's tau-b",
}
_ESTIMATES = {
    "judge_only": "judge alone",
    "human_only": "people alone",
    "corrected": "corrected (PPI++)",
    "rogan_gladen": "corrected (Rogan-Gladen)",
}


def sections(run: Run) -> list[Section]:
    """Return the report of an audit."""
    summary = run.summary
    found = [_heading(run), _agreement(summary), *_within(summary), *_ceiling(summary)]
    found += [_biases(summary), *_corrected(summary), *_confusion(summary), _disagreements(summary)]
    return [*found, _facts(run)]


def verdict_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return a sentence for every gate that failed."""
    lines = []
    for name, gate in summary["gate"].items():
        if not gate["pass"]:
            what = "its interval's lower end" if gate["certain"] else "it"
            value = gate["low"] if gate["certain"] else gate["value"]
            shown = "has no value" if value is None else f"is {value:.3f}"
            lines.append(f"gate: {_NAMES.get(name, name)}: {what} {shown}, at least {gate['min']:g} is asked for")
    return lines


def _heading(run: Run) -> Section:
    summary = run.summary
    human, verdicts = summary["human"], summary["verdicts"]
    model = f" ({summary['judge_model']})" if summary["judge_model"] else ""
    section = Section(f"{summary['name']}: {summary['judge']}{model}")
    rows = f"{plural(summary['rows'], 'row')}, {verdicts['ok']:,} with a verdict, {human['labelled']:,} with a human"
    section.lines = [
        f"{rows} label ({human['source']}), {human['pairs']:,} with both.",
        f"Labels are {summary['scale']['kind']}: {summary['scale']['said']}.",
    ]
    if verdicts["missing"]:
        why = ", ".join(f"{reason} ({count:,})" for reason, count in list(verdicts["reasons"].items())[:5])
        section.lines.append(
            f"! {plural(verdicts['missing'], 'row')} without a verdict, counted nowhere as one: {why}."
        )
    if human["undecided"]:
        section.lines.append(f"! People are divided on {plural(human['undecided'], 'row')}; these have no label.")
    for side, counts in summary["scale"]["off"].items():
        shown = ", ".join(f"{value!r} ({count:,})" for value, count in list(counts.items())[:5])
        section.lines.append(f"! Values of the {side} side that are no label: {shown}.")
    section.lines += [f"! {line}" for line in verdict_lines(summary)]
    return section


def _row(name: str, entry: Mapping[str, Any]) -> list[str]:
    if entry["value"] is None:
        return [_NAMES.get(name, name), "-", entry.get("reason", ""), ""]
    return [_NAMES.get(name, name), f"{entry['value']:.3f}", _ends(entry), f"{entry['n']:,}"]


def _ends(entry: Mapping[str, Any]) -> str:
    return "-" if entry.get("low") is None else f"{entry['low']:.3f} to {entry['high']:.3f}"


def _level(summary: Mapping[str, Any]) -> str:
    return f"{summary['level'] * 100:g}% interval"


def _agreement(summary: Mapping[str, Any]) -> Section:
    section = Section("Agreement with people")
    heads = ["over all rows", "value", _level(summary), "n"]
    section.tables.append((heads, [_row(name, entry) for name, entry in summary["agreement"]["pooled"].items()]))
    return section


def _within(summary: Mapping[str, Any]) -> Iterator[Section]:
    level = _level(summary)
    for key, title, unit in (
        ("groups", "Within groups, then averaged", "groups"),
        ("systems", "Between systems", "systems"),
    ):
        table = summary["agreement"].get(key)
        if table:
            section = Section(title)
            rows = [_row(name, entry) for name, entry in table.items()]
            for row, entry in zip(rows, table.values(), strict=True):
                row[3] = f"{entry.get('groups', 0):,}"
                row.append(f"{entry.get('skipped', 0):,}")
            heads = ["", "value", level, unit, "skipped"]
            if key == "systems":
                heads, rows = heads[:4], [row[:4] for row in rows]
            section.tables.append((heads, rows))
            if key == "groups":
                section.lines.append(
                    "Groups in which one side does not vary have no value; they are skipped and counted."
                )
            yield section
    for name, found in summary["agreement"]["slices"].items():
        section = Section(f"By {name}")
        columns = [key for key in next(iter(found["values"].values()), {}) if key != "n"]
        heads = [name, "n", *(text for key in columns for text in (_NAMES.get(key, key), level))]
        rows = [
            [
                value,
                f"{part['n']:,}",
                *(text for key in columns for text in (plain(part[key]["value"]), _ends(part[key]))),
            ]
            for value, part in found["values"].items()
        ]
        section.tables.append((heads, rows))
        if found["left_out"]:
            section.lines.append(f"{found['left_out']:,} smaller values are left out.")
        yield section


def _ceiling(summary: Mapping[str, Any]) -> Iterator[Section]:
    found = summary["ceiling"]
    if not found:
        return
    section = Section("The ceiling: people with one another")
    section.lines.append(
        f"Each person's label is left out in turn and compared with the others' {found['against']}, on "
        f"{plural(found['items'], 'row')}; so is the judge's. Above 0 the judge agrees with people better than they do."
    )
    rows = []
    for name, entry in found["human"].items():
        judge, apart = found["judge"].get(name), found["difference"].get(name)
        row = [_NAMES.get(name, name), plain(entry["value"]), _ends(entry)]
        for other in (judge, apart):
            row += ["-", "-"] if other is None else [plain(other["value"]), _ends(other)]
        rows.append(row)
    level = _level(summary)
    section.tables.append((["", "people", level, "judge", level, "judge less people", level], rows))
    yield section


def _biases(summary: Mapping[str, Any]) -> Section:
    found = summary["biases"]
    section = Section("Biases")
    section.lines.append(
        f"{plural(found['tests'], 'test')}, adjusted together (Holm): of fair judges at most {found['alpha']:.0%} get "
        "any finding from them."
    )
    rows = []
    for look in found["looks"]:
        p = look["p_adjusted"]
        shown = "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"  # noqa: PLR2004 - three decimals
        word = "-" if look["found"] is None else "found" if look["found"] else "not found"
        rows.append([look["name"], word, shown, look["sentence"].partition(": ")[2] or look["sentence"]])
    section.tables.append((["bias", "", "adjusted p", "what was seen"], rows))
    return section


def _corrected(summary: Mapping[str, Any]) -> Iterator[Section]:
    found = summary["corrected"]
    section = Section("Corrected by human labels")
    if "reason" in found:
        section.lines.append(f"No correction: {found['reason']}.")
        yield section
        return
    parts = {"mean": found["mean"]} if "mean" in found else {f"share of {k}": v for k, v in found["shares"].items()}
    rows = []
    for name, told in parts.items():
        for key, words in _ESTIMATES.items():
            if key in told:
                entry = told[key]
                note = entry.get("reason", "") if entry["value"] is None else _ends(entry)
                rows.append([f"{name}, {words}", plain(entry["value"]), note])
        section.lines += [note[0].upper() + note[1:] if name == "mean" else f"{name}: {note}" for note in _notes(told)]
    section.tables.append((["", "value", _level(summary)], rows))
    yield section


def _notes(told: Mapping[str, Any]) -> Iterator[str]:
    if told["labels"] == told["rows"]:
        yield "every row has a label, so there is nothing to correct."
        return
    if told["labels"] and told["corrected"]["low"] is not None:
        yield (
            f"{told['labels']:,} of {told['rows']:,} rows have a label; the judge saves about "
            f"{plural(round(told['labels_saved']), 'label')} more."
        )
    wanted = told.get("wanted")
    if wanted and wanted["corrected"] is not None:
        alone = "" if wanted["human_only"] is None else f" ({wanted['human_only']:,} without the judge)"
        yield (
            f"an interval of ±{wanted['half_width']:.3g} takes {wanted['corrected']:,} labels{alone}, "
            f"{wanted['more']:,} more than there are."
        )
    elif wanted and wanted["reason"]:
        yield f"an interval of ±{wanted['half_width']:.3g} cannot be had: {wanted['reason']}."
    for note in told["notes"]:
        yield f"{note}."


def _confusion(summary: Mapping[str, Any]) -> Iterator[Section]:
    found = summary["confusion"]
    if not found:
        return
    section = Section("Which verdict for which label")
    rows = [
        [label, *(f"{count:,}" for count in counts)]
        for label, counts in zip(found["labels"], found["counts"], strict=True)
    ]
    section.tables.append((["people \\ judge", *found["labels"]], rows))
    rates = [
        [
            rate["label"],
            f"{rate['humans']:,}",
            f"{rate['judged']:,}",
            *(
                text
                for name in ("sensitivity", "specificity", "precision")
                for text in (plain(rate[name]["value"]), _ends(rate[name]))
            ),
        ]
        for rate in found["rates"]
    ]
    heads = ["label", "people", "judge", "sensitivity", "", "specificity", "", "precision", ""]
    section.tables.append((heads, rates))
    yield section


def _disagreements(summary: Mapping[str, Any]) -> Section:
    found = summary["disagreements"]
    section = Section("Disagreements, worst first")
    section.lines.append(f"Judge and people differ on {found['n']:,} of {plural(found['of'], 'row')}.")
    for one in found["listed"]:
        lines = []
        if len(one["people"]) > 1:
            lines.append(f"people: {', '.join(_value(label) for label in one['people'])}")
        for key, words in (
            ("input", "input"),
            ("output", "output"),
            ("judge_reason", "the judge's reason"),
            ("human_reason", "people's reason"),
        ):
            if one[key]:
                lines.append(f"{words}: {short(one[key], 300)}")
        section.items.append((f"{one['id']}: judge {_value(one['judge'])}, people {_value(one['human'])}", lines))
    return section


def _value(label: Any) -> str:
    return f"{label:g}" if isinstance(label, float) else str(label)


def _facts(run: Run) -> Section:
    manifest, summary = run.manifest, run.summary
    section = Section("What made it")
    usage = manifest.get("usage", {})
    if "recorded" in usage:
        section.lines.append("The verdicts were recorded; nothing was asked.")
    else:
        section.lines.append(spent(manifest))
    per = manifest.get("per_1000_verdicts")
    if per:
        cost = "cost unknown (no price)" if per["cost"] is None else f"${per['cost']:.4g}"
        section.lines.append(f"Per 1,000 verdicts: {per['requests']:,.0f} requests, {per['seconds']:,.0f} s, {cost}.")
    signature = manifest["subject"]["signature"]
    if signature:
        section.lines.append(signature)
    section.lines.append(
        f"Rows {manifest['dataset']['source']}, fingerprint {str(manifest['dataset']['fingerprint'])[:12]}; "
        f"{summary['resamples']:,} resamples, seed {summary['seed']}; coverage {percent(summary['coverage'])}; "
        f"llmkit {manifest['llmkit']}, started {manifest['started']}."
    )
    return section


def audit_markdown(run: Run) -> str:
    """Return the report of an audit in Markdown."""
    return sections_markdown(sections(run))


def audit_html(run: Run) -> str:
    """Return the report of an audit as a page."""
    failed = verdict_lines(run.summary)
    return sections_html(sections(run), over="llmkit audit", tone="bad" if failed else "")


def print_audit(run: Run, console: Console) -> None:
    """Print the report of an audit on a terminal."""
    print_sections(sections(run), console)
