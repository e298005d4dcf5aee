"""Checklist: several yes-or-no questions about one answer, weighted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmkit.hashing import digest
from llmkit.judges import GUARD, ModelJudge, block, judge, question
from llmkit.judges._items import ITEMS_ASK, Answers, each_answered, told
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Output, Sample, Skipped, Table

_SYSTEM = (
    "You check the answer of an assistant to a user's question against a list of yes-or-no items. Decide each item by "
    "itself, by what the answer says and nothing else. Say yes only where the answer clearly meets the item; where it "
    "leaves it open, say no."
)


@judge("checklist")
@dataclass(frozen=True)
class Checklist(ModelJudge):
    """Weighted share of yes-or-no items that an answer meets, by a model.

    Formula: sum of the weights of items met / sum of all weights. Range 0 to 1, higher is better. The report shows
    each item's own share. An item without a verdict makes the row an error: it is not a no.

    Use it where quality is a list of things an answer must do; many small questions are judged more reliably than one
    large one. Not for degrees (`rubric`).

    Source: checklist evaluation (TICK, Cook et al. 2024, arXiv 2410.03608); the prompt is our own.

    Attributes:
        items: The items: texts, or a mapping of texts to weights.
        field: A row field with a list of further items, for rows that have their own; each weighs 1.
        one_by_one: Ask each item in a request of its own, which is dearer and lets no item colour another.
        reference: Whether the row's references are shown to the judge.
    """

    items: list[str] | dict[str, float] = field(default_factory=list)
    field: str = ""
    one_by_one: bool = False
    reference: bool = False

    def __post_init__(self) -> None:
        if not self.items and not self.field:
            raise ValueError("there is nothing to check: give 'items', or a row 'field' that holds some")
        if isinstance(self.items, Mapping) and (
            wrong := [name for name, weight in self.items.items() if not weight > 0]
        ):
            raise ValueError(f"the weight of '{wrong[0]}' must be above 0")
        twice = [item for place, item in enumerate(self.items) if item in list(self.items)[:place]]
        if twice:
            raise ValueError(f"the item '{twice[0]}' stands there twice; a weight makes an item count for more")

    @property
    def bounds(self) -> tuple[float, float]:
        """A share."""
        return (0.0, 1.0)

    @property
    def needs(self) -> tuple[str, ...]:
        """The field, where all items come from it."""
        return (f"meta.{self.field}",) if self.field and not self.items else ()

    @property
    def prompt_digest(self) -> str:
        """Of the texts that are sent."""
        return digest([_SYSTEM, GUARD, ITEMS_ASK, self.items], 4)

    def weights(self, sample: Sample) -> dict[str, float] | Failure:
        """Return the items of a row with their weights, the config's first; a failure where its field is no list."""
        own = dict(self.items) if isinstance(self.items, Mapping) else dict.fromkeys(self.items, 1.0)
        listed = sample.meta.get(self.field) if self.field else None
        texts = [listed] if isinstance(listed, str) else listed if listed is not None else ()
        if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
            return Failure("no_items", f"the field '{self.field}' of the row is neither a text nor a list of texts")
        return {**own, **{text: 1.0 for text in texts if text.strip() and text not in own}}

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Ask about every item."""
        weights = self.weights(sample)
        if isinstance(weights, Failure):
            return Judgment(weights)
        if not weights:
            return Judgment(Skipped("no items"))
        items = list(weights)
        verdicts: Answers = []
        for group in [[item] for item in items] if self.one_by_one else [items]:
            found = yield from self._ask(sample, output, group)
            if isinstance(found, Failure):
                return Judgment(found)
            verdicts += found
        met = [weight for weight, (yes, _) in zip(weights.values(), verdicts, strict=True) if yes]
        fixed = len(self.items)
        columns = [float(yes) for yes, _ in verdicts[:fixed]]
        return Judgment((sum(met) / sum(weights.values()), *columns), told(items, verdicts))

    def _ask(self, sample: Sample, output: Output, items: Sequence[str]) -> Dialogue[Answers | Failure]:
        references = [block("reference answer", text) for text in sample.references] if self.reference else []
        material = [question(sample, output), *references, block("answer", output.text or "")]
        return (yield from each_answered(_SYSTEM, material, items, form=self.form, params=self.params))

    def details(self, table: Table) -> dict[str, Any]:
        """Return the share of answers that meet each item of the config."""
        columns = table.columns[1:]
        rows = [
            [item, len(met), sum(map(float, met)) / len(met)] for item, met in zip(self.items, columns, strict=True)
        ]
        return {"tables": [{"title": "Items", "columns": ["item", "n", "met"], "rows": rows}]} if rows else {}
