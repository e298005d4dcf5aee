"""What a plug-in says about itself: for ``llmkit list``, the docs and the JSON Schemas."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from typing import Any, NamedTuple

from llmkit.registry import hints as types
from llmkit.registry.arguments import field_hints, fields, plain, required
from llmkit.registry.owners import lookup
from llmkit.registry.sentences import shown

_SECTION = re.compile(r"^(Attributes|Args|Arguments):\s*$")
_ENTRY = re.compile(r"^(?P<indent>\s+)(?P<name>\w+)(?:\s*\([^)]*\))?:\s*(?P<help>.*)$")


class Argument(NamedTuple):
    """One argument of a plug-in.

    Attributes:
        name: As written in YAML.
        type: A short type text: ``float | null``.
        default: The default as written in YAML; empty where the argument is required.
        help: Its line of the class docstring.
        required: Whether there is no default.
        schema: JSON Schema of its values.
    """

    name: str
    type: str
    default: str
    help: str
    required: bool
    schema: dict[str, Any]


class Description(NamedTuple):
    """A plug-in as its docstring and fields describe it.

    Attributes:
        name: The plug-in's name.
        summary: First line of the class docstring.
        doc: The docstring without the section about arguments.
        arguments: Its arguments, in order; a value written alone in YAML is the first.
    """

    name: str
    summary: str
    doc: str
    arguments: tuple[Argument, ...]


def describe(kind: str, name: str) -> Description:
    """Return what a plug-in says about itself; imports its module.

    Raises:
        ConfigError: nobody owns the name, or the plug-in is broken.
    """
    cls = lookup(kind, name)
    doc, _ = _split(_docstring(cls))
    helps: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        helps.update(_split(_docstring(base))[1])
    known = field_hints(cls)
    arguments = tuple(_argument(f, known[f.name], helps.get(f.name, "")) for f in fields(cls).values())
    return Description(name, doc.partition("\n\n")[0].replace("\n", " "), doc, arguments)


def _argument(field: dataclasses.Field[Any], hint: Any, help_: str) -> Argument:
    if required(field):
        default = ""
    elif field.default is not dataclasses.MISSING:
        default = _default_text(field.default)
    else:
        assert field.default_factory is not dataclasses.MISSING
        default = _default_text(field.default_factory())
    return Argument(field.name, types.as_code(hint), default, help_, required(field), types.json_schema(hint))


def _default_text(value: Any) -> str:
    try:
        return json.dumps(plain(value), ensure_ascii=False)
    except TypeError:
        return shown(value)


def _docstring(cls: type) -> str:
    own = cls.__dict__.get("__doc__") or ""
    # A dataclass without a docstring gets its signature as one.
    return "" if own.startswith(f"{cls.__name__}(") else inspect.cleandoc(own)


def _split(doc: str) -> tuple[str, dict[str, str]]:
    """Return the docstring without its section about arguments, and that section as name -> help."""
    kept: list[str] = []
    helps: dict[str, str] = {}
    inside, current, depth = False, "", 0
    for line in doc.splitlines():
        if _SECTION.match(line):
            inside, current, depth = True, "", 0
        elif inside and line.strip() and not line[0].isspace():
            inside = False
            kept.append(line)
        elif not inside:
            kept.append(line)
        elif line.strip():
            entry = _ENTRY.match(line)
            if entry and (not depth or len(entry["indent"]) <= depth):
                current, depth = entry["name"], len(entry["indent"])
                helps[current] = entry["help"].strip()
            elif current:
                helps[current] = f"{helps[current]} {line.strip()}".strip()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip(), helps
