"""The ``gate:`` of an eval config, which may also stand in a file of its own: what must hold for a run to be good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from llmkit.config.section import Flag, Number, Section, Text, Whole, wrong


class Floor(Section):
    """A smallest value."""

    min: Annotated[Number, Field(ge=0, le=1)] = Field(default=0.98, description="The smallest share that is good.")


class Ceiling(Section):
    """A largest value."""

    max: Annotated[Number, Field(ge=0)] = Field(description="The largest value that is good.")


class Rule(Section):
    """What must hold for one scorer."""

    max_drop: Annotated[Number, Field(ge=0)] | None = Field(
        default=None,
        description="The drop against the baseline that is put up with, in the scorer's unit and better direction.",
    )
    min: Number | None = Field(default=None, description="The smallest value that is good.")
    max: Number | None = Field(default=None, description="The largest value that is good.")
    level: Annotated[Number, Field(gt=0, le=0.9999)] | None = Field(
        default=None, description="Confidence level of this scorer's comparison; without it, the gate's."
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> Rule:
        if self.max_drop is None and self.min is None and self.max is None:
            raise wrong("give 'max_drop', 'min' or 'max': without one of them nothing is asked for")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise wrong(f"'min' ({self.min:g}) is above 'max' ({self.max:g})")
        return self


class Latency(Section):
    """Largest latencies of answers, in seconds."""

    p50: Ceiling | None = Field(default=None, description="Of the median answer.")
    p90: Ceiling | None = Field(default=None, description="Of the slowest tenth.")
    p95: Ceiling | None = Field(default=None, description="Of the slowest twentieth.")
    p99: Ceiling | None = Field(default=None, description="Of the slowest hundredth.")

    @model_validator(mode="after")
    def _asks_for_something(self) -> Latency:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise wrong("give 'p50', 'p90', 'p95' or 'p99': without one of them nothing is asked for")
        return self


class Sequential(Section):
    """Asking until the gate is settled."""

    look_every: Annotated[Whole, Field(ge=1)] = Field(
        default=20, description="So many rows are asked side by side before the gate is looked at."
    )


class Gate(Section):
    """What must hold for a run to be good; else the exit code says so. Any other key names a scorer."""

    coverage: Floor = Field(
        default_factory=Floor, description="Share of samples with a score; below it the run fails with exit code 3."
    )
    every: Rule | None = Field(
        default=None, alias="all", description="For every scorer that has a better direction and no unit."
    )
    scorers: dict[Text, Rule] = Field(default_factory=dict, description="For single scorers, by name.")
    slices: dict[Text, dict[Text, dict[Text, Rule]]] = Field(
        default_factory=dict,
        description="For parts of the rows: field, value, scorer: 'lang: {de: {bleu: {min: 20}}}'.",
    )
    cost: Ceiling | None = Field(default=None, description="Of the whole run, in US dollars.")
    latency: Latency | None = Field(default=None, description="Of answers that this run waited for.")
    adjust: Literal["holm", "bh", "none"] = Field(
        default="holm", description="How p-values of comparisons made together are adjusted."
    )
    level: Annotated[Number, Field(gt=0, le=0.9999)] | None = Field(
        default=None, description="Confidence level of comparisons; without it, the config's."
    )
    sequential: Flag | Sequential = Field(
        default=False,
        description="Ask rows in random order, and stop as soon as every rule about scores is settled; or {look_every: "
        "20}.",
    )
    certain: Flag = Field(
        default=False, description="Ask for certainty: what the data cannot tell ends with exit code 5."
    )

    @model_validator(mode="before")
    @classmethod
    def _named_scorers(cls, given: Any) -> Any:
        """Move keys that are no setting of the gate under ``scorers``: they name scorers."""
        if not isinstance(given, Mapping):
            return given
        own = {field.alias or name for name, field in cls.model_fields.items()}
        named = {key: rule for key, rule in given.items() if key not in own and isinstance(rule, (Mapping, Rule))}
        if not named:
            return given
        rest = {key: value for key, value in given.items() if key not in named}
        listed = rest.get("scorers") or {}
        if not isinstance(listed, Mapping):
            return given
        twice = [str(name) for name in named if name in listed]
        if twice:
            raise wrong(f"{', '.join(twice)} stands in 'scorers' and beside it: write its rules in one place")
        return {**rest, "scorers": {**listed, **named}}

    @property
    def stops(self) -> Sequential | None:
        """How asking stops early; None where every row is asked."""
        if isinstance(self.sequential, Sequential):
            return self.sequential
        return Sequential() if self.sequential else None

    @property
    def names_drops(self) -> bool:
        """Whether any rule about all rows says how much drop is put up with; one about a part of them says nothing."""
        rules = [*self.scorers.values(), *([self.every] if self.every else [])]
        return any(rule.max_drop is not None for rule in rules)
