"""From a row to the chat that is sent: a prompt is a template, and gold answers have no way into it.

A text template becomes the user message that asks; a list of ``{role, content}`` becomes a whole chat. What a
template may name: ``input`` (the question; of a chat, its last user message), ``messages``, ``id``, ``contexts``,
``choices`` (``{% for letter, text in choices | lettered %}``), and every meta field, as ``category`` or
``meta.category``. ``references``, ``answer`` and ``output`` are refused, except inside ``shots``.

Where a row's input is a chat, the template replaces the text of its last user message and the rest stays; a
template that names ``messages`` renders the whole chat itself, and nothing else of it is sent.

Few-shot examples stand before the question as pairs of user and assistant messages, each asked with the same
template. A template that names ``shots`` places them itself: each has ``input``, ``answer``, ``contexts``,
``choices`` and ``meta``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from llmkit.errors import ConfigError, DataError, Problem
from llmkit.hashing import digest
from llmkit.types import Message, Sample

Render: TypeAlias = Callable[[dict[str, Any]], str]

GOLD = frozenset({"references", "answer", "output"})
_ROW = frozenset({"id", "input", "messages", "contexts", "choices", "meta", "shots", "turns"})
_SUFFIXES = (".md", ".txt", ".j2", ".yaml", ".yml")
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True)
class _Part:
    """One message of the prompt: everything but its content, and how the content is made."""

    message: Mapping[str, Any]
    render: Render
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt, ready to make the chat of any sample.

    Attributes:
        fields: Names of the row that the prompt cannot do without; the census asks for them.
        digest: Of the source text: two runs with one digest asked in the same words.
    """

    fields: frozenset[str]
    digest: str
    _head: tuple[_Part, ...] = field(default=(), repr=False)
    _ask: _Part | None = field(default=None, repr=False)
    _tail: tuple[_Part, ...] = field(default=(), repr=False)
    _names: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def from_source(cls, source: str | Sequence[Mapping[str, Any]] | None, *, base: Path) -> Template:
        """Return the template that a config names.

        Args:
            source: A text, a list of messages, or the name of a file (``.md .txt .j2``; ``.yaml`` for messages);
                None sends the input as it is.
            base: The folder that a file's relative path starts from.

        Raises:
            ConfigError: a syntax error (with its line), a gold field, a missing file, a prompt without a field.
        """
        if source is None:
            return cls(frozenset(), digest(None))
        file = ""
        if isinstance(source, str):
            source, file = _from_file(source, base)
        compiler = _Compiler(file)
        if isinstance(source, str):
            parts = [compiler.part({"role": "user", "content": source}, line=0)]
        else:
            parts = [compiler.part(message, line=number) for number, message in enumerate(source or [None], 1)]
        compiler.finish(parts)
        users = [index for index, part in enumerate(parts) if part.message.get("role") == "user"]
        at = users[-1] if users else len(parts)
        return cls(
            fields=compiler.needed(),
            digest=digest(source),
            _head=tuple(parts[:at]),
            _ask=parts[at] if users else None,
            _tail=tuple(parts[at + 1 :]),
            _names=frozenset().union(*(part.names for part in parts)),
        )

    def messages(self, sample: Sample, shots: Sequence[Sample] = ()) -> tuple[Message, ...]:
        """Return the chat to send for ``sample``, with ``shots`` shown before it.

        Raises:
            DataError: the row lacks a field that the prompt names, rendering fails, or a shot has no answer.
        """
        values = self._values(sample, shots)
        head = [self._message(part, values, sample) for part in self._head]
        tail = [self._message(part, values, sample) for part in self._tail]
        pairs: list[Message] = []
        if "shots" not in self._names:
            for shot in shots:
                pairs.append(self._question(shot))
                pairs.append({"role": "assistant", "content": answer_text(shot)})
        if isinstance(sample.input, str) or "messages" in self._names:
            return (*head, *pairs, self._question(sample, values), *tail)
        before, last, after = _around_last_user(sample.input)
        if last is None:
            asked = [self._question(sample, values)] if self._ask else []
        else:
            asked = [_replaced(last, self._question(sample, values)) if self._ask else last]
        return (*head, *pairs, *before, *asked, *after, *tail)

    def _question(self, sample: Sample, values: dict[str, Any] | None = None) -> Message:
        if self._ask is None:
            return {"role": "user", "content": _asked_text(sample)}
        return self._message(self._ask, self._values(sample, ()) if values is None else values, sample)

    def _message(self, part: _Part, values: dict[str, Any], sample: Sample) -> Message:
        try:
            content = part.render(values)
        # A template is the user's program and may raise anything.
        except Exception as error:
            raise DataError(problems=[_failed(error, sample)]) from error
        return {**part.message, "content": content}

    def _values(self, sample: Sample, shots: Sequence[Sample]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name in self._names:
            if name in _ROW:
                values[name] = _row_value(name, sample, shots)
            elif name in sample.meta:
                values[name] = sample.meta[name]
        return values


def _row_value(name: str, sample: Sample, shots: Sequence[Sample]) -> Any:
    if name == "input":
        return _asked_text(sample)
    if name == "messages":
        return [{"role": "user", "content": sample.input}] if isinstance(sample.input, str) else list(sample.input)
    if name == "shots":
        return [
            {
                "input": _asked_text(shot),
                "answer": answer_text(shot),
                "contexts": shot.contexts,
                "choices": shot.choices,
                "meta": shot.meta,
            }
            for shot in shots
        ]
    return getattr(sample, name)


def _asked_text(sample: Sample) -> str:
    if isinstance(sample.input, str):
        return sample.input
    last = _around_last_user(sample.input)[1]
    return "" if last is None else _content_text(last.get("content"))


def _content_text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, Mapping) and "text" in part)
    return content if isinstance(content, str) else ""


def _around_last_user(chat: tuple[Message, ...]) -> tuple[tuple[Message, ...], Message | None, tuple[Message, ...]]:
    for index in range(len(chat) - 1, -1, -1):
        if chat[index].get("role") == "user":
            return chat[:index], chat[index], chat[index + 1 :]
    return chat, None, ()


def _replaced(last: Message, question: Message) -> Message:
    """Return the user message with the question's text; pictures and other parts of it stay."""
    parts = last.get("content")
    others = _without_text(parts) if isinstance(parts, list) else []
    text = question["content"]
    return {**last, "content": [{"type": "text", "text": text}, *others] if others else text}


def _without_text(parts: list[Any]) -> list[Any]:
    return [part for part in parts if not (isinstance(part, Mapping) and "text" in part)]


def answer_text(shot: Sample) -> str:
    """Return what an example answers: its first reference, else its label, an index as the letter of the choice.

    Raises:
        DataError: it has neither.
    """
    if shot.references:
        return shot.references[0]
    if isinstance(shot.answer, int) and shot.choices:
        return letter(shot.answer)
    if shot.answer is not None:
        return str(shot.answer)
    message = f"the few-shot example '{shot.id}' has neither references nor an answer to show"
    raise DataError(problems=[Problem(message, line=shot.line)])


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


def _failed(error: Exception, sample: Sample) -> Problem:
    from jinja2 import UndefinedError

    row = f"row '{sample.id}'" + (f" (line {sample.line})" if sample.line else "")
    if isinstance(error, UndefinedError):
        return Problem(f"the prompt names a field that {row} lacks: {error}", key="prompt")
    reason = str(error) or type(error).__name__
    return Problem(f"the prompt cannot be made for {row}: {reason}", key="prompt")


def _from_file(source: str, base: Path) -> tuple[str | list[Any], str]:
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


class _Compiler:
    """Turns the messages of one prompt into parts; keeps every problem, so that all are told at once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._problems: list[Problem] = []
        self._needed: set[str] = set()

    def part(self, message: Any, *, line: int) -> _Part:
        place = f"message {line}: " if line else ""
        if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
            self._wrong(f"{place}expected {{role, content}} with one of the roles {', '.join(_ROLES)}")
            return _Part({}, str, frozenset())
        if not isinstance(message.get("content"), str):
            self._wrong(f"{place}the content must be a text")
            return _Part({}, str, frozenset())
        text = message["content"]
        rest = {key: value for key, value in message.items() if key != "content"}
        if not any(mark in text for mark in ("{{", "{%", "{#")):
            plain = text.removesuffix("\n")
            return _Part(rest, lambda _values: plain, frozenset())
        from jinja2 import TemplateSyntaxError

        try:
            render, names, needed = _compile(text)
        except TemplateSyntaxError as error:
            where = error.lineno if self._file and not line else 0
            at = "" if where else f" on line {error.lineno}"
            self._wrong(f"{place}the template has a mistake{at}: {str(error.message).rstrip('.')}", line=where)
            return _Part({}, str, frozenset())
        self._refuse_gold(names, place)
        self._needed |= needed
        return _Part(rest, render, names)

    def _refuse_gold(self, names: frozenset[str], place: str) -> None:
        for name in sorted(names & GOLD):
            hint = "only few-shot examples may show answers, as shot.answer in {% for shot in shots %}"
            self._wrong(f"{place}'{name}' is gold and never goes into a prompt", hint=hint)

    def _wrong(self, message: str, *, line: int = 0, hint: str = "") -> None:
        self._problems.append(Problem(message, file=self._file, line=line, key="prompt", hint=hint))

    def finish(self, parts: Sequence[_Part]) -> None:
        """Refuse a prompt with problems, or one that asks the same of every row."""
        asks = any(part.message.get("role") == "user" for part in parts)
        if not self._problems and asks and not any(part.names for part in parts):
            hint = "write {{ input }} where the question goes"
            self._wrong("the prompt names no field, so every row would be asked the same", hint=hint)
        if self._problems:
            raise ConfigError(problems=self._problems)

    def needed(self) -> frozenset[str]:
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


def _compile(text: str) -> tuple[Render, frozenset[str], frozenset[str]]:
    """Return how to render the text, the names it uses, and those it cannot do without."""
    from jinja2 import meta, nodes

    environment = _environment()
    tree = environment.parse(text)
    names = meta.find_undeclared_variables(tree) - environment.globals.keys()
    needed = names - _ROW | (names & {"contexts", "choices"})
    for inner in tree.find_all((nodes.Getattr, nodes.Getitem)):
        if isinstance(inner.node, nodes.Name) and inner.node.name == "meta" and "meta" in names:
            key = inner.attr if isinstance(inner, nodes.Getattr) else getattr(inner.arg, "value", None)
            if isinstance(key, str):
                needed.add(f"meta.{key}")
    needed -= _guarded(tree)
    return environment.from_string(text).render, frozenset(names), frozenset(needed)


def _guarded(tree: Any) -> set[str]:
    """Return the names that the template itself provides for the lack of: tested, or given a default."""
    from jinja2 import nodes

    found: set[str] = set()
    spots = [node.test for node in tree.find_all((nodes.If, nodes.CondExpr))]
    spots += [node.node for node in tree.find_all(nodes.Test) if node.name in ("defined", "undefined")]
    spots += [node.node for node in tree.find_all(nodes.Filter) if node.name in ("default", "d") and node.node]
    for spot in spots:
        for inner in (spot, *spot.find_all(nodes.Node)):
            if isinstance(inner, nodes.Name):
                found.add(inner.name)
            elif isinstance(inner, nodes.Getattr):
                found.add(f"meta.{inner.attr}")
    return found
