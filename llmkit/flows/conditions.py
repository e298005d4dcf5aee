"""What two runs must share to be compared, and what differs where they do not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmkit.types import Run, Sample

_SHOWN = 5
_FIELDS = ("input", "turns", "references", "contexts", "choices", "answer", "meta")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of two runs, side by side.

    Attributes:
        shared: Ids of rows equal in id and content, in the candidate's order.
        only_base: Ids that only the base has.
        only_candidate: Ids that only the candidate has.
        changed: Ids that both have with another content.
        repeated: Ids that stand more than once in one run, which cannot be paired.
    """

    shared: Sequence[str]
    only_base: Sequence[str]
    only_candidate: Sequence[str]
    changed: Sequence[str]
    repeated: Sequence[str]

    @property
    def left_out(self) -> dict[str, list[str]]:
        """The rows that are not shared, by reason."""
        return {
            name: list(ids)
            for name, ids in (
                ("only in the base", self.only_base),
                ("only in the candidate", self.only_candidate),
                ("changed", self.changed),
                ("with an id that repeats", self.repeated),
            )
            if ids
        }


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs in the conditions of two runs.

    Attributes:
        reasons: A sentence each.
        scorers: Scorers that cannot be compared, with the reason.
        rows: Their rows.
        repeats: How many repeats both have of every sample.
    """

    reasons: Sequence[str]
    scorers: Mapping[str, str] = field(default_factory=dict)
    rows: Rows | None = None
    repeats: int = 1


def paired_rows(base: Mapping[str, str], candidate: Mapping[str, str], repeated: Collection[str] = ()) -> Rows:
    """Pair rows by id and content; both map an id to the digest of its row, in dataset order."""
    twice = set(repeated)
    return Rows(
        shared=[one for one, digest in candidate.items() if base.get(one) == digest and one not in twice],
        only_base=[one for one in base if one not in candidate and one not in twice],
        only_candidate=[one for one in candidate if one not in base and one not in twice],
        changed=[one for one, digest in candidate.items() if one in base and base[one] != digest and one not in twice],
        repeated=sorted(twice),
    )


def differences(
    base: Mapping[str, Any],
    candidate: Mapping[str, Any],
    rows: Rows,
    *,
    wanted: Collection[str] | None = None,
    changed_fields: Mapping[str, int] | None = None,
) -> Differences:
    """Return what differs between the conditions of two manifests, and between their rows.

    Args:
        base: The base's ``conditions``.
        candidate: The candidate's.
        rows: Their rows, paired.
        wanted: The scorers that matter; None for all.
        changed_fields: In how many of the changed rows each field differs, where that is known.
    """
    reasons = [*_of_rows(rows, changed_fields or {})]
    scorers: dict[str, str] = {}
    mine, theirs = base.get("scorers") or {}, candidate.get("scorers") or {}
    for name in mine if wanted is None else wanted:
        if name not in theirs:
            scorers[name] = f"{name} was not measured in the candidate"
        elif name not in mine:
            scorers[name] = f"{name} was not measured in the base"
        elif mine[name] != theirs[name]:
            scorers[name] = f"{name} was measured in another way: {parts_that_differ(mine[name], theirs[name])}"
    reasons += scorers.values()
    once, again = int(base.get("repeats", 1)), int(candidate.get("repeats", 1))
    if once != again:
        reasons.append(f"the base asked every row {once} time(s), the candidate {again}")
    if base.get("cluster") != candidate.get("cluster"):
        reasons.append(
            f"clusters are {_named(base.get('cluster'))} in the base, {_named(candidate.get('cluster'))} "
            "in the candidate"
        )
    return Differences(reasons, scorers, rows, min(once, again))


def _named(cluster: Any) -> str:
    return f"'{cluster}'" if cluster else "none"


def parts_that_differ(base: str, candidate: str) -> str:
    """Return in words which parts of two signatures differ (``model:a`` in the base, ``model:b`` in the candidate)."""
    mine, theirs = _parts(base), _parts(candidate)
    found = [
        f"{_one(mine.get(key))} in the base, {_one(theirs.get(key))} in the candidate"
        for key in dict.fromkeys([*mine, *theirs])
        if mine.get(key) != theirs.get(key)
    ]
    return "; ".join(found) or f"{base} in the base, {candidate} in the candidate"


def _parts(signature: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for place, part in enumerate(signature.split("|")):
        key = part.partition(":")[0] if ":" in part else f"part {place}"
        parts[f"{key} {place}" if key in parts else key] = part
    return parts


def _one(part: str | None) -> str:
    return part or "nothing of that"


def _of_rows(rows: Rows, fields: Mapping[str, int]) -> list[str]:
    lines = []
    for ids, one, many in (
        (rows.only_base, "row is only in the base", "rows are only in the base"),
        (rows.only_candidate, "row is only in the candidate", "rows are only in the candidate"),
        (rows.changed, "row has another content", "rows have another content"),
        (rows.repeated, "id stands more than once", "ids stand more than once"),
    ):
        if ids:
            named = ", ".join(f"'{one_id}'" for one_id in ids[:_SHOWN])
            more = ", ..." if len(ids) > _SHOWN else ""
            line = f"{len(ids):,} {one if len(ids) == 1 else many}: {named}{more}"
            if ids is rows.changed and fields:
                what = ", ".join(f"{name} in {count:,}" for name, count in fields.items())
                line += f" (changed: {what})"
            lines.append(line)
    return lines


def changed_fields(base: Run, candidate: Run, changed: Collection[str]) -> dict[str, int]:
    """Return in how many of the changed rows each field differs; empty where the base keeps no rows."""
    if not changed or base.manifest.get("baseline"):
        return {}
    wanted = set(changed)
    before = {row.sample.id: row.sample for row in base.samples if row.sample.id in wanted}
    counts: dict[str, int] = {}
    for row in candidate.samples:
        if row.sample.id in before:
            for name in _that_differ(before[row.sample.id], row.sample):
                counts[name] = counts.get(name, 0) + 1
    return counts


def _that_differ(one: Sample, other: Sample) -> list[str]:
    found = [name for name in _FIELDS[:-1] if getattr(one, name) != getattr(other, name)]
    keys = dict.fromkeys([*one.meta, *other.meta])
    return [*found, *(key for key in keys if one.meta.get(key) != other.meta.get(key))]
