"""From what confidence on `llmkit ask` answers from one index: chosen on half of its questions, held to the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path
from typing import Any, Final

from llmkit.config.engine_config import CACHE_PATH
from llmkit.errors import UsageError
from llmkit.flows.answer import confidence_in
from llmkit.flows.index.queries import spans_of
from llmkit.flows.index.tune import keep_in_meta
from llmkit.flows.index.worst import first_right, known_by, right_documents
from llmkit.flows.opening import Opened, open_to_search
from llmkit.flows.routed import held
from llmkit.flows.search import Found, Hit
from llmkit.hashing import digest
from llmkit.metrics._platt import fit
from llmkit.retrieval.abstention import Target, Trials, auroc, chosen_threshold, curve, figures
from llmkit.retrieval.confidence import Recalibration, bounded
from llmkit.stats import wilson
from llmkit.types import Sample

LEAST: Final = 40
"""Questions with, and questions without an answer, below which a half of them says nothing about 1 in 20."""

UNANSWERABLE: Final = {"answerable": False, "is_impossible": True}
"""Fields of a row by which it says that the index holds no answer to it; the second is SQuAD 2.0's."""

_RESAMPLES: Final = 1000


@dataclass(frozen=True, slots=True)
class _Trial:
    """One question, asked of the index or of what is left without the documents that answer it.

    ``kind`` is ``asked`` for both, and ``named`` for a question that is said to have no answer.
    """

    question: str
    kind: str
    sure: float
    holds: bool
    answerable: bool


def calibrate_index(
    named: Path | str,
    questions: Sequence[Sample],
    unanswerable: Sequence[Sample] = (),
    *,
    target: Target | None = None,
    settings: Mapping[str, Any] | None = None,
    k: int = 6,
    embedder: Any = None,
    tell: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Return the calibration of an index, plain JSON, and keep it in the index.

    Half of the questions, drawn by their ids, fit the curve from what the search finds to a probability and choose the
    threshold; the other half gives the figures that are reported.

    Questions without an answer are those of ``unanswerable`` and rows that say so (`UNANSWERABLE`). Where there are
    none, every question is also asked without the documents that answer it, as if the index did not have them.

    Args:
        named: The index.
        questions: Questions with what is right.
        unanswerable: Questions that the index holds no answer to.
        target: What the threshold is chosen for; at most 5 % of the questions without an answer answered, without.
        settings: Keys of ``retrieve``.
        k: How many passages `llmkit ask` reads.
        embedder: Who embeds questions; without, the one that the index's config names.
        tell: Called with the number of questions searched.

    Raises:
        UsageError: there is no such index, there are too few questions of a kind, or no threshold meets the target.
        InfrastructureError: it is damaged, in use by another writer, or a model could not be asked.
    """
    target = target or Target()
    with_answer = [row for row in questions if not _says_no(row) and known_by(row) is not None]
    without = [*unanswerable, *(row for row in questions if _says_no(row))]
    with open_to_search(named, {**(settings or {}), "k": k}, embedder=embedder) as opened:
        wanted, folder, meta = opened.searcher.settings, opened.index.folder, opened.index.meta
        mode, way = opened.searcher.mode, opened.way
    deep = {**(settings or {}), "k": max(k, wanted.candidates)}
    trials: list[_Trial] = []
    with open_to_search(folder, deep, embedder=embedder) as opened:
        searcher = _Asker(opened, k)
        for done, row in enumerate((*with_answer, *without), 1):
            trials += searcher.trials(row, answerable=done <= len(with_answer), leave_out=not without)
            if tell is not None:
                tell(done)
    choosing, reporting = _halves(trials)
    report = {
        "generation": meta.generation,
        "chunks": meta.chunks,
        "embed_fingerprint": meta.embed_fingerprint,
        "mode": mode,
        "k": k,
        "way": way,
        "target": {target.kind: target.share},
        "without": "named" if without else "left out",
        "left_aside": len(questions) - len(with_answer) - sum(map(_says_no, questions)),
        **_fitted(choosing, reporting, target),
    }
    keep_in_meta(folder, calibrated=report)
    return report


def _says_no(row: Sample) -> bool:
    written = {False: {"false", "0"}, True: {"true", "1"}}  # CSV has no other way to write them
    said = {name: str(row.meta.get(name)).strip().casefold() for name in UNANSWERABLE}
    return any(said[name] in written[wanted] for name, wanted in UNANSWERABLE.items())


class _Asker:
    """Searches for questions, and looks at what the answer would have been made of."""

    def __init__(self, opened: Opened, k: int) -> None:
        self.opened = opened
        self.k = k

    def trials(self, row: Sample, *, answerable: bool, leave_out: bool) -> list[_Trial]:
        cache = CACHE_PATH if self.opened.models else None
        found = held(self.opened.searcher.find(str(row.input)), self.opened.models, cache=cache)
        kind = "asked" if answerable else "named"
        made = [self._trial(row, kind, found, found.hits, answerable=answerable)]
        if answerable and leave_out:
            gone = _documents_of(row, found.hits)
            rest = [hit for hit in found.hits if hit.chunk.path not in gone]
            if gone and not _holds_reference(row, rest[: self.k]):
                made.append(self._trial(row, kind, found, rest, answerable=False))
        return made

    def _trial(self, row: Sample, kind: str, found: Found, hits: Sequence[Hit], *, answerable: bool) -> _Trial:
        seen = list(hits[: self.k])
        sure = confidence_in(self.opened.index, dataclasses.replace(found, hits=seen))
        holds = answerable and first_right(row, [hit.chunk for hit in seen]).rank is not None
        return _Trial(row.id, kind, sure, holds, answerable)


def _documents_of(row: Sample, hits: Sequence[Hit]) -> set[str]:
    """Return the documents that answer a question: as it says itself, or those found with an answer in them."""
    named = {*right_documents(row), *(span.path for span in spans_of(row))}
    return named or {hit.chunk.path for hit in hits if first_right(row, [hit.chunk]).rank}


def _holds_reference(row: Sample, hits: Sequence[Hit]) -> bool:
    """Return whether another document says it too."""
    if not row.references:
        return False
    by_answer = dataclasses.replace(row, meta={})
    return first_right(by_answer, [hit.chunk for hit in hits]).rank is not None


def _halves(trials: Sequence[_Trial]) -> tuple[list[_Trial], list[_Trial]]:
    """Part the questions by the digests of their ids, each with all its trials.

    Raises:
        UsageError: there are too few.
    """
    for answerable, what in ((True, "with an answer"), (False, "without one")):
        count = sum(one.answerable is answerable for one in trials)
        if count < LEAST:
            raise UsageError(
                f"{count} questions {what} are too few to choose a threshold by one half and report on the other: give "
                f"{LEAST}"
                + ("" if answerable else " (rows with 'answerable': false, or a file of them under --unanswerable)")
            )
    halves: tuple[list[_Trial], list[_Trial]] = ([], [])
    for kind in sorted({one.kind for one in trials}):
        ids = sorted({one.question for one in trials if one.kind == kind}, key=digest)
        place = {name: at % 2 for at, name in enumerate(ids)}
        for one in trials:
            if one.kind == kind:
                halves[place[one.question]].append(one)
    return halves


def _arrays(trials: Sequence[_Trial], shape: Recalibration | None = None) -> Trials:
    import numpy as np

    sure = np.array([one.sure if shape is None else shape.probability(one.sure) for one in trials], dtype=np.float64)
    return Trials(sure, np.array([one.holds for one in trials]), np.array([one.answerable for one in trials]))


def _fitted(choosing: Sequence[_Trial], reporting: Sequence[_Trial], target: Target) -> dict[str, Any]:
    import numpy as np

    plain = _arrays(choosing)
    found = fit(bounded(plain.sure), plain.holds.astype(np.float64), np.ones(len(plain.sure)))
    shape = Recalibration() if found is None else Recalibration(found.slope, found.intercept)
    if shape.slope <= 0:
        raise UsageError(
            "confidence does not rise with being right on these questions, so no threshold helps; look at what "
            "'llmkit index eval' says of them"
        )
    threshold = chosen_threshold(_arrays(choosing, shape), target)
    if threshold is None:
        raise UsageError(_unmet(_arrays(choosing, shape), target))
    others = _arrays(reporting, shape)
    shares = {name: _share(count, total) for name, (count, total) in figures(others, threshold).items()}
    return {
        "slope": shape.slope,
        "intercept": shape.intercept,
        "threshold": threshold,
        "chosen_on": _counts(choosing),
        "reported_on": _counts(reporting),
        **shares,
        "auroc": _auroc(reporting, others),
        "curve": curve(others),
    }


def _unmet(trials: Trials, target: Target) -> str:
    """Return what can be met in the place of a target that cannot."""
    if not trials.holds.any():
        return "the search finds the answer to none of these questions; look at what 'llmkit index eval' says of them"
    tops = sorted(set(trials.sure[trials.holds].tolist()))
    if target.kind == "max_false":
        count, total = figures(trials, tops[-1])["false"]
        option, least = "--max-false", ceil(1000 * (count + 1) / (total + 1)) / 1000
        said = f"even at the highest confidence {count:,} of {total:,} questions without an answer are answered"
    else:
        count, total = min((figures(trials, top)["risk"] for top in tops), key=lambda one: (one[0] + 1) / (one[1] + 1))
        option, least = "--min-precision", floor(1000 * (total - count) / (total + 1)) / 1000
        said = f"even at the best threshold {count:,} of {total:,} that are answered have no passage with the answer"
    return f"{said}: {option} {target.share:g} cannot be met, {least:g} can"


def _counts(trials: Sequence[_Trial]) -> dict[str, int]:
    there = sum(one.answerable for one in trials)
    return {"with": there, "without": len(trials) - there}


def _share(count: int, total: int) -> dict[str, Any]:
    if not total:
        return {"value": None, "low": None, "high": None, "n": 0}
    low, high = wilson(count, total)
    return {"value": count / total, "low": low, "high": high, "n": total}


def _auroc(trials: Sequence[_Trial], arrays: Trials) -> dict[str, Any]:
    """Return the area with its interval: percentiles of resampled questions, each with all its trials.

    Where every right one is surer than every wrong one, resampling can find no other area; the interval is then that
    of the share of pairs in order, of as many pairs as share no trial.
    """
    import numpy as np

    value = auroc(arrays.sure, arrays.holds)
    if value in {0.0, 1.0}:
        pairs = int(min(arrays.holds.sum(), (~arrays.holds).sum()))
        return {**_share(pairs if value else 0, pairs), "n": len(trials)}
    codes = np.unique([digest([one.kind, one.question]) for one in trials], return_inverse=True)[1]
    count = int(codes.max()) + 1
    draw = np.random.default_rng(0)
    values = []
    for _ in range(_RESAMPLES):
        times = np.bincount(draw.integers(0, count, count), minlength=count)[codes]
        one = auroc(np.repeat(arrays.sure, times), np.repeat(arrays.holds, times))
        if one is not None:
            values.append(one)
    low, high = np.percentile(values, [2.5, 97.5]).tolist() if values else (None, None)
    return {"value": value, "low": low, "high": high, "n": len(trials)}
