"""What pydantic says about a config, as problems a user can act on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from llmkit import registry
from llmkit.config import audit_config, gate, human, retrieve
from llmkit.config import eval_config as models
from llmkit.config.audit_config import AuditConfig
from llmkit.config.engine_config import EngineConfig
from llmkit.config.ensemble import Ensemble
from llmkit.config.eval_config import EvalConfig
from llmkit.config.yaml_source import join
from llmkit.errors import Problem

_SECTIONS: dict[str, type[BaseModel]] = {
    "": EvalConfig,
    "dataset": models.DatasetConfig,
    "from": models.DatasetConfig,
    "sample": models.Take,
    "prompt": models.Message,
    "few_shot": models.FewShot,
    "choice": models.Choice,
    "ensemble": Ensemble,
    "engine": EngineConfig,
}
"""Last name of a key path -> what lies under it. Names are unique; under ``fields`` any name holds a `Cut`."""

_AUDIT_SECTIONS: dict[str, type[BaseModel]] = {
    **{name: _SECTIONS[name] for name in ("dataset", "sample", "engine")},
    "": AuditConfig,
    "judge": audit_config.Recorded,
    "human": human.Human,
    "probes": audit_config.Probes,
    **dict.fromkeys(audit_config.GATED, audit_config.Bound),
}
"""The same for an audit's config."""

RETRIEVE_SECTIONS: dict[str, type[BaseModel]] = {
    "retrieve": retrieve.RetrieveConfig,
    "boost": retrieve.Recency,
    "rerank": retrieve.Rerank,
    "transform": retrieve.Transform,
    "expand": retrieve.Around,
}
"""What lies under the key retrieve."""

_EXPECTED = {
    "prompt": "a text, or a list of messages with role and content",
    "engine.cache": "true, false, or the path of the cache file",
    "gate.sequential": "true, false or {look_every: 20}",
    "prices": "the path of a price file, or a list of them",
    "ensemble.weights": "a number for each member, or accuracy",
}
_MISSING = {
    "dataset": "write dataset: path/to/rows.jsonl",
    "target": "write target: recorded, or target: {openai: {model: gpt-4o-mini}}",
    "members": "write members: {small: {openai: {model: gpt-4o-mini}}, old: {run: runs/old-run}}",
    "metrics": "write metrics: [exact_match]; 'llmkit list metrics' shows all",
}
_AUDIT_MISSING = {
    "judge": "write judge: {field: judge_score} for recorded verdicts, or a judge such as judge: grade",
    "human": "write human: human_score, or human: {file: labels.csv}",
}
_INDEX_MISSING = {"source": "write source: path/to/documents"}
_NOTHING = models.NOTHING


def model_problems(data: dict[str, Any]) -> tuple[EvalConfig | None, list[Problem]]:
    """Return the config, or None and everything that is wrong with ``data`` except its plug-in specs."""
    few_shot = data.get("few_shot")
    own_rows = isinstance(few_shot, dict) and few_shot.get("from") is None and "dataset" in data
    if isinstance(few_shot, dict) and own_rows:
        data = {**data, "few_shot": {**few_shot, "from": data["dataset"]}}
    config, errors = None, []
    try:
        config = EvalConfig.model_validate(data)
    except ValidationError as error:
        errors = [(_path(entry["loc"], data, entry["type"]), dict(entry)) for entry in error.errors(include_url=False)]
    if {"target", "ensemble"}.isdisjoint(data):
        errors.append(("target", {"type": "missing", "input": data}))
    if errors:
        errors = _with_nothing_to_score(data, errors)
    if own_rows:  # what is wrong with the rows is said once, at 'dataset'
        errors = [(path, entry) for path, entry in errors if not _within(path, "few_shot.from")]
    return (None if errors else config), list(_problems(errors))


def audit_problems(data: dict[str, Any]) -> tuple[AuditConfig | None, list[Problem]]:
    """Return the audit config, or None and everything that is wrong with ``data`` except its plug-in specs."""
    try:
        return AuditConfig.model_validate(data), []
    except ValidationError as error:
        errors = [(_path(entry["loc"], data, entry["type"]), dict(entry)) for entry in error.errors(include_url=False)]
    return None, list(_problems(errors, _AUDIT_SECTIONS, _MISSING | _AUDIT_MISSING))


def index_problems(data: dict[str, Any], error: ValidationError) -> list[Problem]:
    """Return what is wrong with the ``data`` of an index config, except its plug-in specs."""
    from llmkit.config import index_config as indexes

    sections: dict[str, type[BaseModel]] = {
        "": indexes.IndexConfig,
        "source": indexes.SourceConfig,
        "metadata": indexes.MetadataConfig,
        "lexical": indexes.Lexical,
        "safety": indexes.SafetyConfig,
        "engine": indexes.IndexEngine,
        **RETRIEVE_SECTIONS,
    }
    errors = [(_path(entry["loc"], data, entry["type"]), dict(entry)) for entry in error.errors(include_url=False)]
    return list(_problems(errors, sections, _INDEX_MISSING))


def gate_problems(data: Any) -> tuple[gate.Gate | None, list[Problem]]:
    """Return a gate that stands in a file of its own, or None and everything that is wrong; keys begin with gate."""
    try:
        return gate.Gate.model_validate(data), []
    except ValidationError as error:
        errors = [
            (_path(("gate", *entry["loc"]), {"gate": data}, entry["type"]), dict(entry))
            for entry in error.errors(include_url=False)
        ]
    return None, list(_problems(errors))


def retrieve_problems(data: Any) -> tuple[retrieve.RetrieveConfig | None, list[Problem]]:
    """Return how an index is searched, or None and everything that is wrong; keys begin with retrieve."""
    try:
        return retrieve.RetrieveConfig.model_validate(data), []
    except ValidationError as error:
        errors = [
            (_path(("retrieve", *entry["loc"]), {"retrieve": data}, entry["type"]), dict(entry))
            for entry in error.errors(include_url=False)
        ]
    return None, list(_problems(errors, {"": retrieve.RetrieveConfig, **RETRIEVE_SECTIONS}))


def _with_nothing_to_score(
    data: dict[str, Any], errors: list[tuple[str, dict[str, Any]]]
) -> list[tuple[str, dict[str, Any]]]:
    """Return the errors with the one about nothing to score at 'metrics', said also beside other errors."""
    kept = [(path, entry) for path, entry in errors if path or _NOTHING not in entry["msg"]]
    if data.get("judges") or ("metrics" in data and data["metrics"] not in ([], None)):
        return kept
    kind = "too_short" if data.get("metrics") == [] else "missing"
    return [*kept, ("metrics", {"type": kind, "input": data.get("metrics"), "msg": _NOTHING})]


def _path(loc: Iterable[Any], data: Any, kind: str) -> str:
    """Return the key path of a pydantic location: the parts that the data has, without pydantic's union tags."""
    parts = list(loc)
    path, here = "", data
    for position, part in enumerate(parts):
        inside = part < len(here) if isinstance(here, list) and isinstance(part, int) else False
        if inside or (isinstance(here, dict) and part in here):
            path, here = join(path, part), here[part]
        elif kind == "missing" and position == len(parts) - 1:
            path = join(path, part)
    return path


def _problems(
    errors: list[tuple[str, dict[str, Any]]],
    sections: Mapping[str, type[BaseModel]] = MappingProxyType(_SECTIONS),
    missing: Mapping[str, str] = MappingProxyType(_MISSING),
) -> Iterable[Problem]:
    unknown = {path: _unknown(path, sections) for path, entry in errors if entry["type"] == "extra_forbidden"}
    said: set[str] = set()
    for path, entry in errors:
        # What is wrong inside a value says more than that the value fits no other spelling either.
        inside = any(other != path and _within(other, path) for other, _ in errors)
        if path in said or inside or any(_within(path, other) and path != other for other in unknown):
            continue
        said.add(path)
        if path in unknown:
            yield unknown[path]
        elif entry["type"] != "missing":
            yield _wrong(path, entry)
        # A misspelt key is one mistake, not an unknown key and a missing one.
        elif not any(f"'{_last(path)}'?" in problem.hint for problem in unknown.values()):
            yield _absent(path, missing)


def _within(path: str, outer: str) -> bool:
    return path == outer or path.startswith((f"{outer}.", f"{outer}["))


def _last(path: str) -> str:
    return re.split(r"[.\[]", path)[-1]


def _section(path: str, sections: Mapping[str, type[BaseModel]]) -> tuple[type[BaseModel], str]:
    """Return what lies at the parent of ``path``, and the parent's path."""
    parent = path.removesuffix(_last(path)).rstrip(".")
    named = [part for part in re.sub(r"\[[0-9]+\]", "", parent).split(".") if part]
    if named[:1] == ["gate"] and sections[""] is EvalConfig:
        return _gate_section(named[1:]), parent
    if named[:1] == ["human"]:
        return human.Human, parent
    if len(named) > 1 and named[-2] == "fields":
        return models.Cut, parent
    return sections[named[-1] if named else ""], parent


def _gate_section(below: list[str]) -> type[BaseModel]:
    """Return what lies under ``gate`` at the given names; a name that is no setting is a scorer's."""
    if not below:
        return gate.Gate
    own: dict[str, type[BaseModel]] = {
        "coverage": gate.Floor,
        "cost": gate.Ceiling,
        "latency": gate.Latency,
        "sequential": gate.Sequential,
    }
    if below[0] == "latency" and len(below) > 1:
        return gate.Ceiling
    return own.get(below[0], gate.Rule)


def _unknown(path: str, sections: Mapping[str, type[BaseModel]]) -> Problem:
    section, parent = _section(path, sections)
    known = [field.alias or name for name, field in section.model_fields.items()]
    name = _last(path)
    inside = f" in '{parent}'" if parent else ""
    return Problem(f"unknown key '{name}'{inside}", key=path, hint=registry.did_you_mean(name, known, n=1))


def _absent(path: str, missing: Mapping[str, str]) -> Problem:
    name = _last(path)
    message = f"{_NOTHING}: the key 'metrics' is missing" if path == "metrics" else f"the key '{name}' is missing"
    return Problem(message, key=path, hint=missing.get(path, ""))


def _wrong(path: str, entry: dict[str, Any]) -> Problem:
    given, kind = entry["input"], entry["type"]
    if path == "metrics" and kind == "too_short":
        return Problem(f"{_NOTHING}: the list is empty", key=path, hint=_MISSING["metrics"])
    if re.fullmatch(r".*fields\.[^.\[]+", path) and kind != "llmkit":
        message = f"expected a field, a list of fields or {{field: ..., split: ...}}, got {registry.shown(given)}"
        return Problem(message, key=path)
    if path in _EXPECTED and kind != "llmkit":
        return Problem(f"expected {_EXPECTED[path]}, got {registry.shown(given)}", key=path)
    hint = f"write [{given}]" if kind == "tuple_type" and isinstance(given, str) else ""
    if kind == "literal_error" and isinstance(given, str):
        options = re.findall(r"'([^']+)'", entry["ctx"]["expected"])
        near = registry.did_you_mean(given, options, n=1)
        hint = near if near.startswith("did") else ""
    return Problem(registry.sentence(entry), key=path, hint=hint)
