"""Words of lists in texts: reading lists, and counting what a text holds of each."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmkit.errors import Problem

_WORD = re.compile(r"[^\W_]+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")


def words_of(text: str) -> list[str]:
    """Return the runs of letters and digits of a text in NFC, without regard to case."""
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    return _WORD.findall(unicodedata.normalize("NFC", text).casefold())


class WordCounter:
    """Counts the entries of several lists in texts. An entry is a word, or several words that stand together."""

    def __init__(self, lists: Sequence[Sequence[str]]) -> None:
        self._size = len(lists)
        self._words: dict[str, list[int]] = {}
        self._phrases: dict[tuple[str, ...], list[int]] = {}
        for number, entries in enumerate(lists):
            for entry in dict.fromkeys(tuple(words_of(entry)) for entry in entries):
                if len(entry) == 1:
                    self._words.setdefault(entry[0], []).append(number)
                else:
                    self._phrases.setdefault(entry, []).append(number)
        self._lengths = sorted({len(phrase) for phrase in self._phrases})

    def counts(self, text: str) -> list[int]:
        """Return how often ``text`` holds an entry of each list."""
        found = [0] * self._size
        words = words_of(text)
        for word in filter(self._words.__contains__, words):
            for place in self._words[word]:
                found[place] += 1
        for length in self._lengths:
            for phrase in zip(*(words[i:] for i in range(length)), strict=False):
                for place in self._phrases.get(phrase, ()):
                    found[place] += 1
        return found


def entries_of(written: Sequence[str]) -> tuple[str, ...]:
    """Return the entries of a list, each once however it is written."""
    return tuple({tuple(words_of(entry)): entry for entry in reversed(written)}.values())[::-1]


def list_problems(name: str, entries: Sequence[str]) -> list[Problem]:
    """Return what is wrong with a list of words."""
    if not entries:
        return [Problem(f"{name} is empty", hint="give at least one word")]
    wordless = [entry for entry in entries if not words_of(entry)]
    return [Problem(f"{name}: {entry!r} holds no letter and no digit") for entry in wordless]


def groups_in(path: Path) -> tuple[dict[str, list[str]], list[Problem]]:
    """Return the lists in a JSON file that maps a group to its words, and what is wrong with it."""
    text, problems = _text_of(path)
    if problems:
        return {}, problems
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        return {}, [Problem(f"this is not JSON: {error.msg}", file=str(path), line=error.lineno)]
    if not _is_groups(found):
        message = "this file must hold one JSON object that maps each group to a list of words"
        return {}, [Problem(message, file=str(path))]
    return dict(found), []


def lines_in(path: Path) -> tuple[list[str], list[Problem]]:
    """Return the entries of a text file, one a line but for lines that begin with #, and what is wrong with it."""
    text, problems = _text_of(path)
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")], problems


def _text_of(path: Path) -> tuple[str, list[Problem]]:
    try:
        return path.read_text(encoding="utf-8-sig"), []
    except OSError as error:
        return "", [Problem(f"the file cannot be read: {error.strerror or error}", file=str(path))]
    except UnicodeDecodeError:
        return "", [Problem("the file is not text in UTF-8", file=str(path))]


def _is_groups(found: Any) -> bool:
    return isinstance(found, Mapping) and all(
        isinstance(words, list) and all(isinstance(word, str) for word in words) for words in found.values()
    )
