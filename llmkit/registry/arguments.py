"""A plug-in's arguments: checked, converted to their field types, and named."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from llmkit import spec as specs
from llmkit.errors import ConfigError, Problem
from llmkit.registry import hints as types
from llmkit.registry.owners import did_you_mean, lookup, names, owner
from llmkit.registry.sentences import sentence, shown
from llmkit.spec import Spec

Written = str | Mapping[str, Any] | Spec
"""A spec as it may come: as the user wrote it, or parsed."""

_BASE: ContextVar[Path | None] = ContextVar("base", default=None)


class Built(NamedTuple):
    """A plug-in instance and the canonical spec that results are keyed by (arguments equal to defaults left out)."""

    plugin: Any
    name: str


class _Checked(NamedTuple):
    cls: type
    spec: Spec
    values: dict[str, Any]


def build(kind: str, written: Written, *, base: Path | None = None, key: str = "") -> Built:
    """Return the plug-in that a spec describes, its arguments checked and converted to their field types.

    Args:
        kind: One of `llmkit.registry.KINDS`.
        written: The spec as the user wrote it.
        base: Folder that relative paths (fields annotated with ``Path``) are resolved against; for a plug-in that
            another one builds inside itself, the other's, unless given.
        key: Where the spec stands in the config, for error messages.

    Raises:
        ConfigError: every problem of this spec at once.
    """
    cls, spec, values = _checked(kind, written, key)
    name = str(Spec(spec.name, _identity(cls, values)))
    base = _BASE.get() if base is None else base
    if base is not None:
        paths = {k: f.default for k, f in fields(cls).items() if isinstance(f.default, Path)}
        values = {k: _resolve(v, base) for k, v in {**paths, **values}.items()}
    try:
        with _inside(base):
            return Built(cls(**values), name)
    except ConfigError as error:
        problems = error.problems or (Problem(str(error)),)
        raise ConfigError(problems=[dataclasses.replace(p, key=p.key or key) for p in problems]) from None
    except (ValueError, TypeError) as error:
        raise ConfigError(problems=[Problem(str(error), key=key or spec.name)]) from None


@contextmanager
def _inside(base: Path | None) -> Iterator[None]:
    """Let plug-ins that are built meanwhile resolve their paths against ``base``."""
    token = _BASE.set(base)
    try:
        yield
    finally:
        _BASE.reset(token)


def check(kind: str, written: Written, *, key: str = "") -> list[Problem]:
    """Return what is wrong with a spec, without building its plug-in; its module is imported."""
    try:
        _checked(kind, written, key)
    except ConfigError as error:
        return list(error.problems)
    return []


def canonical(kind: str, written: Written) -> str:
    """Return the canonical spec, without building the plug-in.

    Raises:
        ConfigError: every problem of this spec at once.
    """
    cls, spec, values = _checked(kind, written, "")
    return str(Spec(spec.name, _identity(cls, values)))


def explicit(kind: str, written: Written) -> dict[str, dict[str, Any]]:
    """Return a spec as a mapping that names every argument with its value, defaults included.

    Raises:
        ConfigError: every problem of this spec at once.
    """
    cls, spec, values = _checked(kind, written, "")
    every = {name: values[name] if name in values else _default(f) for name, f in fields(cls).items()}
    return {spec.name: {name: plain(value) for name, value in every.items()}}


def fields(cls: type) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields that a user may set: the constructor's, those first that need no keyword."""
    found = [f for f in dataclasses.fields(cls) if f.init and not f.name.startswith("_")]
    return {f.name: f for f in sorted(found, key=lambda f: f.kw_only is True)}


@cache
def field_hints(cls: type) -> Mapping[str, Any]:
    """Return the type of each field that a user may set.

    Raises:
        ConfigError: an annotation cannot be read.
    """
    try:
        known = typing.get_type_hints(cls, include_extras=True)
    except (NameError, TypeError, SyntaxError, AttributeError) as error:
        message = f"the field types of {cls.__name__} cannot be read: {error}"
        hint = "import what they name at the top of the file, not under TYPE_CHECKING"
        raise ConfigError(problems=[Problem(message, file=owner(cls), hint=hint)]) from error
    return {name: known[name] for name in fields(cls)}


def required(field: dataclasses.Field[Any]) -> bool:
    """Return whether a field has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _checked(kind: str, written: Written, key: str) -> _Checked:
    try:
        spec = written if isinstance(written, Spec) else specs.parse(written)
    except ValueError as error:
        raise ConfigError(problems=[Problem(str(error), key=key)]) from None
    try:
        cls = lookup(kind, spec.name)
        place = (
            ".".join(part for part in (key, spec.name) if part) if isinstance(written, Mapping) else key or spec.name
        )
        values, problems = _values(kind, cls, spec, place)
    except ConfigError as error:
        raise ConfigError(problems=[dataclasses.replace(p, key=p.key or key) for p in error.problems]) from None
    if problems:
        raise ConfigError(problems=problems)
    return _Checked(cls, spec, values)


def _values(kind: str, cls: type, spec: Spec, key: str) -> tuple[dict[str, Any], list[Problem]]:
    known = fields(cls)
    hints = field_hints(cls)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    seen: set[str] = set()
    for written, value in spec.args.items():
        name = next(iter(known), "") if written == specs.FIRST else written
        place = key if written == specs.FIRST else f"{key}.{written}"
        if not known:
            problems.append(Problem(f"'{spec.name}' takes no argument", key=place))
        elif name not in known:
            hint = _cut_off(kind, spec) if name == "k" else ""
            hint = hint or did_you_mean(name, list(known), n=1)
            problems.append(Problem(f"'{spec.name}' has no argument '{name}'", key=place, hint=hint))
        elif name in seen:
            problems.append(Problem(f"'{spec.name}' is given the argument '{name}' twice", key=place))
        else:
            values[name], wrong = _converted(hints[name], value, place)
            problems.extend(wrong)
        seen.add(name)
    missing = [name for name, f in known.items() if required(f) and name not in seen]
    problems.extend(Problem(f"'{spec.name}' needs the argument '{name}'", key=key) for name in missing)
    return values, problems


def _cut_off(kind: str, spec: Spec) -> str:
    """Return the hint for ``recall@10``, where ``recall`` is one plug-in and ``recall_at@10`` another."""
    twin = f"{spec.name}_at"
    return f"did you mean '{Spec(twin, spec.args)}'?" if twin in names(kind) else ""


def _converted(hint: Any, value: Any, key: str) -> tuple[Any, list[Problem]]:
    from pydantic import ValidationError

    try:
        return types.adapter(hint).validate_python(value), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    if len(types.arms(hint)) == 1 or len(errors) == 1:
        return value, [
            Problem(sentence(e), key=key + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in e["loc"]))
            for e in errors
        ]
    return value, [Problem(f"expected {types.in_words(hint)}, got {shown(value)}", key=key)]


def _identity(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that make a plug-in answer as it does: no defaults, nothing marked ``identity=False``."""
    kept: dict[str, Any] = {}
    for name, f in fields(cls).items():
        if name not in values or not f.metadata.get("identity", True):
            continue
        if required(f) or plain(values[name]) != plain(_default(f)):
            kept[name] = plain(values[name])
    return kept


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: paths as texts, tuples and sets as lists."""
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    return value


def _resolve(value: Any, base: Path) -> Any:
    if isinstance(value, Path):
        return base / value.expanduser()
    if isinstance(value, (list, tuple)):
        return type(value)(_resolve(item, base) for item in value)
    if isinstance(value, dict):
        return {key: _resolve(item, base) for key, item in value.items()}
    return value
