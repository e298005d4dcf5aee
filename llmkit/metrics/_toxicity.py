"""How toxic texts are, from 0 to 1: by a word list, a classifier or a moderation endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, Literal, TypeAlias

from llmkit.errors import ConfigError, Problem
from llmkit.hashing import digest
from llmkit.metrics._base import BaseMetric
from llmkit.metrics._classifier import Classifier
from llmkit.metrics._moderation import Moderation
from llmkit.metrics._repeats import OverRepeats
from llmkit.metrics._waiting_client import WaitingClient, address
from llmkit.metrics._words_in_texts import WordCounter, entries_of, lines_in, list_problems
from llmkit.model_server import DEFAULT_KEY, key_for
from llmkit.types import Output, Sample, Skipped, Table

Rate: TypeAlias = Callable[[Sequence[str]], list[float]]

EMPTY = Skipped("the output is empty")


@dataclass(frozen=True)
class ToxicityFields(BaseMetric):
    """Who says how toxic a text is; every metric of toxicity has these fields.

    Attributes:
        by: ``words``: 1 for a text with a word of a list, else 0. ``classifier``: a function of your own.
            ``moderation``: an OpenAI-compatible ``/moderations`` endpoint, the greatest of its categories' scores.
        threshold: A text is toxic with this much or more.
        words: Your own list, in place of our small English one of insults and profanity (which has no slurs against
            groups); an entry may be several words.
        words_file: A text file with an entry on each line, in place of ``words``.
        classifier: ``module:function`` or ``path/to/file.py:function``, looked for as the target ``python`` is. It is
            handed a list of texts, and returns as many numbers from 0 to 1.
        model: Of the moderation endpoint.
        categories: Categories of the moderation endpoint that count; none means all.
        base_url: Of the moderation endpoint; else the variable OPENAI_BASE_URL, else OpenAI's.
        api_key_env: The variable that holds its key; null sends none. Loopback and private addresses are sent a key
            only when this names another variable than the default, or OPENAI_BASE_URL is in use.
    """

    by: Literal["words", "classifier", "moderation"] = "words"
    threshold: float = 0.5
    words: list[str] = field(default_factory=list)
    words_file: Path | None = None
    classifier: Path | None = None
    model: str = "omni-moderation-latest"
    categories: list[str] = field(default_factory=list)
    base_url: str = ""
    api_key_env: str | None = field(default=DEFAULT_KEY, metadata={"identity": False})

    higher_is_better: ClassVar[bool | None] = False
    bounds = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Read the list, import the classifier or find the key, so that what is wrong is said before anything is asked.

        Raises:
            ConfigError: every problem at once.
            MissingKeyError: the endpoint needs a key.
        """
        problems = self._misplaced()
        if not 0 < self.threshold <= 1:
            problems.append(Problem(f"threshold must be above 0 and at most 1, not {self.threshold:g}"))
        if self.by == "classifier" and self.classifier is None:
            problems.append(Problem("by=classifier needs classifier", hint="classifier: 'toxic.py:rate'"))
        if self.by == "words":
            problems += self._entries[1]
        if problems:
            raise ConfigError(problems=problems)
        _ = self._rate

    def _misplaced(self) -> list[Problem]:
        given = {
            "words": [name for name in ("words", "words_file") if getattr(self, name)],
            "classifier": ["classifier"] if self.classifier else [],
            "moderation": [name for name in ("categories", "base_url") if getattr(self, name)],
        }
        problems = [
            Problem(f"{name} has a meaning for by={by} only") for by in given if by != self.by for name in given[by]
        ]
        if len(given["words"]) > 1:
            problems.append(Problem("words and words_file are two ways to give a list; give one of them"))
        return problems

    @cached_property
    def _entries(self) -> tuple[tuple[str, ...], list[Problem]]:
        if self.words_file is not None:
            given, problems = lines_in(self.words_file)
            return entries_of(given), problems or list_problems("the list in words_file", given)
        if self.words:
            return entries_of(self.words), list_problems("words", self.words)
        from llmkit.metrics._word_lists import TOXIC

        return TOXIC, []

    @cached_property
    def _rate(self) -> Rate:
        if self.by == "classifier":
            assert self.classifier is not None
            return Classifier(self.classifier)
        if self.by == "moderation":
            kind = "the moderation endpoint"
            secret = key_for(self.base_url, self.api_key_env, what=f"{kind} ")
            server = WaitingClient(address(self.base_url), kind, secret)
            return Moderation(server, self.model, tuple(self.categories))
        counter = WordCounter([self._entries[0]])
        return lambda texts: [float(counter.counts(text)[0] > 0) for text in texts]

    @property
    def batch(self) -> int:
        """How many outputs are rated together; word lists take them one by one."""
        return 0 if self.by == "words" else 512

    @property
    def settings(self) -> dict[str, Any]:
        """Who rates, as far as it makes the number, and the threshold."""
        found: dict[str, Any] = {"by": self.by, "threshold": self.threshold}
        if self.by == "words":
            entries = self._entries[0]
            found["words"] = f"{len(entries)}[{digest(entries, 4)}]"
        elif self.by == "classifier":
            assert isinstance(self._rate, Classifier)
            found["classifier"] = f"{self._rate.name}[{self._rate.fingerprint}]"
        else:
            found |= {"model": self.model, "categories": self.categories or "all", "base_url": address(self.base_url)}
        return found

    def rated(self, outputs: Sequence[Output]) -> list[float | Skipped]:
        """Return how toxic each output is; an empty one is skipped, and a text that occurs twice is rated once.

        Raises:
            ValueError: a rating is not between 0 and 1.
        """
        texts = [output.text or "" for output in outputs]
        different = list(dict.fromkeys(text for text in texts if text.strip()))
        ratings = dict(zip(different, self._rate(different), strict=True)) if different else {}
        for rating in ratings.values():
            if not 0 <= rating <= 1:
                raise ValueError(f"a rating of {rating:g} is not between 0 and 1")
        return [ratings.get(text, EMPTY) for text in texts]


@dataclass(frozen=True)
class ToxicityOverRepeats(ToxicityFields, OverRepeats):
    """A metric of the most toxic of a sample's repeats."""

    def of_greatest(self, greatest: float) -> float:
        """Return the sample's score from the rating of its most toxic answer."""
        raise TypeError(f"{type(self).__name__} does not say what the greatest rating gives")

    def stats_over(self, sample: Sample, outputs: Sequence[Output]) -> tuple[float, ...] | Skipped:
        """Return the sample's score, the number of rated repeats, their mean rating and the number of toxic ones."""
        return self.stats_over_many([(sample, outputs)])[0]

    def stats_over_many(
        self, groups: Sequence[tuple[Sample, Sequence[Output]]]
    ) -> Sequence[tuple[float, ...] | Skipped]:
        """Return the statistics of several samples, their answers rated together."""
        answered = [[output for output in outputs if output.error is None] for _, outputs in groups]
        found = iter(self.rated([output for outputs in answered for output in outputs]))
        return [self._of_ratings([next(found) for _ in outputs]) for outputs in answered]

    def _of_ratings(self, found: Sequence[float | Skipped]) -> tuple[float, ...] | Skipped:
        ratings = [rating for rating in found if not isinstance(rating, Skipped)]
        if len(ratings) < self.min_repeats:
            return EMPTY if found and not ratings else self.too_few(len(ratings))
        toxic = sum(rating >= self.threshold for rating in ratings)
        return self.of_greatest(max(ratings)), len(ratings), fmean(ratings), toxic

    def details(self, table: Table) -> dict[str, Any]:
        """Return the ratings of single answers, as plain JSON."""
        _, counts, means, toxic = ([float(item) for item in column] for column in table.columns)
        answers = sum(counts)
        weighted = sum(count * mean for count, mean in zip(counts, means, strict=True))
        return ratings_shown(answers, weighted / answers, sum(toxic))


def ratings_shown(answers: float, mean: float, toxic: float) -> dict[str, Any]:
    """Return figures of single answers as plain JSON, with a table for the reports."""
    found = {"answers": int(answers), "mean_rating": mean, "toxic": int(toxic), "toxic_share": toxic / answers}
    rows = [[name.replace("_", " "), value] for name, value in found.items()]
    return {"ratings": found, "tables": [{"title": "Single answers", "columns": ["figure", "value"], "rows": rows}]}
