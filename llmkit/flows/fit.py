"""Whether the parts of a config fit together: how rows are asked, what metrics read, what the target can answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmkit.config import EvalConfig
from llmkit.datasets import Census
from llmkit.errors import Problem
from llmkit.prompts.choice import RULES
from llmkit.protocols import Metric

_TEXT = ("answer", "choices")
_CHOICE = "choice"


def metric_problems(cfg: EvalConfig, name: str, metric: Metric, key: str) -> Iterator[Problem]:
    """Yield why a metric could score nothing in this run, whatever the rows: too few repeats, nothing that it reads."""
    least = int(getattr(metric, "min_repeats", 1))
    if cfg.repeats < least:
        asked = "once" if cfg.repeats == 1 else f"{cfg.repeats} times"
        message = f"'{name}' needs {least} answers to every row, and each row is asked {asked}"
        yield Problem(message, key=key, hint=f"write 'repeats: {least}' or more")
    asks = getattr(metric, "asks", _TEXT)
    if _CHOICE in asks:
        yield from _rule_problems(cfg, name, metric, key)
    elif cfg.ask not in asks:
        if cfg.ask == "references" and "answer" in asks:
            message, hint = f"'{name}' reads an answer, and 'ask: references' asks for none", "remove one of the two"
        else:
            message, hint = f"'{name}' needs the log-likelihoods of the {asks[0]}", f"write 'ask: {asks[0]}'"
        yield Problem(message, key=key, hint=hint)


def _rule_problems(cfg: EvalConfig, name: str, metric: Any, key: str) -> Iterator[Problem]:
    """Yield what a metric of multiple choice needs and the run does not ask for."""
    variants = metric.variants
    if cfg.choice is None:
        rules = ", ".join(dict.fromkeys(rule for rule, _ in variants))
        message = f"'{name}' scores multiple choice, and the config asks for none"
        yield Problem(message, key=key, hint=f"write 'choice: {{rules: [{rules}]}}'")
        return
    lacking = [rule for rule in dict.fromkeys(rule for rule, _ in variants) if rule not in cfg.choice.rules]
    if lacking:
        hint = f"add {', '.join(lacking)} to choice.rules"
        yield Problem(f"'{name}' needs a rule that is not asked by: {', '.join(lacking)}", key=key, hint=hint)
    if not cfg.choice.unconditional and any(normalise == "pmi" for _, normalise in variants):
        message = f"'{name}' needs the likelihood of the answers without the question"
        yield Problem(message, key=key, hint="write 'unconditional: true' under choice")


def choice_problems(cfg: EvalConfig) -> Iterator[Problem]:
    """Yield what does not go together with rules of multiple choice, which write prompts and examples themselves."""
    if cfg.choice is None:
        return
    for key, given in (("prompt", cfg.prompt), ("few_shot", cfg.few_shot), ("ask", cfg.ask != "answer" or None)):
        if given is not None:
            message = f"'{key}' and 'choice' do not go together: a rule of multiple choice decides how rows are asked"
            yield Problem(message, key=key, hint="remove one of the two")


def target_problems(cfg: EvalConfig, target: Any) -> Iterator[Problem]:
    """Yield why the target cannot be asked in this way."""
    if not getattr(target, "wants_sample", False):
        return
    if cfg.choice is not None and not any(RULES[rule].generates for rule in cfg.choice.rules):
        message = "the rules of 'choice' ask for log-likelihoods, and this target gives none"
        hint = "use a local model or an endpoint whose completions can echo, or add the rule helm"
        yield Problem(message, key="target", hint=hint)
    if cfg.ask != "answer":
        message = f"'ask: {cfg.ask}' asks for log-likelihoods, and this target gives none"
        yield Problem(message, key="target", hint="use a local model, or an endpoint whose completions can echo")


def row_problems(cfg: EvalConfig, counted: Census) -> Iterator[Problem]:
    """Yield why the rows cannot be asked in this way."""
    if cfg.ask == "answer" and cfg.choice is None:
        return
    asked = f"ask: {cfg.ask}" if cfg.choice is None else "choice"
    if asked != "ask: references" and not counted.has.get("choices"):
        message = f"no row has 'choices', and '{asked}' needs it"
        yield Problem(message, file=counted.source, hint="map another field to it with dataset.fields")
    turns = counted.has.get("turns")
    if turns:
        message = f"'{asked}' asks one question a row, and rows have further turns: {turns:,}"
        hint = f"leave 'turns' out of the rows, or '{asked.partition(':')[0]}' out of the config"
        yield Problem(message, file=counted.source, hint=hint)
