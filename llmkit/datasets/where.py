"""Which rows to keep: a small expression over a row's fields that can read them and do nothing else.

``category == "faq" and difficulty >= 3 and lang in ["en", "de"] and not draft``

The text is parsed with `ast`, checked node by node against a short list, and turned into closures; nothing of
it is ever executed as Python. A field the row lacks is None. ``true``, ``false`` and ``null`` may be written as in
JSON. Functions: ``len(x)``, ``lower(x)``, ``contains(x, part)``, and ``field("Best Answer")`` for names that are
not words.
Every cell of a CSV file is text, so a number written as text compares with a number by its value, and the texts
``true`` and ``false``, in any case, count as those where a truth value is meant: ``draft``, ``draft == true``.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from llmkit.datasets._paths import getter
from llmkit.errors import ConfigError, Problem

Row: TypeAlias = Mapping[str, Any]
Test: TypeAlias = Callable[[Row], Any]

MAX_LENGTH = 10_000
MAX_DEPTH = 50
SHOWN_LENGTH = 40
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None, "none": None}
_TRUTHS = {"true": True, "false": False}
_EXAMPLE = 'such as category == "faq" and difficulty >= 3'


@dataclass(frozen=True, slots=True)
class Where:
    """A parsed expression: ``test`` tells whether to keep a row, ``fields`` are the names it reads."""

    source: str
    fields: frozenset[str]
    test: Test


def parse_where(source: str) -> Where:
    """Return the expression ready to run; its test raises ValueError on a row whose values cannot be compared.

    Raises:
        ConfigError: the text is not such an expression; says what and at which column.
    """
    names: set[str] = set()
    try:
        test = _judged(_syntax(source), names)
    except _RefusedError as error:
        place = f" at column {error.column}" if error.column else ""
        raise ConfigError(problems=[Problem(f"{error}{place}", key="dataset.where", hint=error.hint)]) from None
    return Where(source, frozenset(names), test)


class _RefusedError(Exception):
    def __init__(self, message: str, node: ast.AST | None = None, *, column: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.column = getattr(node, "col_offset", column - 1) + 1
        self.hint = hint


def _syntax(source: str) -> ast.expr:
    if not isinstance(source, str) or not source.strip():
        raise _RefusedError(f"expected an expression {_EXAMPLE}")
    if len(source) > MAX_LENGTH:
        raise _RefusedError(f"the expression is longer than {MAX_LENGTH} characters")
    flat = source.strip().replace("\n", " ")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(flat, mode="eval").body
    except SyntaxError as error:
        hint = "write ==, 'and', 'or', 'not'" if any(mark in flat for mark in ("=", "&", "|", "!")) else ""
        raise _RefusedError(f"'{flat}' is not an expression {_EXAMPLE}", column=error.offset or 0, hint=hint) from None
    except (ValueError, RecursionError, MemoryError):
        raise _RefusedError("the expression is nested too deeply or holds a character it cannot") from None
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in ast.iter_child_nodes(parent)]
        if not level:
            return tree
    raise _RefusedError("the expression is nested too deeply")


def _build(node: ast.expr, names: set[str]) -> Test:
    match node:
        case ast.BoolOp(op=op, values=values):
            return _joined(all if isinstance(op, ast.And) else any, [_judged(value, names) for value in values])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _judged(operand, names)
            return lambda row: not inner(row)
        case ast.Compare():
            return _comparison(node, names)
        case ast.Call():
            return _call(node, names)
        case ast.Name() | ast.Attribute():
            return _field(node, names)
    return _constant(_literal(node))


def _judged(node: ast.expr, names: set[str]) -> Test:
    """Return a test whose value is taken as true or false."""
    inner = _build(node, names)
    if isinstance(node, (ast.BoolOp, ast.Compare, ast.UnaryOp)):
        return inner
    return lambda row: _truth(inner(row))


def _constant(value: Any) -> Test:
    def constant(_row: Row) -> Any:
        return value

    return constant


def _joined(join: Callable[[Iterable[Any]], bool], tests: list[Test]) -> Test:
    return lambda row: join(test(row) for test in tests)


def _field(node: ast.expr, names: set[str]) -> Test:
    if isinstance(node, ast.Name) and node.id.lower() in _WORDS:
        return _constant(_WORDS[node.id.lower()])
    steps: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute):
        steps.append(inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name):
        raise _RefusedError("a dot may stand only between field names", node)
    path = ".".join([inner.id, *reversed(steps)])
    names.add(path)
    return getter(path)


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Name(id=name) if name.lower() in _WORDS:
            return _WORDS[name.lower()]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_literal(item) for item in items]
        case ast.Name(id=name):
            raise _RefusedError(f"'{name}' stands where a value must", node, hint=f'write "{name}" in quotes')
    raise _RefusedError(
        f"'{ast.unparse(node)[:60]}' is not allowed here",
        node,
        hint="use fields, values, comparisons, in, and, or, not, len, lower, contains",
    )


def _call(node: ast.Call, names: set[str]) -> Test:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    wanted = {"len": 1, "lower": 1, "contains": 2, "field": 1}.get(name)
    if wanted is None or node.keywords:
        raise _RefusedError(
            f"'{ast.unparse(node)[:60]}' is not allowed here",
            node,
            hint="the functions are len(x), lower(x), contains(x, part) and field('name')",
        )
    if len(node.args) != wanted:
        raise _RefusedError(f"{name} takes {wanted} argument{'s' * (wanted > 1)}, not {len(node.args)}", node)
    if name == "field":
        path = _literal(node.args[0])
        if not isinstance(path, str):
            raise _RefusedError("field takes a name in quotes", node)
        names.add(path)
        return getter(path)
    first, *rest = [_build(arg, names) for arg in node.args]
    if name == "contains":
        return lambda row: _within(rest[0](row), first(row))
    function = {"len": _length, "lower": _lower}[name]
    return lambda row: function(first(row))


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, list, tuple, Mapping)) else 0


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _comparison(node: ast.Compare, names: set[str]) -> Test:
    sides = [_build(side, names) for side in (node.left, *node.comparators)]
    checks = []
    for op in node.ops:
        check = _OPERATORS.get(type(op))
        if check is None:
            raise _RefusedError("'is' is not allowed here", node, hint="write == or !=")
        checks.append(check)
    if len(checks) == 1:
        left, right, check = sides[0], sides[1], checks[0]
        return lambda row: check(left(row), right(row))

    def chain(row: Row) -> bool:
        values = [side(row) for side in sides]
        return all(check(values[i], values[i + 1]) for i, check in enumerate(checks))

    return chain


def _truth(value: Any) -> Any:
    return _TRUTHS.get(value.lower(), value) if isinstance(value, str) else value


def _aligned(left: Any, right: Any) -> tuple[Any, Any]:
    if isinstance(left, bool) or isinstance(right, bool):
        return _truth(left), _truth(right)
    # A text that is a number, next to a number, counts as that number.
    if isinstance(left, str) and isinstance(right, (int, float)):
        return _number(left), right
    if isinstance(right, str) and isinstance(left, (int, float)):
        return left, _number(right)
    return left, right


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _equal(left: Any, right: Any) -> bool:
    left, right = _aligned(left, right)
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _within(item: Any, container: Any) -> bool:
    if isinstance(container, str):
        return isinstance(item, str) and item in container
    if isinstance(container, Mapping):
        return isinstance(item, str) and item in container
    return isinstance(container, (list, tuple)) and any(_equal(item, other) for other in container)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        left, right = _aligned(left, right)
        try:
            return compare(left, right)
        except TypeError:
            raise ValueError(f"where cannot order {_shown(left)} and {_shown(right)}") from None

    return check


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[: SHOWN_LENGTH - 3]}..."


_OPERATORS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: _equal,
    ast.NotEq: lambda left, right: not _equal(left, right),
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
    ast.In: _within,
    ast.NotIn: lambda left, right: not _within(left, right),
}
