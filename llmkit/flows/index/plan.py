"""What changed between the index and its source, and whether a build may go on with it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from llmkit.errors import InfrastructureError
from llmkit.flows.index.parts import Parts
from llmkit.retrieval.staged import Failed, Known, Stat

DOUBT_NS: Final = 2_000_000_000
"""A file changed this short a time before a scan may change again without a trace; next time its hash decides."""

FEW: Final = 5
"""So many documents may vanish, or be unreadable, whatever the share."""


@dataclass(slots=True)
class Plan:
    """Every document of the source and of the index in one of these.

    Attributes:
        added: What the index does not know.
        changed: What has another content, or is read in another way than before.
        moved: Path -> the path that the same content had before; these are among ``added``, and the old in ``removed``.
        vanished: Paths that are no longer there.
        removed: Those of them that are to be deleted.
        touched: Documents of the same content with other stats: path -> what was seen.
        unchanged: How many are as they were.
        failures: Documents that cannot be read: path -> why.
        kept: Failed documents of which an earlier version stays in the index.
        sizes: Bytes of files that the look could not read.
        nameless: Rows that cannot be told from others, since their ids cannot be read.
        hashes: Hash of each document in ``added`` and ``changed``.
        found: How many documents the source has.
        known: How many the index has.
    """

    added: list[Any] = field(default_factory=list)
    changed: list[Any] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    vanished: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    touched: dict[str, Stat] = field(default_factory=dict)
    unchanged: int = 0
    failures: dict[str, Failed] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    nameless: set[str] = field(default_factory=set)
    hashes: dict[str, str] = field(default_factory=dict)
    found: int = 0
    known: int = 0
    now_ns: int = 0

    @property
    def held(self) -> dict[str, tuple[str, ...]]:
        """Failed document -> those that vanished and stay, since they may be its last good version."""
        return {path: one.holds for path, one in sorted(self.failures.items()) if one.holds}

    @property
    def work(self) -> list[Any]:
        """The documents to read: files by path, rows of a table in their order, so that it is read once."""
        return sorted([*self.added, *self.changed], key=lambda found: (getattr(found, "number", 0), str(found.path)))

    def stat(self, found: Any) -> Stat:
        """Return what to remember of a document's look; -1 for a time that cannot be trusted."""
        doubtful = not found.mtime_ns or found.mtime_ns > self.now_ns - DOUBT_NS
        return Stat(found.size, -1 if doubtful else found.mtime_ns)

    def fail(self, path: str, digest: str, fingerprint: str, reason: str, before: Failed | None) -> None:
        """Note that a document cannot be read."""
        again = before is not None and (before.hash, before.fingerprint) == (digest, fingerprint)
        attempts = 1 if before is None or not again else before.attempts + 1
        self.failures[path] = Failed(digest, fingerprint, reason, attempts)

    def counts(self) -> dict[str, int]:
        """Return how many documents there are of each kind; a moved one is neither added nor removed."""
        added = {found.path for found in self.added}
        return {
            "added": len(added - self.moved.keys() - self.failures.keys()),
            "changed": sum(found.path not in self.failures for found in self.changed),
            "moved": len(self.moved.keys() - self.failures.keys()),
            "removed": len(self.removed) - len(self.moved),
            "failed": len(self.failures),
            "unchanged": self.unchanged + len(self.touched),
        }


def make_plan(
    parts: Parts,
    known: Mapping[str, Known],
    failures: Mapping[str, Failed],
    *,
    verify: bool = False,
    hold: bool = True,
) -> Plan:
    """Compare the source with what the index knows.

    A document whose size and time are those of the last scan is not read; with ``verify`` every content is hashed. One
    that failed is tried again when its content or the way of reading changes. With ``hold`` documents that vanished and
    may be among those that cannot be read are not removed.

    Raises:
        InfrastructureError: the source is not there.
    """
    from llmkit.documents.found import LoadError
    from llmkit.flows.index.holding import hold_vanished

    fingerprint = parts.chunk_fingerprint
    plan = Plan(known=len(known), now_ns=time.time_ns())
    seen: set[str] = set()
    closed: list[str] = []
    for found in parts.source.scan():
        path = found.path
        if found.folder:
            closed.append("" if path == "/" else path)
            plan.fail(path, "", fingerprint, found.problem, failures.get(path))
            continue
        plan.found += 1
        before = known.get(path)
        if (
            before is not None
            and before.mtime_ns == found.mtime_ns > 0
            and before.size == found.size
            and before.fingerprint == fingerprint
            and not verify
        ):
            plan.unchanged += 1
            seen.add(path)
            continue
        if found.number and not found.hash:
            plan.nameless.add(path)
        elif not found.number:
            plan.sizes[path] = found.size
        if not path.isascii() and (path := _storable(path)) != found.path:
            reason = "its name is not valid text; rename it"
            plan.fail(path, "", fingerprint, reason, failures.get(path))
            continue
        seen.add(path)
        try:
            content = "" if found.problem else found.hash or parts.source.digest(found)
        except LoadError as error:
            plan.fail(path, "", fingerprint, error.reason, failures.get(path))
            continue
        if found.problem:
            plan.fail(path, "", fingerprint, found.problem, failures.get(path))
        else:
            _sort(plan, found, content, (before, failures.get(path)), fingerprint)
    _settle(plan, known, seen, closed)
    if hold:
        hold_vanished(plan, known, failures)
    return plan


def _sort(plan: Plan, found: Any, content: str, was: tuple[Known | None, Failed | None], fingerprint: str) -> None:
    """Put a document whose content was hashed where it belongs; ``was`` is the last good version, the last failure."""
    before, failed = was
    if before is not None and (before.hash, before.fingerprint) == (content, fingerprint):
        stat = plan.stat(found)
        if stat == Stat(before.size, before.mtime_ns):
            plan.unchanged += 1
        else:
            plan.touched[found.path] = stat
    elif failed is not None and (failed.hash, failed.fingerprint) == (content, fingerprint):
        plan.failures[found.path] = failed._replace(holds=())
    else:
        plan.hashes[found.path] = content
        (plan.added if before is None else plan.changed).append(replace(found, hash=content))


def _settle(plan: Plan, known: Mapping[str, Known], seen: set[str], closed: list[str]) -> None:
    """Find what was removed and what moved; what lies in a folder that cannot be opened is not gone."""
    gone = [path for path in known if path not in seen]
    if closed:
        kept = {path for path in gone if path.startswith(tuple(closed))}
        plan.kept |= kept
        gone = [path for path in gone if path not in kept]
    plan.vanished = sorted(gone)
    plan.removed = plan.vanished
    by_hash: dict[str, list[str]] = {}
    for path in plan.removed:
        by_hash.setdefault(known[path].hash, []).append(path)
    for found in plan.added:
        same = by_hash.get(plan.hashes[found.path])
        if same:
            plan.moved[found.path] = same.pop(0)
    plan.kept |= {path for path in plan.failures if path in known}


def refuse_mass_deletion(plan: Plan, parts: Parts) -> None:
    """Raise InfrastructureError where the source looks as if it were not there."""
    if not plan.found:
        there = f", and the index knows {plan.known:,}" if plan.known else ""
        raise InfrastructureError(
            f"{parts.source_words} holds no documents{there}; is it mounted, and do 'include' and 'exclude' fit? "
            "Nothing was changed" + ("; if all are really gone, run again with --allow-deletes" if plan.known else "")
        )
    removed = len(plan.removed) - len(plan.moved)
    if removed > FEW and removed > parts.safety.max_delete_ratio * plan.known:
        raise InfrastructureError(
            f"{removed:,} of {plan.known:,} documents are no longer in {parts.source_words}, more than "
            f"safety.max_delete_ratio {parts.safety.max_delete_ratio:g} allows; nothing was changed. Is a folder not "
            "mounted? If they are really gone, run again with --allow-deletes"
        )


def refuse_failures(plan: Plan, parts: Parts, *, serves: bool) -> None:
    """Raise InfrastructureError where too many documents cannot be read: more than a few of them, or all.

    Args:
        plan: What was found.
        parts: Whose ``safety`` holds; with ``max_failures`` 0 the first failure is too many.
        serves: Whether an index is there, which serves on.
    """
    failed, share = len(plan.failures), parts.safety.max_failures
    if failed <= share * max(plan.found, 1) or (share and failed <= FEW and failed < plan.found):
        return
    shown = [f"{path}: {one.error}" for path, one in sorted(plan.failures.items())[:5]]
    more = f"\n  and {failed - len(shown):,} more" if failed > len(shown) else ""
    raise InfrastructureError(
        f"{failed:,} of {plan.found:,} documents cannot be read, more than safety.max_failures {share:g} allows; "
        f"{'the last index still serves' if serves else 'there is no index yet'}, and what was read is kept. Mend or "
        "exclude them, or allow more:\n  " + "\n  ".join(shown) + more
    )


def _storable(path: str) -> str:
    return path.encode("utf-8", "surrogatepass").decode("utf-8", "backslashreplace")
