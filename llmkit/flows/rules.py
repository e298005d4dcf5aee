"""The rules of a gate for the scorers of a run, every name in them resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmkit import registry
from llmkit.errors import ConfigError, Problem

if TYPE_CHECKING:
    from llmkit.config.gate import Gate, Rule

Place = tuple[str, str, str]
"""Scorer, field and value; field and value are empty for all rows."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One rule of a gate, for one scorer, over all rows or those with one value in a field."""

    scorer: str
    rule: Rule
    field: str = ""
    value: str = ""

    @property
    def where(self) -> str:
        """The rows it is about, in words; empty for all."""
        return f"{self.field} = {self.value}" if self.field else ""

    def name(self, asked: str) -> str:
        """Return what the rule is listed under."""
        return f"{self.scorer} {asked}" + (f" where {self.where}" if self.field else "")


@dataclass(frozen=True, slots=True)
class Rules:
    """A gate with the scorers that its rules are about.

    Attributes:
        gate: As configured.
        bounds: Every rule for a scorer.
    """

    gate: Gate
    bounds: Sequence[Bound]

    def margin_of(self, scorer: str, field: str = "", value: str = "") -> tuple[float, float | None]:
        """Return the drop that is put up with and the level; of a part without a rule of its own those of all rows."""
        return self.drop_of(scorer, field, value) or self.drop_of(scorer) or (0.0, None)

    def drop_of(self, scorer: str, field: str = "", value: str = "") -> tuple[float, float | None] | None:
        """Return the drop that is put up with and the level, or None where the gate does not judge drops of it."""
        for bound in self.bounds:
            if (bound.scorer, bound.field, bound.value) == (scorer, field, value) and bound.rule.max_drop is not None:
                return bound.rule.max_drop, bound.rule.level
        return None


def rules_of(gate: Gate, described: Mapping[str, Mapping[str, Any]], slices: Iterable[str] | None = None) -> Rules:
    """Return the rules of a gate for the scorers of a run.

    A gate that names no drop for all rows puts up with none, in every scorer that has a better direction and no unit.

    Args:
        gate: As configured.
        described: For each scorer its ``higher_is_better`` and ``unit``.
        slices: The fields by which there are slices; None where that is not known yet.

    Raises:
        ConfigError: it names scorers or slices that there are not, or asks for a drop of what has no better direction.
    """
    problems: list[Problem] = []
    named = _named(gate, described, problems)
    every = gate.every
    if not gate.names_drops:
        from llmkit.config.gate import Rule

        none = Rule(max_drop=0.0)
        every = none if every is None else _merged(none, every)
    bounds = []
    for scorer, about in described.items():
        ours = every if about["higher_is_better"] is not None and not about["unit"] else None
        rule = _merged(ours, named.get(scorer))
        if rule is not None:
            bounds.append(Bound(scorer, rule))
    known = None if slices is None else list(slices)
    for field, values in gate.slices.items():
        if known is not None and field not in known:
            hint = f"write slices: [{', '.join([*known, field])}]"
            problems.append(Problem(f"there are no slices by '{field}'", key=f"gate.slices.{field}", hint=hint))
        for value, rules in values.items():
            for name, rule in rules.items():
                key = f"gate.slices.{field}.{value}.{name}"
                bounds.append(Bound(_resolved(name, described, key, problems), rule, field, value))
    problems += [
        Problem(f"'{one.scorer}' has no better direction, so it cannot drop", key=f"gate.{one.scorer}.max_drop")
        for one in bounds
        if one.rule.max_drop is not None and one.scorer in described
        if described[one.scorer]["higher_is_better"] is None
    ]
    if problems:
        raise ConfigError(problems=problems)
    return Rules(gate, bounds)


def _named(gate: Gate, described: Mapping[str, Any], problems: list[Problem]) -> dict[str, Rule]:
    named: dict[str, Rule] = {}
    for name, rule in gate.scorers.items():
        scorer = _resolved(name, described, f"gate.{name}", problems)
        if scorer in named:
            hint = "write its rules in one place"
            problems.append(Problem(f"'{scorer}' stands in the gate twice", key=f"gate.{name}", hint=hint))
        named[scorer] = rule
    return named


def _resolved(name: str, described: Mapping[str, Any], key: str, problems: list[Problem]) -> str:
    if name in described:
        return name
    for kind in ("metrics", "judges"):
        try:
            canonical = registry.canonical(kind, name)
        except ConfigError:
            continue
        if canonical in described:
            return canonical
    hint = registry.did_you_mean(name, list(described), n=3)
    problems.append(Problem(f"the gate asks for '{name}', which no scorer here is called", key=key, hint=hint))
    return name


def _merged(general: Rule | None, own: Rule | None) -> Rule | None:
    if general is None or own is None:
        return own or general
    return general.model_copy(update=own.model_dump(exclude_none=True))
