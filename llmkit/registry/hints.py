"""Type hints of plug-in fields: how they are checked, said in words, and written as JSON Schema.

Checking is strict where a silent conversion would change what the user wrote: ``yes`` is no boolean, ``0.5`` no
whole number, ``"5"`` no number. A whole number is taken for a text (``rouge(variant=1)`` means ``'1'``), since YAML
makes numbers of unquoted digits; a fraction is not, since ``1.10`` has become ``1.1`` by then.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union

_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Set)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_WORDS: dict[Any, tuple[str, str, str]] = {
    # hint: (singular, plural, as a programmer writes it)
    str: ("a text", "texts", "str"),
    int: ("a whole number", "whole numbers", "int"),
    float: ("a number", "numbers", "float"),
    bool: ("true or false", "booleans", "bool"),
    Path: ("a path", "paths", "path"),
    Any: ("anything", "anything", "any"),
    type(None): ("null", "nulls", "null"),
}
_JSON: dict[Any, dict[str, Any]] = {
    str: {"type": ["string", "integer"]},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Path: {"type": "string"},
    Any: {},
    type(None): {"type": "null"},
}


def arms(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the hint alone."""
    origin = typing.get_origin(hint)
    return typing.get_args(hint) if origin in (Union, types.UnionType) else (hint,)


def bare(hint: Any) -> Any:
    """Return a hint without its ``Annotated`` constraints."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def _is_mapping(hint: Any) -> bool:
    return (typing.get_origin(hint) or hint) in _MAPPINGS


def _item(hint: Any) -> Any:
    """Return the hint of a list's items; None where the hint is no list."""
    if (typing.get_origin(hint) or hint) not in _LISTS:
        return None
    args = [arg for arg in typing.get_args(hint) if arg is not Ellipsis]
    return Union[tuple(args)] if args else Any  # noqa: UP007 - made from a list of arms at run time


def strict(hint: Any) -> Any:
    """Return ``hint`` with every scalar in it checked strictly, as the module's docstring says."""
    scalars = _strict_scalars()
    if hint in scalars:
        return scalars[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return Annotated[(strict(args[0]), *hint.__metadata__)]
    if origin is Literal:
        return _lenient_options(hint)
    if origin in (Union, types.UnionType):
        return _strict_union(args)
    if origin in (*_LISTS, *_MAPPINGS) and args:
        return origin[tuple(arg if arg is Ellipsis else strict(arg) for arg in args)]
    return hint


@cache
def _strict_scalars() -> dict[Any, Any]:
    from pydantic import AllowInfNan, BeforeValidator, Strict

    return {
        int: Annotated[int, Strict()],
        bool: Annotated[bool, Strict()],
        float: Annotated[float, Strict(), AllowInfNan(allow_inf_nan=False)],
        str: Annotated[str, Strict(), BeforeValidator(whole_as_text)],
    }


def _strict_union(args: tuple[Any, ...]) -> Any:
    # Beside a number, a number is itself: `int | str` keeps 5.
    number = any(bare(arm) in (int, float) for arm in args)
    made = [_plain_text() if number and bare(arm) is str else strict(arm) for arm in args]
    return Union[tuple(made)]  # noqa: UP007 - made from a list of arms at run time


def _plain_text() -> Any:
    from pydantic import Strict

    return Annotated[str, Strict()]


def _lenient_options(hint: Any) -> Any:
    from pydantic import BeforeValidator

    texts = all(isinstance(option, str) for option in typing.get_args(hint))
    return Annotated[hint, BeforeValidator(whole_as_text)] if texts else hint


def whole_as_text(value: Any) -> Any:
    """Return a whole number as the text it was written as, anything else unchanged."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def adapter(hint: Any) -> Any:
    """Return the pydantic ``TypeAdapter`` that checks and converts values of ``hint``."""
    try:
        return _cached_adapter(hint)
    except TypeError:  # a constraint in Annotated that cannot be hashed
        return _cached_adapter.__wrapped__(hint)


@cache
def _cached_adapter(hint: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(strict(hint))


def in_words(hint: Any, *, plural: bool = False) -> str:
    """Return what a value must be: ``a whole number``, ``one of 'a' or 'b'``, ``a list of texts``."""
    parts = [_one_in_words(bare(arm), plural=plural) for arm in arms(hint) if arm is not type(None)]
    return " or ".join(dict.fromkeys(parts)) or "null"


def _one_in_words(hint: Any, *, plural: bool) -> str:
    if hint in _WORDS:
        return _WORDS[hint][1 if plural else 0]
    if typing.get_origin(hint) is Literal:
        return f"{'values' if plural else 'one'} of " + ", ".join(repr(arg) for arg in typing.get_args(hint))
    item = _item(hint)
    if item is not None:
        of = "" if item is Any else f" of {in_words(item, plural=True)}"
        return f"lists{of}" if plural else f"a list{of}"
    if _is_mapping(hint):
        return "mappings" if plural else "a mapping"
    return str(getattr(hint, "__name__", hint))


def as_code(hint: Any) -> str:
    """Return a short type text for lists and docs: ``float | null``, ``'max' | 'mean'``, ``list[str]``."""
    return " | ".join(dict.fromkeys(_one_as_code(bare(arm)) for arm in arms(hint)))


def _one_as_code(hint: Any) -> str:
    if hint in _WORDS:
        return _WORDS[hint][2]
    if typing.get_origin(hint) is Literal:
        return " | ".join(repr(arg) for arg in typing.get_args(hint))
    item = _item(hint)
    if item is not None:
        return "list" if item is Any else f"list[{as_code(item)}]"
    if _is_mapping(hint):
        return "mapping"
    return str(getattr(hint, "__name__", hint))


def json_schema(hint: Any) -> dict[str, Any]:
    """Return the JSON Schema of the values that ``hint`` takes from YAML; ``{}`` where the hint says nothing."""
    schemas = [_one_schema(arm) for arm in arms(hint)]
    if len(schemas) == 1:
        return schemas[0]
    if all(set(schema) == {"type"} for schema in schemas):
        kinds: dict[str, None] = {}
        for schema in schemas:
            kinds.update(dict.fromkeys([schema["type"]] if isinstance(schema["type"], str) else schema["type"]))
        return {"type": list(kinds)}
    return {} if {} in schemas else {"anyOf": schemas}


def _one_schema(hint: Any) -> dict[str, Any]:
    if typing.get_origin(hint) is Annotated:
        return {**json_schema(bare(hint)), **limits(hint.__metadata__)}
    if hint in _JSON:
        return dict(_JSON[hint])
    if typing.get_origin(hint) is Literal:
        return {"enum": [*typing.get_args(hint), *_digits(typing.get_args(hint))]}
    item = _item(hint)
    if item is not None:
        inner = json_schema(item)
        return {"type": "array", "items": inner} if inner else {"type": "array"}
    if _is_mapping(hint):
        values = json_schema(typing.get_args(hint)[1]) if typing.get_args(hint) else {}
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
    return {}


def _digits(options: tuple[Any, ...]) -> list[int]:
    """Return the numbers that stand for options such as ``'1'``: unquoted in YAML they are numbers."""
    return [int(option) for option in options if isinstance(option, str) and option.isdecimal()]


def limits(metadata: collections.abc.Iterable[Any]) -> dict[str, Any]:
    """Return the JSON Schema words for bounds such as ``annotated_types.Ge``, pydantic's ``Field(ge=0)`` included."""
    words = {
        "ge": "minimum",
        "gt": "exclusiveMinimum",
        "le": "maximum",
        "lt": "exclusiveMaximum",
        "pattern": "pattern",
    }
    found: dict[str, Any] = {}
    for item in metadata:
        found.update(limits(getattr(item, "metadata", ())))
        found.update(
            {word: getattr(item, name) for name, word in words.items() if getattr(item, name, None) is not None}
        )
    return found
