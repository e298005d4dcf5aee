"""The house contract on one page: what a plug-in of each kind must do, and nothing more.

Rooms take these as arguments instead of importing one another. A plug-in is a frozen dataclass: its fields
are its YAML arguments, its docstring is its help (see `llmkit.registry`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from llmkit.document import Chunk, Document
from llmkit.types import Judgment, Output, Passage, Request, Response, Sample, Skipped, Table, Verdict

T = TypeVar("T")

Dialogue: TypeAlias = Generator[list[Request], list[Response], T]
"""A conversation without I/O: yields requests, is sent their responses, returns a result.

The engine sends the requests of one list at the same time. When one of them fails for good, the engine throws
its `RequestError` into the generator at the ``yield``; a dialogue may catch it and go on.
"""


class Metric(Protocol):
    """Scores outputs without asking anyone: pure and synchronous.

    One code path serves a sample's score, the corpus score, a slice, a bootstrap and a permutation test, because
    a metric hands out *statistics* and knows how to turn them into a value:

    - ``kind = "mean"``: ``stats`` is one float, and the corpus value is their mean (exact match, latency); further
      statistics, where there are any, serve only ``details`` (nDCG).
    - ``kind = "totals"``: ``stats`` is a fixed number of floats that add up, ``value`` is made of their totals (BLEU).
    - ``kind = "rows"``: not a sum; ``value_of`` sees all rows (macro F1, PR-AUC). The slower path.

    Most metrics subclass `llmkit.metrics.MeanMetric` and write only ``score()``. Optional attributes and forms:

    - ``batch`` (a class attribute above 0) and ``stats_many(pairs) -> sequence of statistics``: the metric is handed
      at most ``batch`` samples with their outputs at once, in dataset order, after all answers are in.
    - ``over_repeats = True`` and ``stats_over(sample, outputs) -> statistics``: it is handed all repeats of a sample
      together, failed ones too, and gives one score a sample. ``min_repeats`` says how many it needs. With ``batch``
      and ``stats_over_many(groups)`` too it is handed several samples at once, after all answers are in; a metric that
      waits for something must be so, for others score while requests are in flight.
    - ``asks``: the values of the config's ``ask`` under which there is something to score; answers by default.
    """

    kind: ClassVar[Literal["mean", "totals", "rows"]]
    higher_is_better: ClassVar[bool | None]
    unit: ClassVar[str]
    bounds: ClassVar[tuple[float, float] | None]

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields without which it can score nothing; an eval set none of whose rows has them is refused."""
        ...

    @property
    def binary(self) -> bool:
        """True when every sample scores exactly 0 or 1, so that the interval is a proportion's."""
        ...

    @property
    def signature(self) -> str:
        """Everything that makes the number, on one line, as sacreBLEU prints it."""
        ...

    def signature_for(self, references: int | None) -> str:
        """Return the signature for rows with so many references each; None where the number varies."""
        ...

    def stats(self, sample: Sample, output: Output) -> Sequence[float | str] | Skipped:
        """Return the sufficient statistics of one output. ``output.text`` is never None here."""
        ...

    def sample_value(self, stats: Sequence[float | str]) -> float | None:
        """Return the score of one sample from its statistics; None where only a corpus has a value."""
        ...

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the corpus value from summed statistics of ``n`` >= 1 samples (kinds mean and totals)."""
        ...

    def value_of(self, table: Table) -> float | None:
        """Return the corpus value from all rows (kind rows); None where it is undefined for these rows."""
        ...


class Perturbation(Protocol):
    """Rewords what a system is asked. Pure, but for what it draws from ``rng``, and that is all its randomness.

    One that changes who or what is meant has ``whole_row = True`` and ``perturb_all(texts, rng) -> texts``, which is
    handed every text of a row at once (messages, turns, contexts, choices, references), so that the same word fares the
    same in all of them. ``files`` are paths whose content it depends on.
    """

    group: ClassVar[Literal["robustness", "fairness"]]

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text, reworded or as it was."""
        ...


class Judge(Protocol):
    """Scores an output by asking a model: a dialogue that returns a `Judgment`.

    Its statistics become values exactly as a metric's do (`Metric`), ``details`` included where it has them. Most
    judges subclass `llmkit.judges.ModelJudge` and write only ``judge()``. Fields the flow reads:

    - ``model``: who is asked, as a target is written; None asks the config's ``judge_model``.
    - ``embedder``: who answers the judge's requests of kind ``embedding``; None asks the model's own endpoint.
    - ``name``: what the scores are listed under, where it is not the canonical spec.
    - ``form``: ``auto`` is replaced by ``json`` or ``text``, whichever suits the endpoint.

    Optional forms:

    - ``over_repeats = True`` and ``judge_over(sample, outputs) -> Dialogue[Judgment]``: it is handed all repeats of a
      sample together, failed ones too, after all answers are in. ``min_repeats`` says how many it needs.
    - ``unprepared`` (bool) and ``prepare() -> Dialogue[Mapping[Path, str]]``: something is asked once before the rows
      (the evaluation steps of G-Eval) and kept in the files that it returns.
    - ``jurors`` (specs of judges) and ``verdict(judgments) -> Judgment``: a jury; each member judges with its own
      model, and nothing is asked by the jury itself.
    - ``aggregates``: ``preference`` (a pairwise judge's columns) or ``jury``; what the flow adds to ``details``.
    - ``opponent``: a run folder or a JSONL file of outputs to compare with; the text of the same row is handed to the
      judge as the row's meta field ``opponent``.
    """

    kind: ClassVar[Literal["mean", "totals", "rows"]]
    higher_is_better: ClassVar[bool | None]
    unit: ClassVar[str]

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the greatest score there can be."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields without which it can score nothing."""
        ...

    @property
    def binary(self) -> bool:
        """True when every sample scores exactly 0 or 1."""
        ...

    @property
    def signature(self) -> str:
        """Everything that makes the number but the model, which the flow adds."""
        ...

    def signature_for(self, references: int | None) -> str:
        """Return the signature for rows with so many references each; None where the number varies."""
        ...

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Yield requests to the judge model, get responses, return the judgment. ``output.text`` is never None here."""
        ...

    def sample_value(self, stats: Sequence[float | str]) -> float | None:
        """Return the score of one sample from its statistics; None where only a corpus has a value."""
        ...

    def value(self, totals: Sequence[float], n: int) -> float:
        """Return the corpus value from summed statistics of ``n`` >= 1 samples (kinds mean and totals)."""
        ...

    def value_of(self, table: Table) -> float | None:
        """Return the corpus value from all rows (kind rows)."""
        ...


class Guard(Protocol):
    """Decides about a text."""

    def check(self, text: str) -> Verdict:
        """Return what to do with ``text``."""
        ...


@runtime_checkable
class Provider(Protocol):
    """Answers one request, once: no retries, limits or caching inside; the engine does those for everyone.

    Class attributes the engine reads (with the defaults it assumes when absent):

    - ``cacheable``: bool = False. True when the same request may be answered from the response cache.
    - ``journaled``: bool = True. False when an answer costs nothing and need not survive a crash.
    - ``identity``: str. What makes it answer as it does, where that is more than its arguments (an address from the
      environment); part of every content key.
    - ``files``: paths whose content decides the answers (code, documents); another content is another run.
    - ``needs``: row fields without which it can answer nothing.
    - ``wants_sample``: bool = False. True for targets that are code: ``Request.sample`` then holds the eval row,
      never its references or answer; the recorded ``output`` is in it only where ``reads_output`` is True.
    - ``unmatched``: int. Recorded answers that belong to no row; said in a warning.
    - ``matched``: int. Recorded answers that belong to a row; a run in which none does is refused.
    """

    async def complete(self, request: Request) -> Response:
        """Return the answer, or raise a `llmkit.errors.RequestError`."""
        ...

    async def aclose(self) -> None:
        """Release connections and processes; called once, after the last ``complete``."""
        ...


class Memory(Protocol):
    """Remembers responses by content key: the response cache, and the journal of one run.

    Both methods are quick and synchronous; writing to disk may happen later, ``flush`` waits for it.
    """

    def get(self, key: str) -> Response | None:
        """Return the remembered response, or None."""
        ...

    def put(self, key: str, response: Response) -> None:
        """Remember a response."""
        ...

    def flush(self) -> None:
        """Return when everything put so far is on disk."""
        ...

    def close(self) -> None:
        """Flush and release the file."""
        ...


class Clock(Protocol):
    """Time as the engine sees it; a fake one makes tests instant and laws exact."""

    def monotonic(self) -> float:
        """Return seconds since some fixed point; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of this clock."""
        ...


class Dataset(Protocol):
    """An eval set that streams, and can be read again from the start."""

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples in order."""
        ...


Role: TypeAlias = Literal["query", "passage"]
"""What a text is to a model that embeds questions and passages differently."""


class Tokenizer(Protocol):
    """Cuts texts as a model does."""

    @property
    def fingerprint(self) -> str:
        """What makes it cut as it does: another one, other tokens."""
        ...

    def spans(self, texts: Sequence[str]) -> Sequence[Any]:
        """Return for each text an int64 array of shape (tokens, 2): where each token starts and ends, in characters."""
        ...


class Embedder(Tokenizer, Protocol):
    """Turns texts into vectors of length 1.

    A frozen dataclass whose ``fingerprint`` is made of the model's weights and tokenizer, pooling, prefixes, the
    greatest number of tokens and the precision class; nothing that leaves the vectors the same (device, batch size).

    One that asks a server has ``target`` (a provider's spec) and the dialogue ``asks(texts, role) -> Dialogue[array]``
    in place of ``embed``; the flow runs it on the engine.
    """

    max_tokens: int | None
    """More are cut off, which is counted; None where nothing is."""

    dimensions: int | None
    """How long a vector is; None until the first has been seen."""

    def embed(self, texts: Sequence[str], role: Role) -> Any:
        """Return an array of shape (len(texts), dimensions), float32."""
        ...


class Chunker(Protocol):
    """Cuts a document into chunks. Pure; a frozen dataclass whose arguments and ``version`` are part of the index."""

    version: ClassVar[int]

    def cut(self, document: Document, tokenizer: Tokenizer) -> Sequence[Chunk]:
        """Return the chunks, in order of where they start."""
        ...


class VectorIndex(Protocol):
    """Searches vectors that it was built of, by inner product. Derived: it can always be made anew from them.

    ``exact`` says that what it finds is surely the best, ``updatable`` that ``add`` and ``remove`` work. Scores are
    those of the vectors themselves, and equal ones come in the order of their rows, whichever back-end found them; most
    subclass `llmkit.vectors._base.Searched`, which does that, and only propose candidates.
    """

    exact: ClassVar[bool]
    updatable: ClassVar[bool]

    def build(self, vectors: Any, rows: Any) -> None:
        """Take vectors (n, d) float32 of length 1, known from now on by ``rows`` (n,) int64."""
        ...

    def add(self, vectors: Any, rows: Any) -> None:
        """Take more of them."""
        ...

    def remove(self, rows: Any) -> None:
        """Forget some of them; rows that it does not know are no error."""
        ...

    def search(self, queries: Any, k: int, allowed: Any | None = None) -> tuple[Any, Any]:
        """Return scores (q, k) float32 and rows (q, k) int64 of the nearest, best first; -inf and -1 in place of none.

        ``allowed`` (a sorted int64 array) are the only rows that may be found.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write what was built into an empty folder."""
        ...

    def load(self, folder: Path, vectors: Any, rows: Any) -> None:
        """Take what `save` wrote, and the vectors that it was built of, as `build` does: no file holds them twice."""
        ...


class Retriever(Protocol):
    """Finds passages for a question."""

    def search(self, query: str, k: int) -> Sequence[Passage]:
        """Return at most ``k`` passages, best first."""
        ...
