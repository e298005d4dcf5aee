"""YAML as configs need it: positions for every key, no surprises, no code, no bombs.

Built on PyYAML's event parser, which knows where each token stands. What differs from a plain ``safe_load``:

- ``true`` and ``false`` are the only booleans; ``yes``, ``no``, ``on``, ``off``, dates and ``017`` stay texts;
- a key that occurs twice in one mapping is an error that names both lines;
- tags other than those of plain data are refused;
- aliases and merge keys work, up to a limit on what they expand to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llmkit.errors import ConfigError, Problem

MAX_VALUES = 100_000
"""Most values that one document may hold, aliases expanded: far above any config, far below a bomb."""

MAX_DEPTH = 64
"""Deepest nesting of lists and mappings."""

_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq", "merge")}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,30})|0x[0-9a-fA-F]{1,16}|0o[0-7]{1,21}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAKS = re.compile("[\r\x85\u2028\u2029\ufeff]")
_DIGITS = re.compile(r"[-+]?[0-9]+")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}


@dataclass(slots=True)
class Node:
    """A value with its place; ``value`` is a scalar, a list of nodes, or a dict of key -> (line of the key, node)."""

    value: Any
    line: int
    size: int = 1
    closed: bool = True


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document.

    Attributes:
        data: Plain data: dicts with text keys, lists, texts, numbers, booleans, None.
        lines: Line of each key path (``engine.timeout``, ``metrics[0].rouge``), counted from 1.
    """

    data: Any
    lines: dict[str, int] = field(default_factory=dict)

    def line(self, path: str) -> int:
        """Return the line of a key path, or of the nearest thing above it that has one; 0 where nothing has."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return 0


def parse(text: str, file: str = "") -> Document:
    """Return the one document that ``text`` holds; an empty text is None.

    Raises:
        ConfigError: one sentence with line and column where it is not YAML, or YAML that configs refuse.
    """
    reader = _Reader(text, file)
    root = reader.document()
    if root is None:
        return Document(None)
    lines: dict[str, int] = {}
    return Document(_plain(root, "", lines), lines)


def join(path: str, part: str | int) -> str:
    """Return the key path of a part of ``path``."""
    if isinstance(part, int):
        return f"{path}[{part}]"
    return f"{path}.{part}" if path else part


def _plain(node: Node, path: str, lines: dict[str, int]) -> Any:
    if isinstance(node.value, dict):
        plain = {}
        for key, (line, child) in node.value.items():
            below = join(path, key)
            lines[below] = line
            plain[key] = _plain(child, below, lines)
        return plain
    if isinstance(node.value, list):
        items = []
        for index, child in enumerate(node.value):
            below = join(path, index)
            lines[below] = child.line
            items.append(_plain(child, below, lines))
        return items
    return node.value


class _Reader:
    """Makes nodes of events; every refusal goes through `refuse`, which knows the place."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._anchors: dict[str, Node] = {}
        self._values = 0
        forbidden = _FORBIDDEN.search(text)
        if forbidden:
            line = text.count("\n", 0, forbidden.start()) + 1
            self.refuse(f"the character U+{ord(forbidden.group()):04X} is not allowed in YAML", line)
        self._events = self._parsed()

    def _parsed(self) -> Iterator[Any]:
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            yield from yaml.parse(self._text, Loader=loader)
        except yaml.MarkedYAMLError as error:
            opened = str(error.context or "").startswith("while parsing a flow")
            mark = (error.context_mark if opened else None) or error.problem_mark or error.context_mark
            line, column = (mark.line, mark.column) if mark else (0, 0)
            self.refuse(self._syntax(error, line, column), line + 1, column + 1)
        except yaml.YAMLError as error:
            self.refuse(f"not valid YAML: {str(error).splitlines()[0]}")
        except RecursionError:
            self.refuse(f"lists and mappings are nested more than {MAX_DEPTH} deep")

    def refuse(self, message: str, line: int = 0, column: int = 0, hint: str = "") -> Any:
        """Raise the one problem that makes the text unreadable."""
        place = f"column {column}: " if column else ""
        raise ConfigError(problems=[Problem(place + message, file=self._file, line=line, hint=hint)])

    def _syntax(self, error: Any, line: int, column: int) -> str:
        rows = self._text.split("\n")
        row = rows[line] if line < len(rows) else ""
        if "\t" in row[: column + 1] and not row[: column + 1].strip():
            return "a tab cannot indent YAML; use spaces"
        problem = str(error.problem or "")
        known = {
            "mapping values are not allowed": "a second ': ' stands on this line, or the line is indented too far; "
            "put quotes around a text that contains ': '",
            "found unexpected end of stream": "a quote is opened and never closed",
            "cannot start any token": f"'{row[column : column + 1]}' cannot start a value; put quotes around the text",
            "could not find expected ':'": "a key needs ': ' after it",
        }
        for words, sentence in known.items():
            if words in problem:
                return sentence
        context = str(error.context or "")
        if context.startswith("while parsing a flow"):
            return "the '[' or '{' that opens here is not closed, or a comma is missing in it"
        if context.startswith("while parsing a block"):
            return "this line does not belong to the list or mapping above it; check its indentation"
        return "not valid YAML: " + " ".join(part for part in (error.context, problem) if part)

    def document(self) -> Node | None:
        """Return the root of the only document."""
        from yaml import events

        root = None
        for event in self._events:
            if isinstance(event, events.DocumentStartEvent):
                if root is not None:
                    self.refuse("a config is one document; remove the second '---'", _line(event))
            elif not isinstance(event, (events.StreamStartEvent, events.StreamEndEvent, events.DocumentEndEvent)):
                root = self._node(event, 1)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        from yaml import events

        line = _line(event)
        if isinstance(event, events.AliasEvent):
            return self._alias(event.anchor, line)
        self._count(1, line)
        if depth > MAX_DEPTH:
            self.refuse(f"lists and mappings are nested more than {MAX_DEPTH} deep", line)
        if event.tag not in (None, "!") and event.tag not in _TAGS:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.refuse(f"the tag '{tag}' is refused: a config holds plain data", line, hint="remove the tag")
        node = Node(None, line, closed=False)
        if event.anchor:
            self._anchors[event.anchor] = node
        if isinstance(event, events.ScalarEvent):
            node.value = scalar(event.value) if event.implicit[0] and event.tag is None else event.value
        elif isinstance(event, events.SequenceStartEvent):
            node.value = []
            for item in self._events:
                if isinstance(item, events.SequenceEndEvent):
                    break
                node.value.append(self._node(item, depth + 1))
            node.size += sum(child.size for child in node.value)
        else:
            node.value = self._mapping(depth)
            node.size += sum(child.size for _, child in node.value.values())
        node.closed = True
        return node

    def _alias(self, anchor: Any, line: int) -> Node:
        known = self._anchors.get(anchor)
        if known is None:
            self.refuse(f"the alias '*{anchor}' is used before an anchor '&{anchor}' defines it", line)
        assert known is not None
        if not known.closed:
            self.refuse(f"the anchor '&{anchor}' contains itself", line)
        self._count(known.size, line)
        return Node(known.value, line, known.size)

    def _count(self, values: int, line: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            self.refuse(f"the document expands to more than {MAX_VALUES:,} values", line, hint="use fewer aliases")

    def _mapping(self, depth: int) -> dict[str, tuple[int, Node]]:
        from yaml import events

        own: dict[str, tuple[int, Node]] = {}
        merged: dict[str, tuple[int, Node]] = {}
        for event in self._events:
            if isinstance(event, events.MappingEndEvent):
                break
            line = _line(event)
            if isinstance(event, events.MappingStartEvent) and event.flow_style:
                self.refuse("'{{' opens a mapping here", line, hint='put quotes around a template: "{{ input }}"')
            if not isinstance(event, events.ScalarEvent):
                self.refuse("a key must be a text", line)
            child = self._node(next(self._events), depth + 1)
            if event.value == "<<" and event.implicit[0]:
                self._merge(child, merged, line)
            elif event.value in own:
                first = own[event.value][0]
                self.refuse(f"the key '{event.value}' stands twice: on line {first} and on line {line}", line)
            else:
                own[event.value] = (line, child)
        return {**merged, **own} if merged else own

    def _merge(self, child: Node, merged: dict[str, tuple[int, Node]], line: int) -> None:
        sources = child.value if isinstance(child.value, list) else [child]
        for source in sources:
            if not isinstance(source.value, dict):
                self.refuse("'<<' takes a mapping, or a list of mappings", line)
            for key, value in source.value.items():
                merged.setdefault(key, value)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def scalar(text: str) -> Any:
    """Return what an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text) and not _DIGITS.fullmatch(text):
        return float(text)
    return text


def dump(data: Any) -> str:
    """Return plain data as YAML that `parse` reads back unchanged."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes the texts that `scalar` would take for something else, such as ``1e3``."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        style = None if isinstance(scalar(value), str) and value != "<<" else "'"
        if _BREAKS.search(value):
            style = '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
