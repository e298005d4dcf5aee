"""Rows reworded: each perturbation's version of a row, with an id of its own, asked right after the row itself."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from llmkit import registry
from llmkit._version import __version__
from llmkit.config import EvalConfig
from llmkit.errors import ConfigError, DataError, Problem
from llmkit.hashing import digest
from llmkit.prompts import Template
from llmkit.protocols import Perturbation
from llmkit.types import Message, Sample

MARK = "~"
"""Between a row's id and the perturbation, in the id of a reworded row."""

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Variants:
    """The perturbations of a run.

    Attributes:
        perturbations: By canonical spec, in the order of the config.
        seed: Of everything they draw.
        counts: For each, how many rows it changes; known once the eval set was read.
    """

    perturbations: Mapping[str, Perturbation] = field(default_factory=dict)
    seed: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)

    def of(self, sample: Sample) -> Iterator[Sample]:
        """Yield the versions of a row that are asked otherwise than the row; one that stays as it was is left out.

        What is drawn depends on nothing but the seed, the perturbation and the row's id.
        """
        for name, perturbation in self.perturbations.items():
            rng = random.Random(int(digest([self.seed, name, sample.id]), 16))  # noqa: S311 - drawn, not secret
            made = _reworded(sample, perturbation, rng)
            if _asked(made) != _asked(sample):
                yield replace(made, id=f"{sample.id}{MARK}{name}", perturbation=name, original=sample)

    @property
    def rows(self) -> int:
        """How many rows are asked beside those of the set."""
        return sum(self.counts.values())

    @property
    def subject(self) -> dict[str, Any]:
        """What a manifest says of them; nothing where there are none."""
        return {"perturb": list(self.perturbations)} if self.perturbations else {}

    @property
    def signatures(self) -> dict[str, str]:
        """For each perturbation everything that makes its rows, on one line, as a metric's signature does."""
        return {
            name: "|".join([name, *_settings(one), f"impl:{_implementation(one)}", f"seed:{self.seed}"])
            for name, one in self.perturbations.items()
        }

    @property
    def files(self) -> list[Path]:
        """Files whose content decides what they make of a row."""
        return [Path(file) for one in self.perturbations.values() for file in getattr(one, "files", ())]

    def meant(self, sample: Sample) -> Sample:
        """Return a row as a judge is to read it: in its own words, unless rewording changed what is meant.

        A judge that stumbled over typos itself would blame the system for it.
        """
        if sample.original is None or getattr(self.perturbations[sample.perturbation], "whole_row", False):
            return sample
        return replace(sample, input=sample.original.input)

    def with_counts(self, samples: Iterable[Sample], source: str) -> Variants:
        """Return the same with `counts`, from one reading of the eval set.

        Raises:
            DataError: a row has the id that another one would have reworded, or no row is changed by anything.
        """
        if not self.perturbations:
            return self
        counts = Counter(dict.fromkeys(self.perturbations, 0))
        clashes: list[Problem] = []
        rows = 0
        for sample in samples:
            rows += 1
            clash = next((name for name in self.perturbations if sample.id.endswith(f"{MARK}{name}")), None)
            if clash is not None and len(clashes) < _SHOWN:
                message = f"the id '{sample.id}' ends as those of rows that are perturbed by '{clash}'"
                clashes.append(Problem(message, file=source, line=sample.line, hint="rename the row"))
            counts.update(variant.perturbation for variant in self.of(sample))
        if clashes:
            raise DataError(problems=clashes)
        if not counts.total():
            message = f"not one of {rows:,} rows is changed by {', '.join(self.perturbations)}"
            raise DataError(problems=[Problem(message, file=source, hint="remove 'perturb', or choose others")])
        return replace(self, counts=dict(counts))


def build_variants(cfg: EvalConfig, problems: list[Problem]) -> Variants:
    """Return the perturbations of a config; what is wrong goes to ``problems``."""
    built: dict[str, Any] = {}
    for position, written in enumerate(cfg.perturb):
        key = f"perturb[{position}]"
        try:
            plugin, name = registry.build("perturbations", written, base=cfg.base, key=key)
        except ConfigError as error:
            problems += error.problems
            continue
        if name in built:
            problems.append(Problem(f"the perturbation '{name}' is listed twice", key=key, hint="remove one"))
        built[name] = plugin
    return Variants(built, cfg.seed)


def perturb_problems(cfg: EvalConfig, variants: Variants, target: Any, template: Template | None) -> Iterator[Problem]:
    """Yield why this target cannot be asked reworded questions, or would not see that they are."""
    if not variants.perturbations:
        return
    if getattr(target, "reads_output", False) or hasattr(target, "matched"):
        message = "answers that were recorded are answers to the rows as they are: 'perturb' needs a target to ask"
        yield Problem(message, key="perturb", hint="remove 'perturb', or name another target")
    whole = any(getattr(one, "whole_row", False) for one in variants.perturbations.values())
    changed = ("input", "messages", "contexts", "choices") if whole else ("input", "messages")
    if template is not None and cfg.prompt is not None and not template.shows(*changed):
        message = "'perturb' changes the row's input, and the prompt does not show it"
        yield Problem(message, key="prompt", hint="write {{ input }} where the question stands")


def _settings(perturbation: Any) -> list[str]:
    values = {f.name: getattr(perturbation, f.name) for f in fields(perturbation) if f.init}
    return [f"{name}:{'none' if value is None else value}" for name, value in values.items()]


def _implementation(perturbation: Any) -> str:
    module = type(perturbation).__module__
    return f"llmkit-{__version__}" if module.startswith("llmkit.") else type(perturbation).__name__


def _asked(sample: Sample) -> tuple[Any, ...]:
    """Return all that a target may see and a perturbation may change."""
    return sample.input, sample.turns, sample.contexts, sample.choices


def _reworded(sample: Sample, perturbation: Perturbation, rng: random.Random) -> Sample:
    perturb_all = getattr(perturbation, "perturb_all", None)
    if perturb_all is None or not getattr(perturbation, "whole_row", False):
        return replace(sample, input=_last_question(sample.input, perturbation, rng))
    texts = list(_texts(sample))
    found = perturb_all(texts, rng)
    return _with_texts(sample, iter(found))


def _last_question(
    asked: str | tuple[Message, ...], perturbation: Perturbation, rng: random.Random
) -> str | tuple[Message, ...]:
    """Return the input with its text, or the text of its last user message, perturbed; pictures and the like stay."""
    if isinstance(asked, str):
        return perturbation.perturb(asked, rng)
    last = next((place for place in reversed(range(len(asked))) if asked[place].get("role") == "user"), None)
    if last is None:
        return asked
    texts = iter([perturbation.perturb(text, rng) for text in _texts_of(asked[last])])
    return (*asked[:last], _with_content(asked[last], texts), *asked[last + 1 :])


def _texts(sample: Sample) -> Iterator[str]:
    """Yield every text of a row that says something about its people and things, in the order of `_with_texts`."""
    if isinstance(sample.input, str):
        yield sample.input
    else:
        for message in sample.input:
            yield from _texts_of(message)
    for texts in (sample.turns, sample.contexts, sample.choices, sample.references):
        yield from texts


def _with_texts(sample: Sample, texts: Iterator[str]) -> Sample:
    whole = sample.input
    found = next(texts) if isinstance(whole, str) else tuple(_with_content(message, texts) for message in whole)
    turns, contexts, choices, references = (
        tuple(next(texts) for _ in own) for own in (sample.turns, sample.contexts, sample.choices, sample.references)
    )
    answer = sample.answer
    if isinstance(answer, str) and answer in sample.choices:
        answer = choices[sample.choices.index(answer)]
    return replace(
        sample,
        input=found,
        turns=turns,
        contexts=contexts,
        choices=choices,
        references=references,
        answer=answer,
    )


def _texts_of(message: Message) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    elif isinstance(content, Sequence):
        yield from (part["text"] for part in content if _is_text(part))


def _with_content(message: Message, texts: Iterator[str]) -> Message:
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": next(texts)}
    if isinstance(content, Sequence):
        return {**message, "content": [{**part, "text": next(texts)} if _is_text(part) else part for part in content]}
    return message


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and isinstance(part.get("text"), str)
