"""Specs: how a user writes which plug-in, with which arguments.

One spec has three spellings that mean the same, and one canonical spelling that results are keyed by::

    ndcg@10                 ndcg(k=10)                      {ndcg: {k: 10}}
    rouge(variant='L')      rouge(variant=L)                {rouge: {variant: L}}

A single value that is not a mapping is the plug-in's first argument: ``{python: "app:answer"}``.

Standard library only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_HEAD = re.compile(r"(?P<name>[A-Za-z_][\w.\-]*)(?:@(?P<k>\d+))?\s*(?P<call>\(.*\))?", re.DOTALL)
FIRST = ""
"""Argument name that stands for the plug-in's first field: ``{python: "app:answer"}``."""

_WORDS = {"true": True, "false": False, "null": None, "none": None}


@dataclass(frozen=True, slots=True)
class Spec:
    """A plug-in's name and its arguments."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the canonical spelling: arguments sorted, ``k`` as ``@k``."""
        args = dict(self.args)
        k = args.pop("k", None)
        head = self.name
        if k is not None:
            if isinstance(k, int) and not isinstance(k, bool) and k >= 0:
                head += f"@{k}"
            else:
                args["k"] = k
        inner = ", ".join(f"{key}={_literal(args[key])}" for key in sorted(args))
        return f"{head}({inner})" if inner else head


def parse(written: str | Mapping[str, Any]) -> Spec:
    """Return the spec that a user wrote as a text or as a mapping with one key.

    Raises:
        ValueError: with a sentence that says what is wrong.
    """
    if isinstance(written, str):
        return _parse_text(written)
    if len(written) != 1:
        names = ", ".join(map(str, written)) or "none"
        raise ValueError(f"expected one name with its arguments, got {len(written)} ({names})")
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


def _parse_text(text: str) -> Spec:
    match = _HEAD.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{text}' is not a name such as rouge, ndcg@10 or rouge(variant='L')")
    args: dict[str, Any] = {"k": int(match["k"])} if match["k"] else {}
    if match["call"]:
        for key, value in _arguments(text, match["call"]).items():
            if key in args:
                raise ValueError(f"'{key}' is given twice in '{text}'")
            args[key] = value
    return Spec(match["name"], args)


def _arguments(text: str, call: str) -> dict[str, Any]:
    try:
        tree = ast.parse(f"_{call}", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"'{text}' is not a call such as rouge(variant='L')") from None
    if not isinstance(tree, ast.Call):
        raise ValueError(f"'{text}' is not a call such as rouge(variant='L')")
    if tree.args or any(keyword.arg is None for keyword in tree.keywords):
        raise ValueError(f"arguments in '{text}' need names, as in rouge(variant='L')")
    args: dict[str, Any] = {}
    for keyword in tree.keywords:
        assert keyword.arg is not None
        if keyword.arg in args:
            raise ValueError(f"'{keyword.arg}' is given twice in '{text}'")
        args[keyword.arg] = _value(text, keyword.value)
    return args


def _value(text: str, node: ast.expr) -> Any:
    # A bare word is a text, as in YAML: rouge(variant=L).
    if isinstance(node, ast.Name):
        return _WORDS.get(node.id.lower(), node.id)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        raise ValueError(f"a value in '{text}' is not a plain literal") from None


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    return repr(value)
