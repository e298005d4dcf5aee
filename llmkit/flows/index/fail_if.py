"""Gates of `llmkit index eval`: ``hybrid.ndcg@10 < 0.4``, ``lexical.map < baseline - 0.01``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmkit.errors import UsageError
from llmkit.registry import did_you_mean

_RULE = re.compile(
    r"\s*(?P<leg>\w+)\.(?P<metric>[\w@]+)\s*(?P<sign><=|>=|<|>)\s*"
    r"(?:(?P<base>baseline)\s*(?:(?P<move>[+-])\s*(?P<by>\d*\.?\d+))?|(?P<bound>-?\d*\.?\d+))\s*"
)
_LATENCY = re.compile(r"p(?:50|90|99)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a rule fails, and why it does or does not, in a sentence."""

    rule: str
    failed: bool
    why: str


def judge_rule(rule: str, report: Mapping[str, Any], compared: Mapping[str, Any] | None) -> Verdict:
    """Return whether a rule fails.

    Against a baseline it fails where the value is beyond the bound and the whole interval of the difference lies on the
    same side of 0: a change that chance explains fails no build.

    Raises:
        UsageError: it cannot be read, or names what was not measured.
    """
    match = _RULE.fullmatch(rule)
    if match is None:
        raise UsageError(
            f"'{rule}' is no gate; write LEG.METRIC < NUMBER, or LEG.METRIC < baseline - NUMBER, such as "
            "hybrid.ndcg@10 < baseline - 0.01"
        )
    leg, metric, sign = match["leg"], match["metric"], match["sign"]
    value = _value(rule, report, leg, metric)
    if match["base"] is None:
        bound = float(match["bound"])
        failed = _holds(value, sign, bound)
        return Verdict(rule, failed, f"{leg}.{metric} is {value:.4f}")
    if compared is None:
        raise UsageError(f"'{rule}' speaks of a baseline; name one with --baseline")
    one = compared.get(leg, {}).get(metric)
    if one is None:
        raise UsageError(f"'{rule}': the baseline has no {leg}.{metric}")
    move = float(match["by"] or 0) * (-1 if match["move"] == "-" else 1)
    low, high = one["low"], one["high"]
    certain = low is not None and high is not None and (high < 0 if sign.startswith("<") else low > 0)
    beyond = _holds(one["difference"], sign, move)
    interval = "no interval" if low is None or high is None else f"{low:+.4f} to {high:+.4f}"
    now = one["base"] + one["difference"]
    why = f"{leg}.{metric} is {now:.4f}, {one['difference']:+.4f} from the baseline ({interval})"
    return Verdict(rule, beyond and certain, why if certain or not beyond else f"{why}; chance may explain it")


def _value(rule: str, report: Mapping[str, Any], leg: str, metric: str) -> float:
    legs = report["legs"]
    if leg not in legs:
        raise UsageError(f"'{rule}': there is no leg '{leg}' ({did_you_mean(leg, tuple(legs))})")
    if _LATENCY.fullmatch(metric):
        return float(legs[leg]["latency_ms"][metric])
    metrics = legs[leg]["metrics"]
    if metric not in metrics:
        raise UsageError(f"'{rule}': '{metric}' was not measured ({did_you_mean(metric, tuple(metrics))})")
    return float(metrics[metric]["value"])


def _holds(value: float, sign: str, bound: float) -> bool:
    return {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[sign]
