"""From what a config says about its eval set to a `Dataset`; every wrong option is told at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmkit.datasets._paths import near
from llmkit.datasets.choices import SETS, convert, reader_of
from llmkit.datasets.dataset import Dataset
from llmkit.datasets.fields import parse_fields
from llmkit.datasets.hub import hub_rows
from llmkit.datasets.readers import READERS, SUFFIXES, TABLES, format_of
from llmkit.datasets.where import parse_where
from llmkit.errors import ConfigError, DataError, Problem

OPTIONS = (
    "path",
    "hf",
    "format",
    "name",
    "split",
    "revision",
    "fields",
    "where",
    "limit",
    "sample",
    "skip_bad_rows",
)

FORMATS = (*READERS, *SETS)
"""What ``format`` may name: how a file is written, or a set of multiple-choice questions."""


def open_dataset(source: str | Mapping[str, Any], *, base: Path) -> Dataset:
    """Return the set that a config names; nothing is read yet.

    Args:
        source: A path, or a mapping of `OPTIONS`: ``path`` or ``hf``; ``format`` where the file's name does not tell
            it, or the name of a set (`FORMATS`); ``name``, ``split`` and ``revision`` of a hub set; ``fields``,
            ``where``, ``limit``, ``sample: {n, seed}``, ``skip_bad_rows``.
        base: The folder that relative paths start from.

    Raises:
        ConfigError: options that are wrong; all at once.
        DataError: there is no such file.
    """
    options: Mapping[str, Any] = {"path": source} if isinstance(source, str) else source
    problems: list[Problem] = []
    made: dict[str, Any] = {"skip_bad_rows": options.get("skip_bad_rows") is True}
    for check in (_check_options, _plan_selection, _plan_fields, _plan_where):
        try:
            made |= check(options)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems=problems)
    if options.get("hf") is not None:
        picks = {"config": options.get("name"), "split": options.get("split"), "revision": options.get("revision")}
        name, found = str(options["hf"]), hub_rows(str(options["hf"]), base=base, **picks)
        known = str(options.get("format"))
        read = (lambda: convert(found(), known, name)) if known in SETS else found
        return Dataset(source=name, path=None, read=read, **made)
    path = _find(str(options["path"]), base)
    form: str | None = options.get("format") or format_of(path)
    if form is not None and form in SETS:
        plain = READERS[format_of(path) or "jsonl"]
        return Dataset(source=str(path), path=path, read=reader_of(form, path, plain), **made)
    if form is None:
        hint = f"known endings: {' '.join(SUFFIXES)} (each also .gz); or give format: {' | '.join(READERS)}"
        raise DataError(problems=[Problem("the name does not tell the file's format", file=str(path), hint=hint)])
    reader = READERS[form]
    return Dataset(source=str(path), path=path, read=lambda: reader(path), table=form in TABLES, **made)


def _check_options(options: Mapping[str, Any]) -> dict[str, Any]:
    problems = [
        Problem(f"unknown option '{name}'", key="dataset", hint=near(str(name), OPTIONS))
        for name in options
        if name not in OPTIONS
    ]
    given = [name for name in ("path", "hf") if options.get(name) is not None]
    if len(given) != 1:
        problems.append(Problem("give either path or hf" + (", not both" if given else ""), key="dataset"))
    problems += [
        Problem("expected a text", key=f"dataset.{name}")
        for name in ("path", "hf", "name", "split", "revision", "format")
        if name in options and options[name] is not None and not (isinstance(options[name], str) and options[name])
    ]
    form = options.get("format")
    if isinstance(form, str) and form and form not in FORMATS:
        hint = near(form, FORMATS) or f"formats: {', '.join(FORMATS)}"
        problems.append(Problem(f"unknown format '{form}'", key="dataset.format", hint=hint))
    if not isinstance(options.get("skip_bad_rows", False), (bool, type(None))):
        problems.append(Problem("expected true or false", key="dataset.skip_bad_rows"))
    if problems:
        raise ConfigError(problems=problems)
    return {}


def _plan_selection(options: Mapping[str, Any]) -> dict[str, Any]:
    limit, sample = options.get("limit"), options.get("sample")
    problems = []
    if limit is not None and not _whole(limit, least=1):
        problems.append(Problem(f"expected a whole number of at least 1, not {limit!r}", key="dataset.limit"))
    drawn = None
    if sample is not None:
        match sample:
            case {"n": n, **rest} if _whole(n, least=1) and set(rest) <= {"seed"} and _whole(rest.get("seed", 0)):
                drawn = (n, rest.get("seed", 0))
            case _:
                problems.append(Problem("expected {n: 100, seed: 0} with whole numbers", key="dataset.sample"))
    if problems:
        raise ConfigError(problems=problems)
    return {"limit": limit, "sample": drawn}


def _whole(value: Any, *, least: int | None = None) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and (least is None or value >= least)


def _plan_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    fields = options.get("fields")
    if fields is not None and not isinstance(fields, Mapping):
        raise ConfigError(problems=[Problem("expected a mapping such as {input: question}", key="dataset.fields")])
    return {"fields": parse_fields(fields) if fields else None}


def _plan_where(options: Mapping[str, Any]) -> dict[str, Any]:
    where = options.get("where")
    return {"where": parse_where(where) if where is not None else None}


def _find(name: str, base: Path) -> Path:
    exact = base / Path(name).expanduser()
    shown = Path(os.path.normpath(exact))
    path = shown if shown.exists() or not exact.exists() else exact
    if path.is_file():
        return path
    if path.exists():
        what, hint = "this is a folder, not a file", "give a file in it, or read the folder with hf:"
        if not path.is_dir():
            what, hint = "this is not a regular file, and a set is read more than once", ""
        raise DataError(problems=[Problem(what, file=str(path), hint=hint)])
    siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = near(path.name, siblings) if path.parent.is_dir() else f"there is no folder '{path.parent}'"
    raise DataError(problems=[Problem("there is no such file", file=str(path), hint=hint)])
