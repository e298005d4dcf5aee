"""The story of a build: look, refuse, read, embed, publish. Killed at any moment, run again, it ends the same."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from llmkit._version import __version__
from llmkit.errors import Interrupted
from llmkit.flows.index.derive import derive, derive_words
from llmkit.flows.index.embed import Embedded, embed_missing
from llmkit.flows.index.holding import hold_vanished
from llmkit.flows.index.load import read_all, staged
from llmkit.flows.index.options import BuildOptions, Built, Notice, Step
from llmkit.flows.index.parts import Parts
from llmkit.flows.index.plan import Plan, make_plan, refuse_failures, refuse_mass_deletion
from llmkit.retrieval.gc import collect, dead_share
from llmkit.retrieval.publish import Changes, publish, touch
from llmkit.retrieval.records import IndexMeta
from llmkit.retrieval.staged import Failed, StagedDocument
from llmkit.retrieval.store import IndexStore

COMMIT_SECONDS: Final = 1.0
_COMMIT_CHUNKS: Final = 4096
DEAD_SHARE: Final = 0.25
"""Share of vectors without a chunk from which a build makes the file anew."""

_FEW_DEAD: Final = 1000
_SHOWN: Final = 10
"""Warnings about documents that are told one by one."""


def build_index(parts: Parts, options: BuildOptions | None = None) -> Built:
    """Bring an index in step with its source and return what that took.

    Readers see the last generation until the next is published, whole, in one transaction. What was read and embedded
    before a kill, a full disk or an endpoint that went away is kept and not paid for again.

    Raises:
        InfrastructureError: another writer, a source that is not there, too many deletions or failures, the disk, the
            endpoint.
        Interrupted: Ctrl-C; the last generation serves, and the same command goes on.
    """
    options = options or BuildOptions()
    began = time.monotonic()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with IndexStore(parts.folder) as store:
        try:
            return _build(store, parts, options, began, started)
        except KeyboardInterrupt as error:
            meta = store.meta
            serves = "nothing serves yet" if meta is None else f"generation {meta.generation} serves as before"
            raise Interrupted(f"stopped; {serves}, and what was read and embedded is kept") from error


def _build(store: IndexStore, parts: Parts, options: BuildOptions, began: float, started: str) -> Built:
    options.tell(Step("looking", 0, 0))
    known, failed = store.documents(), {} if options.retry_failed else store.failures()
    plan = make_plan(parts, known, failed, verify=options.verify, hold=not options.allow_deletes)
    if not options.allow_deletes or (not plan.found and not plan.known):
        refuse_mass_deletion(plan, parts)
    before = store.meta
    if before is not None and not _differs(store, plan, before, parts):
        return _nothing_to_do(store, plan, parts, before, started=started, began=began)
    store.begin(parts.embed_fingerprint)
    _read(store, parts, plan, options)
    if not options.allow_deletes:
        hold_vanished(plan, known, failed)
    refuse_failures(plan, parts, serves=before is not None)
    rekeyed = before is not None and (_keyed_otherwise(before, parts) or store.lost())
    if rekeyed:
        store.rekey(parts.embed_fingerprint, plan.removed, title_prefix=parts.title_prefix)
    done = Embedded()
    if parts.embedder is not None and parts.shards == "ray":
        from llmkit.flows.index.sharded import embed_over_ray

        done = embed_over_ray(store, parts, options)
    elif parts.embedder is not None:
        done = embed_missing(store, parts.embedder, options, title_prefix=parts.title_prefix)
    options.tell(Step("publishing", 0, 0))
    counts = plan.counts() | {"embedded": done.texts, "embed_ms": int(done.seconds * 1000)}
    seen = {found.path: plan.stat(found) for found in plan.work if found.path not in plan.failures}
    changes = Changes(
        removed=plan.removed,
        seen=seen | plan.touched,
        failures=plan.failures,
        rekeyed=rekeyed,
        run=_run(parts, started, counts, done),
    )
    meta = publish(
        store,
        _meta(parts),
        changes,
        lexical=parts.lexical,
        max_tokens=None if parts.embedder is None else parts.embedder.max_tokens,
    )
    if store.epoch and dead_share(store) > DEAD_SHARE and meta.chunks > _FEW_DEAD:
        collect(store)
    derive(store, parts.vector, options)
    derive_words(store, parts.lexical_engine, options)
    if meta.truncated:
        options.tell(Notice(_cut_off(meta.truncated, parts)))
    return _built(parts, plan, meta, done, counts=counts, began=began, published=True)


def _keyed_otherwise(before: IndexMeta, parts: Parts) -> bool:
    """Return whether chunks that stay have another vector than before."""
    prefixed = before.config.get("title_prefix", True)
    return before.embed_fingerprint != parts.embed_fingerprint or prefixed != parts.title_prefix


def _differs(store: IndexStore, plan: Plan, before: IndexMeta, parts: Parts) -> bool:
    """Return whether the next generation would be another one."""
    return bool(
        plan.work
        or plan.removed
        or before.embed_fingerprint != parts.embed_fingerprint
        or before.chunk_fingerprint != parts.chunk_fingerprint
        or store.value("lexical") != parts.lexical
        or dict(before.config) != dict(parts.config)
        or store.lost()
    )


def _read(store: IndexStore, parts: Parts, plan: Plan, options: BuildOptions) -> None:
    """Read what is new, and keep it as it comes; what an earlier process has kept is not read again."""
    there = store.staged(parts.stage)
    work = plan.work
    wanted = {found.path: plan.hashes[found.path] for found in work}
    stale = [path for path, content in there.items() if wanted.get(path) != content]
    if stale:
        with store.transaction():
            store.unstage(stale)
    left = [found for found in work if there.get(found.path) != wanted[found.path]]
    ready: list[StagedDocument] = []
    chunks, warned, last = 0, 0, time.monotonic()
    previous: Mapping[str, Failed] = store.failures()
    known = {found.path for found in plan.changed}
    for done, (found, document, cut) in enumerate(read_all(parts, left, options.processes), start=1):
        path = found.path
        if isinstance(document, str):
            plan.fail(path, found.hash, parts.chunk_fingerprint, document, previous.get(path))
            if path in known:
                plan.kept.add(path)
        else:
            for warning in document.warnings:
                warned += 1
                if warned <= _SHOWN:
                    options.tell(Notice(f"{path}: {warning}"))
            ready.append(staged(parts, path, wanted[path], document, cut))
            chunks += len(cut)
        now = time.monotonic()
        if now - last > COMMIT_SECONDS or chunks > _COMMIT_CHUNKS:
            store.stage(ready, fingerprint=parts.chunk_fingerprint, stage=parts.stage)
            ready, chunks, last = [], 0, now
            options.tell(Step("reading", done, len(left)))
    store.stage(ready, fingerprint=parts.chunk_fingerprint, stage=parts.stage)
    if left:
        options.tell(Step("reading", len(left), len(left)))
    if warned > _SHOWN:
        options.tell(Notice(f"and {warned - _SHOWN:,} more like these"))


def _nothing_to_do(
    store: IndexStore, plan: Plan, parts: Parts, meta: IndexMeta, *, started: str, began: float
) -> Built:
    refuse_failures(plan, parts, serves=True)
    counts = plan.counts() | {"embedded": 0, "embed_ms": 0}
    run = _run(parts, started, counts, Embedded())
    touch(store, Changes(seen=plan.touched, failures=plan.failures, run=run))
    store.epoch = int(store.value("epoch") or 0)
    derive(store, parts.vector)  # a kill may have come between publishing and this, or its folder was removed
    derive_words(store, parts.lexical_engine)
    return _built(parts, plan, meta, Embedded(), counts=counts, began=began, published=False)


def _meta(parts: Parts) -> IndexMeta:
    return IndexMeta(
        name=parts.name,
        generation=0,
        built="",
        config=parts.config,
        source=parts.config_file,
        embed_fingerprint=parts.embed_fingerprint,
        chunk_fingerprint=parts.chunk_fingerprint,
        fields=parts.fields,
    )


def _run(parts: Parts, started: str, counts: Mapping[str, int], done: Embedded) -> dict[str, Any]:
    return {
        "started": started,
        "config": parts.config,
        "counts": dict(counts),
        "tokens": done.tokens,
        "cost": getattr(parts.embedder, "cost", None),
        "version": __version__,
    }


def _cut_off(count: int, parts: Parts) -> str:
    limit = parts.embedder.max_tokens if parts.embedder is not None else None
    return (
        f"{count:,} chunks are longer than the {limit:,} tokens that the embedder reads, so their ends are not in "
        "their vectors (BM25 does search them); choose a smaller chunk size"
    )


def _built(
    parts: Parts, plan: Plan, meta: IndexMeta, done: Embedded, *, counts: dict[str, int], began: float, published: bool
) -> Built:
    totals = {"documents": meta.documents, "chunks": meta.chunks, "truncated": meta.truncated}
    return Built(
        name=parts.name,
        folder=str(parts.folder),
        generation=meta.generation,
        published=published,
        counts={**{name: count for name, count in counts.items() if name != "embed_ms"}, **totals},
        tokens=done.tokens,
        cost=getattr(parts.embedder, "cost", None),
        seconds=round(time.monotonic() - began, 3),
        failures={path: one.error for path, one in sorted(plan.failures.items())},
        kept=tuple(sorted(plan.kept)),
        held=plan.held,
    )
