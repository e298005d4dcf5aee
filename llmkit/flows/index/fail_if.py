"""Gates of `llmkit index eval`: ``hybrid.ndcg@10 < 0.4``, ``lexical.map[lang=de] < baseline - 0.01``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmkit.errors import UsageError
from llmkit.flows.index.compared import SMALL
from llmkit.registry import did_you_mean

_RULE = re.compile(
    r"\s*(?P<leg>\w+)\.(?P<metric>[\w@]+)\s*(?:\[(?P<field>[^=\]]+)=(?P<value>[^\]]*)\])?\s*(?P<sign><=|>=|<|>)\s*"
    r"(?:(?P<base>baseline)\s*(?:(?P<move>[+-])\s*(?P<by>\d*\.?\d+))?|(?P<bound>-?\d*\.?\d+))\s*"
)
_LATENCY = re.compile(r"p(?:50|90|99)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a rule fails, and why it does or does not, in a sentence."""

    rule: str
    failed: bool
    why: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A gate as it was read.

    Attributes:
        written: As the user wrote it.
        leg: The leg.
        metric: A metric, or ``p50``, ``p90``, ``p99``.
        sign: How value and bound compare where it fails.
        bound: The number; with ``baseline`` what is added to the baseline's value.
        baseline: Whether the bound is relative to a baseline.
        slice: A field and its value where only those questions count.
    """

    written: str
    leg: str
    metric: str
    sign: str
    bound: float
    baseline: bool
    slice: tuple[str, str] | None = None

    @property
    def subject(self) -> str:
        """What it is about."""
        return f"{self.leg}.{self.metric}" + (f" of {self.slice[0]} = {self.slice[1]}" if self.slice else "")


def read_rule(written: str) -> Rule:
    """Return a gate as it was read.

    Raises:
        UsageError: it cannot be read.
    """
    match = _RULE.fullmatch(written)
    if match is None:
        raise UsageError(
            f"'{written}' is no gate; write LEG.METRIC < NUMBER, or LEG.METRIC < baseline - NUMBER, such as "
            "hybrid.ndcg@10 < baseline - 0.01, and hybrid.ndcg@10[lang=de] for a slice"
        )
    if match["field"] is not None and _LATENCY.fullmatch(match["metric"]):
        raise UsageError(f"'{written}': latency is not measured by slice")
    relative = match["base"] is not None
    bound = float(match["by"] or 0) * (-1 if match["move"] == "-" else 1) if relative else float(match["bound"])
    part = None if match["field"] is None else (match["field"].strip(), match["value"].strip())
    return Rule(written, match["leg"], match["metric"], match["sign"], bound, relative, part)


def check_slice(rule: Rule, slices: Mapping[str, Collection[str]]) -> None:
    """Refuse a rule for a slice that is not there, before anything is measured.

    Args:
        rule: The rule.
        slices: For each field that the questions are sliced by its values.

    Raises:
        UsageError: the rule names another.
    """
    if rule.slice is None:
        return
    field, value = rule.slice
    if field not in slices:
        raise UsageError(f"'{rule.written}' speaks of a slice by '{field}'; add --slice {field}")
    if value not in slices[field]:
        near = did_you_mean(value, tuple(slices[field]))
        raise UsageError(f"'{rule.written}': no question has {field} = {value} ({near})")


def judge_rules(
    rules: Sequence[str], report: Mapping[str, Any], compared: Mapping[str, Any] | None
) -> tuple[list[Verdict], list[str]]:
    """Return the verdicts of all rules (`judge_rule`), and why the others cannot be judged."""
    verdicts, problems = [], []
    for rule in rules:
        try:
            verdicts.append(judge_rule(rule, report, compared))
        except UsageError as error:
            problems.append(str(error))
    return verdicts, problems


def judge_rule(written: str, report: Mapping[str, Any], compared: Mapping[str, Any] | None) -> Verdict:
    """Return whether a rule fails.

    Against a baseline it fails where the value is beyond the bound and the whole interval of the difference lies on the
    same side of 0: a change that chance explains fails no build.

    Args:
        written: The rule.
        report: What `evaluate_index` returned, with its ``slices``.
        compared: What `against` returned; None without a baseline.

    Raises:
        UsageError: it cannot be read, or names what was not measured.
    """
    rule = read_rule(written)
    part = None if rule.slice is None else _slice(rule, report)
    value = _value(rule, report, part)
    if not rule.baseline:
        return Verdict(
            written, _holds(value, rule.sign, rule.bound), f"{rule.subject} is {value:.4f}{_few(part, rule)}"
        )
    if compared is None:
        raise UsageError(f"'{written}' speaks of a baseline; name one with --baseline")
    one = (compared if part is None else part.get("compared", {})).get(rule.leg, {}).get(rule.metric)
    if one is None:
        raise UsageError(f"'{written}': the baseline has no {rule.subject}")
    low, high = one["low"], one["high"]
    certain = low is not None and high is not None and (high < 0 if rule.sign.startswith("<") else low > 0)
    beyond = _holds(one["difference"], rule.sign, rule.bound)
    interval = "no interval" if low is None or high is None else f"{low:+.4f} to {high:+.4f}"
    now = one["base"] + one["difference"]
    why = f"{rule.subject} is {now:.4f}, {one['difference']:+.4f} from the baseline ({interval}){_few(part, rule)}"
    return Verdict(written, beyond and certain, why if certain or not beyond else f"{why}; chance may explain it")


def _few(part: Mapping[str, Any] | None, rule: Rule) -> str:
    n = SMALL if part is None else part["legs"][rule.leg][rule.metric]["n"]
    return "" if n >= SMALL else f"; of {n} question{'' if n == 1 else 's'} only"


def _slice(rule: Rule, report: Mapping[str, Any]) -> Mapping[str, Any]:
    assert rule.slice is not None
    slices, (field, value) = report.get("slices") or {}, rule.slice
    check_slice(rule, slices)
    part: Mapping[str, Any] = slices[field][value]
    return part


def _value(rule: Rule, report: Mapping[str, Any], part: Mapping[str, Any] | None) -> float:
    legs, named = report["legs"], f"'{rule.written}'"
    if rule.leg not in legs:
        raise UsageError(f"{named}: there is no leg '{rule.leg}' ({did_you_mean(rule.leg, tuple(legs))})")
    if _LATENCY.fullmatch(rule.metric):
        return float(legs[rule.leg]["latency_ms"][rule.metric])
    metrics = legs[rule.leg]["metrics"] if part is None else part["legs"][rule.leg]
    if rule.slice is not None and rule.metric not in metrics and rule.metric in legs[rule.leg]["metrics"]:
        field, what = rule.slice
        raise UsageError(f"{named}: no question of {field} = {what} says what {rule.metric} would find right")
    if rule.metric not in metrics:
        raise UsageError(f"{named}: '{rule.metric}' was not measured ({did_you_mean(rule.metric, tuple(metrics))})")
    return float(metrics[rule.metric]["value"])


def _holds(value: float, sign: str, bound: float) -> bool:
    return {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[sign]
