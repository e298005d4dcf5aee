"""Whether the parts of a config fit together: how rows are asked, what metrics read, what the target can answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmkit.config import EvalConfig
from llmkit.datasets import Census
from llmkit.errors import Problem
from llmkit.protocols import Metric

_TEXT = ("answer", "choices")


def metric_problems(cfg: EvalConfig, name: str, metric: Metric, key: str) -> Iterator[Problem]:
    """Yield why a metric could score nothing in this run, whatever the rows: too few repeats, nothing that it reads."""
    least = int(getattr(metric, "min_repeats", 1))
    if cfg.repeats < least:
        asked = "once" if cfg.repeats == 1 else f"{cfg.repeats} times"
        message = f"'{name}' needs {least} answers to every row, and each row is asked {asked}"
        yield Problem(message, key=key, hint=f"write 'repeats: {least}' or more")
    asks = getattr(metric, "asks", _TEXT)
    if cfg.ask not in asks:
        if cfg.ask == "references" and "answer" in asks:
            message, hint = f"'{name}' reads an answer, and 'ask: references' asks for none", "remove one of the two"
        else:
            message, hint = f"'{name}' needs the log-likelihoods of the {asks[0]}", f"write 'ask: {asks[0]}'"
        yield Problem(message, key=key, hint=hint)


def target_problems(cfg: EvalConfig, target: Any) -> Iterator[Problem]:
    """Yield why the target cannot be asked in this way."""
    if cfg.ask != "answer" and getattr(target, "wants_sample", False):
        message = f"'ask: {cfg.ask}' asks for log-likelihoods, and this target gives none"
        yield Problem(message, key="target", hint="use a local model, or an endpoint whose completions can echo")


def row_problems(cfg: EvalConfig, counted: Census) -> Iterator[Problem]:
    """Yield why the rows cannot be asked in this way."""
    if cfg.ask == "answer":
        return
    if cfg.ask == "choices" and not counted.has.get("choices"):
        message = "no row has 'choices', and 'ask: choices' needs it"
        yield Problem(message, file=counted.source, hint="map another field to it with dataset.fields")
    turns = counted.has.get("turns")
    if turns:
        message = f"'ask: {cfg.ask}' asks one question a row, and rows have further turns: {turns:,}"
        yield Problem(message, file=counted.source, hint="leave 'turns' out of the rows, or 'ask' out of the config")
