"""The eval config as a model: strict, frozen, and the one place where its keys are described.

The descriptions are read by `llmkit.config.schema`, so an editor shows them while the user types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from llmkit import registry
from llmkit.config.config_file import ConfigFile, Name
from llmkit.config.engine_config import EngineConfig
from llmkit.config.ensemble import Ensemble, earlier_run
from llmkit.config.gate import Gate
from llmkit.config.human import LabelledJudges
from llmkit.config.section import Flag, Number, Raw, Section, Text, Whole, listed_text, wrong

NOTHING = "nothing to score"


class Take(Section):
    """A random part of the rows."""

    n: Annotated[Whole, Field(ge=1)] = Field(description="How many rows to draw.")
    seed: Annotated[Whole, Field(ge=0)] = Field(default=0, description="The same seed draws the same rows.")


class Cut(Section):
    """A text of the file that holds several values."""

    field: Text = Field(description="The field of the file.")
    split: Text = Field(description="What stands between the values.")


class DatasetConfig(Section):
    """Where rows come from. A text alone is the path."""

    path: Text | None = Field(default=None, description="A file, relative to the folder of this config.")
    hf: Text | None = Field(default=None, description="A dataset of the Hugging Face hub, or a local folder of one.")
    format: (
        Literal["jsonl", "json", "csv", "tsv", "parquet", "qrels", "mmlu", "truthfulqa", "commonsenseqa", "aqua", "arc"]
        | None
    ) = Field(
        default=None,
        description="How the file is written; without it, the suffix says. Or the name of a multiple-choice set.",
    )
    split: Text | None = Field(default=None, description="Split of a Hugging Face dataset.")
    name: Text | None = Field(default=None, description="Configuration of a Hugging Face dataset.")
    revision: Text | None = Field(default=None, description="Commit, tag or branch of a Hugging Face dataset.")
    fields: dict[Text, Text | tuple[Text, ...] | Cut] = Field(
        default_factory=dict,
        description="Where the file holds each field of a row: 'input: question'. A list of fields makes one list of "
        "their values; {field: answers, split: ';'} cuts a text.",
    )
    where: Text | None = Field(default=None, description="Keep only rows for which this is true: 'lang == \"en\"'.")
    limit: Annotated[Whole, Field(ge=1)] | None = Field(default=None, description="Read at most this many rows.")
    sample: Take | None = Field(default=None, description="Draw this many rows at random, their order kept.")
    skip_bad_rows: Flag = Field(default=False, description="Leave bad rows out and count them, instead of stopping.")

    @model_validator(mode="after")
    def _one_source(self) -> DatasetConfig:
        if (self.path is None) == (self.hf is None):
            raise wrong("give 'path' (a file) or 'hf' (a Hugging Face dataset), one of the two")
        if self.hf is None:
            strange = [name for name in ("split", "name", "revision") if getattr(self, name) is not None]
            if strange:
                raise wrong(f"'{strange[0]}' is for Hugging Face datasets: it needs 'hf' in the place of 'path'")
        return self

    @property
    def source(self) -> dict[str, Any]:
        """The mapping that `llmkit.datasets.open_dataset` takes: only what was given."""
        return self.model_dump(exclude_none=True, exclude_defaults=True)


def _dataset(value: Any) -> Any:
    if isinstance(value, str):
        return {"path": value}
    if isinstance(value, (Mapping, DatasetConfig)):
        return value
    raise wrong(f"expected a file name or a mapping, got {registry.shown(value)}")


Rows = Annotated[DatasetConfig, BeforeValidator(_dataset)]


class Message(Section):
    """One message of a chat prompt."""

    role: Literal["system", "developer", "user", "assistant"] = Field(description="Who speaks.")
    content: Text = Field(description="What is said; a template, as a prompt is.")


class FewShot(Section):
    """Worked examples that are put before the question."""

    n: Annotated[Whole, Field(ge=0)] = Field(description="How many examples.")
    from_: Rows | None = Field(
        default=None, alias="from", description="Where they come from; without it, from the other rows of the eval set."
    )
    pick: Literal["first", "random"] = Field(
        default="first", description="The first ones, or drawn by the seed; every row is shown the same ones."
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(default=0, description="The same seed picks the same examples.")

    @property
    def source(self) -> dict[str, Any]:
        """Where the examples come from, for `llmkit.datasets.open_dataset`."""
        assert self.from_ is not None  # loading fills it in
        return self.from_.source


class Choice(Section):
    """Multiple choice, asked as the programs of the field ask it."""

    rules: Annotated[
        tuple[Literal["original", "helm", "harness", "harness_continuation", "harness_2023"], ...], Field(min_length=1)
    ] = Field(
        default=("original", "helm", "harness"),
        description="Whose prompts and decisions; each row is asked by every rule, and the first gives the answer.",
    )
    shots: Annotated[Whole, Field(ge=0)] = Field(
        default=0, description="How many worked examples; the first ones of the row's subject."
    )
    from_: Rows | None = Field(default=None, alias="from", description="Where the worked examples come from.")
    subject: Text = Field(default="subject", description="Row field with the subject, which prompts name.")
    unconditional: Flag = Field(
        default=False,
        description="Ask too how likely each answer is without the question, as the normalisation by PMI needs.",
    )

    @model_validator(mode="after")
    def _whole(self) -> Choice:
        if (self.shots > 0) != (self.from_ is not None):
            raise wrong("give 'shots' and 'from' together: how many worked examples, and the set they come from")
        if len(set(self.rules)) < len(self.rules):
            raise wrong("a rule is listed twice in 'rules'")
        return self

    @property
    def source(self) -> dict[str, Any]:
        """Where the examples come from, for `llmkit.datasets.open_dataset`."""
        return {} if self.from_ is None else self.from_.source


class EvalConfig(ConfigFile):
    """One evaluation: which rows, asked of what, scored how."""

    name: Name = Field(
        description="Name of the evaluation and of its run folders: letters, digits, '.', '_' and '-'. "
        "Without it, the file's name."
    )
    dataset: Rows = Field(description="The eval set: a file, or a mapping with more to say.")
    prompt: Text | tuple[Message, ...] | None = Field(
        default=None, description="Template of the question, messages of a chat, or a file. Without it, the input."
    )
    few_shot: FewShot | None = Field(default=None, description="Worked examples put before the question.")
    ask: Literal["answer", "references", "choices"] = Field(
        default="answer",
        description="What the target is asked for: an answer, or the log-likelihood of each of the row's references or "
        "choices (the answer is then the likeliest choice).",
    )
    choice: Choice | None = Field(
        default=None, description="Ask multiple choice as MMLU's programs do, in the place of 'prompt' and 'few_shot'."
    )
    target: Raw | None = Field(default=None, description="The system under test: a provider and its arguments.")
    ensemble: Ensemble | None = Field(default=None, description="Several systems that answer together, in its place.")
    metrics: tuple[Raw, ...] = Field(default=(), description="What scores the answers without asking anyone.")
    judges: tuple[Raw, ...] = Field(default=(), description="What scores the answers by asking a model.")
    judge_model: Raw | None = Field(
        default=None, description="The model that judges ask where they name none: a provider, as a target."
    )
    forbid_self_judging: Flag = Field(
        default=False, description="Refuse a judge of the target's own model or family, instead of warning."
    )
    human: LabelledJudges | None = Field(
        default=None,
        description="People's labels of some rows, by which a judge's mean is corrected: a field, or {file: ...}; of "
        "several judges {judges: {NAME: ...}}.",
    )
    perturb: tuple[Raw, ...] = Field(
        default=(), description="Rewordings by which each row is asked once more, to see what they cost."
    )
    repeats: Annotated[Whole, Field(ge=1)] = Field(default=1, description="How often each row is asked.")
    slices: tuple[Text, ...] = Field(default=(), description="Row fields to break results down by.")
    cluster: Text | None = Field(
        default=None, description="Row field whose equal values mark samples that are not independent."
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(default=0, description="Seed of everything that is drawn.")
    level: Annotated[Number, Field(gt=0, le=0.9999)] = Field(
        default=0.95, description="Confidence level of the intervals."
    )
    gate: Gate = Field(default_factory=Gate, description="What must hold for the run to be good.")
    engine: EngineConfig = Field(default_factory=EngineConfig, description="How requests are sent.")
    prices: Annotated[tuple[Text, ...], BeforeValidator(listed_text)] = Field(
        default=(), description="Price files that add to the built-in prices, or replace them."
    )
    plugins: tuple[Text, ...] = Field(
        default=(), description="Python files with metrics, perturbations and providers of your own."
    )
    out: Text = Field(default="runs", description="Folder for run folders, relative to the working directory.")

    @model_validator(mode="after")
    def _something_to_score(self) -> EvalConfig:
        if not self.metrics and not self.judges:
            raise wrong(f"{NOTHING}: give 'metrics', 'judges' or both")
        return self

    @model_validator(mode="after")
    def _one_subject(self) -> EvalConfig:
        if self.target is not None and self.ensemble is not None:
            raise wrong("'target' and 'ensemble' do not go together: make the target one of the ensemble's members")
        return self

    @property
    def dataset_source(self) -> dict[str, Any]:
        """The eval set, as `llmkit.datasets.open_dataset` takes it."""
        return self.dataset.source

    def resolved(self) -> dict[str, Any]:
        """Return the whole config as plain data, every default and every plug-in argument written out."""
        plain = super().resolved()
        if self.target is not None:
            plain["target"] = registry.explicit("providers", self.target)
        if self.ensemble is not None:
            plain["ensemble"]["members"] = {
                name: written if earlier_run(written) else registry.explicit("providers", written)
                for name, written in self.ensemble.members.items()
            }
        plain["metrics"] = [registry.explicit("metrics", written) for written in self.metrics]
        plain["judges"] = [registry.explicit("judges", written) for written in self.judges]
        if self.judge_model is not None:
            plain["judge_model"] = registry.explicit("providers", self.judge_model)
        plain["perturb"] = [registry.explicit("perturbations", written) for written in self.perturb]
        return plain
