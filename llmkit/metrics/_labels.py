"""Class labels: the gold one of a sample, and the one an output names."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from llmkit.errors import ConfigError, Problem
from llmkit.text.normalise import Normalise, normaliser
from llmkit.types import Output, Sample, Skipped

OTHER = "(other)"
"""What an output predicts that names no known label. Always wrong, never a class of its own."""

LONGEST = 200
"""A longer answer (characters) that is not the gold label itself is no label; it counts as `OTHER`."""

Extract = Literal["exact", "first", "last"]

NO_GOLD = Skipped("no gold label: the row has neither an answer nor a reference")


@dataclass(frozen=True)
class LabelFields:
    """How labels are read; every label metric has these fields.

    The gold label is the sample's ``answer`` (an index into ``choices``, or a label), else its first reference. Known
    labels are ``labels``, else the sample's choices, each known by its letter and by its text. Without either, the
    normalised output is the prediction, and the gold labels that occur in the rows are the known ones.

    Attributes:
        labels: The known labels, in the order in which reports list them. A gold label that is not among them skips
            its row, with the reason.
        extract: ``exact``: the whole output is a label. ``first``, ``last``: the first or last known label that stands
            in the output as a word. Among choices an upper-case letter that stands alone goes before a choice's text.
        normalise: Named normalisations of labels and outputs before they are compared (`llmkit.text.normalise`).
    """

    labels: tuple[str, ...] = ()
    extract: Extract = "exact"
    normalise: str | tuple[str, ...] = "label"

    _plain: Normalise = field(init=False, repr=False, compare=False)
    _known: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plain = normaliser(self.normalise)
        known: dict[str, str] = {}
        problems: list[Problem] = []
        for label in self.labels:
            name = plain(label)
            if not name or label == OTHER:
                problems.append(Problem(f"labels: {label!r} cannot be a label"))
            elif name in known:
                problems.append(Problem(f"labels: {known[name]!r} and {label!r} are the same label once normalised"))
            known[name] = label
        if problems:
            raise ConfigError(problems=problems)
        object.__setattr__(self, "_plain", plain)
        object.__setattr__(self, "_known", known)

    def label(self, text: str) -> str:
        """Return the name under which a label is counted: the spelling in ``labels``, else the normalised text."""
        name = self._plain(text)
        return self._known.get(name, name)

    def known(self, sample: Sample) -> Mapping[str, str]:
        """Return the known labels of a row, by normalised spelling; empty where every label is known."""
        return _names_of_choices(sample.choices, self._plain) if sample.choices and not self.labels else self._known

    def gold(self, sample: Sample) -> str | Skipped:
        """Return the gold label under the name it is counted by, or why there is none."""
        gold = gold_text(sample)
        if isinstance(gold, Skipped):
            return gold
        if sample.choices and not self.labels and isinstance(sample.answer, int):
            return letter(sample.answer)
        known = self.known(sample)
        name = self._plain(gold)
        if known:
            return known.get(name) or Skipped("the gold label is none of the known labels")
        return name if name and name != OTHER else Skipped("the gold label is empty")

    def gold_and_predicted(self, sample: Sample, output: Output) -> tuple[str, str] | Skipped:
        """Return the gold label and the predicted one, or why there is no gold label."""
        gold = self.gold(sample)
        if isinstance(gold, Skipped):
            return gold
        known, text = self.known(sample), output.text or ""
        if known:
            return gold, self._predicted(text, known, sample.choices if not self.labels else ())
        if self.extract != "exact":
            return Skipped(f"extract={self.extract} needs known labels: give labels, or choices in the row")
        predicted = self._plain(text)
        if not predicted or (len(predicted) > LONGEST and predicted != gold):
            predicted = OTHER
        return gold, predicted

    def _predicted(self, text: str, known: Mapping[str, str], choices: Sequence[str]) -> str:
        plain = self._plain(text)
        found = known.get(plain)
        if found is None and choices:
            found = _letter_and_text(text, known, self._plain)
        if found is None and self.extract != "exact":
            last = self.extract == "last"
            found = (_letter(text, len(choices), last=last) if choices else None) or _mentioned(plain, known, last=last)
        return found or OTHER


def gold_text(sample: Sample) -> str | Skipped:
    """Return the gold label of a row as it is written, or why there is none."""
    answer = sample.answer
    if answer is None:
        return sample.references[0] if sample.references else NO_GOLD
    if isinstance(answer, int) and sample.choices:
        if 0 <= answer < len(sample.choices):
            return sample.choices[answer]
        return Skipped(f"answer {answer} is no index into {len(sample.choices)} choices")
    return str(answer)


@cache
def letter(index: int) -> str:
    """Return the letter of a choice, counted from 0: A to Z, then AA, AB..."""
    head, tail = divmod(index, 26)
    return (letter(head - 1) if head else "") + string.ascii_uppercase[tail]


def _names_of_choices(choices: Sequence[str], plain: Normalise) -> dict[str, str]:
    names = {plain(letter(index)): letter(index) for index in range(len(choices))}
    # A choice's text wins over another's letter; of two choices with one text the first wins.
    texts = {plain(choice): letter(index) for index, choice in reversed(list(enumerate(choices)))}
    texts.pop("", None)
    return names | texts


_LETTER_AND_TEXT = re.compile(r"\s*\(?([A-Za-z]{1,2})\s*[).:]\s*(\S.*)", re.DOTALL)


def _letter_and_text(text: str, known: Mapping[str, str], plain: Normalise) -> str | None:
    """Return the choice that is named both ways at once: ``B) Paris``."""
    match = _LETTER_AND_TEXT.fullmatch(text)
    if match is None:
        return None
    found = known.get(plain(match[2]))
    return found if found == match[1].upper() else None


@cache
def _standing_letters(count: int) -> re.Pattern[str]:
    letters = "|".join(letter(index) for index in range(count - 1, -1, -1))
    return re.compile(rf"(?<!\w)(?:{letters})(?![\w'\u2019])")


def _letter(text: str, count: int, *, last: bool) -> str | None:
    found = _standing_letters(count).findall(text)
    return (found[-1] if last else found[0]) if found else None


def _mentioned(text: str, known: Mapping[str, str], *, last: bool) -> str | None:
    """Return the known label that stands first or last in ``text`` as a word; of two at one place, the longer."""
    best: tuple[int, int] | None = None
    label: str | None = None
    for name, canonical in known.items():
        place = _place(text, name, last=last)
        if place < 0:
            continue
        rank = (place + len(name), len(name)) if last else (-place, len(name))
        if best is None or rank > best:
            best, label = rank, canonical
    return label


def _place(text: str, word: str, *, last: bool) -> int:
    find = text.rfind if last else text.find
    place = find(word)
    while place >= 0:
        end = place + len(word)
        if not (place and _in_word(text[place - 1])) and not (end < len(text) and _in_word(text[end])):
            return place
        place = text.rfind(word, 0, end - 1) if last else text.find(word, place + 1)
    return -1


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"
