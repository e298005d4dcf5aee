"""Scores and probabilities of labels: where a row has them, and what they must be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from llmkit.errors import ConfigError, Problem
from llmkit.metrics._json_answer import NOT_JSON, json_answer
from llmkit.metrics._label_tokens import label_probabilities
from llmkit.metrics._labels import Extract, LabelFields, letter
from llmkit.text.normalise import normaliser
from llmkit.types import Output, Sample, Skipped

Scores: TypeAlias = float | dict[str, float]
"""What a row holds: one number, or a number for each label."""

TRUE = ("1", "true", "yes")
FALSE = ("0", "-1", "false", "no")
ROUNDED = 0.01
"""Probabilities that were rounded before they were written need not sum to 1 exactly; this far off is forgiven."""

POSITIVE, NEGATIVE = "positive", "negative"

WHICH = Skipped("one number a row needs positive=LABEL, the label whose score it is")
NO_NUMBERS = Skipped("there is neither a number nor a number for each label where source and key look")
NO_POSITIVE = Skipped("the positive label is none of the labels of the row")
NEITHER = Skipped("the gold label is neither 1, true or yes nor 0, false or no: give positive=LABEL")


@dataclass(frozen=True)
class ScoreFields:
    """Where scores of labels come from; every metric of scores has these fields.

    The gold label is the sample's ``answer`` (an index into ``choices``, or a label), else its first reference. Known
    labels are ``labels``, else the sample's choices. A row has either one number, the score of the positive label, or a
    number for each label: a mapping, or a list in the order of the labels.

    Attributes:
        positive: The label whose score a single number is. Empty: gold 1, true and yes are positive, and 0, -1, false
            and no are not.
        source: Where the scores are. ``output``: the output is a number. ``json``: in the output's JSON, at ``key``.
            ``meta``: in the row's field ``key``. ``logprobs``: the log-probabilities of the token that begins the
            label, and of its alternatives, renormalised over the known labels. ``loglikelihoods``: of the choices,
            through a softmax.
        key: Field of the output's JSON or of the row; dots reach inside. Empty: the JSON itself.
        labels: The known labels; empty means the choices of the row.
        per: For ``loglikelihoods``: take that of the whole ``choice``, or divide it by its tokens first.
        normalise: Named normalisations before labels are compared.
    """

    positive: str = ""
    source: str = "output"
    key: str = ""
    labels: tuple[str, ...] = ()
    per: Literal["choice", "token"] = "choice"
    normalise: str | tuple[str, ...] = "label"

    _label: LabelFields = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = list(self.problems())
        try:
            object.__setattr__(self, "_label", LabelFields(self.labels, self.extraction, self.normalise))
        except ConfigError as error:
            problems.extend(error.problems)
        else:
            if self.labels and self.positive and self._label.label(self.positive) not in self.labels:
                problems.append(Problem(f"positive: {self.positive!r} is none of the labels"))
        if problems:
            raise ConfigError(problems=problems)

    @property
    def extraction(self) -> Extract:
        """How a predicted label is read; here none is."""
        return "exact"

    def problems(self) -> Sequence[Problem]:
        """Return what does not fit together in the fields; subclasses add theirs."""
        found = []
        if self.source == "meta" and not self.key:
            found.append(Problem("source=meta needs key=FIELD, the field of the row that holds the score"))
        if self.key and self.source not in {"meta", "json"}:
            found.append(Problem(f"key has no meaning for source={self.source}", hint="use source=json or source=meta"))
        if self.per == "token" and self.source != "loglikelihoods":
            found.append(Problem("per=token has a meaning for source=loglikelihoods only"))
        if self.source == "output" and self.labels and not self.positive:
            hint = "say positive=LABEL, or take scores of every label from json, meta, logprobs or loglikelihoods"
            found.append(
                Problem("an output that is one number is the score of one label, and it is not said which", hint=hint)
            )
        return found

    def name(self, text: str, sample: Sample) -> str | None:
        """Return the name under which a label is counted in a row; None where the row does not know it."""
        name = self._label.label(text)
        known = self._label.known(sample)
        return (name if name in self.labels else None) if self.labels else known.get(name) if known else name or None

    def scores(self, sample: Sample, output: Output) -> Scores | Skipped:
        """Return the number or numbers of a row as they are written; finite."""
        if self.source == "logprobs":
            return self._from_tokens(sample, output)
        if self.source == "loglikelihoods":
            return self._from_choices(sample, output)
        if self.source == "output":
            value: Any = output.text or ""
        elif self.source == "json":
            value = json_answer(output.text or "", "anywhere")
            if value is NOT_JSON:
                return Skipped("the output holds no JSON")
            value = dig(value, self.key)
        else:
            value = dig(sample.meta, self.key)
        return self._named(value, sample)

    def distribution(self, sample: Sample, output: Output) -> tuple[dict[str, float], str] | Skipped:
        """Return the probabilities of the labels, which sum to 1, and the gold label.

        One number p a row is the probability of ``positive``, and the two labels are `POSITIVE` and `NEGATIVE`. Of
        mappings the gold label may be missing: it then has probability 0.
        """
        gold, scores = self._label.gold(sample), self.scores(sample, output)
        if isinstance(gold, Skipped):
            return gold
        if isinstance(scores, Skipped):
            return scores
        if isinstance(scores, dict):
            probabilities = _summing_to_one(scores)
            return probabilities if isinstance(probabilities, Skipped) else (probabilities, gold)
        positive = self._positive(sample, gold, scores)
        if isinstance(positive, Skipped):
            return positive
        if not 0 <= scores <= 1:
            return Skipped("the probability is not between 0 and 1")
        return {POSITIVE: scores, NEGATIVE: 1 - scores}, POSITIVE if gold == positive else NEGATIVE

    def gold_and_score(self, sample: Sample, output: Output) -> tuple[float, float] | Skipped:
        """Return 1 where the gold label is the positive one, else 0, and the score of the positive label."""
        gold, scores = self._label.gold(sample), self.scores(sample, output)
        if isinstance(gold, Skipped):
            return gold
        if isinstance(scores, Skipped):
            return scores
        positive = self._positive(sample, gold, scores)
        if isinstance(positive, Skipped):
            return positive
        score = scores.get(positive) if isinstance(scores, dict) else scores
        return NO_POSITIVE if score is None else (float(gold == positive), score)

    def _positive(self, sample: Sample, gold: str, scores: Scores) -> str | Skipped:
        if self.positive:
            return self.name(self.positive, sample) or NO_POSITIVE
        if self.labels:
            return WHICH
        known = self._label.known(sample)
        if known:
            return next((known[word] for word in TRUE if word in known), WHICH)
        if gold not in TRUE and gold not in FALSE:
            return NEITHER
        if isinstance(scores, dict):
            return next((word for word in TRUE if word in scores), NO_POSITIVE)
        return gold if gold in TRUE else TRUE[0]

    def _named(self, value: Any, sample: Sample) -> Scores | Skipped:
        if isinstance(value, Sequence) and not isinstance(value, str):
            names = self._in_order(sample)
            if len(names) != len(value):
                return Skipped("the list of scores is not as long as the list of labels")
            pairs = list(zip(names, value, strict=True))
        elif isinstance(value, Mapping):
            pairs = [(self.name(str(key), sample), item) for key, item in value.items()]
        else:
            number = as_number(value)
            return NO_NUMBERS if number is None else number
        found: dict[str, float] = {}
        for name, item in pairs:
            number = as_number(item)
            if number is None:
                return NO_NUMBERS
            if name is None or name in found:
                return Skipped("a score belongs to none of the known labels, or two belong to one")
            found[name] = number
        return found or NO_NUMBERS

    def _in_order(self, sample: Sample) -> list[str | None]:
        if self.labels:
            return [self.name(choice, sample) for choice in sample.choices] or list(self.labels)
        return [letter(index) for index in range(len(sample.choices))]

    def _from_tokens(self, sample: Sample, output: Output) -> Scores | Skipped:
        known = self._label.known(sample)
        if not known:
            return Skipped("source=logprobs needs known labels: give labels, or choices in the row")
        tokens = output.response.logprobs if output.response else ()
        return label_probabilities(tokens, known, normaliser(self.normalise))

    def _from_choices(self, sample: Sample, output: Output) -> Scores | Skipped:
        found = output.response.loglikelihoods if output.response else ()
        names = self._in_order(sample)
        if not found or len(found) != len(names):
            return Skipped("the response has no log-likelihood of each choice: let the config say ask: choices")
        if None in names:
            return Skipped("a choice of the row is none of the labels")
        lengths = [max(one.tokens, 1) if self.per == "token" else 1 for one in found]
        logs = [one.logprob / length for one, length in zip(found, lengths, strict=True)]
        top = max(logs)
        if not math.isfinite(top):
            return Skipped("the log-likelihoods of the choices are not finite")
        shares = dict.fromkeys((name for name in names if name is not None), 0.0)
        for name, log in zip(names, logs, strict=True):
            shares[str(name)] += math.exp(log - top)
        total = sum(shares.values())
        return {name: share / total for name, share in shares.items()}


@dataclass(frozen=True)
class LabelScores(ScoreFields):
    """Scores of labels, for metrics that rank rows or rate probabilities; the fields are those of `ScoreFields`."""

    source: Literal["output", "json", "meta", "logprobs", "loglikelihoods"] = "output"


def _summing_to_one(scores: dict[str, float]) -> dict[str, float] | Skipped:
    total = sum(scores.values())
    if min(scores.values()) < 0 or abs(total - 1) > ROUNDED:
        return Skipped("the numbers of the labels are no probabilities: below 0, or not summing to 1")
    return {name: score / total for name, score in scores.items()}


def as_number(value: Any) -> float | None:
    """Return a finite number, or a text that is one and nothing else (``0.9``, ``90%``); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        scale = 0.01 if text.endswith("%") else 1.0
        try:
            number = float(text.removesuffix("%")) * scale
        except ValueError:
            return None
    elif isinstance(value, (int, float)):
        number = float(value)
    else:
        return None
    return number if math.isfinite(number) else None


def dig(value: Any, path: str) -> Any:
    """Return what lies at a dotted path in nested mappings, or None; a name that itself has dots goes first."""
    if not path:
        return value
    if not isinstance(value, Mapping):
        return None
    if path in value:
        return value[path]
    head, dot, rest = path.partition(".")
    return dig(value.get(head), rest) if dot else None
