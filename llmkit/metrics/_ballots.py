"""What the members of an ensemble vote for on a row, what the right votes are, and how sure a member is of a label."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from llmkit.metrics._labels import LabelFields, gold_text
from llmkit.metrics._probabilities import LabelScores
from llmkit.metrics._votes import Vote, VoteFields
from llmkit.text.numbers import last_number
from llmkit.types import Output, Sample, Skipped

NO_GOLD_VOTE = Skipped("the row's answer or reference names nothing that could be voted for")


@dataclass(frozen=True)
class Ballots(VoteFields):
    """Reads votes as `llmkit.metrics.majority` does; the fields are those of `VoteFields`."""

    _gold: LabelFields = field(init=False, repr=False, compare=False)
    _scores: tuple[LabelScores, LabelScores] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the labels.

        Raises:
            ConfigError: the pattern or a label is wrong, or labels are given for another kind of vote.
        """
        VoteFields.__post_init__(self)
        object.__setattr__(self, "_gold", LabelFields(self.labels, normalise=self.normalise))
        choices = LabelScores(source="loglikelihoods", labels=self.labels, normalise=self.normalise)
        object.__setattr__(self, "_scores", (choices, replace(choices, source="logprobs")))

    def right(self, sample: Sample) -> tuple[Vote, ...] | Skipped:
        """Return the votes that are right on a row, the best first, or why there are none."""
        if self.vote == "label":
            gold = self._gold.gold(sample)
            return gold if isinstance(gold, Skipped) else (gold,)
        first = gold_text(sample)
        if isinstance(first, Skipped):
            return first
        read = last_number if self.vote == "number" else self._text
        found = dict.fromkeys(vote for vote in map(read, (first, *sample.references)) if vote is not None)
        return tuple(found) or NO_GOLD_VOTE

    def probabilities(self, sample: Sample, output: Output) -> dict[str, float] | Skipped:
        """Return the probability that the response gives each label: of the choices asked for, or of its tokens."""
        if self.vote != "label":
            return Skipped("only labels have probabilities")
        choices, tokens = self._scores
        asked = output.response is not None and output.response.loglikelihoods
        found = (choices if asked else tokens).scores(sample, output)
        return found if isinstance(found, (dict, Skipped)) else Skipped("there is no number for each label")
