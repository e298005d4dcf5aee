"""The grammar of a filter: from its text to a tree, with the place of everything.

::

    filter  = any
    any     = all ("or" all)*
    all     = one ("and" one)*
    one     = "not" one | "(" any ")" | "exists" field | field test
    test    = ("=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" | "contains" | "glob") value
            | ["not"] "in" "(" value ("," value)* ")"          (square brackets do as well)
    value   = "quoted" | 'quoted' | number | date | true | false | word
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from llmkit.errors import UsageError

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains", "glob"]

MAX_LENGTH = 10_000
MAX_DEPTH = 100
_SAME = {"==": "=", "<>": "!="}
_OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
_WORDS = ("and", "or", "not", "in", "exists", "contains", "glob")
_CLOSING = {"(": ")", "[": "]"}
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<sign><=|>=|==|!=|<>|=|<|>|\(|\)|\[|\]|,)
      | (?P<word>[^\s"'()\[\],=<>!]+)
    )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Value:
    """What a field is compared with: as written, whether in quotes, and where it stands."""

    text: str
    quoted: bool
    at: int


@dataclass(frozen=True, slots=True)
class Compare:
    """One test of one field; ``in`` has several values, every other operator one."""

    field: str
    operator: Operator
    values: tuple[Value, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether a document has the field."""

    field: str
    at: int


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Tree


@dataclass(frozen=True, slots=True)
class Joined:
    """All of the parts, or any of them."""

    word: Literal["and", "or"]
    parts: tuple[Tree, ...]


Tree: TypeAlias = Compare | Exists | Not | Joined


class FilterError(UsageError):
    """A filter that cannot be read; the message shows it with a caret under each place."""


def caret(source: str, at: int, message: str) -> str:
    """Return a message with the line it is about and a caret under the place."""
    before = source.rfind("\n", 0, at) + 1
    end = source.find("\n", before)
    line = source[before : end if end >= 0 else len(source)]
    return f"{message}\n  {line}\n  {' ' * (at - before)}^"


def parse_filter(source: str) -> Tree:
    """Return the tree of a filter.

    Raises:
        FilterError: it is not one; says what was expected and where.
    """
    if len(source) > MAX_LENGTH:
        raise FilterError(f"the filter is longer than {MAX_LENGTH:,} characters")
    if not source.strip():
        raise FilterError('the filter is empty; write one such as: date >= 2023-01-01 and lang = "en"')
    return _Parser(source, _tokens(source)).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Literal["text", "sign", "word", "end"]
    text: str
    at: int

    @property
    def keyword(self) -> str:
        return self.text.lower() if self.kind == "word" and self.text.lower() in _WORDS else ""


def _tokens(source: str) -> list[_Token]:
    found: list[_Token] = []
    at, length = 0, len(source.rstrip())
    while at < length:
        match = _TOKEN.match(source, at)
        if match is None:
            at += len(source[at:]) - len(source[at:].lstrip())
            what = "the quotation mark is never closed" if source[at] in "\"'" else f"'{source[at]}' cannot stand here"
            raise FilterError(caret(source, at, f"filter: {what}"))
        kind = match.lastgroup
        assert kind in {"text", "sign", "word"}
        found.append(_Token(kind, match[kind], match.start(kind)))  # type: ignore[arg-type] # just asserted
        at = match.end()
    return [*found, _Token("end", "", length)]


class _Parser:
    def __init__(self, source: str, tokens: Sequence[_Token]) -> None:
        self._source = source
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def whole(self) -> Tree:
        tree = self._any()
        if self._next.kind != "end":
            raise self._wrong("expected 'and', 'or' or the end")
        return tree

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        self._place += 1
        return self._tokens[self._place - 1]

    def _taken(self, keyword: str) -> bool:
        if self._next.keyword != keyword:
            return False
        self._place += 1
        return True

    def _wrong(self, message: str) -> FilterError:
        token = self._next
        found = "" if token.kind == "end" else f", found '{token.text}'"
        return FilterError(caret(self._source, token.at, f"filter: {message}{found}"))

    def _any(self) -> Tree:
        parts = [self._all()]
        while self._taken("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Joined("or", tuple(parts))

    def _all(self) -> Tree:
        parts = [self._one()]
        while self._taken("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Joined("and", tuple(parts))

    def _one(self) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong("it is nested too deeply")
        try:
            if self._taken("not"):
                return Not(self._one())
            if self._next.kind == "sign" and self._next.text == "(":
                self._take()
                tree = self._any()
                self._expect(")")
                return tree
            if self._taken("exists"):
                field = self._field()
                return Exists(field.text, field.at)
            return self._test()
        finally:
            self._depth -= 1

    def _expect(self, sign: str) -> None:
        if self._next.kind != "sign" or self._next.text != sign:
            raise self._wrong(f"expected '{sign}'")
        self._take()

    def _field(self) -> _Token:
        if self._next.kind != "word" or self._next.keyword:
            raise self._wrong("expected the name of a field")
        return self._take()

    def _test(self) -> Tree:
        field = self._field()
        if self._taken("not"):
            if self._next.keyword != "in":
                raise self._wrong("expected 'in' after 'not'")
            return Not(self._test_of(field))
        return self._test_of(field)

    def _test_of(self, field: _Token) -> Tree:
        if self._taken("in"):
            return Compare(field.text, "in", self._list(), field.at)
        for word in ("contains", "glob"):
            if self._taken(word):
                return Compare(field.text, word, (self._value(),), field.at)
        sign = _SAME.get(self._next.text, self._next.text)
        if self._next.kind != "sign" or sign not in _OPERATORS:
            raise self._wrong(f"expected =, !=, <, <=, >, >=, in, contains or glob after '{field.text}'")
        self._take()
        return Compare(field.text, sign, (self._value(),), field.at)  # type: ignore[arg-type] # one of _OPERATORS

    def _list(self) -> tuple[Value, ...]:
        opening = self._next
        if opening.kind != "sign" or opening.text not in _CLOSING:
            raise self._wrong('expected a list such as ("en", "de")')
        self._take()
        values = [self._value()]
        while self._next.kind == "sign" and self._next.text == ",":
            self._take()
            values.append(self._value())
        self._expect(_CLOSING[opening.text])
        return tuple(values)

    def _value(self) -> Value:
        token = self._next
        if token.kind == "text":
            self._take()
            return Value(_ESCAPED.sub(r"\1", token.text[1:-1]), True, token.at)
        if token.kind == "word" and not token.keyword:
            self._take()
            return Value(token.text, False, token.at)
        raise self._wrong("expected a value: a number, a date, true, false, a word or a text in quotes")
