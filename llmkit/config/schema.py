"""The JSON Schema of eval configs, for editors: completion, help and red underlines while the user types.

It is made from the model's own fields and from the fields and docstrings of every plug-in that is built in or
installed. Where a config names ``plugins:`` files, names that only those know are accepted too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from llmkit import registry
from llmkit.config import audit_config as audit
from llmkit.config import eval_config as models
from llmkit.config import gate, human, retrieve
from llmkit.config import index_config as indexes
from llmkit.config.engine_config import EngineConfig
from llmkit.config.ensemble import Ensemble

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_KIND_OF = {"target": "providers", "metrics": "metrics", "judges": "judges", "perturb": "perturbations"}


def eval_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of eval configs; importing every built-in plug-in on the way."""
    plug_ins = {kind: _plug_ins(kind) for kind in _KIND_OF.values()}
    schema = _section(models.EvalConfig)
    schema["properties"] = {
        # A key without a value means its default.
        key: value if key in schema["required"] else _nullable(value)
        for key, value in schema["properties"].items()
    }
    strict = {
        "target": _ref("providers"),
        "ensemble": _members({"anyOf": [_ref("run"), _ref("providers")]}),
        "judge_model": _nullable(_ref("providers")),
        "metrics": {"items": _ref("metrics")},
        "judges": {"items": _ref("judges")},
        "perturb": {"items": _ref("perturbations")},
    }
    loose = {
        "target": _ref("any"),
        "ensemble": _members(_ref("any")),
        "judge_model": _nullable(_ref("any")),
        "metrics": {"items": _ref("any")},
        "judges": {"items": _ref("any")},
        "perturb": {"items": _ref("any")},
    }
    return {
        "$schema": DRAFT,
        "title": "llmkit eval config",
        **schema,
        "anyOf": [
            {"required": ["metrics"], "properties": {"metrics": {"description": "At least one.", "minItems": 1}}},
            {"required": ["judges"]},
        ],
        "allOf": [{"anyOf": [{"required": ["target"]}, {"required": ["ensemble"]}]}],
        "if": {"required": ["plugins"]},
        "then": {"properties": {key: {"anyOf": [strict[key], loose[key]]} for key in strict}},
        "else": {"properties": strict},
        "$defs": {
            "any": {"type": ["string", "object"], "minProperties": 1, "maxProperties": 1},
            "run": {
                "description": "The answers of an earlier run: its folder, relative to the folder of this config.",
                "type": "object",
                "additionalProperties": False,
                "required": ["run"],
                "properties": {"run": _TEXT},
            },
            **_gate_parts(),
            **{name: definition for definitions in plug_ins.values() for name, definition in definitions.items()},
        },
    }


def audit_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of audit configs."""
    plug_ins = {kind: _plug_ins(kind) for kind in ("judges", "providers")}
    schema = _section(audit.AuditConfig)
    properties = {
        key: value if key in schema["required"] else _nullable(value) for key, value in schema["properties"].items()
    }
    recorded = _section(audit.Recorded)
    labels = _section(human.Human)
    properties["gate"] = {
        **{word: properties["gate"][word] for word in ("description",)},
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {name: _section(audit.Bound) for name in audit.GATED},
    }
    properties["probes"] = _nullable({**_section(audit.Probes), "description": properties["probes"]["description"]})
    about = properties["human"]["description"]
    properties["human"] = {"description": about, "anyOf": [_TEXT, _TEXTS, labels]}
    about = properties["judge"]["description"]
    named = {"description": about, "anyOf": [recorded, _ref("judges")]}
    loose = {"description": about, "anyOf": [recorded, _ref("any")]}
    del properties["judge"], properties["judge_model"]
    schema["properties"] = {**properties, "judge": {"description": about}, "judge_model": {"description": _MODEL}}
    strict = {"judge": named, "judge_model": _nullable(_ref("providers"))}
    free = {"judge": loose, "judge_model": _nullable(_ref("any"))}
    return {
        "$schema": DRAFT,
        "title": "llmkit audit config",
        **schema,
        "if": {"required": ["plugins"]},
        "then": {"properties": {key: {"anyOf": [strict[key], free[key]]} for key in strict}},
        "else": {"properties": strict},
        "$defs": {
            "any": {"type": ["string", "object"], "minProperties": 1, "maxProperties": 1},
            **{name: definition for definitions in plug_ins.values() for name, definition in definitions.items()},
        },
    }


def audit_schema_text() -> str:
    """Return `audit_schema` as the text of ``configs/schema/audit.schema.json``."""
    return json.dumps(audit_schema(), indent=1, ensure_ascii=False) + "\n"


def index_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of index configs."""
    plug_ins = {kind: _plug_ins(kind) for kind in ("chunkers", "embedders", "vectors")}
    schema = _section(indexes.IndexConfig)
    properties = {
        key: value if key in schema["required"] else _nullable(value) for key, value in schema["properties"].items()
    }
    spelt = {
        "source": {"anyOf": [_TEXT, _lists(_section(indexes.SourceConfig), ("include", "exclude", "text", "columns"))]},
        "metadata": _nullable(_metadata()),
        "lexical": {"anyOf": [{"enum": [*get_args(indexes.LexicalTokenizer), None]}, _lexical()]},
        "retrieve": _nullable(_retrieve()),
        "safety": _nullable(_section(indexes.SafetyConfig)),
        "engine": {"anyOf": [{"enum": ["local", "ray", None]}, _section(indexes.IndexEngine)]},
    }
    for key, value in spelt.items():
        about = {word: text for word, text in properties[key].items() if word in ("description", "default")}
        properties[key] = {**value, **about}
    plain = {"chunk": "chunkers", "embed": "embedders", "vector": "vectors"}
    for key in plain:
        properties[key] = {"description": indexes.IndexConfig.model_fields[key].description}
    schema["properties"] = properties
    strict = {key: _nullable(_ref(kind)) for key, kind in plain.items()}
    strict["vector"] = {"anyOf": [{"enum": ["auto", None]}, _ref("vectors")]}
    free = {key: _nullable(_ref("any")) for key in plain}
    return {
        "$schema": DRAFT,
        "title": "llmkit index config",
        **schema,
        "if": {"required": ["plugins"]},
        "then": {"properties": {key: {"anyOf": [strict[key], free[key]]} for key in strict}},
        "else": {"properties": strict},
        "$defs": {
            "any": {"type": ["string", "object"], "minProperties": 1, "maxProperties": 1},
            **{name: definition for definitions in plug_ins.values() for name, definition in definitions.items()},
        },
    }


def _lexical() -> dict[str, Any]:
    schema = _section(indexes.Lexical)
    engine = indexes.Lexical.model_fields["engine"]  # not the ``engine`` of a config
    schema["properties"]["engine"] = _described("lexical.engine", engine)
    return schema


def _lists(schema: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return a section whose ``keys`` take one text in the place of a list of one."""
    for key in keys:
        about = schema["properties"][key]["description"]
        schema["properties"][key] = {"description": about, "anyOf": [_TEXT, _TEXTS]}
    return schema


def _metadata() -> dict[str, Any]:
    schema = _section(indexes.MetadataConfig)
    origin = {"enum": ["front_matter", "path"]}
    spelt: dict[str, dict[str, Any]] = {
        "from": {"anyOf": [origin, {"type": "array", "items": origin}]},
        "fields": {"type": "object", "additionalProperties": {"enum": list(get_args(indexes.FieldType))}},
    }
    for key, value in spelt.items():
        schema["properties"][key] = {"description": schema["properties"][key]["description"], **value}
    return schema


def _retrieve() -> dict[str, Any]:
    schema = _section(retrieve.RetrieveConfig)
    parts: dict[str, type[BaseModel]] = {
        "boost": retrieve.Recency,
        "rerank": retrieve.Rerank,
        "transform": retrieve.Transform,
        "expand": retrieve.Around,
    }
    for key, model in parts.items():
        section = _section(model)
        if "model" in section["properties"]:
            section["properties"]["model"] = {**section["properties"]["model"], "type": ["string", "object"]}
        schema["properties"][key] = _nullable(section)
    return schema


def index_schema_text() -> str:
    """Return `index_schema` as the text of ``configs/schema/index.schema.json``."""
    return json.dumps(index_schema(), indent=1, ensure_ascii=False) + "\n"


def eval_schema_text() -> str:
    """Return `eval_schema` as the text of ``configs/schema/eval.schema.json``."""
    return json.dumps(eval_schema(), indent=1, ensure_ascii=False) + "\n"


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _members(member: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"members": {"additionalProperties": member}}}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {word: schema[word] for word in ("description", "default") if word in schema}
    bare = {word: value for word, value in schema.items() if word not in about}
    if isinstance(bare.get("type"), str) and "enum" not in bare:
        return {**about, **bare, "type": [bare["type"], "null"]}
    return {**about, "anyOf": [bare, {"type": "null"}]}


def _section(model: type[BaseModel]) -> dict[str, Any]:
    doc = (model.__doc__ or "").strip().partition("\n")[0]
    known = {field.alias or name: field for name, field in model.model_fields.items()}
    return {
        "description": doc,
        "type": "object",
        "additionalProperties": False,
        "required": [key for key, field in known.items() if field.is_required() and key != "name"],
        "properties": {key: _described(key, field) for key, field in known.items()},
    }


def _described(key: str, field: FieldInfo) -> dict[str, Any]:
    default = None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
    plain = isinstance(default, (str, int, float)) and not isinstance(default, BaseModel)
    about = {"description": field.description, **({"default": default} if plain else {})}
    if key in _OWN:
        return {**_OWN[key](), **about}
    return {**about, **registry.json_schema(field.annotation), **registry.limits(field.metadata)}


def _gate() -> dict[str, Any]:
    """Return the schema of a gate: keys beside its own name scorers."""
    schema = _section(gate.Gate)
    by_scorer = {"type": "object", "additionalProperties": _ref("gate_rule")}
    schema["properties"]["slices"] = {
        "description": schema["properties"]["slices"]["description"],
        "type": "object",
        "additionalProperties": {"type": "object", "additionalProperties": by_scorer},
    }
    return {**schema, "additionalProperties": _ref("gate_rule")}


def _gate_parts() -> dict[str, Any]:
    asked = [{"required": [key]} for key in ("max_drop", "min", "max")]
    return {
        "gate_rule": {**_section(gate.Rule), "anyOf": asked},
        "gate_ceiling": _nullable(_section(gate.Ceiling)),
        "gate_latency": _nullable(_section(gate.Latency)),
    }


_MODEL = "The model that the judge asks where it names none: a provider, as a target."
_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_OWN: dict[str, Callable[[], dict[str, Any]]] = {
    # Keys whose spellings their type does not tell.
    "gate": _gate,
    "coverage": lambda: _section(gate.Floor),
    "all": lambda: _ref("gate_rule"),
    "scorers": lambda: {"type": "object", "additionalProperties": _ref("gate_rule")},
    "cost": lambda: _ref("gate_ceiling"),
    "latency": lambda: _ref("gate_latency"),
    **{f"p{share}": lambda: _ref("gate_ceiling") for share in (50, 90, 95, 99)},
    "engine": lambda: _section(EngineConfig),
    "few_shot": lambda: _section(models.FewShot),
    "choice": lambda: _section(models.Choice),
    "ensemble": lambda: _section(Ensemble),
    "members": lambda: {"type": "object", "minProperties": 1, "additionalProperties": {"type": ["string", "object"]}},
    "dataset": lambda: {"anyOf": [_TEXT, _section(models.DatasetConfig)]},
    "from": lambda: {"anyOf": [{"type": ["string", "null"]}, _section(models.DatasetConfig)]},
    "fields": lambda: {"type": "object", "additionalProperties": {"anyOf": [_TEXT, _TEXTS, _section(models.Cut)]}},
    "sample": lambda: _nullable(_section(models.Take)),
    "prompt": lambda: {"anyOf": [_TEXT, {"type": "array", "items": _section(models.Message)}]},
    "prices": lambda: {"anyOf": [_TEXT, _TEXTS]},
    "target": lambda: {"type": ["string", "object"]},
    "judge_model": lambda: {"type": ["string", "object"]},
    "metrics": lambda: {"type": "array"},
    "judges": lambda: {"type": "array"},
    "judge": lambda: {"type": ["string", "object"]},
    "human": lambda: {"type": ["string", "array", "object"]},
    "probes": lambda: {"type": "object"},
    "values": lambda: {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
    "perturb": lambda: {"type": "array"},
}


def _plug_ins(kind: str) -> dict[str, Any]:
    """Return one definition for a kind, ``metrics``, and one for the arguments of each plug-in, ``metrics.bleu``."""
    described = [registry.describe(kind, name) for name in registry.published_names(kind)]
    bare = [d.name for d in described]
    pattern = (
        "^\\s*(?:" + "|".join(name.replace(".", "\\.") for name in bare) + ")(?:@[0-9]+)?\\s*(?:\\([\\s\\S]*\\))?\\s*$"
    )
    both = {
        "anyOf": [
            {"enum": bare},
            {"type": "string", "pattern": pattern},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": False,
                "properties": {d.name: _ref(f"{kind}.{d.name}") for d in described},
            },
        ]
    }
    return {kind: both, **{f"{kind}.{d.name}": _arguments(d) for d in described}}


def _arguments(description: registry.Description) -> dict[str, Any]:
    named: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {a.name: _argument(a) for a in description.arguments},
        "required": [a.name for a in description.arguments if a.required],
    }
    spellings = [named]
    needed = named["required"]
    if description.arguments and set(needed) <= {description.arguments[0].name}:
        alone = description.arguments[0].schema
        spellings.append(alone or {"not": {"type": "object"}})
    if not needed:
        spellings.append({"type": "null"})
    return {"description": description.summary, **(named if len(spellings) == 1 else {"anyOf": spellings})}


def _argument(argument: registry.Argument) -> dict[str, Any]:
    about = {"description": argument.help} if argument.help else {}
    default = {} if argument.required else {"default": json.loads(argument.default)}
    return {**about, **argument.schema, **default}
