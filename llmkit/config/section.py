"""What the parts of a config are made of: strict values, and the base of every section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AllowInfNan, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, Strict
from pydantic_core import PydanticCustomError

from llmkit import registry

Text = Annotated[str, Strict(), Field(min_length=1), BeforeValidator(registry.whole_as_text)]
FileName = Annotated[str, Strict(), Field(min_length=1)]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), AllowInfNan(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]


def wrong(message: str) -> PydanticCustomError:
    """Return an error to raise in a validator: the sentence alone, as a user reads it."""
    return PydanticCustomError("llmkit", "{sentence}", {"sentence": message})


def listed_text(value: Any) -> Any:
    """Return one text as a list of one; other values as they are. A validator to put before a list of texts."""
    return [value] if isinstance(value, str) else value


def _spec(value: Any) -> Any:
    if isinstance(value, (str, Mapping)):
        return value
    raise wrong(f"expected a name, or a mapping of a name to its arguments, got {registry.shown(value)}")


Raw = Annotated[str | Mapping[str, Any], PlainValidator(_spec)]
"""A plug-in spec as the user wrote it; the registry checks the rest."""


class Section(BaseModel):
    """What every part of a config shares: unknown keys are errors, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)
