"""The audit config as a model: which verdicts, against which people's labels, probed how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from llmkit import registry
from llmkit.config.config_file import ConfigFile, Name
from llmkit.config.engine_config import EngineConfig
from llmkit.config.eval_config import Rows
from llmkit.config.human import Codes, Labelled
from llmkit.config.section import Flag, Number, Raw, Section, Text, Whole, listed_text, wrong

GATED = (
    "accuracy",
    "kappa",
    "kappa_linear",
    "kappa_quadratic",
    "ac1",
    "ac2_linear",
    "ac2_quadratic",
    "alpha_nominal",
    "alpha_ordinal",
    "alpha_interval",
    "pearson",
    "spearman",
    "kendall",
    "coverage",
)
"""What a gate may hold to a floor."""


class Recorded(Section):
    """Verdicts that lie in the rows."""

    field: Text = Field(description="The field with the verdict: a number, a label, or a list of repeated verdicts.")
    reason: Text | None = Field(default=None, description="The field with the judge's reason.")
    swapped: Text | None = Field(
        default=None,
        description="Of a comparison: the field with the verdict on the same two answers in the other order, written "
        "in the same words for the same answers.",
    )
    model: Text | None = Field(default=None, description="The model that judged; to find a liking for its own family.")
    values: Codes = Field(
        default_factory=dict, description="What verdicts stand for: {pass: 1, fail: 0}. Others stay as they are."
    )
    read: Literal["as_is", "number", "first_digit"] = Field(
        default="as_is",
        description="'number' reads the one number in what a judge wrote ('Rating: 3'); 1-3 is none. 'first_digit' "
        "reads the first digit after 'Rating:', as programs behind published figures do.",
    )


def _kind_of_judge(value: Any) -> str:
    return "recorded" if isinstance(value, Recorded) or (isinstance(value, Mapping) and "field" in value) else "judge"


Judging = Annotated[Annotated[Recorded, Tag("recorded")] | Annotated[Raw, Tag("judge")], Discriminator(_kind_of_judge)]


class Probes(Section):
    """Questions beyond the verdicts, to a judge that is run."""

    padding: Flag = Field(default=False, description="Judge answers again with a harmless padding at their end.")
    injection: Flag = Field(
        default=False,
        description="Judge answers again with hidden instructions to the judge in them, and with padding to compare.",
    )
    repeats: Annotated[Whole, Field(ge=1)] = Field(
        default=1, description="How often the same answer is judged in all, to see whether verdicts stay."
    )
    rows: Annotated[Whole, Field(ge=1)] = Field(default=200, description="How many rows are probed, drawn by the seed.")


class Bound(Section):
    """The least agreement that is good."""

    min: Annotated[Number, Field(ge=-1, le=1)] = Field(description="The least value that is good.")
    certain: Flag = Field(default=False, description="Whether the lower end of the interval must reach it.")


class AuditConfig(ConfigFile):
    """One audit: a judge's verdicts against people's labels."""

    name: Name = Field(
        description="Name of the audit and of its run folders: letters, digits, '.', '_' and '-'. Without it, the "
        "file's name."
    )
    dataset: Rows = Field(description="The rows: a file, or a mapping with more to say.")
    judge: Judging = Field(
        description="{field: ...} for verdicts that lie in the rows; or a judge, which judges the recorded outputs."
    )
    judge_model: Raw | None = Field(
        default=None, description="The model that the judge asks where it names none: a provider, as a target."
    )
    human: Labelled = Field(
        description="People's labels: a field of the rows, a list of fields (several people), or {file: ...}."
    )
    scale: Literal["nominal", "ordinal", "interval"] | None = Field(
        default=None,
        description="Whether labels are names, steps in an order, or numbers; without it the labels tell, and the "
        "report says so.",
    )
    labels: tuple[Text, ...] = Field(
        default=(), description="All labels there are, lowest first; any other verdict is an error."
    )
    group: Text | None = Field(
        default=None, description="Row field with the document or question; agreement is also shown within groups."
    )
    system: Text | None = Field(default=None, description="Row field with the system that answered.")
    other: Text | None = Field(default=None, description="Of comparisons: the row field with the other answer.")
    slices: tuple[Text, ...] = Field(default=(), description="Row fields to break results down by.")
    cluster: Text | None = Field(
        default=None, description="Row field whose equal values mark rows that are not independent; else the group."
    )
    probes: Probes = Field(default_factory=Probes, description="What else a judge is asked that is run.")
    listed: Annotated[Whole, Field(ge=0)] = Field(default=20, description="How many disagreements are listed.")
    width: Annotated[Number, Field(gt=0)] | None = Field(
        default=None, description="Half-width of the interval that is wanted; the report says how many labels it takes."
    )
    gate: dict[str, Bound] = Field(
        default_factory=dict, description="The least agreement that is good: {kappa: {min: 0.6}}; else exit code 1."
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(default=0, description="Seed of everything that is drawn.")
    level: Annotated[Number, Field(gt=0, le=0.9999)] = Field(
        default=0.95, description="Confidence level of the intervals."
    )
    resamples: Annotated[Whole, Field(ge=100)] = Field(default=2000, description="Bootstrap resamples.")
    engine: EngineConfig = Field(default_factory=EngineConfig, description="How requests are sent.")
    prices: Annotated[tuple[Text, ...], BeforeValidator(listed_text)] = Field(
        default=(), description="Price files that add to the built-in prices, or replace them."
    )
    plugins: tuple[Text, ...] = Field(default=(), description="Python files with judges and providers of your own.")
    out: Text = Field(default="runs", description="Folder for run folders, relative to the working directory.")

    @field_validator("gate")
    @classmethod
    def _known_gates(cls, gate: dict[str, Bound]) -> dict[str, Bound]:
        for name in gate:
            if name not in GATED:
                hint = registry.did_you_mean(name, GATED, n=1)
                raise wrong(f"a gate holds no '{name}' ({hint})")
        return gate

    @model_validator(mode="after")
    def _fitting(self) -> AuditConfig:
        live = not isinstance(self.judge, Recorded)
        if not live and (self.probes.padding or self.probes.injection or self.probes.repeats > 1):
            raise wrong("probes ask a judge, and these verdicts are recorded; name a judge in the place of 'field'")
        if self.scale in {"ordinal", "interval"} and len(self.labels) == 1:
            raise wrong("one label alone is no scale")
        if len(set(self.labels)) < len(self.labels):
            raise wrong("a label is listed twice in 'labels'")
        return self

    @property
    def recorded(self) -> Recorded | None:
        """Where the verdicts are; None where a judge is run."""
        return self.judge if isinstance(self.judge, Recorded) else None

    def resolved(self) -> dict[str, Any]:
        """Return the whole config as plain data, every default and every plug-in argument written out."""
        plain: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude={"judge"})
        if self.recorded is None:
            plain["judge"] = registry.explicit("judges", self.judge)  # type: ignore[arg-type] # it is none that is recorded
        else:
            plain["judge"] = self.recorded.model_dump(mode="json")
        if self.judge_model is not None:
            plain["judge_model"] = registry.explicit("providers", self.judge_model)
        return plain
