"""Name -> plug-in class, for every kind of plug-in. The file name is the name.

A plug-in is a frozen dataclass. Its fields are its YAML arguments, its docstring is its help, and its JSON
Schema comes free. Names are looked up in this order, and only what is looked up is imported:

1. classes registered by a decorator in a user file (``plugins:`` in the config);
2. the entry-point group ``llmkit.<kind>``;
3. the built-in module ``llmkit/<kind>/<name>.py``.

Two owners of one name are an error; an unknown name suggests near ones.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import pkgutil
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from llmkit import spec as specs
from llmkit.errors import ConfigError, Problem
from llmkit.spec import Spec

KINDS = ("metrics", "providers")
"""Plug-in kinds; each is a package of the house, and an entry-point group ``llmkit.<kind>``."""

_SINGULAR = {"metrics": "metric", "providers": "provider"}
_registered: dict[tuple[str, str], type] = {}

C = TypeVar("C", bound=type)


class Built(NamedTuple):
    """A plug-in instance and the canonical spec that results are keyed by (arguments equal to defaults left out)."""

    plugin: Any
    name: str


def metric(name: str) -> Callable[[C], C]:
    """Register a metric class under ``name``."""
    return _register("metrics", name)


def provider(name: str) -> Callable[[C], C]:
    """Register a provider class under ``name``."""
    return _register("providers", name)


def _register(kind: str, name: str) -> Callable[[C], C]:
    def decorate(cls: C) -> C:
        known = _registered.get((kind, name))
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ConfigError(problems=[_two_owners(kind, name, known.__module__, cls.__module__)])
        if not dataclasses.is_dataclass(cls):
            message = (
                f"the {_SINGULAR[kind]} '{name}' must be a dataclass: put @dataclass(frozen=True) under the decorator"
            )
            raise ConfigError(problems=[Problem(message, file=cls.__module__)])
        _registered[kind, name] = cls
        return cls

    return decorate


def _two_owners(kind: str, name: str, first: str, second: str) -> Problem:
    return Problem(f"two plug-ins claim the {_SINGULAR[kind]} '{name}': {first} and {second}", hint="rename one")


def load_plugins(files: Iterable[Path]) -> None:
    """Import user files so that their decorators register; called once per config.

    Raises:
        ConfigError: a file is missing or fails to import; names the file and the line.
    """
    import importlib.util
    import sys
    import traceback

    for file in files:
        module_name = f"llmkit_plugin_{file.resolve().as_posix().replace('/', '_').replace('.', '_')}"
        if module_name in sys.modules:
            continue
        if not file.is_file():
            raise ConfigError(problems=[Problem("no such plug-in file", file=str(file), key="plugins")])
        module_spec = importlib.util.spec_from_file_location(module_name, file)
        assert module_spec is not None
        assert module_spec.loader is not None
        module = importlib.util.module_from_spec(module_spec)
        sys.modules[module_name] = module
        try:
            module_spec.loader.exec_module(module)
        except ConfigError:
            del sys.modules[module_name]
            raise
        except Exception as error:
            del sys.modules[module_name]
            frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
            line = frames[-1].lineno or 0 if frames else getattr(error, "lineno", 0) or 0
            message = f"the plug-in failed to import: {type(error).__name__}: {error}"
            raise ConfigError(problems=[Problem(message, file=str(file), line=line)]) from error


@cache
def builtin_names(kind: str) -> tuple[str, ...]:
    """Return the names of the built-in plug-ins of a kind: its module names, none of them imported."""
    package = Path(__file__).parent / kind
    return tuple(sorted(m.name for m in pkgutil.iter_modules([str(package)]) if not m.name.startswith("_")))


def names(kind: str) -> list[str]:
    """Return every known name of a kind."""
    user = {name for k, name in _registered if k == kind}
    return sorted({*builtin_names(kind), *_entry_points(kind), *user})


@cache
def _entry_points(kind: str) -> Mapping[str, Any]:
    from importlib.metadata import entry_points

    found: dict[str, Any] = {}
    for point in entry_points(group=f"llmkit.{kind}"):
        if point.name in found and found[point.name].value != point.value:
            raise ConfigError(problems=[_two_owners(kind, point.name, found[point.name].value, point.value)])
        found[point.name] = point
    return found


def lookup(kind: str, name: str) -> type:
    """Return the class of a plug-in; imports just its module.

    Raises:
        ConfigError: nobody owns the name (near ones are suggested), or two do.
    """
    owned = _registered.get((kind, name))
    builtin = name in builtin_names(kind)
    if builtin and (owned is None or not owned.__module__.startswith("llmkit.")):
        importlib.import_module(f"llmkit.{kind}.{name}")
        owned = _registered.get((kind, name))
    if owned is None and not builtin:
        point = _entry_points(kind).get(name)
        if point is not None:
            cls = point.load()
            owned = _registered.setdefault((kind, name), cls)
    if owned is None:
        raise ConfigError(problems=[_unknown(kind, name)])
    return owned


def _unknown(kind: str, name: str) -> Problem:
    known = names(kind)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    hint = "did you mean " + " or ".join(f"'{n}'" for n in near) + "?" if near else f"known: {', '.join(known)}"
    return Problem(f"unknown {_SINGULAR[kind]} '{name}'", hint=hint)


def build(kind: str, written: str | Mapping[str, Any] | Spec, *, base: Path | None = None, key: str = "") -> Built:
    """Return the plug-in that a spec describes, its arguments checked and converted to their field types.

    Args:
        kind: One of `KINDS`.
        written: The spec as the user wrote it.
        base: Folder that relative paths (fields annotated with ``Path``) are resolved against.
        key: Where the spec stands in the config, for error messages.

    Raises:
        ConfigError: every problem of this spec at once.
    """
    try:
        spec = written if isinstance(written, Spec) else specs.parse(written)
    except ValueError as error:
        raise ConfigError(problems=[Problem(str(error), key=key)]) from None
    try:
        cls = lookup(kind, spec.name)
    except ConfigError as error:
        raise ConfigError(problems=[dataclasses.replace(p, key=p.key or key) for p in error.problems]) from None
    values, problems = _check(cls, spec, key or spec.name)
    if problems:
        raise ConfigError(problems=problems)
    name = str(Spec(spec.name, _identity(cls, values)))
    if base is not None:
        values = {k: _resolve(v, base) for k, v in values.items()}
    try:
        return Built(cls(**values), name)
    except ConfigError as error:
        raise ConfigError(problems=[dataclasses.replace(p, key=p.key or key) for p in error.problems]) from None
    except (ValueError, TypeError) as error:
        raise ConfigError(problems=[Problem(str(error), key=key or spec.name)]) from None


def fields(cls: type) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields that a user may set: the constructor's."""
    return {f.name: f for f in dataclasses.fields(cls) if f.init and not f.name.startswith("_")}


def _check(cls: type, spec: Spec, key: str) -> tuple[dict[str, Any], list[Problem]]:
    from pydantic import TypeAdapter, ValidationError

    known = fields(cls)
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for written, value in spec.args.items():
        name = next(iter(known), "") if written == specs.FIRST else written
        if written == specs.FIRST and not known:
            problems.append(Problem(f"'{spec.name}' takes no argument", key=key))
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known) or 'none'}"
            problems.append(Problem(f"'{spec.name}' has no argument '{name}'", key=f"{key}.{name}", hint=hint))
            continue
        try:
            values[name] = TypeAdapter(hints[name]).validate_python(value)
        except ValidationError as error:
            message = "; ".join(dict.fromkeys(str(e["msg"]) for e in error.errors(include_url=False)))
            problems.append(Problem(f"{message[0].lower()}{message[1:]}, got {value!r}", key=f"{key}.{name}"))
    for name, f in known.items():
        needed = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if needed and name not in values and not any(p.key == f"{key}.{name}" for p in problems):
            problems.append(Problem(f"'{spec.name}' needs the argument '{name}'", key=key))
    return values, problems


def _identity(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that make a plug-in answer as it does: no defaults, nothing marked ``identity=False``."""
    kept: dict[str, Any] = {}
    for name, f in fields(cls).items():
        if name not in values or not f.metadata.get("identity", True):
            continue
        default = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
        if values[name] != default:
            kept[name] = _plain(values[name])
    return kept


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return value


def _resolve(value: Any, base: Path) -> Any:
    if isinstance(value, Path):
        return base / value.expanduser()
    if isinstance(value, tuple):
        return tuple(_resolve(item, base) for item in value)
    return value


def summary(cls: type) -> str:
    """Return the first line of a plug-in's docstring."""
    return (cls.__doc__ or "").strip().split("\n", 1)[0]
