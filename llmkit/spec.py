"""Specs: how a user writes which plug-in, with which arguments.

One spec has three spellings that mean the same, and one canonical spelling that results are keyed by::

    ndcg@10                 ndcg(k=10)                      {ndcg: {k: 10}}
    rouge(variant='L')      rouge(variant=L)                {rouge: {variant: L}}

A single value that is not a mapping is the plug-in's first argument: ``{python: "app:answer"}``, or
``python('app:answer')``. Arguments are what JSON can hold; a bare word is a text, as in YAML, and ``true``,
``false``, ``null`` are themselves.

Standard library only.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
"""What a plug-in may be called."""

FIRST = ""
"""Argument name that stands for the plug-in's first field: ``{python: "app:answer"}``."""

_HEAD = re.compile(rf"(?P<name>{NAME.pattern})(?:@(?P<k>[0-9]{{1,9}}))?\s*(?P<call>\(.*\))?", re.DOTALL)
_EXAMPLE = "rouge(variant='L')"
_WORDS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Spec:
    """A plug-in's name and its arguments."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the canonical spelling: arguments sorted, ``k`` as ``@k``. `parse` reads it back unchanged."""
        args = dict(self.args)
        k = args.pop("k", None)
        head = self.name
        if isinstance(k, int) and not isinstance(k, bool) and 0 <= k < 10**9:
            head += f"@{k}"
        elif "k" in self.args:
            args["k"] = k
        inner = ", ".join(literal(args[key]) if key == FIRST else f"{key}={literal(args[key])}" for key in sorted(args))
        return f"{head}({inner})" if inner else head


def parse(written: str | Mapping[str, Any]) -> Spec:
    """Return the spec that a user wrote as a text or as a mapping with one key.

    Raises:
        ValueError: with a sentence that says what is wrong.
    """
    if isinstance(written, str):
        return _parse_text(written)
    if not isinstance(written, Mapping):
        raise ValueError(f"expected a name such as rouge, {_EXAMPLE} or {{rouge: {{variant: L}}}}, got {written!r}")
    if len(written) != 1:
        raise ValueError(_not_one(written))
    [(name, args)] = written.items()
    spec = _parse_text(str(name))
    if args is None:
        return spec
    if not isinstance(args, Mapping):
        args = {FIRST: args}
    twice = sorted(set(spec.args) & set(args))
    if twice:
        raise ValueError(f"'{twice[0]}' is given twice in '{name}'")
    return Spec(spec.name, {**spec.args, **{str(key): value for key, value in args.items()}})


def _not_one(written: Mapping[str, Any]) -> str:
    names = [str(name) for name in written]
    message = f"expected one name with its arguments, got {len(names)} ({', '.join(names) or 'none'})"
    if names and written[next(iter(written))] is None:
        message += f"; indent the arguments under '{names[0]}'"
    return message


def _parse_text(text: str) -> Spec:
    match = _HEAD.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{_short(text)}' is not a name such as rouge, ndcg@10 or {_EXAMPLE}")
    args: dict[str, Any] = {"k": int(match["k"])} if match["k"] else {}
    if match["call"]:
        for key, value in _arguments(text, match["call"]).items():
            if key in args:
                raise ValueError(f"'{key}' is given twice in '{_short(text)}'")
            args[key] = value
    return Spec(match["name"], args)


def _arguments(text: str, call: str) -> dict[str, Any]:
    with warnings.catch_warnings():
        # An unknown escape such as '\d' keeps its backslash; Python would warn about it.
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(f"_{call}", mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ValueError(f"'{_short(text)}' is not a call such as {_EXAMPLE}") from None
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
        raise ValueError(f"'{_short(text)}' is not a call such as {_EXAMPLE}")
    if len(tree.args) > 1 or any(keyword.arg is None for keyword in tree.keywords):
        raise ValueError(f"only the first argument may go without a name in '{_short(text)}'; write {_EXAMPLE}")
    args: dict[str, Any] = {}
    if tree.args:
        args[FIRST] = _value(text, tree.args[0])
    for keyword in tree.keywords:
        assert keyword.arg is not None
        if keyword.arg in args:
            raise ValueError(f"'{keyword.arg}' is given twice in '{_short(text)}'")
        args[keyword.arg] = _value(text, keyword.value)
    return args


def _value(text: str, node: ast.expr) -> Any:
    match node:
        case ast.Name(id=word):
            return _WORDS.get(word.lower(), word)
        case ast.Constant(value=str() | bool() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if number is not True:
            return -number
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(text, item) for item in items]
        case ast.Dict(keys=keys, values=values) if all(keys):
            return {str(_value(text, key)): _value(text, item) for key, item in zip(keys, values, strict=True) if key}
    raise ValueError(f"a value in '{_short(text)}' is not a plain literal")


def literal(value: Any) -> str:
    """Return a value as it is written in a canonical spec."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(str(key))}: {literal(value[key])}" for key in sorted(value, key=str)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, float) and math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return repr(value)


def _short(text: str, width: int = 80) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
