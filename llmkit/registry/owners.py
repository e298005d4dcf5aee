"""Who owns which name."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from llmkit.errors import ConfigError, Problem
from llmkit.spec import NAME

KINDS: Mapping[str, str] = {
    "chunkers": "chunker",
    "embedders": "embedder",
    "judges": "judge",
    "metrics": "metric",
    "perturbations": "perturbation",
    "providers": "provider",
    "vectors": "vector index",
}
"""Plug-in kinds and the word for one of each. A kind is a package of the house and an entry-point group
``llmkit.<kind>``; a new kind is one more entry here."""

_HOUSE = Path(__file__).resolve().parent.parent
registered: dict[tuple[str, str], type] = {}
"""What decorators registered so far: (kind, name) -> class."""

C = TypeVar("C", bound=type)


def register(kind: str, name: str) -> Callable[[C], C]:
    """Return a decorator that registers a plug-in class under ``name``.

    Raises:
        ConfigError: the name cannot be written in a config, another class has it, or the class is not a
            frozen dataclass.
    """

    def decorate(cls: C) -> C:
        known = registered.get((kind, name))
        if known is not None and _home(known) != _home(cls):
            raise ConfigError(problems=[_two_owners(kind, name, owner(known), owner(cls))])
        message = _unfit(kind, name, cls)
        if message:
            raise ConfigError(problems=[Problem(message, file=owner(cls))])
        registered[kind, name] = cls
        return cls

    return decorate


def judge(name: str) -> Callable[[C], C]:
    """Register a judge class under ``name``."""
    return register("judges", name)


def metric(name: str) -> Callable[[C], C]:
    """Register a metric class under ``name``."""
    return register("metrics", name)


def provider(name: str) -> Callable[[C], C]:
    """Register a provider class under ``name``."""
    return register("providers", name)


def perturbation(name: str) -> Callable[[C], C]:
    """Register a perturbation class under ``name``."""
    return register("perturbations", name)


def chunker(name: str) -> Callable[[C], C]:
    """Register a chunker class under ``name``."""
    return register("chunkers", name)


def embedder(name: str) -> Callable[[C], C]:
    """Register an embedder class under ``name``."""
    return register("embedders", name)


def vector_index(name: str) -> Callable[[C], C]:
    """Register a class that searches vectors under ``name``."""
    return register("vectors", name)


def _unfit(kind: str, name: str, cls: type) -> str:
    word = KINDS[kind]
    if not NAME.fullmatch(name):
        return f"'{name}' cannot name a {word}: use letters, digits, '_', '-' and '.', a letter first"
    params = cls.__dict__.get("__dataclass_params__")
    if params is None:
        return f"the {word} '{name}' must be a dataclass: put @dataclass(frozen=True) under the decorator"
    if not params.frozen:
        return f"the {word} '{name}' must be frozen: write @dataclass(frozen=True)"
    return ""


def _home(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def owner(cls: type) -> str:
    """Return where a class comes from, in words a user knows: the plug-in file, or the module."""
    module = sys.modules.get(cls.__module__)
    return str(getattr(module, "llmkit_plugin_file", cls.__module__))


def _two_owners(kind: str, name: str, first: str, second: str) -> Problem:
    return Problem(f"two plug-ins claim the {KINDS[kind]} '{name}': {first} and {second}", hint="rename one")


@cache
def builtin_names(kind: str) -> tuple[str, ...]:
    """Return the names of the built-in plug-ins of a kind: its module names, none of them imported."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules([str(_HOUSE / kind)]) if not m.name.startswith("_")))


def published_names(kind: str) -> list[str]:
    """Return the names that every config on this machine knows: built in, or of an installed package."""
    return sorted({*builtin_names(kind), *_entry_points(kind)})


def names(kind: str) -> list[str]:
    """Return every known name of a kind, those of loaded user files included."""
    return sorted({*published_names(kind), *(name for k, name in registered if k == kind)})


@cache
def _installed() -> Mapping[str, Any]:
    """Return the entry points of every kind: all groups in one pass over the installed packages."""
    from importlib.metadata import entry_points

    every = entry_points()
    return {kind: tuple(every.select(group=f"llmkit.{kind}")) for kind in KINDS}


@cache
def _entry_points(kind: str) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for point in _installed()[kind]:
        known = found.get(point.name)
        if known is not None and known.value != point.value:
            raise ConfigError(problems=[_two_owners(kind, point.name, known.value, point.value)])
        found[point.name] = point
    return found


def forget_installed() -> None:
    """Look at the installed packages anew; for a process that installs one, such as a test."""
    _installed.cache_clear()
    _entry_points.cache_clear()


def lookup(kind: str, name: str) -> type:
    """Return the class of a plug-in; imports just its module.

    Raises:
        ConfigError: nobody owns the name (near ones are suggested), two do, or its module is broken.
    """
    point = _entry_points(kind).get(name)
    builtin = name in builtin_names(kind)
    if builtin and point is not None:
        raise ConfigError(problems=[_two_owners(kind, name, f"llmkit.{kind}.{name}", point.value)])
    owned = registered.get((kind, name))
    if builtin and (owned is None or not owned.__module__.startswith("llmkit.")):
        importlib.import_module(f"llmkit.{kind}.{name}")
        owned = registered.get((kind, name))
        if owned is None:
            message = f"the module llmkit.{kind}.{name} registers no {KINDS[kind]} '{name}'"
            raise ConfigError(problems=[Problem(message)])
    if point is not None:
        owned = _from_entry_point(kind, name, point)
    if owned is None:
        raise ConfigError(problems=[_unknown(kind, name)])
    return owned


def _from_entry_point(kind: str, name: str, point: Any) -> type:
    try:
        cls = point.load()
    except ConfigError:
        raise
    except Exception as error:
        message = f"the {KINDS[kind]} '{name}' ({point.value}) failed to import: {type(error).__name__}: {error}"
        raise ConfigError(problems=[Problem(message, hint="reinstall or remove the package that brings it")]) from error
    if not isinstance(cls, type) or not dataclasses.is_dataclass(cls):
        message = f"the {KINDS[kind]} '{name}' ({point.value}) is not a dataclass"
        raise ConfigError(problems=[Problem(message)])
    return register(kind, name)(cls)


def _unknown(kind: str, name: str) -> Problem:
    return Problem(f"unknown {KINDS[kind]} '{name}'", hint=did_you_mean(name, names(kind)))


_NEAR = 0.65
"""How alike a word must be to be suggested (`difflib`'s ratio)."""


def did_you_mean(written: str, known: list[str] | tuple[str, ...], *, n: int = 3) -> str:
    """Return a hint that names the nearest known words, or all of them where none is near."""
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(b=written.lower())
    ratios: list[tuple[float, str]] = []
    for word in known:
        matcher.set_seq1(word.lower())
        if matcher.quick_ratio() >= _NEAR:
            ratios.append((matcher.ratio(), word))
    best = max(ratios, default=(0.0, ""))[0]
    near = [word for ratio, word in sorted(ratios, reverse=True) if ratio >= max(_NEAR, best - 0.1)][:n]
    if near:
        return "did you mean " + " or ".join(f"'{word}'" for word in near) + "?"
    return f"known: {', '.join(known) or 'none'}"
