"""Documents as passages to find and sentences to quote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmkit.errors import Problem
from llmkit.text.bm25 import terms
from llmkit.text.markdown import Block, blocks, slug
from llmkit.text.sentences import split_sentences

SUFFIXES = (".md", ".markdown", ".mdx", ".rst", ".txt")
_LONGEST = 160
_LONG_CODE = 8


@dataclass(frozen=True, slots=True)
class Unit:
    """What an answer is made of: a sentence, a list item, a table row or a piece of code.

    ``terms`` holds its own terms and those that belong to its meaning (the column names of a table row).
    """

    text: str
    terms: frozenset[str]
    leads: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage: neighbouring blocks under one heading, and the units they are made of."""

    id: str
    text: str
    headings: tuple[str, ...]
    units: tuple[Unit, ...]

    def index_terms(self) -> list[str]:
        """Return the terms it is found by: its text's, and those of its headings, the innermost thrice."""
        title = " ".join((*self.headings, *self.headings[-1:] * 2))
        return terms(f"{title} {self.text}")


def pieces_of(text: str, name: str) -> list[Piece]:
    """Return the passages of a document in order.

    A passage ends where a heading begins or where it would grow beyond about 160 words; blocks are kept whole.
    Its id is ``name#heading``, with ``~2``, ``~3``... where one heading has several passages.
    """
    pieces: list[Piece] = []
    seen: dict[str, int] = {}
    for group in _groups(text):
        headings = group[0].headings
        base = f"{name}#{slug(headings[-1])}" if headings else name
        seen[base] = seen.get(base, 0) + 1
        identity = base if seen[base] == 1 else f"{base}~{seen[base]}"
        body = "\n".join(block.text for block in group)
        units = tuple(unit for block in group for unit in _units(block))
        pieces.append(Piece(identity, body, headings, units))
    return pieces


def _groups(text: str) -> Iterator[list[Block]]:
    group: list[Block] = []
    words = 0
    for block in blocks(text):
        size = len(block.text.split())
        # Code and lists stay with the sentence that introduces them.
        introduced = bool(group) and group[-1].text.endswith(":")
        if group and (block.headings != group[0].headings or (words + size > _LONGEST and not introduced)):
            yield group
            group, words = [], 0
        group.append(block)
        words += size
    if group:
        yield group


def _units(block: Block) -> Iterator[Unit]:
    if block.kind == "code":
        lines = block.text.split("\n")
        texts = [block.text] if len(lines) <= _LONG_CODE else [line for line in lines if line.strip()]
    elif block.kind == "row":
        texts = [block.text]
    else:
        texts = split_sentences(block.text)
    label = frozenset(terms(block.label))
    for text in texts:
        yield Unit(text, frozenset(terms(text)) | label, leads=text.endswith(":"))


def read_documents(patterns: Sequence[Path]) -> list[Piece]:
    """Return the passages of the files that `find_files` finds, in its order.

    Bytes that are not UTF-8 become replacement characters: one of them is no reason to lose a document.
    """
    found, _ = find_files(patterns)
    return [piece for path, name in found for piece in pieces_of(path.read_text("utf-8", "replace"), name)]


def find_files(patterns: Sequence[Path]) -> tuple[list[tuple[Path, str]], list[Problem]]:
    """Return the documents (path, name) that files, folders and globs stand for, and what is wrong with them.

    A name is the path seen from the folder above the one that was named: ``docs/eval.md`` for ``docs``. Folders
    are searched for Markdown and text files; hidden ones are left out. A file that is found twice counts once.
    """
    found: dict[Path, str] = {}
    problems: list[Problem] = []
    for pattern in patterns:
        root, paths = _expand(pattern)
        if root is None:
            problems.append(Problem("no such file or folder", file=str(pattern), key="documents"))
        elif not paths:
            hint = f"a folder is searched for {', '.join(SUFFIXES)}"
            problems.append(Problem("no document is found", file=str(pattern), key="documents", hint=hint))
        for path in paths:
            assert root is not None
            found.setdefault(path, path.relative_to(root).as_posix())
    return list(found.items()), problems


def _expand(pattern: Path) -> tuple[Path | None, list[Path]]:
    parts = pattern.parts
    first = next((at for at, part in enumerate(parts) if any(sign in part for sign in "*?[")), len(parts))
    root = Path(*parts[:first]).resolve()
    if root.is_file():
        return root.parent, [root]
    if not root.is_dir():
        return None, []
    rest = "/".join(parts[first:])
    paths = sorted(path for path in root.glob(rest or "**/*") if path.is_file() and not _hidden(path, root))
    return root.parent, paths if rest else [path for path in paths if path.suffix.lower() in SUFFIXES]


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)
