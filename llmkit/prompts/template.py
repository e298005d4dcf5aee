"""From a row to the chat that is sent: a prompt is a template, and gold answers have no way into it.

A text template becomes the user message that asks; a list of ``{role, content}`` becomes a whole chat. What a
template may name: ``input`` (the question; of a chat, its last user message), ``messages``, ``id``, ``contexts``,
``choices`` (``{% for letter, text in choices | lettered %}``), and every meta field, as ``category`` or
``meta.category``. ``references``, ``answer`` and ``output`` are refused, except inside ``shots``.

Where a row's input is a chat, the template replaces the text of its last user message and the rest stays; a
template that names ``messages`` renders the whole chat itself, and nothing else of it is sent.

Few-shot examples stand before the question as pairs of user and assistant messages, each asked with the same
template; the system messages that open a row's chat stay in front of them. A template that names ``shots`` places
them itself: each has ``input``, ``answer``, ``contexts``, ``choices`` and ``meta``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmkit.errors import DataError, Problem
from llmkit.hashing import digest
from llmkit.prompts.compiler import ROW, Compiler, Part, from_file, letter
from llmkit.types import Message, Sample

_RULES = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt, ready to make the chat of any sample.

    Attributes:
        fields: Names of the row that the prompt cannot do without; the census asks for them.
        digest: Of the source text: two runs with one digest asked in the same words.
    """

    fields: frozenset[str]
    digest: str
    _head: tuple[Part, ...] = field(default=(), repr=False)
    _ask: Part | None = field(default=None, repr=False)
    _tail: tuple[Part, ...] = field(default=(), repr=False)
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
            source, file = from_file(source, base)
        compiler = Compiler(file)
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

    def shows(self, *names: str) -> bool:
        """Return whether the prompt shows any of the fields; without a template the input goes as it is."""
        return self._ask is None or not self._names.isdisjoint(names)

    @property
    def names_contexts(self) -> bool:
        """Whether the prompt places the contexts itself."""
        return "contexts" in self._names

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
        rules = next((at for at, message in enumerate(before) if message.get("role") not in _RULES), len(before))
        return (*head, *before[:rules], *pairs, *before[rules:], *asked, *after, *tail)

    def _question(self, sample: Sample, values: dict[str, Any] | None = None) -> Message:
        if self._ask is None:
            return {"role": "user", "content": _asked_text(sample)}
        return self._message(self._ask, self._values(sample, ()) if values is None else values, sample)

    def _message(self, part: Part, values: dict[str, Any], sample: Sample) -> Message:
        try:
            content = part.render(values)
        # A template is the user's program and may raise anything.
        except Exception as error:
            raise DataError(problems=[_failed(error, sample)]) from error
        return {**part.message, "content": content}

    def _values(self, sample: Sample, shots: Sequence[Sample]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name in self._names:
            if name in ROW:
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


def _failed(error: Exception, sample: Sample) -> Problem:
    from jinja2 import UndefinedError

    row = f"row '{sample.id}'" + (f" (line {sample.line})" if sample.line else "")
    if isinstance(error, UndefinedError):
        return Problem(f"the prompt names a field that {row} lacks: {error}", key="prompt")
    reason = str(error) or type(error).__name__
    return Problem(f"the prompt cannot be made for {row}: {reason}", key="prompt")
