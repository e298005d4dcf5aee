"""What a build would do and cost, without doing it: nothing is written, nobody is asked, no lock is taken."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llmkit.errors import UsageError
from llmkit.flows.index.holding import hold_vanished
from llmkit.flows.index.load import read_all, staged
from llmkit.flows.index.options import BuildOptions, Step
from llmkit.flows.index.parts import Parts
from llmkit.flows.index.plan import make_plan
from llmkit.retrieval.known import documents_of, failures_of
from llmkit.retrieval.schema import FILE_NAME, connect_reader
from llmkit.retrieval.staged import Failed, Known, embedded_text


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a build would do.

    Attributes:
        counts: Documents added, changed, moved, removed, failed, unchanged.
        chunks: Chunks of the documents that would be read.
        embed: Chunks that would be embedded: those of another text than any before.
        tokens: Their tokens, as the embedder counts.
        cost: US dollars; None where the price is unknown, 0 where nothing is asked.
        seconds: How long embedding would take by the speed of the last build; None where there was none.
        truncated: Chunks that would be cut off at the embedder's limit.
        failures: What cannot be read: path -> why.
        would_refuse: Why a build would refuse; empty where it would not.
    """

    counts: dict[str, int]
    chunks: int
    embed: int
    tokens: int
    cost: float | None
    seconds: float | None
    truncated: int
    failures: dict[str, str] = field(default_factory=dict)
    would_refuse: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass
class _Known:
    """What the index knows, read once."""

    there: bool = False
    documents: dict[str, Known] = field(default_factory=dict)
    failures: dict[str, Failed] = field(default_factory=dict)
    keys: set[bytes] = field(default_factory=set)
    seconds_a_token: float | None = None


def forecast(parts: Parts, options: BuildOptions | None = None) -> Forecast:
    """Return what a build would do now.

    Raises:
        InfrastructureError: the source is not there, the index is damaged or of another schema.
    """
    options = options or BuildOptions()
    known = _known(parts)
    options.tell(Step("looking", 0, 0))
    failed = {} if options.retry_failed else known.failures
    plan = make_plan(parts, known.documents, failed, verify=options.verify, hold=not options.allow_deletes)
    chunks = tokens = truncated = 0
    wanted: set[bytes] = set()
    work = plan.work
    for done, (found, document, cut) in enumerate(read_all(parts, work, options.processes), start=1):
        if isinstance(document, str):
            plan.fail(found.path, plan.hashes[found.path], parts.chunk_fingerprint, document, None)
            continue
        chunks += len(cut)
        made = staged(parts, found.path, plan.hashes[found.path], document, cut).chunks
        new = {c.key: embedded_text(c.lead, c.text, title_prefix=parts.title_prefix) for c in made if c.key is not None}
        texts = [text for key, text in new.items() if key not in known.keys and key not in wanted]
        wanted |= new.keys() - known.keys
        if texts and parts.embedder is not None:
            counts = [len(spans) for spans in parts.embedder.spans(texts)]
            tokens += sum(counts)
            limit = parts.embedder.max_tokens
            truncated += 0 if limit is None else sum(count > limit for count in counts)
        options.tell(Step("reading", done, len(work)))
    if not options.allow_deletes:
        hold_vanished(plan, known.documents, failed)
    refuse = _refusal(parts, options, plan, serves=known.there)
    speed = known.seconds_a_token
    return Forecast(
        counts=plan.counts(),
        chunks=chunks,
        embed=len(wanted),
        tokens=tokens,
        cost=_cost(parts, tokens),
        seconds=0.0 if not tokens else None if speed is None else round(tokens * speed, 1),
        truncated=truncated,
        failures={path: one.error for path, one in sorted(plan.failures.items())},
        would_refuse=refuse,
    )


def _refusal(parts: Parts, options: BuildOptions, plan: Any, *, serves: bool) -> str:
    from llmkit.errors import InfrastructureError
    from llmkit.flows.index.plan import refuse_failures, refuse_mass_deletion

    try:
        if not options.allow_deletes:
            refuse_mass_deletion(plan, parts)
        refuse_failures(plan, parts, serves=serves)
    except InfrastructureError as error:
        return str(error)
    return ""


def _known(parts: Parts) -> _Known:
    known = _Known()
    if not (parts.folder / FILE_NAME).is_file():
        return known
    try:
        connection = connect_reader(parts.folder)
    except UsageError:
        return known
    with closing(connection):
        known.there = bool(connection.execute("SELECT 1 FROM meta WHERE name = 'meta'").fetchone())
        known.documents = documents_of(connection)
        known.failures = failures_of(connection)
        found = connection.execute(
            "SELECT v.key FROM vectors v JOIN epochs e USING (epoch) WHERE e.fingerprint = ?",
            (parts.embed_fingerprint,),
        )
        known.keys = {key for (key,) in found}
        for tokens, counts in connection.execute("SELECT tokens, counts FROM runs WHERE tokens > 0 ORDER BY id DESC"):
            took = json.loads(counts).get("embed_ms", 0) / 1000
            if took:
                known.seconds_a_token = took / tokens
                break
    return known


def _cost(parts: Parts, tokens: int) -> float | None:
    """Return the price of embedding tokens at an endpoint; 0 for a model that runs here, None where nobody knows."""
    if parts.config.get("embed") is None or not tokens:
        return 0.0
    from llmkit.engine import PriceBook
    from llmkit.flows.embedding import Served

    if not isinstance(parts.embedder, Served):
        return 0.0
    ((_, arguments),) = parts.config["embed"].items()
    prices = PriceBook.load(*(parts.base / Path(file).expanduser() for file in parts.config.get("prices", ())))
    return prices.cost(str(arguments.get("model")), tokens, 0)
