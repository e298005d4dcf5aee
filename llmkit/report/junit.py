"""``junit.xml``: gates as tests, and samples too where that is asked for, as every CI system shows them.

A gate that failed is a failure; one that could not be checked, and a sample without a score, is an error. There are no
times in it: the same results give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from llmkit.report._words import plain
from llmkit.text.visible import visible
from llmkit.types import Comparison, Run

_WORDS = {1: "failed", 3: "missing", 4: "not comparable", 5: "inconclusive"}


@dataclass(frozen=True, slots=True)
class Case:
    """One test: where it belongs, its name, and what is wrong with it; an empty ``outcome`` is a pass."""

    group: str
    name: str
    outcome: str = ""
    kind: str = ""
    message: str = ""


def junit_xml(name: str, cases: Iterable[Case], facts: Mapping[str, Any] | None = None) -> str:
    """Return tests as JUnit XML: one suite for each group, in the order of their first test.

    ``facts`` are properties of the first suite.
    """
    suites: dict[str, list[Case]] = {}
    for case in cases:
        suites.setdefault(case.group, []).append(case)
    every = [case for group in suites.values() for case in group]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites name={_attribute(name)} {_counts(every)}>"]
    for group, some in suites.items():
        lines.append(f"  <testsuite name={_attribute(group)} {_counts(some)}>")
        lines += _properties(facts or {})
        facts = None
        lines += map(_case, some)
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def facts_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a suite says of the run beside its tests: rows asked and requests saved by a sequential gate."""
    told = summary.get("sequential") or {}
    return {key: told[key] for key in ("rows", "asked", "requests_saved") if key in told}


def _properties(facts: Mapping[str, Any]) -> list[str]:
    if not facts:
        return []
    found = [f"      <property name={_attribute(name)} value={_attribute(str(one))}/>" for name, one in facts.items()]
    return ["    <properties>", *found, "    </properties>"]


def _case(case: Case) -> str:
    begin = f"    <testcase classname={_attribute(case.group)} name={_attribute(case.name)}"
    if not case.outcome:
        return f"{begin}/>"
    kind = f" type={_attribute(case.kind)}" if case.kind and case.outcome != "skipped" else ""
    body = f"<{case.outcome} message={_attribute(case.message)}{kind}>{escape(_legal(case.message))}</{case.outcome}>"
    return f"{begin}>{body}</testcase>"


def _counts(cases: Iterable[Case]) -> str:
    outcomes = [case.outcome for case in cases]
    counts = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    parts = [f'{word}="{outcomes.count(outcome)}"' for word, outcome in counts.items()]
    return f'tests="{len(outcomes)}" {" ".join(parts)}'


def _attribute(text: str) -> str:
    return quoteattr(_legal(text))


def _legal(text: str) -> str:
    """Return a text that XML can hold: what cannot be seen is shown by its number."""
    shown = visible(str(text))
    return "".join(
        char if char in "\t\n" or "\x20" <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff" else "?"
        for char in shown
    )


def gate_cases(gates: Mapping[str, Mapping[str, Any]], comparison: Comparison | None = None) -> Iterator[Case]:
    """Yield a test for each gate, and one for whether the two runs could be compared."""
    if comparison is not None:
        refused = comparison.verdict == "not_comparable"
        message = "; ".join(comparison.reasons) if refused else ""
        yield Case("gate", "comparable", "error" if refused else "", "not comparable", message)
    for name, entry in gates.items():
        if entry["pass"]:
            yield Case("gate", name)
            continue
        code = int(entry.get("exit_code", 3))
        outcome = "error" if code in {3, 4} else "failure"
        yield Case("gate", name, outcome, _WORDS.get(code, "failed"), entry.get("note") or _asked(name, entry))


def _asked(name: str, entry: Mapping[str, Any]) -> str:
    asked = ", ".join(f"{key} {plain(entry[key])}" for key in ("min", "max", "max_drop") if key in entry)
    return f"{name} is {plain(entry['value'])}; asked for: {asked}"


def sample_cases(
    run: Run, comparison: Comparison | None = None, worse: Mapping[tuple[str, str], tuple[float, float]] | None = None
) -> Iterator[Case]:
    """Yield a test for each sample, repeat and scorer.

    With a comparison a sample fails where its score got worse. Without one it fails where a yes-or-no scorer says no. A
    missing score is an error, a scorer that does not apply a skipped test.

    Args:
        run: The run.
        comparison: With its base, if any.
        worse: By scorer and sample the score before and now, of all that got worse. Without it the flips that the
            comparison lists fail, and those beyond them as one test.
    """
    told = {} if comparison is None else _listed(comparison) if worse is None else worse
    binary = {name for name, entry in run.summary["scores"].items() if entry["binary"] and comparison is None}
    good = {name: 1.0 if entry["higher_is_better"] else 0.0 for name, entry in run.summary["scores"].items()}
    for score in run.scores:
        name = score.sample_id if not score.repeat else f"{score.sample_id} (repeat {score.repeat})"
        if score.status == "error":
            yield Case(score.scorer, name, "error", "no score", score.reason)
        elif score.status == "skipped":
            yield Case(score.scorer, name, "skipped", "", score.reason)
        elif (score.scorer, score.sample_id) in told:
            before, now = told[score.scorer, score.sample_id]
            yield Case(score.scorer, name, "failure", "worse", f"{before:.4g} before, {now:.4g} now")
        elif score.scorer in binary and score.value is not None and score.value != good[score.scorer]:
            yield Case(score.scorer, name, "failure", "failed", score.reason or f"{score.scorer} says {score.value:g}")
        else:
            yield Case(score.scorer, name)
    for scorer, found in ({} if comparison is None or worse is not None else comparison.metrics).items():
        flips = found.get("flips") or {}
        rest = int(flips.get("worse_in_all", 0)) - len(flips.get("worse", ()))
        if rest > 0:
            yield Case(scorer, "samples beyond those", "failure", "worse", f"{rest:,} more samples got worse")


def _listed(comparison: Comparison) -> dict[tuple[str, str], tuple[float, float]]:
    return {
        (name, one["id"]): (one["base"], one["candidate"])
        for name, found in comparison.metrics.items()
        for one in (found.get("flips") or {}).get("worse", ())
    }
