"""A row of a run as the page holds it: what is trivial left out, long texts cut with their length kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any


@dataclass(frozen=True, slots=True)
class Names:
    """The scorers of a run in the order of its config, and for each 1, -1 or 0: more is better, less is, neither."""

    scorers: tuple[str, ...]
    better: tuple[int, ...]


def names_of(summary: Mapping[str, Any]) -> Names:
    """Return the scorers of a run."""
    wanted = {True: 1, False: -1, None: 0}
    scores = summary.get("scores", {})
    return Names(tuple(scores), tuple(wanted[entry.get("higher_is_better")] for entry in scores.values()))


def values_of(scores: Mapping[str, Sequence[Mapping[str, Any]]], scorers: Sequence[str]) -> list[float | None]:
    """Return a sample's value by each scorer: the mean over its repeats, None where none has a value."""
    found: list[float | None] = []
    for name in scorers:
        values = [
            score["value"]
            for score in scores.get(name, ())
            if score.get("value") is not None and isfinite(score["value"])
        ]
        found.append(sum(values) / len(values) if values else None)
    return found


def compact(row: Mapping[str, Any], names: Names, values: Sequence[float | None], number: int) -> dict[str, Any]:
    """Return a row for the page; ``number`` is its place in the eval set, counted from 1."""
    small: dict[str, Any] = {"id": str(row["id"]), "n": number, "v": [_rounded(value) for value in values]}
    if row.get("input"):
        small["input"] = _asked(row["input"])
    for key in ("contexts", "references", "choices", "turns", "slices", "meta"):
        if row.get(key):
            small[key] = dict(row[key]) if isinstance(row[key], Mapping) else list(row[key])
    if row.get("answer") is not None:
        small["answer"] = row["answer"] if isinstance(row["answer"], int) else str(row["answer"])
    small["outputs"] = [_output(output) for output in row.get("outputs") or ()]
    reasons = _scores(row.get("scores") or {}, names)
    if any(reasons):
        small["scores"] = reasons
    judgments = row.get("judgments") or {}
    if judgments:
        small["judgments"] = {name: [_judgment(one) for one in every] for name, every in judgments.items()}
    base = row.get("base")
    if base:
        small["base"] = {
            "outputs": [_output(output) for output in base.get("outputs") or ()],
            "v": [_rounded(value) for value in values_of(base.get("scores") or {}, names.scorers)],
        }
    return small


def longest_text(value: Any) -> int:
    """Return the length of the longest text in a row."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return max(map(longest_text, value.values()), default=0)
    if isinstance(value, (list, tuple)):
        return max(map(longest_text, value), default=0)
    return 0


def cut(value: Any, longest: int) -> Any:
    """Return a copy in which every text beyond ``longest`` is ``{"text": its beginning, "cut": its whole length}``."""
    if isinstance(value, str):
        return value if len(value) <= longest else {"text": value[:longest], "cut": len(value)}
    if isinstance(value, dict):
        if set(value) == {"text", "cut"}:
            return {"text": value["text"][:longest], "cut": value["cut"]}
        return {key: cut(item, longest) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [cut(item, longest) for item in value]
    return value


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _asked(asked: Any) -> Any:
    return asked if isinstance(asked, str) else [_message(message) for message in asked]


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{role, text}``; parts that are not text, and tool calls, are shown as JSON."""
    content = message.get("content")
    parts = [content] if isinstance(content, str) else list(content or ())
    texts = [_part(part) for part in parts]
    texts += [_dumps(message[key]) for key in ("tool_calls", "function_call") if message.get(key)]
    return {"role": str(message.get("role", "")), "text": "\n".join(texts)}


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return str(part["text"])
    return _dumps(part)


def _output(output: Mapping[str, Any]) -> dict[str, Any]:
    small: dict[str, Any] = {}
    if output.get("text") is not None:
        small["text"] = output["text"]
    if output.get("error"):
        small["error"] = {"kind": output["error"].get("kind", ""), "message": output["error"].get("message", "")}
    if output.get("retrieved"):
        small["retrieved"] = [
            {key: item[key] for key in ("id", "text", "score") if item.get(key)} for item in output["retrieved"]
        ]
    if output.get("turns"):
        small["turns"] = list(output["turns"])
    for key in ("latency", "cost"):
        if output.get(key) is not None:
            small[key] = _rounded(output[key])
    return small


def _scores(scores: Mapping[str, Sequence[Mapping[str, Any]]], names: Names) -> list[Any]:
    """Return for each scorer ``[{value?, status?, reason?}]``, one a repeat; 0 where the value says everything."""
    found: list[Any] = []
    for name in names.scorers:
        every = [_score(score) for score in scores.get(name, ())]
        plain = len(every) == 1 and set(every[0]) == {"value"}
        found.append(0 if plain or not every else every)
    return found


def _score(score: Mapping[str, Any]) -> dict[str, Any]:
    small: dict[str, Any] = {}
    if score.get("value") is not None:
        small["value"] = _rounded(score["value"])
    if score.get("status", "ok") != "ok":
        small["status"] = score["status"]
    if score.get("reason"):
        small["reason"] = score["reason"]
    return small


def _judgment(judgment: Mapping[str, Any]) -> dict[str, Any]:
    exchange = [
        {"messages": [_message(message) for message in item.get("messages", ())], "text": item.get("text") or ""}
        for item in judgment.get("exchange", ())
    ]
    return {"repeat": judgment.get("repeat", 0), "exchange": exchange}


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
