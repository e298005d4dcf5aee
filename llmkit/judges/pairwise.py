"""Pairwise comparison: the answer against an opponent's, in both orders."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar, Literal

from llmkit.hashing import digest
from llmkit.judges import GUARD, ModelJudge, block, judge, together
from llmkit.judges._blocks import conversation
from llmkit.judges._games import CLASSES_ASK, LOGPROB_ASK, SCORES_ASK, Game, by_class, by_grades, by_logprob
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Message, Output, Sample, Skipped, Table

_SYSTEM = (
    "You compare the answers of two assistants, A and B, to the same question. Judge how helpful, relevant, correct, "
    "deep and complete they are. Which answer comes first means nothing; neither do length, lists, headings, a "
    "confident tone or the assistants' names. Where both are equally good or equally bad, say so."
)
_REFERENCE = "Compare both answers with the reference answer first, and name each mistake."
_NOT_PLAYED = -1.0
_OTHER = "opponent"


@judge("pairwise")
@dataclass(frozen=True)
class Pairwise(ModelJudge):
    """Win rate against another system's answers, by a model that sees both.

    Formula: 1 for a win, 0.5 for a tie, 0 for a loss, averaged. Range 0 to 1, higher is better; 0.5 is no difference.
    Every pair is judged in both orders; where the two games disagree, the judge disagrees with itself and the pair is a
    tie, and the report shows how often that was so and how often the first answer was favoured then. With
    ``verdict: logprob`` a pair's value is the mean probability, over both orders, that the answer is preferred.

    Use it to tell two systems apart: comparing is sharper than grading. Judges favour the first answer, longer answers
    and answers like their own: read the win rate beside the length-controlled one, and measure the judge with
    ``llmkit audit``. Not for the absolute quality of one system (`grade`, `rubric`).

    Rows for which the opponent has no answer are errors, never wins.

    Source: pairwise comparison with swapped positions of MT-bench (Zheng et al. 2023, arXiv 2306.05685); three classes
    and two grades in one call of QLoRA (Dettmers et al. 2023, arXiv 2305.14314); ``logprob`` of AlpacaEval (Dubois et
    al. 2024, arXiv 2404.04475). The prompts are our own.

    Attributes:
        opponent: A run folder, or a JSONL file with ``id`` and ``output``, that holds the other system's answers;
            without it they are in a field of the rows.
        field: That field.
        verdict: ``three_class`` (A, B or tie), ``scores`` (a grade for each, averaged over the orders), or ``logprob``
            (the probabilities of the two letters).
        orders: ``both``, or ``one``, drawn by the content of the pair, which halves the cost and leaves the position
            bias in.
        criteria: What to compare by, in words, where it is not general helpfulness.
        reference: Whether the row's first reference is shown: ``auto`` where there is one, ``always`` (rows without are
            skipped), or ``never``.
        scale: Lowest and highest grade, for ``verdict: scores``.
        difficulty: Row field with how hard the question is for the opponent, on a scale of logits; the
            length-controlled win rate then takes it into account, as AlpacaEval's does.
    """

    opponent: Path | None = None
    field: str = _OTHER
    verdict: Literal["three_class", "scores", "logprob"] = "three_class"
    orders: Literal["both", "one"] = "both"
    criteria: str = ""
    reference: Literal["auto", "always", "never"] = "auto"
    scale: tuple[float, float] = (1.0, 10.0)
    difficulty: str = ""

    bounds = (0.0, 1.0)
    aggregates: ClassVar[str] = "preference"

    def __post_init__(self) -> None:
        low, high = self.scale
        if not low < high:
            raise ValueError(f"scale is {low:g} to {high:g}: the lowest grade comes first")

    @property
    def needs(self) -> tuple[str, ...]:
        """The field with the other answer, where it is in the rows; references where they are always shown."""
        named = [self.field if self.opponent is None else "", self.difficulty]
        fields = tuple(f"meta.{name}" for name in named if name)
        return (*fields, "references") if self.reference == "always" else fields

    @property
    def settings(self) -> dict[str, Any]:
        """Every field but the opponent's path: the flow adds a digest of what it holds."""
        return {name: value for name, value in super().settings.items() if name != _OTHER}

    @property
    def prompt_digest(self) -> str:
        """Of the texts that are sent."""
        return digest([_SYSTEM, GUARD, _REFERENCE, CLASSES_ASK, SCORES_ASK, LOGPROB_ASK, self.criteria], 4)

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Ask in both orders at once."""
        if self.reference == "always" and not sample.references:
            return Judgment(Skipped("no reference"))
        other = sample.meta.get(_OTHER if self.opponent is not None else self.field)
        if not isinstance(other, str):
            return Judgment(Failure("no_opponent", "there is no answer of the opponent to this row"))
        own_first = self._orders(sample, output, other)
        found = yield from together([self._game(sample, output, other, first) for first in own_first])
        games: dict[bool, Game] = {}
        for first, game in zip(own_first, found, strict=True):
            if isinstance(game, Failure):
                return Judgment(game)
            games[first] = game
        stats, reason = self._verdict(games, len(output.text or ""), len(other))
        return Judgment((*stats, *self._hard(sample)) if self.difficulty else stats, reason)

    def _hard(self, sample: Sample) -> tuple[float, float]:
        """Return how hard the question is, and 1; or twice 0 where the row does not say it."""
        said = sample.meta.get(self.difficulty)
        if isinstance(said, bool) or not isinstance(said, (int, float)) or not isfinite(said):
            return 0.0, 0.0
        return float(said), 1.0

    def _orders(self, sample: Sample, output: Output, other: str) -> list[bool]:
        """Return for each game whether the own answer stands first."""
        if self.orders == "both":
            return [True, False]
        return [int(digest([sample.id, sorted([output.text or "", other])], 4), 16) % 2 == 0]

    def _game(self, sample: Sample, output: Output, other: str, own_first: bool) -> Dialogue[Game | Failure]:  # noqa: FBT001 - the order of a game
        chat = self._chat(sample, output, other, own_first=own_first)
        form = "json" if self.form == "json" else "text"
        if self.verdict == "logprob":
            return (yield from by_logprob(chat, self.params))
        if self.verdict == "scores":
            return (yield from by_grades(chat, form, self.params, self.scale))
        return (yield from by_class(chat, form, self.params))

    def _chat(self, sample: Sample, output: Output, other: str, *, own_first: bool) -> list[Message]:
        mine = conversation(sample, output.turns or (output.text or "",))
        turns = sample.meta.get("opponent_turns")
        theirs = conversation(sample, turns if sample.turns and isinstance(turns, (list, tuple)) else (other,))
        first, second = (mine, theirs) if own_first else (theirs, mine)
        asked = sample.input if isinstance(sample.input, str) else conversation(sample, ())
        parts = [block("question", asked)]
        if self.reference != "never" and sample.references:
            parts += [block("reference answer", sample.references[0]), _REFERENCE]
        parts += [block("answer A", first), block("answer B", second)]
        if self.criteria:
            parts.append(f"Compare them by this alone: {self.criteria}")
        form = "json" if self.form == "json" else "text"
        low, high = self.scale
        ask = {
            "three_class": CLASSES_ASK[form],
            "scores": SCORES_ASK[form].format(low=low, high=high),
            "logprob": LOGPROB_ASK,
        }
        parts.append(ask[self.verdict])
        return [
            {"role": "system", "content": f"{_SYSTEM} {GUARD}"},
            {"role": "user", "content": "\n\n".join(parts)},
        ]

    def _verdict(self, games: dict[bool, Game], length: int, other_length: int) -> tuple[tuple[float, ...], str]:
        """Return preference, both games from the own answer's side, both lengths, both mean grades."""
        won = {first: game.a if first else 1 - game.a for first, game in games.items()}
        own = [game.grades[0 if first else 1] for first, game in games.items()]
        others = [game.grades[1 if first else 0] for first, game in games.items()]
        grade, other_grade = sum(own) / len(own), sum(others) / len(others)
        if self.verdict == "scores":
            preference = 1.0 if grade > other_grade else 0.0 if grade < other_grade else 0.5
        elif self.verdict == "logprob":
            preference = sum(won.values()) / len(won)
        else:
            preference = won[next(iter(won))] if len(set(won.values())) == 1 else 0.5
        stats = (
            preference,
            won.get(True, _NOT_PLAYED),
            won.get(False, _NOT_PLAYED),
            float(length),
            float(other_length),
            grade,
            other_grade,
        )
        places = {True: "as answer A", False: "as answer B"}
        reason = "\n\n".join(f"[{places[first]}] {game.reason}" for first, game in games.items())
        return stats, reason

    def details(self, table: Table) -> dict[str, Any]:
        """Return wins, ties and losses, and how often the two orders disagree."""
        preferences, firsts, seconds = ([float(item) for item in column] for column in table.columns[:3])
        n = len(preferences)
        wins, losses = sum(p > 0.5 for p in preferences), sum(p < 0.5 for p in preferences)  # noqa: PLR2004 - a tie
        counts = {"wins": wins, "ties": n - wins - losses, "losses": losses}
        rows = [[name, count, count / n] for name, count in counts.items()]
        tables = [{"title": "", "columns": ["verdict", "n", "share"], "rows": rows}]
        both = [(a, b) for a, b in zip(firsts, seconds, strict=True) if _NOT_PLAYED not in (a, b)]
        torn = [(a, b) for a, b in both if _side(a) != _side(b)]
        notes = []
        if both:
            notes.append(
                f"The two orders disagree on {len(torn)} of {len(both)} pairs ({len(torn) / len(both):.1%}); "
                f"the first answer is favoured in {sum(a > b for a, b in torn)} of them."
            )
        if self.verdict == "scores":
            own, others = sum(table.columns[5]), sum(table.columns[6])
            notes.append(f"Relative score: {100 * own / others:.1f} % of the opponent's.")
        return {"tables": tables, "notes": notes}


def _side(value: float) -> int:
    return (value > 0.5) - (value < 0.5)  # noqa: PLR2004 - a tie
