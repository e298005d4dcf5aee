"""Where people's labels are: fields of the rows, or a file of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from llmkit import registry
from llmkit.config.section import Section, Text, wrong

Label = str | float


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _codes(value: Any) -> Any:
    """Return a mapping of labels with its keys as text: YAML reads ``1: a`` and ``yes: 1`` with keys of other kinds."""
    if not isinstance(value, Mapping):
        return value
    return {str(key).lower() if isinstance(key, bool) else str(key): item for key, item in value.items()}


def _label(value: Any) -> Any:
    if isinstance(value, bool):
        return float(value)
    return float(value) if isinstance(value, int) else value


Codes = Annotated[dict[str, Annotated[Label, BeforeValidator(_label)]], BeforeValidator(_codes)]


class Human(Section):
    """People's labels of rows."""

    field: Annotated[tuple[Text, ...], BeforeValidator(_listed)] = Field(
        default=(), description="The row's field with the label; a list of fields where several people labelled."
    )
    file: Text | None = Field(
        default=None, description="A JSONL, CSV or TSV file with labels, relative to the folder of this config."
    )
    id: Text = Field(default="id", description="The file's field with the id of the row.")
    label: Text = Field(default="label", description="The file's field with the label.")
    annotator: Text = Field(
        default="annotator", description="The file's field that says who gave the label, where there is one."
    )
    stratum: Text = Field(
        default="stratum", description="The file's field with the stratum the row was drawn from, where there is one."
    )
    reason: Text | None = Field(
        default=None, description="The row's field, or the file's, with the reason that people gave."
    )
    values: Codes = Field(
        default_factory=dict, description="What labels stand for: {'yes': 1, 'no': 0}. Others stay as they are."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Human:
        if bool(self.field) == (self.file is not None):
            raise wrong("give 'field' (of the rows) or 'file' (of labels), one of the two")
        return self


def _human(value: Any) -> Any:
    if isinstance(value, (str, list)):
        return {"field": value}
    if isinstance(value, (Mapping, Human)):
        return value
    raise wrong(f"expected a field, a list of fields or a mapping, got {registry.shown(value)}")


Labelled = Annotated[Human, BeforeValidator(_human)]


class HumanOf(Section):
    """People's labels for the judges of an evaluation."""

    judges: dict[str, Labelled] = Field(
        default_factory=dict,
        description="For each judge, by the name its scores are listed under, where its labels are.",
    )
    width: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Half-width of the interval that is wanted; the report says how many labels it takes."
    )


def _human_of(value: Any) -> Any:
    """Return the labels of all judges; those of one judge alone are told without its name."""
    if isinstance(value, Mapping) and "judges" in value:
        return value
    if isinstance(value, Mapping):
        rest = {key: item for key, item in value.items() if key != "width"}
        return {"judges": {"": rest}, **({"width": value["width"]} if "width" in value else {})}
    return value if isinstance(value, HumanOf) else {"judges": {"": value}}


LabelledJudges = Annotated[HumanOf, BeforeValidator(_human_of)]
