"""The part of an eval config that says how several targets answer together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from llmkit.config.section import Number, Raw, Section, Text, Whole, wrong


class Ensemble(Section):
    """Several targets that answer together, in the place of one."""

    members: Annotated[dict[Text, Raw], Field(min_length=1)] = Field(
        description="Name of each member: a target, written as 'target' is, or {run: FOLDER}, an earlier run's answers."
    )
    combine: Literal["majority", "weighted", "stacking"] = Field(
        default="majority",
        description="majority: the answer that most members give. weighted: each vote counts as much as its weight. "
        "stacking: a logistic regression over the members' label scores, fitted on other rows.",
    )
    weights: dict[Text, Annotated[Number, Field(ge=0)]] | Literal["accuracy"] | None = Field(
        default=None,
        description="Of 'combine: weighted': a number for each member, or 'accuracy', the member's own on other rows.",
    )
    vote: Literal["text", "number", "label"] | None = Field(
        default=None,
        description="What answers are compared by: the normalised text, the last number, or the last known label in "
        "it. Without it: the label where 'labels' are given, else the text.",
    )
    labels: tuple[Text, ...] = Field(default=(), description="The known labels; without them, the choices of the row.")
    extract: Text | None = Field(
        default=None, description="A regular expression; its first match in an answer is read in place of the whole."
    )
    normalise: Text | tuple[Text, ...] = Field(
        default="label", description="Named normalisations of answers and labels before they are compared."
    )
    ties: Literal["first", "random"] = Field(
        default="first",
        description="Of several answers with most votes, the one of the member that is listed first wins, or one that "
        "the seed draws.",
    )
    folds: Annotated[Whole, Field(ge=2)] = Field(
        default=5, description="Parts of the rows; what combines one part is learnt from the others."
    )

    @model_validator(mode="after")
    def _fits(self) -> Ensemble:
        found = " Further: ".join(self._problems())
        if found:
            raise wrong(found)
        return self

    def _problems(self) -> Iterator[str]:
        if (self.combine == "weighted") != (self.weights is not None):
            yield "'weights' and 'combine: weighted' go together: give both, or neither"
        if isinstance(self.weights, dict):
            strangers = [name for name in self.weights if name not in self.members]
            lacking = [name for name in self.members if name not in self.weights]
            if strangers or lacking:
                culprit = f"'{strangers[0]}' is no member" if strangers else f"'{lacking[0]}' has none"
                yield f"'weights' needs one number for each member, and {culprit}"
            elif not any(self.weights.values()):
                yield "'weights' are all 0, so that no vote would count"
        if self.combine == "stacking" and self.vote == "number":
            yield "'combine: stacking' chooses among labels, and numbers are none; write vote: label or vote: text"
        if self.labels and self.vote not in {None, "label"}:
            yield f"'labels' have no meaning for 'vote: {self.vote}'; leave them out, or write vote: label"

    @property
    def votes_by(self) -> Literal["text", "number", "label"]:
        """What answers are compared by."""
        return self.vote or ("label" if self.labels else "text")

    @property
    def learns(self) -> bool:
        """Whether rows teach how members are combined, so that each row must be combined by what others teach."""
        return self.combine == "stacking" or self.weights == "accuracy"

    @property
    def settings(self) -> dict[str, Any]:
        """How members are combined, without who they are; what their signature says."""
        found: dict[str, Any] = {"members": list(self.members)}
        if self.combine == "weighted":
            found["weights"] = self.weights
        found |= {"vote": self.votes_by, "normalise": self.normalise}
        found |= {name: value for name in ("labels", "extract") if (value := getattr(self, name))}
        if self.combine != "stacking":
            found["ties"] = self.ties
        return found | ({"folds": self.folds} if self.learns else {})


def earlier_run(member: Any) -> str | None:
    """Return the run folder that a member of an ensemble names; None where it is a target."""
    if isinstance(member, Mapping) and set(member) == {"run"} and isinstance(member["run"], str):
        return str(member["run"])
    return None
