"""Answers that were recorded before: a field of the eval row, or a second file joined on a field."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from llmkit.errors import PermanentError
from llmkit.providers._answers import as_text
from llmkit.providers._joined import JoinedFile
from llmkit.registry import provider
from llmkit.types import Request, Response


@provider("recorded")
@dataclass(frozen=True)
class Recorded:
    """Answers with what was recorded, so that outputs are scored without asking anyone.

    Attributes:
        field: The field that holds the answer; ``meta`` fields of the row and dotted names work
            (``choices.0.message.content``). Values that are not text become JSON.
        path: A second file (JSONL, .gz too) that holds the answers; without it they stand in the eval row.
        on: The field, in both files, that says which rows belong together.
        latency: Field with the seconds an answer took.
        cost: Field with its price in US dollars.
        tokens_in: Field with its prompt tokens.
        tokens_out: Field with its completion tokens.
    """

    field: str = "output"
    path: Path | None = None
    on: str = "id"
    latency: str | None = None
    cost: str | None = None
    tokens_in: str | None = None
    tokens_out: str | None = None
    _joined: JoinedFile | None = dataclasses.field(init=False, default=None, repr=False, compare=False)
    _plain: bool = dataclasses.field(init=False, default=False, repr=False, compare=False)

    cacheable: ClassVar[bool] = False
    journaled: ClassVar[bool] = False
    wants_sample: ClassVar[bool] = True
    reads_output: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Index the second file, so that what is wrong with it is said before anything is done."""
        figures = any((self.latency, self.cost, self.tokens_in, self.tokens_out))
        object.__setattr__(self, "_plain", self.path is None and not figures)
        if self.path is not None:
            object.__setattr__(self, "_joined", JoinedFile(self.path, self.on))

    @property
    def files(self) -> tuple[Path, ...]:
        """The second file, where there is one."""
        return () if self.path is None else (self.path,)

    @property
    def needs(self) -> tuple[str, ...]:
        """The row fields without which there is nothing to score."""
        return ("output",) if self.path is None and self.field == "output" else ()

    @property
    def unmatched(self) -> int:
        """Rows of the second file that no sample has asked for so far; 0 without a second file."""
        return 0 if self._joined is None else self._joined.unmatched

    async def complete(self, request: Request) -> Response:
        """Return the recorded answer of ``request.sample``; kind ``missing`` where there is none."""
        sample = request.sample
        if sample is None:
            raise PermanentError("recorded answers need the eval row, and this request carries none", kind="missing")
        if self._plain:
            text = sample.get(self.field)
            if text.__class__ is str:
                return Response(text=text)
        row = sample if self._joined is None else self._matching(self._joined, sample)
        value = _value(row, self.field)
        if value is None:
            raise self._missing(sample)
        if self._plain:
            return Response(text=as_text(value))
        return Response(
            text=as_text(value),
            latency=self._figure(row, self.latency) or 0.0,
            cost=self._figure(row, self.cost),
            tokens_in=_whole(self._figure(row, self.tokens_in)),
            tokens_out=_whole(self._figure(row, self.tokens_out)),
        )

    async def aclose(self) -> None:
        """Close the second file."""
        if self._joined is not None:
            self._joined.close()

    def _matching(self, joined: JoinedFile, sample: Mapping[str, Any]) -> Mapping[str, Any]:
        key = _value(sample, self.on)
        row = None if key is None else joined.get(str(key))
        if row is None:
            raise self._missing(sample)
        return row

    def _missing(self, sample: Mapping[str, Any]) -> PermanentError:
        where = f"the field '{self.field}' of the row" if self.path is None else f"'{self.field}' in {self.path.name}"
        message = f"no recorded output for '{sample.get('id')}': looked for {where}"
        return PermanentError(message, kind="missing")

    def _figure(self, row: Mapping[str, Any], name: str | None) -> float | None:
        value = _value(row, name) if name else None
        if value is None:
            return None
        number = _number(value)
        if number is None:
            raise PermanentError(f"the recorded '{name}' is {value!r}, not a number", kind="malformed")
        return number


def _value(row: Mapping[str, Any], name: str) -> Any:
    if name in row:
        return row[name]
    meta = row.get("meta")
    if isinstance(meta, Mapping) and name in meta:
        return meta[name]
    head, *steps = name.split(".")
    inner = row[head] if head in row else meta.get(head) if isinstance(meta, Mapping) else None
    return _inside(inner, steps) if steps else None


def _inside(value: Any, steps: list[str]) -> Any:
    """Return what lies at the end of ``steps``; on a list a number picks an item."""
    if not steps:
        return value
    if isinstance(value, Mapping):
        whole = ".".join(steps)
        return value[whole] if whole in value else _inside(value.get(steps[0]), steps[1:])
    if isinstance(value, list) and steps[0].isdecimal() and int(steps[0]) < len(value):
        return _inside(value[int(steps[0])], steps[1:])
    return None


def _number(value: Any) -> float | None:
    """Return a number, also one written as text, as every cell of a CSV file is; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
