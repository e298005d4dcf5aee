"""Which loader reads which file, and what every loader's result must be to become a document."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from types import ModuleType

from llmkit.documents.decoding import decode
from llmkit.documents.parsed import FormatError, Parsed

SUFFIXES: Mapping[str, str] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdown": "markdown",
    ".mdx": "markdown",
    ".rst": "rst",
    ".rest": "rst",
    ".txt": "plain",
    ".text": "plain",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "docx",
}
"""A file's ending -> the module that reads it. A file with another that a pattern asks for is plain."""

VERSIONS: Mapping[str, int] = {"docx": 1, "html": 1, "markdown": 1, "pdf": 1, "plain": 1, "rst": 1}
"""Raised with every change to what a loader makes of a file: then all documents are read again."""

BINARY = frozenset({"pdf", "docx"})
MARKUPS = ("plain", "markdown", "rst", "html")
"""What the texts of a table may be."""


def loader_of(path: str) -> str:
    """Return the loader for a path."""
    return SUFFIXES.get(PurePosixPath(path).suffix.lower(), "plain")


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"llmkit.documents.{name}")


def parse_bytes(data: bytes, loader: str, encoding: str | None = None) -> Parsed:
    """Return a file as its loader reads it.

    Raises:
        FormatError, DecodingError: it cannot be read, or no word is in it, as a plain sentence.
        MissingExtraError: the loader needs a package that is not installed.
    """
    if not data:
        raise FormatError("the file is empty")
    if loader in BINARY:
        found: Parsed = _module(loader).parse(data)
        return found
    return parse_text(decode(data, encoding=encoding, html=loader == "html"), loader)


def parse_text(text: str, loader: str) -> Parsed:
    """Return a text as a loader reads it.

    Raises:
        FormatError: no word is in it.
    """
    parsed: Parsed = _module(loader).parse(text)
    if not parsed.blocks:
        raise FormatError("there is no text in it")
    return parsed
