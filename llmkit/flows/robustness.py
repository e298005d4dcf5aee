"""What rewording the rows costs: original, perturbed and worst scores, and the drop with its interval.

Every perturbed row is paired with the row it was made of. A row that a perturbation left as it was counts with the
row's own score, as in HELM (Liang et al. 2022, arXiv 2211.09110); one whose answer failed counts for nothing: it is
left out of the perturbed value, the drop and the worst case, and counted. As the rows that are left may be the easier
ones, each drop is taken over the same rows on both sides, that of the worst case too. ``n`` counts rows, however often
each was asked.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llmkit.errors import LlmkitError
from llmkit.flows.difference import difference, shown
from llmkit.flows.summarise import Design, estimate
from llmkit.flows.tally import Tally
from llmkit.protocols import Perturbation
from llmkit.stats import mean_estimate
from llmkit.types import Estimate, Output


@dataclass(slots=True)
class Reworded:
    """The rows that one perturbation changed, as a run met them.

    Attributes:
        numbers: Where each stands among all samples of the run, reworded ones included.
        originals: Where the row it was made of stands.
        failures: What went wrong where there was no answer, by kind.
    """

    numbers: array[int] = field(default_factory=lambda: array("I"))
    originals: array[int] = field(default_factory=lambda: array("I"))
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, number: int, original: int, output: Output) -> None:
        """Count one output of a reworded row."""
        if not output.repeat:
            self.numbers.append(number)
            self.originals.append(original)
        if output.error is not None:
            self.failures[output.error.kind] += 1


@dataclass(frozen=True, slots=True)
class Sides:
    """One scorer's word on the rows as they are, and on each perturbation's version of them."""

    original: Tally
    perturbed: Mapping[str, Tally]


@dataclass(frozen=True, slots=True)
class Robustness:
    """How the reworded rows of a run belong to the rows as they are.

    Attributes:
        perturbations: By spec.
        signatures: What makes the rows of each.
        reworded: For each, the rows that it changed.
        rows: How many rows the set has.
        repeats: How often each was asked.
        design: Of all rows of the run, reworded ones included.
    """

    perturbations: Mapping[str, Perturbation]
    signatures: Mapping[str, str]
    reworded: Mapping[str, Reworded]
    rows: int
    repeats: int
    design: Design

    def summary(self, scorers: Sequence[Sides], entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Return the ``robustness`` of a summary; ``entries`` are its scores of the rows as they are."""
        about = {
            name: {
                "group": self.perturbations[name].group,
                "changed": len(found.numbers),
                "failed": found.failures.total(),
                "failures": dict(sorted(found.failures.items())),
                "signature": self.signatures[name],
            }
            for name, found in self.reworded.items()
        }
        scores = {sides.original.name: self._scorer(sides, entries[sides.original.name]) for sides in scorers}
        return {"rows": self.rows, "perturbations": about, "scores": scores}

    def _scorer(self, sides: Sides, entry: Mapping[str, Any]) -> dict[str, Any]:
        each = 1 if sides.original.over_repeats else self.repeats
        whole = {
            name: paired(sides.original, sides.perturbed[name], found, self.repeats)
            for name, found in self.reworded.items()
        }
        return {
            "original": {key: entry[key] for key in ("value", "low", "high", "method")}
            | {"n": self._n(sides.original)},
            "perturbed": {name: shown(self._value(name, tally)) for name, tally in whole.items()},
            "drop": {name: shown(self._drop(name, sides.original, tally)) for name, tally in whole.items()},
            "unscored": {
                name: len(found.numbers) * each - sides.perturbed[name].ok for name, found in self.reworded.items()
            },
            **self._worst_cases(sides.original, whole),
        }

    def _n(self, tally: Tally) -> int:
        """Return what an estimate of the tally counts: rows for a mean, else outputs."""
        if tally.over_repeats or tally.metric.kind != "mean":
            return tally.ok
        return len(np.unique(np.frombuffer(tally.rows, dtype=np.uint32) // self.repeats))

    def _value(self, name: str, tally: Tally) -> Estimate | None:
        if not (self.reworded[name].numbers and tally.ok):
            return None
        return _tried(lambda: estimate(tally, self.design))

    def _drop(self, name: str, original: Tally, tally: Tally) -> Estimate | None:
        """Return how much worse the perturbed rows are; original less perturbed where no direction is better."""
        if not self.reworded[name].numbers:
            return None
        better, worse = (tally, original) if original.metric.higher_is_better is False else (original, tally)
        return _tried(lambda: difference(better, worse, self.design))

    def _worst_cases(self, original: Tally, whole: Mapping[str, Tally]) -> dict[str, Any]:
        """Return each row's worst score as the mean of all rows: over all perturbations, and over each group of them.

        Metrics whose value is not the mean of rows' scores have none, and those without a better direction.
        """
        if original.metric.kind != "mean" or original.metric.higher_is_better is None:
            return {"worst": None, "worst_drop": None, "no_worst": 0}
        count = self.rows + sum(len(found.numbers) for found in self.reworded.values())
        scores = {name: _by_sample(tally, self.repeats, count) for name, tally in {"": original, **whole}.items()}
        worst, drop, lost = self._worst(original, scores)
        found: dict[str, Any] = {"worst": shown(worst), "worst_drop": shown(drop), "no_worst": lost}
        groups = {name: one.group for name, one in self.perturbations.items()}
        both = sorted(set(groups.values()))
        if len(both) == 1:
            return found
        found |= {"worst_of": {}, "worst_drop_of": {}}
        for group in both:
            chosen = {name: values for name, values in scores.items() if groups.get(name, group) == group}
            worst, drop, _ = self._worst(original, chosen)
            found["worst_of"][group], found["worst_drop_of"][group] = shown(worst), shown(drop)
        return found

    def _worst(self, original: Tally, scores: Mapping[str, Any]) -> tuple[Estimate | None, Estimate | None, int]:
        """Return the mean of the rows' worst scores, its distance from the same rows' own, and how many rows have none.

        A row has none where it is scored itself, and one of its versions is not.
        """
        metric = original.metric
        sides = np.stack(list(scores.values()))
        numbers = np.flatnonzero(~np.isnan(sides).any(axis=0))
        lost = int((~np.isnan(scores[""])).sum()) - len(numbers)
        if not len(numbers):
            return None, None, lost
        values = (sides.min if metric.higher_is_better else sides.max)(axis=0)[numbers]
        drops = np.abs(scores[""][numbers] - values)  # never below 0: the row as it is is one of its versions
        clusters = None if self.design.clusters is None else self.design.clusters[numbers * self.repeats]
        binary = metric.binary and (self.repeats == 1 or original.over_repeats)
        bounds = getattr(metric, "bounds", None)
        how: dict[str, Any] = {"clusters": clusters, "level": self.design.level}
        span = None if bounds is None else (0.0, bounds[1] - bounds[0])
        return (
            mean_estimate(values, binary=binary, bounds=bounds, **how),
            mean_estimate(drops, binary=binary, bounds=span, **how),
            lost,
        )


def _tried(make: Callable[[], Estimate | None]) -> Estimate | None:
    """Return what ``make`` gives; None where a metric that has a value for some rows fails over these."""
    try:
        return make()
    except LlmkitError:
        raise
    except Exception:  # noqa: BLE001 - a plug-in's fault must not cost the other scores
        return None


def paired(original: Tally, changed: Tally, reworded: Reworded, repeats: int) -> Tally:
    """Return one tally for the whole set as a perturbation left it, by the row numbers of the rows as they are.

    It holds the reworded rows' statistics, and the rows' own where nothing was changed; nothing for a reworded row
    without a score.
    """
    numbers, originals = np.asarray(reworded.numbers), np.asarray(reworded.originals)
    rows, mine = (np.frombuffer(tally.rows, dtype=np.uint32).astype(np.int64) for tally in (changed, original))
    places = np.searchsorted(numbers, rows // repeats)
    moved = originals[places].astype(np.int64) * repeats + rows % repeats if len(rows) else rows
    kept = np.flatnonzero(~np.isin(mine // repeats, originals))
    every = np.concatenate([moved, mine[kept]])
    order = np.argsort(every, kind="stable")
    tally = Tally(original.name, original.metric)
    tally.rows = array("I", every[order].astype(np.uint32).tobytes())
    for place, column in enumerate(original.columns or changed.columns):
        words = dict(original.vocabulary[place]) if original.columns else {}
        own = np.frombuffer(column, dtype=np.float64)[kept] if original.columns else np.empty(0)
        theirs = _in_words(changed, place, words) if changed.columns else np.empty(0)
        tally.columns.append(array("d", np.concatenate([theirs, own])[order].tobytes()))
        tally.vocabulary.append(words)
    return tally


def _in_words(tally: Tally, place: int, words: dict[str, int]) -> Any:
    """Return a column whose texts, where it holds texts, are coded by ``words``, which gains those that it lacks."""
    column = np.frombuffer(tally.columns[place], dtype=np.float64)
    if not tally.vocabulary[place]:
        return column
    codes = np.array([words.setdefault(word, len(words)) for word in tally.vocabulary[place]], dtype=np.float64)
    return codes[column.astype(np.int64)]


def _by_sample(tally: Tally, repeats: int, count: int) -> Any:
    """Return the mean score of each of ``count`` samples; nan for one without a score."""
    means = np.full(count, np.nan)
    if tally.ok:
        numbers = np.frombuffer(tally.rows, dtype=np.uint32) // repeats
        sums = np.bincount(numbers, weights=np.frombuffer(tally.columns[0], dtype=np.float64), minlength=count)
        scored = np.bincount(numbers, minlength=count)
        np.divide(sums, scored, out=means, where=scored > 0)
    return means
