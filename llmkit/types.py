"""The records that flow through the house.

Frozen, slotted, standard library only. A record holds no behaviour that belongs to another floor:
reports take runs, a run has no ``to_html()``. Boundaries (JSONL, YAML, HTTP) make and validate them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from llmkit.document import Passage as Passage  # noqa: PLC0414 - part of an output, so told of here too
from llmkit.document import Ranked as Ranked  # noqa: PLC0414 - likewise

Json: TypeAlias = Any
"""A value JSON can hold. ``Any`` because mypy cannot follow a recursive alias through ``json.loads``."""

Message: TypeAlias = Mapping[str, Any]
"""One chat message in the OpenAI wire format: ``{"role": ..., "content": ...}`` and whatever else it carries."""

RequestKind = Literal["chat", "completion", "loglikelihood", "embedding"]
ScoreStatus = Literal["ok", "skipped", "error"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of an eval set.

    Attributes:
        id: Unique in its set. A row without one gets a digest of its content, so that inserting a row
            elsewhere does not rename it.
        input: What the system is asked: a text, or the messages of a chat.
        turns: Further user turns, asked one after the other after ``input``; the last answer is scored.
        references: Accepted answers, best first. Values that are not text are kept as canonical JSON.
        contexts: Passages given with the question.
        choices: Options of a multiple-choice question.
        answer: The gold label: an index into ``choices``, or a label.
        output: A recorded answer.
        meta: Every other field of the row.
        line: Where the row stands in its file, counted from 1; 0 where there is no file.
        perturbation: Canonical spec of what reworded this row; empty for a row of the set itself.
        original: The row that was reworded; None for a row of the set itself.
    """

    id: str
    input: str | tuple[Message, ...] = ""
    turns: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    answer: str | int | None = None
    output: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0
    perturbation: str = ""
    original: Sample | None = None


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample as a run recorded it: what was asked, and the digest of its id and content that pairs runs.

    Attributes:
        sample: The sample, without a recorded output.
        digest: Of its id and content.
        labels: For each judge that people labelled for, their label of this run's answer (the mean of several).
        strata: For each such judge the stratum the row was drawn from, where the labels' file says it.
    """

    sample: Sample
    digest: str
    labels: Mapping[str, float] = field(default_factory=dict)
    strata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a provider.

    Two requests that would get the same answer are equal in every field: the engine keys its cache, its
    journal and the sharing of requests in flight by their content (`llmkit.hashing.request_key`).

    Attributes:
        messages: The chat; for ``completion`` and ``loglikelihood`` one user message that holds the prompt.
        params: Sampling parameters that override the provider's own (``temperature``, ``n``, ``logprobs``...).
        kind: Which endpoint is meant.
        model: Overrides the provider's model; empty means the provider's own.
        texts: Continuations to score (``loglikelihood``) or texts to embed (``embedding``).
        sample: The eval row, for targets that are code rather than a model (``python``, ``command``).
        repeat: Which repetition this is, so that repeats are asked anew and cached apart.
    """

    messages: tuple[Message, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    kind: RequestKind = "chat"
    model: str = ""
    texts: tuple[str, ...] = ()
    sample: Mapping[str, Any] | None = None
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One generated token, its natural-log probability, and the alternatives the server returned."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Loglikelihood:
    """The summed natural-log probability of one continuation, its token count, and whether it is the greedy one.

    ``parts`` are the log-probabilities of its tokens one by one, where the request's ``params`` asked for them
    (`EACH_LOGPROB`) and the model gives them.
    """

    logprob: float
    tokens: int
    greedy: bool
    parts: tuple[float, ...] = ()


EACH_LOGPROB = "each_logprob"
"""The parameter of a ``loglikelihood`` request that asks for every token's own log-probability, where it is true."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a provider answered.

    Attributes:
        text: The first completion.
        tokens_in: Prompt tokens as the server counted them; None where it did not say.
        tokens_out: Completion tokens, likewise.
        tokens_cached: The part of ``tokens_in`` that the server read from its prompt cache.
        finish: Why it stopped, in the server's word (``stop``, ``length``, ``content_filter``...).
        latency: Seconds from sending the last attempt to its complete answer.
        cost: US dollars, set by the engine from its price book; None where the price is unknown.
        cached: True when the response cache answered and nothing was paid in this run.
        attempts: Requests sent for it, the successful one included.
        model: The model that the server says answered.
        alternatives: All completions where ``n`` > 1 (the first is ``text``); else empty.
        tool_calls: Tool calls in the wire format.
        logprobs: Token log-probabilities of the first completion, where asked for.
        loglikelihoods: One per ``Request.texts``, for ``loglikelihood`` requests.
        embeddings: One vector per ``Request.texts``, for ``embedding`` requests.
        retrieved: Passages the target used, where it retrieves.
        extra: Anything else worth keeping (system fingerprint, reasoning text, a command's JSON).
    """

    text: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    finish: str = ""
    latency: float = 0.0
    cost: float | None = None
    cached: bool = False
    attempts: int = 1
    model: str = ""
    alternatives: tuple[str, ...] = ()
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    loglikelihoods: tuple[Loglikelihood, ...] = ()
    embeddings: tuple[tuple[float, ...], ...] = ()
    retrieved: Sequence[Passage] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer: a class a machine can count, and a sentence a person can read."""

    kind: str
    message: str
    status: int | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """What the system under test said to one sample; ``text`` is None exactly when ``error`` says why."""

    sample_id: str
    text: str | None
    repeat: int = 0
    response: Response | None = None
    turns: tuple[str, ...] = ()
    retrieved: Sequence[Passage] = ()
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A metric's way to say that it does not apply to a sample, and why. Never a score."""

    reason: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that a judge sent, and the text that came back.

    Attributes:
        messages: What was asked.
        text: What came back; empty where the request failed.
        latency: Seconds of the answering attempt.
        cost: US dollars; None where the price is unknown.
        model: The model that the server says answered.
    """

    messages: tuple[Message, ...]
    text: str
    latency: float = 0.0
    cost: float | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Judgment:
    """What a judge made of one output.

    Attributes:
        stats: The judge's statistics, as a metric's; or why it does not apply; or why there is no verdict.
        reason: The judge's explanation.
        exchanges: What was asked and answered; whoever drives the dialogue fills it in.
    """

    stats: Sequence[float | str] | Skipped | Failure
    reason: str = ""
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """The exchanges behind one judgment, as a run records them."""

    sample_id: str
    scorer: str
    exchanges: tuple[Exchange, ...]
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """One scorer's word on one output.

    Attributes:
        sample_id: The sample.
        scorer: Canonical spec of the metric or judge.
        value: The sample's own score; None when ``status`` is not ``ok``, and for metrics that only
            exist over many samples.
        status: ``ok``; ``skipped`` (the metric does not apply); ``error`` (no output, or the judge failed).
        reason: Why it was skipped or failed, or a judge's explanation.
        stats: The metric's sufficient statistics for this sample; what totals are made from.
        repeat: Which repetition of the sample.
    """

    sample_id: str
    scorer: str
    value: float | None
    status: ScoreStatus = "ok"
    reason: str = ""
    stats: tuple[float | str, ...] = ()
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    ``low`` and ``high`` are None where no interval can be had (one sample, one cluster); ``method`` says how
    the interval was made, or why there is none.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    method: str
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard decided about a text."""

    action: Literal["allow", "block", "redact", "flag"]
    reason: str = ""
    spans: tuple[tuple[int, int, str], ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it lies in its folder. Its records stream from disk each time they are iterated.

    ``samples``, ``outputs`` and ``scores`` are in dataset order; ``transcripts`` are what the judges asked and heard.
    ``comparison`` is there where the run was just made and held against a baseline.
    """

    path: str
    manifest: Mapping[str, Any]
    summary: Mapping[str, Any]
    outputs: Iterable[Output] = ()
    scores: Iterable[Score] = ()
    samples: Iterable[SampleRow] = ()
    transcripts: Iterable[Transcript] = ()
    comparison: Comparison | None = None


ComparisonVerdict = Literal["improved", "pass", "regressed", "inconclusive", "not_comparable"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict on a candidate against a base. Mappings hold plain JSON; differences are candidate less base.

    Attributes:
        verdict: Over all scorers that the gate judges.
        exit_code: What a pipeline is told: 0, 1 (a gate failed), 3 (coverage), 4 (not comparable), 5 (inconclusive).
        reasons: Why, a sentence each; first what decides.
        base: ``name``, ``path``, ``target``, ``started`` of the base.
        candidate: The same of the candidate.
        samples: Pairs of equal rows that were compared.
        left_out: What was not compared: ids by reason, and sentences about scorers.
        metrics: By scorer: ``base``, ``candidate``, ``difference``, ``verdict``, ``note``, ``margin``, ``gated``,
            ``mde``, ``needed``, ``better``, ``worse``, ``flips``...
        slices: By field, value and scorer, the same.
        changed: Ids of samples whose scores changed, worst first.
        flaky: By yes-or-no scorer, samples whose repeats disagree, with their pass rates.
        gate: By name, each rule with ``pass``, ``value`` and ``exit_code``.
        adjust: How p-values were adjusted.
        level, seed: Of the intervals and the resampling.
    """

    verdict: ComparisonVerdict
    exit_code: int
    reasons: tuple[str, ...]
    base: Mapping[str, Any]
    candidate: Mapping[str, Any]
    samples: int = 0
    left_out: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    slices: Mapping[str, Any] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    flaky: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)
    adjust: str = "holm"
    level: float = 0.95
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of the sufficient statistics of many samples, for metrics that are not sums.

    Attributes:
        columns: One sequence of floats a column, all of one length; a text column holds codes into its vocabulary.
        vocabulary: For each column the texts its codes stand for; empty for a column of numbers.
    """

    columns: Sequence[Sequence[float]]
    vocabulary: Sequence[Sequence[str]]
