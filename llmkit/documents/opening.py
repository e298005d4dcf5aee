"""From what a config says about its documents to a `Source`; every wrong option is told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from llmkit.documents import loaders
from llmkit.documents.fields import TYPES, path_pattern
from llmkit.documents.folder import INCLUDE, MAX_BYTES, FolderSource
from llmkit.documents.found import Source
from llmkit.documents.globs import translate
from llmkit.documents.metadata import Metadata
from llmkit.documents.rows import Kind, Table
from llmkit.documents.table import TableSource
from llmkit.errors import ConfigError, Problem
from llmkit.registry import did_you_mean

TABLES: tuple[str, ...] = get_args(Kind)
FOLDER_OPTIONS = ("root", "include", "exclude", "follow_symlinks", "hidden", "max_bytes", "encoding")
TABLE_OPTIONS = (*TABLES, "name", "split", "revision", "id", "text", "title", "columns", "markup", "max_bytes")
METADATA_OPTIONS = ("from", "path", "fields")
ORIGINS = ("front_matter", "path")
_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1000, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9}


def open_source(settings: Mapping[str, Any], base: Path) -> Source:
    """Return the source that a config's ``source:`` and ``metadata:`` name; nothing is read yet.

    Args:
        settings: ``{source: {...}, metadata: {...}}``. A source has ``root`` (a folder; `FOLDER_OPTIONS`), or one of
            `TABLES` (a file, or a hub name or folder for ``hf``; `TABLE_OPTIONS`).
        base: The folder that relative paths start from.

    Raises:
        ConfigError: options that are wrong; all at once.
    """
    problems: list[Problem] = []
    source = settings.get("source") or {}
    if isinstance(source, str):
        source = {"root": source}
    metadata = _metadata(settings.get("metadata") or {}, problems)
    given = [name for name in ("root", *TABLES) if source.get(name) is not None]
    if len(given) != 1:
        known = f"root (a folder) or one of {', '.join(TABLES)}"
        problems.append(Problem(f"give {known}{', not several' if given else ''}", key="source"))
        raise ConfigError(problems=problems)
    options = FOLDER_OPTIONS if given[0] == "root" else TABLE_OPTIONS
    check = _Options(source, "source", options, problems)
    opened: Source = _folder(check, base, metadata) if given[0] == "root" else _table(check, given[0], base, metadata)
    if problems:
        raise ConfigError(problems=problems)
    return opened


class _Options:
    """The options of one part of a config; what is wrong is collected."""

    def __init__(self, values: Mapping[str, Any], key: str, known: Sequence[str], problems: list[Problem]) -> None:
        self._values, self._key, self._problems = values, key, problems
        for name in values:
            if name not in known:
                hint = did_you_mean(str(name), tuple(known))
                problems.append(Problem(f"unknown option '{name}'", key=key, hint=hint))

    def wrong(self, name: str, message: str, hint: str = "") -> None:
        """Note that an option is wrong."""
        self._problems.append(Problem(message, key=f"{self._key}.{name}", hint=hint))

    def text(self, name: str) -> str | None:
        """Return a text, or None."""
        value = self._values.get(name)
        if value is None or (isinstance(value, str) and value):
            return value
        self.wrong(name, "expected a text")
        return None

    def texts(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return a list of texts; one text is a list of one."""
        value = self._values.get(name)
        if value is None:
            return default
        items = [value] if isinstance(value, str) else value
        if isinstance(items, (list, tuple)) and all(isinstance(item, str) and item for item in items):
            return tuple(items)
        self.wrong(name, "expected a list of texts")
        return default

    def flag(self, name: str) -> bool:
        """Return true or false; false where it is not given."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            self.wrong(name, "expected true or false")
        return value is True

    def size(self, name: str, default: int) -> int:
        """Return a number of bytes: 20000000 or ``20MB``."""
        value = self._values.get(name, default)
        try:
            return size_in_bytes(value)
        except ValueError as error:
            self.wrong(name, str(error))
            return default

    def each(self, name: str, values: Sequence[str], check: Callable[[str], object]) -> None:
        """Note each value that a check refuses."""
        for value in values:
            try:
                check(value)
            except ValueError as error:
                self.wrong(name, f"'{value}': {error}")


def size_in_bytes(value: Any) -> int:
    """Return the bytes that a number or a text such as ``20MB`` means.

    Raises:
        ValueError: it means none.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str):
        number = value.strip().lower().rstrip("bgkm ")
        unit = value.strip().lower()[len(number) :].strip()
        if unit in _UNITS and number.replace(".", "", 1).isdigit() and float(number) > 0:
            return int(float(number) * _UNITS[unit])
    raise ValueError(f"expected a size such as 20MB, got {value!r}")


def _folder(check: _Options, base: Path, metadata: Metadata) -> FolderSource:
    include, exclude = check.texts("include", INCLUDE), check.texts("exclude", ())
    check.each("include", include, translate)
    check.each("exclude", exclude, translate)
    encoding = check.text("encoding")
    if encoding is not None:
        try:
            " ".encode(encoding)
        except (LookupError, UnicodeError):
            check.wrong("encoding", f"unknown encoding '{encoding}'", "write utf-8, cp1252, latin-1, shift_jis...")
    return FolderSource(
        base / Path(check.text("root") or ".").expanduser(),
        include,
        exclude,
        check.flag("follow_symlinks"),
        check.flag("hidden"),
        check.size("max_bytes", MAX_BYTES),
        encoding,
        metadata,
    )


def _table(check: _Options, kind: str, base: Path, metadata: Metadata) -> TableSource:
    place = check.text(kind) or ""
    local = base / Path(place).expanduser()
    if kind != "hf" or local.is_dir():
        place = str(local)
    markup = check.text("markup") or "plain"
    if markup not in loaders.MARKUPS:
        check.wrong("markup", f"unknown markup '{markup}'", f"one of {', '.join(loaders.MARKUPS)}")
    picks = {name: check.text(name) for name in ("name", "split", "revision")}
    for name, value in picks.items():
        if value is not None and kind != "hf":
            check.wrong(name, "only a source hf has it")
    columns = check.texts("columns", ())
    return TableSource(
        Table(kind, place, **picks),  # type: ignore[arg-type]  # kind is one of TABLES
        check.text("id"),
        check.texts("text", ("text",)),
        check.text("title"),
        columns or None,
        markup,
        check.size("max_bytes", MAX_BYTES),
        metadata,
    )


def _metadata(values: Mapping[str, Any], problems: list[Problem]) -> Metadata:
    check = _Options(values, "metadata", METADATA_OPTIONS, problems)
    path = check.text("path")
    origins = check.texts("from", ("front_matter", "path") if path else ("front_matter",))
    for origin in origins:
        if origin not in ORIGINS:
            check.wrong("from", f"unknown origin '{origin}'", f"one of {', '.join(ORIGINS)}")
    if path is not None:
        check.each("path", [path], path_pattern)
    fields = values.get("fields") or {}
    if not isinstance(fields, Mapping):
        check.wrong("fields", "expected a mapping such as {date: date, tags: 'list[str]'}")
        fields = {}
    for name, kind in fields.items():
        if kind not in TYPES:
            check.wrong(f"fields.{name}", f"unknown type '{kind}'", f"one of {', '.join(TYPES)}")
    return Metadata(origins, path, {str(name): str(kind) for name, kind in fields.items()})
