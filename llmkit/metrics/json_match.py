"""JSON match: does the answer hold the same JSON value as the reference?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from llmkit.metrics import NO_REFERENCE, MeanMetric, metric
from llmkit.metrics._json_answer import NOT_JSON, Where, is_number, json_answer, leaves, parse_json
from llmkit.metrics._tolerance import check_tolerances, near
from llmkit.types import Output, Sample, Skipped


@metric("json_match")
@dataclass(frozen=True)
class JsonMatch(MeanMetric):
    """Share of answers whose JSON equals the reference's, whole or leaf by leaf.

    Formula: values are taken apart into leaves (scalars, empty objects and arrays) by path. ``score_by: exact``
    is 1 where all leaves agree, else 0; ``score_by: leaves`` is (leaves that agree) / (paths in either value). With
    ``extra`` the output may hold more than the reference, and only the reference's paths are counted. The best over
    several references. Range 0 to 1, higher is better.

    The order of keys does not matter, that of arrays does. 1 equals 1.0; true is not 1; texts are compared exactly.
    An output that is not JSON is an answer, a wrong one: 0. A sample with a reference that is not JSON, or with none of
    the ``keys``, is skipped.

    Use it for extraction and function arguments. Not to check a shape alone (`json_schema`), nor for fields
    of free text, which need a judge or a text metric.

    Source: none; it compares values.

    Attributes:
        score_by: ``exact`` or ``leaves``.
        where: Where the output may hold its JSON: ``whole``, ``fenced`` (whole, or the first fenced block that holds
            JSON), ``anywhere`` (else the first object or array in the text).
        keys: Compare only these keys of the outermost object.
        extra: Allow keys and array items that the reference lacks.
        abs_tol: Allowed distance between numbers.
        rel_tol: Allowed distance between numbers as a share of the reference's.
    """

    score_by: Literal["exact", "leaves"] = "exact"
    where: Where = "fenced"
    keys: tuple[str, ...] = ()
    extra: bool = False
    abs_tol: float = 0.0
    rel_tol: float = 0.0

    needs = ("references",)
    bounds = (0.0, 1.0)

    def __post_init__(self) -> None:
        check_tolerances(abs_tol=self.abs_tol, rel_tol=self.rel_tol)

    @property
    def binary(self) -> bool:
        """True for ``exact``."""
        return self.score_by == "exact"

    def score(self, sample: Sample, output: Output) -> float | Skipped:
        """Return the best score over the references; skipped where one is not JSON."""
        if not sample.references:
            return NO_REFERENCE
        wanted = [parse_json(reference) for reference in sample.references]
        if any(value is NOT_JSON for value in wanted):
            return Skipped("the reference is not JSON")
        if self.keys and not all(isinstance(value, Mapping) for value in wanted):
            return Skipped("keys are compared, but the reference is not a JSON object")
        if self.keys and not any(self._cut(value) for value in wanted):
            return Skipped("the reference has none of the keys that are compared")
        found = json_answer(output.text or "", self.where)
        if found is NOT_JSON or (self.keys and not isinstance(found, Mapping)):
            return 0.0
        return max(self._compare(self._cut(found), self._cut(value)) for value in wanted)

    def _cut(self, value: Any) -> Any:
        return {key: value[key] for key in self.keys if key in value} if self.keys else value

    def _compare(self, found: Any, wanted: Any) -> float:
        has, needs = leaves(found), leaves(wanted)
        agree = sum(path in has and self._equal(has[path], value) for path, value in needs.items())
        if self.extra:
            # What is empty in the reference may hold something in the output: its path is then a branch.
            agree += sum(path not in has and _may_grow(value, found, path) for path, value in needs.items())
        paths = len(needs) if self.extra else len(needs.keys() | has.keys())
        return agree / paths if self.score_by == "leaves" else float(agree == paths)

    def _equal(self, found: Any, wanted: Any) -> bool:
        if is_number(found) and is_number(wanted):
            return near(found, wanted, self.abs_tol, self.rel_tol)
        return type(found) is type(wanted) and bool(found == wanted)


def _may_grow(wanted: Any, found: Any, path: tuple[str | int, ...]) -> bool:
    """Tell whether ``wanted`` is an empty object or array and ``found`` has one of its type at ``path``."""
    if wanted not in ({}, []):
        return False
    for step in path:
        inside = isinstance(found, Mapping) if isinstance(step, str) else isinstance(found, list)
        if (
            not inside
            or (isinstance(step, str) and step not in found)
            or (step.__class__ is int and step >= len(found))
        ):
            return False
        found = found[step]
    return type(found) is type(wanted)
