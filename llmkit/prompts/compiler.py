"""From the text of a prompt to functions that render it; a prompt's mistakes are found here, before any row is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from llmkit.errors import ConfigError, Problem

Render: TypeAlias = Callable[[dict[str, Any]], str]

GOLD = frozenset({"references", "answer", "output"})
ROW = frozenset({"id", "input", "messages", "contexts", "choices", "meta", "shots", "turns"})
_SUFFIXES = (".md", ".txt", ".j2", ".yaml", ".yml")
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True)
class Part:
    """One message of the prompt: everything but its content, and how the content is made."""

    message: Mapping[str, Any]
    render: Render
    names: frozenset[str]


def letter(index: int) -> str:
    """Return the name of a choice: A to Z, then AA, AB..."""
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def lettered(choices: Iterable[str]) -> list[tuple[str, str]]:
    """Return the choices with their letters: ``[("A", "Paris"), ("B", "Rome")]``."""
    return [(letter(index), text) for index, text in enumerate(choices)]


def from_file(source: str, base: Path) -> tuple[str | list[Any], str]:
    """Return the prompt's source, read from a file where the text names one, and the file's name."""
    name = source.strip()
    if not name.endswith(_SUFFIXES) or "\n" in name or "{" in name:
        return source, ""
    path = base / Path(name).expanduser()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if " " in name:
            return source, ""
        raise ConfigError(problems=[Problem("there is no such prompt file", file=str(path), key="prompt")]) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error.strerror).lower()
        message = f"the prompt file cannot be read: {reason}"
        raise ConfigError(problems=[Problem(message, file=str(path), key="prompt")]) from None
    if path.suffix not in (".yaml", ".yml"):
        return text, str(path)
    import yaml

    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = Problem("the file is not YAML", file=str(path), line=mark.line + 1 if mark else 0, key="prompt")
        raise ConfigError(problems=[problem]) from None
    if not isinstance(loaded, (str, list)):
        message = "expected a text or a list of {role, content}"
        raise ConfigError(problems=[Problem(message, file=str(path), key="prompt")])
    return loaded, str(path)


class Compiler:
    """Turns the messages of one prompt into parts; keeps every problem, so that all are told at once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._problems: list[Problem] = []
        self._needed: set[str] = set()

    def part(self, message: Any, *, line: int) -> Part:
        """Return one message ready to render; ``line`` is its number in a list of messages, 0 for a text."""
        place = f"message {line}: " if line else ""
        if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
            self._wrong(f"{place}expected {{role, content}} with one of the roles {', '.join(_ROLES)}")
            return Part({}, str, frozenset())
        if not isinstance(message.get("content"), str):
            self._wrong(f"{place}the content must be a text")
            return Part({}, str, frozenset())
        text = message["content"]
        rest = {key: value for key, value in message.items() if key != "content"}
        if not any(mark in text for mark in ("{{", "{%", "{#")):
            plain = text.removesuffix("\n")
            return Part(rest, lambda _values: plain, frozenset())
        from jinja2 import TemplateSyntaxError

        try:
            render, names, needed = compiled(text)
        except TemplateSyntaxError as error:
            where = error.lineno if self._file and not line else 0
            at = "" if where else f" on line {error.lineno}"
            self._wrong(f"{place}the template has a mistake{at}: {str(error.message).rstrip('.')}", line=where)
            return Part({}, str, frozenset())
        self._refuse_gold(names, place)
        self._needed |= needed
        return Part(rest, render, names)

    def _refuse_gold(self, names: frozenset[str], place: str) -> None:
        for name in sorted(names & GOLD):
            hint = "only few-shot examples may show answers, as shot.answer in {% for shot in shots %}"
            self._wrong(f"{place}'{name}' is gold and never goes into a prompt", hint=hint)

    def _wrong(self, message: str, *, line: int = 0, hint: str = "") -> None:
        self._problems.append(Problem(message, file=self._file, line=line, key="prompt", hint=hint))

    def finish(self, parts: Sequence[Part]) -> None:
        """Refuse a prompt with problems, or one that asks the same of every row."""
        asks = any(part.message.get("role") == "user" for part in parts)
        if not self._problems and asks and not any(part.names for part in parts):
            hint = "write {{ input }} where the question goes"
            self._wrong("the prompt names no field, so every row would be asked the same", hint=hint)
        if self._problems:
            raise ConfigError(problems=self._problems)

    def needed(self) -> frozenset[str]:
        """Return the fields that no row may lack."""
        return frozenset(self._needed)


@cache
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.filters["lettered"] = lettered
    # What is random would make two runs of one config differ.
    del environment.filters["random"], environment.globals["lipsum"]
    return environment


def compiled(text: str) -> tuple[Render, frozenset[str], frozenset[str]]:
    """Return how to render the text, the names it uses, and those it cannot do without."""
    from jinja2 import meta, nodes

    environment = _environment()
    tree = environment.parse(text)
    names = meta.find_undeclared_variables(tree) - environment.globals.keys()
    needed = names - ROW | (names & {"contexts", "choices"})
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    for inner in tree.find_all((nodes.Getattr, nodes.Getitem)):
        path = None if id(inner) in called else _path(inner)
        if path is not None and path.split(".")[0] in names - ROW | {"meta"}:
            needed.add(path)
    guarded = _guarded(tree)
    needed = {path for path in needed if not any(_within(path, name) for name in guarded)}
    needed = {path for path in needed if not any(_within(other, path) and other != path for other in needed)}
    return environment.from_string(text).render, frozenset(names), frozenset(needed)


def _guarded(tree: Any) -> set[str]:
    """Return the names that the template itself provides for the lack of: tested, or given a default."""
    from jinja2 import nodes

    found: set[str] = set()
    spots = [node.test for node in tree.find_all((nodes.If, nodes.CondExpr))]
    spots += [node.node for node in tree.find_all(nodes.Test) if node.name in ("defined", "undefined")]
    spots += [node.node for node in tree.find_all(nodes.Filter) if node.name in ("default", "d") and node.node]
    for spot in spots:
        found.update(path for inner in (spot, *spot.find_all(nodes.Node)) if (path := _path(inner)) is not None)
    return found - {"meta"}


def _within(path: str, outer: str) -> bool:
    return path == outer or path.startswith(f"{outer}.")


def _path(node: Any) -> str | None:
    """Return what a name with its attributes and keys reads, as ``question.choices.0``; None for anything else."""
    from jinja2 import nodes

    steps: list[str] = []
    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        key = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
        node = node.node
        of_meta = isinstance(node, nodes.Name) and node.name == "meta"
        if not isinstance(key, (str, int)) or ("." in str(key) and not of_meta):
            return None
        steps.append(str(key))
    return ".".join([node.name, *reversed(steps)]) if isinstance(node, nodes.Name) else None
