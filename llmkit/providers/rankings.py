"""Rankings that were recorded before: a TREC run, a JSONL file joined on a field, or a field of the eval row."""

from __future__ import annotations

import dataclasses
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from llmkit.errors import ConfigError, PermanentError, Problem
from llmkit.providers._answers import response_of
from llmkit.providers._joined import JoinedFile
from llmkit.providers._trec_run import TrecRun, best_first
from llmkit.registry import provider
from llmkit.types import Passage, Ranked, Request, Response


@provider("rankings")
@dataclass(frozen=True)
class Rankings:
    """Answers with a recorded ranking, so that a retriever is scored without running it: ``{rankings: run.txt}``.

    A TREC run holds ``query Q0 document rank score name`` on each line; its order is that of the scores, equal ones
    by document id, descending, as trec_eval reads it, in single precision: 100.000002 and 100.000001 are equal. In
    JSONL a row holds a ranking: a list of document ids or of objects with ``id``, ``text`` and ``score``, best first,
    or a mapping from ids to scores, which is ordered in the same way. A list stands as it is: whoever ranked it saw all
    digits, so only neighbours whose scores are equal to the last digit tie (and then go by id, descending). The
    answer's text is empty.

    Attributes:
        path: The file with the rankings (.gz too); without it they stand in the eval row.
        field: The field of a JSONL row, or of the eval row, that holds its ranking; dotted names work.
        on: The field, in the eval set and in a JSONL file, that says which rows belong together. A TREC run is
            joined by its queries.
        format: ``trec`` or ``jsonl``; without it a name that ends in .jsonl or .ndjson is JSONL, any other TREC.
        depth: Results after this many are left out (``trec_eval -M``); null keeps all.
        missing: What a row without a ranking in the file has: ``empty``, no results, which counts 0 as in
            ``trec_eval -c``; or ``error``, no answer at all.
    """

    path: Path | None = None
    field: str = "retrieved"
    on: str = "id"
    format: Literal["trec", "jsonl"] | None = None
    depth: int | None = None
    missing: Literal["empty", "error"] = "empty"
    _file: TrecRun | JoinedFile | None = dataclasses.field(init=False, default=None, repr=False, compare=False)

    cacheable: ClassVar[bool] = False
    journaled: ClassVar[bool] = False
    wants_sample: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Read the file, so that what is wrong with it is said before anything is done."""
        if self.depth is not None and self.depth < 1:
            raise ConfigError(problems=[Problem(f"depth: must be at least 1, got {self.depth}")])
        if self.path is not None:
            lines = _format(self.path) if self.format is None else self.format
            file = TrecRun(self.path) if lines == "trec" else JoinedFile(self.path, self.on)
            object.__setattr__(self, "_file", file)

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, where there is one."""
        return () if self.path is None else (self.path,)

    @property
    def unmatched(self) -> int:
        """Rankings of the file that no sample has asked for so far; 0 without a file."""
        return 0 if self._file is None else self._file.unmatched

    @property
    def matched(self) -> int | None:
        """Rankings of the file that belong to a sample, so far; None without a file."""
        return None if self._file is None else len(self._file) - self._file.unmatched

    async def complete(self, request: Request) -> Response:
        """Return the ranking of ``request.sample``; kind ``missing`` where there is none, by the rule above."""
        sample = request.sample
        if sample is None:
            raise PermanentError("rankings need the eval row, and this request carries none", kind="missing")
        passages = self._ranking(sample)
        if passages is None:
            if self.path is None or self.missing == "error":
                where = f"the field '{self.field}' of the row" if self.path is None else str(self.path.name)
                raise PermanentError(f"no ranking for '{sample.get('id')}': looked in {where}", kind="missing")
            passages = ()
        return Response(retrieved=passages[: self.depth])

    async def aclose(self) -> None:
        """Close the file."""
        if isinstance(self._file, JoinedFile):
            self._file.close()

    def _ranking(self, sample: Mapping[str, Any]) -> Sequence[Passage] | None:
        if self._file is None:
            return _passages(_value(sample, self.field), self.field)
        key = _value(sample, self.on)
        if key is None:
            return None
        if isinstance(self._file, TrecRun):
            return self._file.get(str(key))
        row = self._file.get(str(key))
        if row is None:
            return None
        found = _passages(_value(row, self.field), self.field)
        if found is None:
            raise PermanentError(f"the row '{key}' of the rankings has no '{self.field}'", kind="malformed")
        return found


def _format(path: Path) -> Literal["trec", "jsonl"]:
    name = path.name.lower().removesuffix(".gz")
    return "jsonl" if name.endswith((".jsonl", ".ndjson")) else "trec"


def _passages(value: Any, field: str) -> Sequence[Passage] | None:
    """Return a ranking as it may be written: ids, objects, or scores by id; None where there is none."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return _by_score(value, field)
    if isinstance(value, (list, tuple)):
        value = [{"id": str(item)} if isinstance(item, (str, int)) else item for item in value]
        nameless = next((at for at, item in enumerate(value) if not _named(item)), -1)
        if nameless >= 0:
            raise PermanentError(f"'{field}[{nameless}]' has no 'id'", kind="malformed")
    return response_of({"text": "", "retrieved": value}, f"the ranking in '{field}'").retrieved


def _named(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("id") is not None


def _by_score(scores: Mapping[str, Any], field: str) -> Ranked:
    for name, score in scores.items():
        if isinstance(score, bool) or not isinstance(score, (int, float)) or not math.isfinite(score):
            raise PermanentError(f"'{field}.{name}' is {score!r}, not a score", kind="malformed")
    return best_first(list(map(str, scores)), array("d", scores.values()))


def _value(row: Mapping[str, Any], name: str) -> Any:
    """Return a field of a row or of its ``meta``; dots reach inside."""
    for place in (row, row.get("meta")):
        value: Any = place
        if isinstance(place, Mapping) and name in place:
            return place[name]
        for step in name.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        if value is not None:
            return value
    return None
