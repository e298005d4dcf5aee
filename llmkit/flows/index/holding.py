"""Documents that vanished while another one appeared that cannot be read: they may be the same, so they stay.

A file that is renamed and cannot be read under its new name, because it lost its rights, was cut short on its way or
has an ending that another loader reads, looks like a deletion and a failure. Deleting its last good version would lose
it without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from llmkit.retrieval.staged import Failed, Known

if TYPE_CHECKING:
    from llmkit.flows.index.plan import Plan

_ALIKE: Final = 0.6
"""Least likeness of two names in one folder (`SequenceMatcher.ratio`), such as report-v1 and report-v2-final."""

_MOST: Final = 10_000
"""Pairs of names that are compared; more are not one rename."""


def hold_vanished(plan: Plan, known: Mapping[str, Known], before: Mapping[str, Failed]) -> None:
    """Leave out of ``plan.removed`` what may be the last good version of a document that cannot be read.

    That is, in this order: what it stood in for at the last build; a document of the same content, or of the same size;
    and, where the failure is new, one of the same name in another folder, of the same name with another ending, of a
    name like it in the same folder; and every row that is gone where a row cannot be told from others. What is held
    goes when the failure does, or with ``--allow-deletes``.
    """
    for path in plan.failures.keys() & plan.moved.keys():
        del plan.moved[path]
    gone = set(plan.vanished) - set(plan.moved.values())
    failed = [path for path in sorted(plan.failures) if path not in known and not path.endswith("/")]
    held: dict[str, tuple[str, ...]] = {}
    if gone:
        for path, old in _pairs(plan, known, before, failed, gone):
            if old in gone:
                gone.remove(old)
                held[path] = (*held.get(path, ()), old)
    plan.failures = {path: one._replace(holds=held.get(path, ())) for path, one in plan.failures.items()}
    kept = {old for holds in held.values() for old in holds}
    plan.removed = [path for path in plan.vanished if path not in kept]


def _pairs(
    plan: Plan, known: Mapping[str, Known], before: Mapping[str, Failed], failed: list[str], gone: set[str]
) -> Iterator[tuple[str, str]]:
    """Yield what may belong together, the surest first; ``gone`` shrinks meanwhile."""
    for path in failed:
        yield from ((path, old) for old in (before[path].holds if path in before else ()))
    hashed = {path: plan.failures[path].hash for path in failed}
    yield from _matching(hashed, {old: known[old].hash for old in gone})
    unread = {path: plan.sizes.get(path, 0) for path in failed if not hashed[path]}
    yield from _matching(unread, {old: known[old].size for old in gone})
    new = [path for path in failed if path not in before]
    yield from _matching({path: _name(path) for path in new}, {old: _name(old) for old in gone})
    yield from _matching({path: _stem(path) for path in new}, {old: _stem(old) for old in gone})
    if len(new) * len(gone) <= _MOST:
        yield from _alike(new, gone)
    for path in new:
        if path in plan.nameless:
            yield from ((path, old) for old in sorted(gone))


def _matching(failed: Mapping[str, Any], gone: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield pairs that have the same mark, each document once."""
    marked: dict[Any, list[str]] = {}
    for old in sorted(gone, reverse=True):
        marked.setdefault(gone[old], []).append(old)
    for path, mark in failed.items():
        if mark and marked.get(mark):
            yield path, marked[mark].pop()


def _alike(new: Iterable[str], gone: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield documents of one folder with names like each other, the likest first."""
    found = []
    for path in new:
        for old in gone:
            if PurePosixPath(path).parent == PurePosixPath(old).parent:
                ratio = SequenceMatcher(None, PurePosixPath(path).stem, PurePosixPath(old).stem, autojunk=False).ratio()
                if ratio >= _ALIKE:
                    found.append((-ratio, path, old))
    taken: set[str] = set()
    for _, path, old in sorted(found):
        if path not in taken:
            taken.add(path)
            yield path, old


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _stem(path: str) -> str:
    return str(PurePosixPath(path).with_suffix("")) if PurePosixPath(path).suffix else ""
