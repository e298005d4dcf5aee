r"""Records to JSON and back, written by hand because every row of every run passes here.

A field that has its default is not written, a key that this version does not know is ignored, so older and newer
versions read one another's runs. ``record_from_x(x_to_dict(record)) == record`` for records whose free-form fields
(``extra``, ``meta``, ``tool_calls``) hold JSON values. What JSON cannot hold is settled here once:

- A number that is not finite is a ValueError in a field of ours. In a free-form field, which a server filled, it
  becomes null: an answer that is paid for is not thrown away for that.
- The log-probability of an impossible token, minus infinity, is written as null and read back as minus infinity.
- A lone surrogate is written as its ``\ud8..`` escape, so that files are valid UTF-8 and the text survives. (Two
  surrogates side by side that form a pair come back as the character they stand for.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any

from llmkit.types import (
    Exchange,
    Failure,
    Loglikelihood,
    Output,
    Passage,
    Response,
    Sample,
    SampleRow,
    Score,
    TokenLogprob,
    Transcript,
)

_FREE = frozenset({"extra", "meta", "tool_calls"})
_NEVER = -inf


def _plain(value: Any) -> Any:
    """Return something JSON can hold for what a user's code put into a free-form field."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    return str(value)


_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain).encode
_ENCODE_ASCII = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), allow_nan=False, default=_plain).encode


def to_json(record: Mapping[str, Any]) -> bytes:
    """Return a record's dict as one line of JSON in UTF-8, without the line end.

    Raises ValueError where a field of ours holds NaN or infinity, or a key is not text.
    """
    try:
        return _ENCODE(record).encode()
    except UnicodeEncodeError:
        return _ENCODE_ASCII(_finite_where_free(record)).encode()
    except (ValueError, TypeError):
        return _to_json_slowly(record)


def _to_json_slowly(record: Mapping[str, Any]) -> bytes:
    try:
        return _ENCODE_ASCII(_finite_where_free(record)).encode()
    except (ValueError, TypeError) as error:
        where = record.get("sample_id") or record.get("key") or "a response"
        raise ValueError(f"cannot write the record of {where!r} as JSON: {error}") from error


def _finite_where_free(value: Any, *, free: bool = False) -> Any:
    """Return a copy in which free-form numbers that are not finite are None."""
    if isinstance(value, float):
        return None if free and not isfinite(value) else value
    if isinstance(value, Mapping):
        return {key: _finite_where_free(item, free=free or key in _FREE) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite_where_free(item, free=free) for item in value]
    return value


def passage_to_dict(passage: Passage) -> dict[str, Any]:
    """Return ``{id, text, score?, meta?}``."""
    row: dict[str, Any] = {"id": passage.id, "text": passage.text}
    if passage.score:
        row["score"] = passage.score
    if passage.meta:
        row["meta"] = passage.meta
    return row


def passage_from_dict(row: Mapping[str, Any]) -> Passage:
    """Return the passage of `passage_to_dict`."""
    return Passage(row["id"], row["text"], row.get("score", 0.0), row.get("meta") or {})


def failure_to_dict(failure: Failure) -> dict[str, Any]:
    """Return ``{kind, message, status?, attempts?}``."""
    row: dict[str, Any] = {"kind": failure.kind, "message": failure.message}
    if failure.status is not None:
        row["status"] = failure.status
    if failure.attempts:
        row["attempts"] = failure.attempts
    return row


def failure_from_dict(row: Mapping[str, Any]) -> Failure:
    """Return the failure of `failure_to_dict`."""
    return Failure(row["kind"], row["message"], row.get("status"), row.get("attempts", 0))


def response_to_dict(response: Response) -> dict[str, Any]:  # noqa: C901, PLR0912 - one question a field, for speed
    """Return the fields that differ from their defaults; nested records as lists and dicts."""
    row: dict[str, Any] = {}
    if response.text:
        row["text"] = response.text
    if response.tokens_in is not None:
        row["tokens_in"] = response.tokens_in
    if response.tokens_out is not None:
        row["tokens_out"] = response.tokens_out
    if response.tokens_cached is not None:
        row["tokens_cached"] = response.tokens_cached
    if response.finish:
        row["finish"] = response.finish
    if response.latency:
        row["latency"] = response.latency
    if response.cost is not None:
        row["cost"] = response.cost
    if response.cached:
        row["cached"] = True
    if response.attempts != 1:
        row["attempts"] = response.attempts
    if response.model:
        row["model"] = response.model
    if response.extra:
        row["extra"] = response.extra
    if response.alternatives:
        row["alternatives"] = response.alternatives
    if response.tool_calls:
        row["tool_calls"] = response.tool_calls
    _put_numbers(row, response)
    return row


def _put_numbers(row: dict[str, Any], response: Response) -> None:
    """Add the fields that most responses lack and that are lists of numbers."""
    if response.logprobs:
        row["logprobs"] = [
            [item.token, _log(item.logprob), [[token, _log(value)] for token, value in item.top]]
            if item.top
            else [item.token, _log(item.logprob)]
            for item in response.logprobs
        ]
    if response.loglikelihoods:
        row["loglikelihoods"] = [
            [_log(item.logprob), item.tokens, item.greedy, *([[*map(_log, item.parts)]] if item.parts else ())]
            for item in response.loglikelihoods
        ]
    if response.embeddings:
        row["embeddings"] = response.embeddings
    if response.retrieved:
        row["retrieved"] = [passage_to_dict(item) for item in response.retrieved]


def _log(value: float) -> float | None:
    return None if value == _NEVER else value


def _unlog(value: float | None) -> float:
    return _NEVER if value is None else value


def response_from_dict(
    row: Mapping[str, Any],
    text: str = "",
    retrieved: Sequence[Passage] = (),
) -> Response:
    """Return the response of `response_to_dict`; ``text`` and ``retrieved`` are what the row's absence means."""
    get = row.get
    return Response(
        get("text", text),
        get("tokens_in"),
        get("tokens_out"),
        get("tokens_cached"),
        get("finish", ""),
        get("latency", 0.0),
        get("cost"),
        get("cached", False),
        get("attempts", 1),
        get("model", ""),
        tuple(get("alternatives", ())),
        tuple(get("tool_calls", ())),
        _logprobs(row["logprobs"]) if "logprobs" in row else (),
        tuple(
            Loglikelihood(_unlog(value), tokens, greedy, *(tuple(map(_unlog, part)) for part in parts))
            for value, tokens, greedy, *parts in row["loglikelihoods"]
        )
        if "loglikelihoods" in row
        else (),
        tuple(map(tuple, row["embeddings"])) if "embeddings" in row else (),
        tuple(map(passage_from_dict, row["retrieved"])) if "retrieved" in row else retrieved,
        get("extra") or {},
    )


def _logprobs(rows: list[list[Any]]) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(row[0], _unlog(row[1]), tuple((token, _unlog(value)) for token, value in row[2]))
        if len(row) > 2  # noqa: PLR2004 - the alternatives are the optional third part
        else TokenLogprob(row[0], _unlog(row[1]))
        for row in rows
    )


def output_to_dict(output: Output) -> dict[str, Any]:
    """Return ``{sample_id, text?, repeat?, turns?, retrieved?, error?, response?}``.

    The response's text and passages are left out where they are the output's own, which they mostly are.
    """
    row: dict[str, Any] = {"sample_id": output.sample_id}
    if output.text is not None:
        row["text"] = output.text
    if output.repeat:
        row["repeat"] = output.repeat
    if output.turns:
        row["turns"] = output.turns
    if output.retrieved:
        row["retrieved"] = [passage_to_dict(item) for item in output.retrieved]
    if output.error is not None:
        row["error"] = failure_to_dict(output.error)
    if output.response is not None:
        row["response"] = _inner(output.response, output)
    return row


def _inner(response: Response, output: Output) -> dict[str, Any]:
    row = response_to_dict(response)
    if response.text == (output.text or ""):
        row.pop("text", None)
    else:
        row["text"] = response.text
    if output.retrieved:
        if response.retrieved == output.retrieved:
            del row["retrieved"]
        elif not response.retrieved:
            row["retrieved"] = ()
    return row


def output_from_dict(row: Mapping[str, Any]) -> Output:
    """Return the output of `output_to_dict`. Raises KeyError or TypeError where the row is not one."""
    get = row.get
    text = get("text")
    retrieved = tuple(map(passage_from_dict, row["retrieved"])) if "retrieved" in row else ()
    inner = get("response")
    error = get("error")
    return Output(
        row["sample_id"],
        text,
        get("repeat", 0),
        None if inner is None else response_from_dict(inner, text or "", retrieved),
        tuple(get("turns", ())),
        retrieved,
        None if error is None else failure_from_dict(error),
    )


def score_to_dict(score: Score) -> dict[str, Any]:
    """Return ``{sample_id, scorer, value?, status?, reason?, stats?, repeat?}``.

    Raises ValueError where the value or a statistic is NaN or infinite: such a score is an error, not a number.
    """
    row: dict[str, Any] = {"sample_id": score.sample_id, "scorer": score.scorer}
    value = score.value
    if value is not None:
        if not isfinite(value):
            raise ValueError(f"the score of {score.sample_id!r} by {score.scorer} is {value}, which is not a number")
        row["value"] = float(value)
    if score.status != "ok":
        row["status"] = score.status
    if score.reason:
        row["reason"] = score.reason
    if score.stats:
        for item in score.stats:
            if item.__class__ is not str and not isfinite(item):  # type: ignore[arg-type]
                raise ValueError(f"a statistic of {score.sample_id!r} by {score.scorer} is {item}, not a number")
        row["stats"] = score.stats
    if score.repeat:
        row["repeat"] = score.repeat
    return row


def score_from_dict(row: Mapping[str, Any]) -> Score:
    """Return the score of `score_to_dict`. Raises KeyError or TypeError where the row is not one."""
    get = row.get
    return Score(
        row["sample_id"],
        row["scorer"],
        get("value"),
        get("status", "ok"),
        get("reason", ""),
        tuple(get("stats", ())),
        get("repeat", 0),
    )


_LISTS = ("turns", "references", "contexts", "choices")


def sample_to_dict(row: SampleRow) -> dict[str, Any]:
    """Return ``{id, digest, input, turns?, references?, contexts?, choices?, answer?, meta?}``; no recorded output.

    Of a reworded row also ``perturbation``, and as ``original`` the id of the row it was made of. Of a row that people
    labelled ``labels``, by judge, and ``strata``.
    """
    sample = row.sample
    found: dict[str, Any] = {"id": sample.id, "digest": row.digest, "input": sample.input}
    for name in _LISTS:
        value = getattr(sample, name)
        if value:
            found[name] = value
    if sample.answer is not None:
        found["answer"] = sample.answer
    if sample.meta:
        found["meta"] = sample.meta
    if sample.original is not None:
        found |= {"perturbation": sample.perturbation, "original": sample.original.id}
    if row.labels:
        found["labels"] = dict(row.labels)
    if row.strata:
        found["strata"] = dict(row.strata)
    return found


def sample_from_dict(row: Mapping[str, Any]) -> SampleRow:
    """Return the row of `sample_to_dict`. Raises KeyError or TypeError where the row is not one."""
    asked = row["input"]
    lists: dict[str, Any] = {name: tuple(row.get(name, ())) for name in _LISTS}
    sample = Sample(
        row["id"],
        asked if isinstance(asked, str) else tuple(asked),
        **lists,
        answer=row.get("answer"),
        meta=row.get("meta") or {},
        perturbation=row.get("perturbation", ""),
        original=Sample(row["original"]) if "original" in row else None,
    )
    labels = {str(name): float(label) for name, label in (row.get("labels") or {}).items()}
    return SampleRow(sample, row["digest"], labels, row.get("strata") or {})


def transcript_to_dict(transcript: Transcript) -> dict[str, Any]:
    """Return ``{sample_id, scorer, repeat?, exchanges: [{messages, text}]}``."""
    row: dict[str, Any] = {"sample_id": transcript.sample_id, "scorer": transcript.scorer}
    if transcript.repeat:
        row["repeat"] = transcript.repeat
    row["exchanges"] = [_exchange_to_dict(item) for item in transcript.exchanges]
    return row


def _exchange_to_dict(exchange: Exchange) -> dict[str, Any]:
    row: dict[str, Any] = {"messages": exchange.messages, "text": exchange.text}
    if exchange.latency:
        row["latency"] = exchange.latency
    if exchange.model:
        row["model"] = exchange.model
    if exchange.cost is not None:
        row["cost"] = exchange.cost
    return row


def transcript_from_dict(row: Mapping[str, Any]) -> Transcript:
    """Return the transcript of `transcript_to_dict`. Raises KeyError or TypeError where the row is not one."""
    exchanges = tuple(
        Exchange(
            tuple(item["messages"]), item["text"], item.get("latency", 0.0), item.get("cost"), item.get("model", "")
        )
        for item in row["exchanges"]
    )
    return Transcript(row["sample_id"], row["scorer"], exchanges, row.get("repeat", 0))
