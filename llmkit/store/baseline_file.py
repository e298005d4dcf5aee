"""A baseline: what a comparison needs of a run, in one small file that is committed beside the code.

::

    {
     "baseline": 1,
     "conditions": {...}, "name": ..., "repeats": ..., "scorers": {...}, ...
     "rows": [
      ["<digest of the row>", "<id>", {"exact_match": [1.0], "bleu": [[3.0, 2.0]]}],
      ...
     ]
    }

Rows are sorted by id and stand on a line each, so a diff shows which samples changed. A score is what the scorer's
value is made of: one number, or a list of statistics; null where there is none. People's labels of rows stand in
``labels``, by id and judge. Texts are left out unless they are
asked for: answers altogether, and of statistics that are texts (labels) those longer than `LABEL` characters, which
become digests. The same run always gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from llmkit.errors import UsageError
from llmkit.hashing import digest
from llmkit.store.files import write_text
from llmkit.store.open_run import open_run
from llmkit.types import Output, Run, Sample, SampleRow, Score

VERSION = 1
LABEL = 40
"""A text statistic up to so many characters is a label; what is longer may be an answer."""

_KEPT = ("name", "target", "fingerprint", "conditions", "repeats", "seed", "llmkit", "started", "config", "dataset")
_SCORER = (
    "value", "low", "high", "n", "method", "unit", "higher_is_better", "kind", "binary", "bounds", "signature",
    "errors", "skipped", "coverage",
)  # fmt: skip

T = TypeVar("T")


def baseline_text(run: Run, *, texts: bool = False) -> str:
    """Return a run as the text of a baseline file.

    Raises:
        UsageError: the run does not say which rows were asked.
    """
    rows, people = _rows(run)
    if not rows:
        raise UsageError(f"{run.path} does not say which rows were asked; run its evaluation again")
    kinds = {name: str(entry["kind"]) for name, entry in run.summary["scores"].items()}
    for score in run.scores:
        if score.sample_id in rows:
            rows[score.sample_id][2].setdefault(score.scorer, []).append(
                _kept(score, kinds.get(score.scorer, ""), texts=texts)
            )
    if texts:
        for output in run.outputs:
            if output.sample_id in rows:
                row = rows[output.sample_id]
                row.extend([[]] if len(row) == 3 else [])  # noqa: PLR2004 - digest, id, scores, and then the texts
                row[3].append(output.text)
    head = {
        "baseline": VERSION,
        **{key: run.manifest[key] for key in _KEPT if key in run.manifest},
        "texts": texts,
        "coverage": run.summary["coverage"],
        **{name: found for name, found in people.items() if found},
        **({"sequential": run.summary["sequential"]} if "sequential" in run.summary else {}),
        "scorers": {
            name: {**{key: entry[key] for key in _SCORER if key in entry}, **_source(entry)}
            for name, entry in run.summary["scores"].items()
        },
    }
    begin = json.dumps(head, ensure_ascii=True, indent=1, sort_keys=True)
    lines = ",\n".join(
        f"  {json.dumps(rows[one], ensure_ascii=True, sort_keys=True, separators=(', ', ': '))}" for one in sorted(rows)
    )
    return f'{begin[:-2]},\n "rows": [\n{lines}\n ]\n}}\n'


def _rows(run: Run) -> tuple[dict[str, list[Any]], dict[str, dict[str, Any]]]:
    """Return each row's digest, id and scores to be filled in; and of the rows that people labelled, what they said."""
    rows: dict[str, list[Any]] = {}
    people: dict[str, dict[str, Any]] = {"labels": {}, "strata": {}}
    for row in run.samples:
        one = row.sample.id
        if row.sample.perturbation:
            continue
        rows[one] = [row.digest, one, {}]
        for name, said in (("labels", row.labels), ("strata", row.strata)):
            if said:
                people[name][one] = dict(said)
    return rows, people


def _source(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return where people's labels for a judge came from, as the run's own summary has it."""
    return {"corrected": {"source": entry["corrected"]["source"]}} if entry.get("corrected") else {}


def _kept(score: Score, kind: str, *, texts: bool) -> Any:
    if score.status != "ok":
        return None
    return score.stats[0] if kind == "mean" else [item if texts else kept_label(item) for item in score.stats]


def kept_label(item: float | str) -> float | str:
    """Return a statistic as a baseline without texts keeps it: a long text as its digest."""
    return f"#{digest(item)}" if isinstance(item, str) and len(item) > LABEL else item


def write_baseline(run: Run, path: Path, *, texts: bool = False) -> None:
    """Write a run as a baseline file."""
    write_text(path, baseline_text(run, texts=texts))


def open_baseline(path: Path | str) -> Run:
    """Return the run in a folder, or what a baseline file keeps of one.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    file = Path(path)
    if not file.is_file():
        return open_run(file)
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} is not a baseline: {error}; write one with llmkit bless RUN") from error
    if not isinstance(data, dict) or "baseline" not in data or "rows" not in data:
        raise UsageError(f"{file} is not a baseline; write one with llmkit bless RUN")
    if data["baseline"] != VERSION:
        raise UsageError(f"{file} was written by another llmkit (format {data['baseline']}); bless a run again")
    try:
        return _as_run(file, data)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UsageError(f"{file} is damaged ({error!r}); bless a run again") from error


class _Again(Generic[T]):
    """Records made anew each time they are iterated."""

    def __init__(self, make: Callable[[], Iterable[T]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[T]:
        return iter(self._make())


def _as_run(file: Path, data: Mapping[str, Any]) -> Run:
    rows: Sequence[Sequence[Any]] = data["rows"]
    kinds = {name: entry["kind"] for name, entry in data["scorers"].items()}
    for of_row, one, scores in (row[:3] for row in rows):
        if not (isinstance(of_row, str) and isinstance(one, str) and isinstance(scores, dict)):
            raise TypeError(f"the row {one!r}")
        if unknown := scores.keys() - kinds.keys():
            raise KeyError(*unknown)
    summary = {
        "name": data["name"],
        "rows": len(rows),
        "repeats": data["repeats"],
        "coverage": data["coverage"],
        "scores": data["scorers"],
        "slices": {},
        **({"sequential": data["sequential"]} if "sequential" in data else {}),
    }
    return Run(
        path=str(file),
        manifest={**data, "rows": len(rows)},
        summary=summary,
        outputs=_Again(lambda: _outputs(rows)),
        scores=_Again(lambda: _scores(rows, kinds)),
        samples=_Again(lambda: _samples(rows, data.get("labels") or {}, data.get("strata") or {})),
    )


def _samples(
    rows: Iterable[Sequence[Any]], labels: Mapping[str, Any], strata: Mapping[str, Any]
) -> Iterator[SampleRow]:
    for row in rows:
        yield SampleRow(Sample(row[1]), row[0], labels.get(row[1], {}), strata.get(row[1], {}))


def _outputs(rows: Iterable[Sequence[Any]]) -> Iterator[Output]:
    for row in rows:
        for repeat, text in enumerate(row[3] if len(row) > 3 else ()):  # noqa: PLR2004 - as above
            if text is not None:
                yield Output(row[1], text, repeat)


def _scores(rows: Iterable[Sequence[Any]], kinds: Mapping[str, str]) -> Iterator[Score]:
    for row in rows:
        for name, repeats in row[2].items():
            for repeat, kept in enumerate(repeats):
                if kept is None:
                    yield Score(row[1], name, None, status="error", reason="no score in the baseline", repeat=repeat)
                elif kinds[name] == "mean":
                    yield Score(row[1], name, kept, stats=(kept,), repeat=repeat)
                else:
                    yield Score(row[1], name, None, stats=tuple(kept), repeat=repeat)
