"""Is an index whole, does it fit its documents, does its embedder still make its vectors?"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from llmkit.errors import InfrastructureError, UsageError
from llmkit.flows.index.derive import derived_fault, forget_derived
from llmkit.flows.index.mend import Mended, mend
from llmkit.flows.index.parts import Parts
from llmkit.flows.index.plan import make_plan
from llmkit.retrieval.checks import broken_tables, content_faults, faults
from llmkit.retrieval.failures import Damaged
from llmkit.retrieval.publish import remake_lexical_table
from llmkit.retrieval.salvage import salvage
from llmkit.retrieval.schema import FILE_NAME
from llmkit.retrieval.staged import embedded_text
from llmkit.retrieval.store import IndexStore

SAMPLE: Final = 32
_FAR: Final = 0.045
"""Distance from which two vectors are not the same: a cosine of 0.999 between those of length 1."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found.

    Attributes:
        faults: A sentence for each kind of damage.
        left: Those that ``repair`` left to the next build; all of them without it.
        restored: Documents whose texts were restored from their sources.
        marked: Documents that the next build reads again: path -> why they could not be restored at once.
        behind: Documents added, changed, moved, removed and failed since the last build; None where the source was
            not asked, or what the index knows of it cannot be read.
        embedded: Chunks that were embedded again to compare.
    """

    faults: list[str]
    left: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    marked: dict[str, str] = field(default_factory=dict)
    behind: dict[str, int] | None = None
    embedded: int = 0


def verify_index(folder: Path, parts: Parts | None = None, *, sample: int = SAMPLE, repair: bool = False) -> Verified:
    """Check an index; with its parts, also that it fits its documents (each is hashed) and its embedder.

    Args:
        folder: Where it lies.
        parts: What it is built of; None checks the files alone.
        sample: Chunks to embed again.
        repair: Restore damaged texts from their documents where these are as they were indexed, and the lexical index;
            mark what else is lost so that the next build makes it anew.

    Raises:
        UsageError: there is no index in the folder.
        InfrastructureError: another process writes to it, or it cannot be read at all.
    """
    if not (folder / FILE_NAME).is_file():
        raise UsageError(f"there is no index in {folder}; make one with 'llmkit index build CONFIG'")
    try:
        return _verified(folder, parts, sample, repair=repair)
    except Damaged as error:
        read = error.__cause__ is None
        said = list(error.args) if read else [f"{FILE_NAME} cannot be read to its end: {error.__cause__}"]
    if not repair:
        return Verified(said, said)
    count = salvage(folder)
    with IndexStore(folder) as store:
        remake_lexical_table(store)
    saved = f"of {FILE_NAME} {count:,} chunks could be read; a build reads every document again and embeds what is lost"
    return Verified(said, [saved])


def _verified(folder: Path, parts: Parts | None, sample: int, *, repair: bool) -> Verified:
    with IndexStore(folder) as store:
        meta = store.meta
        if meta is None:
            raise UsageError(f"the index in {folder} was never built to its end; run 'llmkit index build CONFIG'")
        prefixed = bool(meta.config.get("title_prefix", True))
        broken = broken_tables(store)
        found = broken or list(content_faults(store, title_prefix=prefixed))
        derived = None if broken else derived_fault(folder)
        found += [derived] if derived else []
        behind = None
        embedded = 0
        embedder: list[str] = []
        if parts is not None and not broken:
            behind = _behind(store, parts)
            if parts.embed_fingerprint != meta.embed_fingerprint:
                embedder.append("the config's embedder is not the one that made the vectors; build again")
            elif parts.embedder is not None and not found:
                embedded, differ = _embed_again(store, parts, sample)
                if differ:
                    embedder.append(
                        f"{differ:,} of {embedded:,} chunks are embedded otherwise now than when they were built"
                    )
        found += embedder
        left, mended = found, Mended()
        if repair and found:
            mended = mend(store, meta, parts)
            if derived:
                forget_derived(store)
            left = list(faults(store, title_prefix=prefixed)) + embedder
    return Verified(found, left, mended.restored, mended.marked, behind, embedded)


def _behind(store: IndexStore, parts: Parts) -> dict[str, int]:
    """Return how many documents changed in each way; a failure that the last build told is none."""
    known = store.failures()
    plan = make_plan(parts, store.documents(), known, verify=True)
    counts = plan.counts()
    counts["failed"] -= sum(
        path in known and (one.hash, one.fingerprint) == (known[path].hash, known[path].fingerprint)
        for path, one in plan.failures.items()
    )
    return {name: count for name, count in counts.items() if count and name != "unchanged"}


def _embed_again(store: IndexStore, parts: Parts, sample: int) -> tuple[int, int]:
    """Embed some chunks again; return how many, and how many vectors are not those that are kept."""
    import numpy as np

    from llmkit.retrieval.vector_file import open_rows, vector_path

    epoch = int(store.value("epoch"))
    dimensions, rows = store.rows("SELECT dimensions, rows FROM epochs WHERE epoch = ?", (epoch,))[0]
    numbers = [number for (number,) in store.rows("SELECT number FROM chunks ORDER BY number")]
    drawn = sorted(Random(0).sample(numbers, min(sample, len(numbers))))  # noqa: S311 - a sample, no secret
    one = "SELECT v.row, c.lead, c.text FROM chunks c JOIN vectors v ON v.key = c.key AND v.epoch = ? WHERE number = ?"
    chosen: list[Any] = [row for number in drawn for row in store.rows(one, (epoch, number))]
    if not chosen or parts.embedder is None:
        return 0, 0
    texts = [embedded_text(lead, text, title_prefix=parts.title_prefix) for _, lead, text in chosen]
    kept = open_rows(vector_path(store.folder, epoch), rows, dimensions)[[row for row, *_ in chosen]]
    again = np.asarray(parts.embedder.embed(texts, "passage"), dtype=np.float32)
    if again.shape != kept.shape:
        raise InfrastructureError(f"the embedder makes vectors of length {again.shape[1]}, and {dimensions} are kept")
    return len(chosen), int((np.linalg.norm(again - kept, axis=1) > _FAR).sum())
