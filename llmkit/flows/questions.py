"""What a sequential gate asks, one question for each of its rules about scores, and which rules can be settled so.

All answers are right together with the probability that is the gate's level, however often one looks
(`llmkit.stats.sequential`). A question about a value is meant for the rows of this set, as where all of them are asked;
with ``certain``, and about a drop, it is meant for rows like these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from llmkit.config import EvalConfig
from llmkit.errors import Problem
from llmkit.flows.rules import Bound, Rules
from llmkit.stats import split_alpha


@dataclass(frozen=True, slots=True)
class Question:
    """What one rule of the gate asks: is the value within its limits, or how does the candidate differ from the base?

    Attributes:
        bound: The rule.
        drop: Whether it is about the drop against the baseline, and not about the value.
        alpha: The chance that its answer is wrong.
        certain: Whether a limit is meant for samples like these, and not for these samples alone.
    """

    bound: Bound
    drop: bool
    alpha: float
    certain: bool

    @property
    def name(self) -> str:
        """What it is listed under."""
        return self.bound.name("max_drop" if self.drop else "value")

    @property
    def points(self) -> tuple[float, ...]:
        """Values that its interval must tell apart."""
        rule = self.bound.rule
        if self.drop:
            margin = rule.max_drop or 0.0
            return (0.0, -margin, margin)
        return tuple(limit for limit in (rule.min, rule.max) if limit is not None)


def questions_of(rules: Rules, level: float, scorers: Iterable[str], *, drops: bool) -> list[Question]:
    """Return the questions of a gate about these scorers; together they are wrong with probability 1 - level."""
    known = set(scorers)
    asked = [
        (bound, drop)
        for bound in rules.bounds
        if bound.scorer in known
        for drop in (False, True)
        if (drops and bound.rule.max_drop is not None if drop else (bound.rule.min, bound.rule.max) != (None, None))
    ]
    certain, general = rules.gate.certain, rules.gate.level or level
    return [
        Question(bound, drop, split_alpha(round(1 - (bound.rule.level or general), 12), len(asked)), certain)
        for bound, drop in asked
    ]


def unable(scorer: Any) -> str:
    """Return why a scorer's scores cannot be looked at as they come; empty where they can."""
    if scorer.kind != "mean":
        return "its value is not the mean of the samples' scores"
    if getattr(scorer, "batch", 0) or (hasattr(scorer, "judge_over") and getattr(scorer, "over_repeats", False)):
        return "it scores after all answers are in"
    bounds = getattr(scorer, "bounds", None)
    if bounds is None or not all(map(isfinite, bounds)):
        return "its scores have no finite range"
    return ""


def sequential_problems(cfg: EvalConfig, rules: Rules, scorers: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield why a gate cannot be settled while answers come in."""
    if cfg.gate.stops is None:
        return
    for key, given, why in (
        ("cluster", cfg.cluster, "rows of one cluster are not independent"),
        ("perturb", cfg.perturb, "each row and its rewordings belong together"),
        ("ensemble", cfg.ensemble, "its members are asked one after the other"),
        ("human", cfg.human, "a corrected score is no mean of samples' scores"),
    ):
        if given:
            message = f"'sequential' and '{key}' do not go together: {why}"
            yield Problem(message, key="gate.sequential", hint="remove one of the two")
    yield from settling_problems(cfg, rules, scorers, drops=cfg.gate.names_drops)


def settling_problems(cfg: EvalConfig, rules: Rules, scorers: Mapping[str, Any], *, drops: bool) -> Iterator[Problem]:
    """Yield what rules of a sequential gate, with or without those about drops, cannot be settled."""
    if cfg.gate.stops is None:
        return
    told = set()
    for question in questions_of(rules, cfg.level, scorers, drops=drops):
        name = question.bound.scorer
        why = unable(scorers[name])
        if not why or name in told:
            continue
        told.add(name)
        hint = "leave 'sequential' out, or take its rule out of the gate"
        if question.drop and not cfg.gate.names_drops:
            hint = "name a max_drop for the scorers that matter, or leave 'sequential' out: without one none may drop"
        message = f"'{name}' cannot be settled while answers come in: {why}"
        yield Problem(message, key="gate.sequential", hint=hint)
