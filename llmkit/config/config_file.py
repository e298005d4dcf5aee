"""What every config that is a file of its own knows beside its keys: the file, its folder, and where its keys stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, PrivateAttr

from llmkit.config.section import Section, Text, wrong
from llmkit.config.yaml_source import Document, dump
from llmkit.errors import Problem


def _folder_name(name: str) -> str:
    if not all(c.isascii() and (c.isalnum() or c in "._-") for c in name) or not name[0].isalnum():
        raise wrong(f"'{name}' is no name: use letters, digits, '.', '_' and '-', a letter or digit first")
    return name


Name = Annotated[Text, Field(max_length=100), AfterValidator(_folder_name)]
"""A name that folders bear too."""


class ConfigFile(Section):
    """A whole config: the keys of one file, or the same made in Python."""

    _base: Path = PrivateAttr(default=Path())
    _file: str = PrivateAttr(default="")
    _document: Document = PrivateAttr(default_factory=lambda: Document(None))

    def read_from(self, document: Document, *, base: Path, file: str) -> Self:
        """Note once, while loading, what the keys were read from."""
        self._base, self._file, self._document = base, file, document
        return self

    @property
    def base(self) -> Path:
        """The folder that relative paths of the config start from: the file's own."""
        return self._base

    @property
    def file(self) -> str:
        """The file as the user named it; empty for a config made in Python."""
        return self._file

    def path(self, written: str) -> Path:
        """Return a path of the config as one that can be opened."""
        return self._base / Path(written).expanduser()

    def paths(self, written: Iterable[str]) -> tuple[Path, ...]:
        """Return several of them: ``config.paths(config.plugins)``."""
        return tuple(self.path(one) for one in written)

    def placed(self, problem: Problem) -> Problem:
        """Return a problem found later, with the file and line of its key."""
        if problem.file or not self._file:
            return problem
        return replace(problem, file=self._file, line=problem.line or self._document.line(problem.key))

    def resolved(self) -> dict[str, Any]:
        """Return the whole config as plain data, every default written out.

        Loading it again from the same folder gives the same config. Paths stay as the user wrote them.
        """
        return self.model_dump(mode="json", by_alias=True)

    def resolved_yaml(self) -> str:
        """Return `resolved` as YAML: the ``config.yaml`` of a run folder."""
        return dump(self.resolved())
