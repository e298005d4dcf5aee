"""A judge of your own in YAML: a prompt, a menu or a scale, and how the verdict is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llmkit.errors import DataError
from llmkit.hashing import digest
from llmkit.judges import GUARD, Fault, ModelJudge, asked, block, judge, last_choice, last_number, said_json
from llmkit.prompts import Texts, Words, letter
from llmkit.protocols import Dialogue
from llmkit.types import Failure, Judgment, Message, Output, Response, Sample, Table

_AFTER = {"choices": "Verdict:", "scale": "Score:"}
_ASK = {
    "choices": "Write the verdict alone on the last line, in exactly this form, with one of {menu}:\n"
    "Verdict: <verdict>",
    "scale": "Write the score, a number from {low:g} to {high:g}, alone on the last line in exactly this form:\n"
    "Score: <number>",
}
_ASK_JSON = {
    "choices": "Answer with a JSON object: first 'reason', in a few sentences, then 'verdict', one of {menu}.",
    "scale": "Answer with a JSON object: first 'reason', in a few sentences, then 'score', a number from {low:g} to "
    "{high:g}.",
}
_NEEDS = ("references", "contexts", "choices", "answer")


@judge("custom")
@dataclass(frozen=True)
class Custom(ModelJudge):
    """Score by a prompt of your own.

    Formula: the mean of the choices' scores, or of the numbers on the scale. Range the scores' or the scale, higher is
    better. A verdict that is not in form is asked for once more; where that fails too, the row is an error.

    The prompt is a template, as an eval's is, that may also show what only a judge may see: ``output``, ``references``,
    ``answer``. Texts of the row stand between fences, so that an answer cannot pose as the prompt; ``raw.output`` and
    the like are the same without. The form of the verdict is added at the end, unless ``parse`` is a pattern.

    Use it where no other judge asks what you want to know, in the words of your own product. Measure it against people
    with ``llmkit audit``: a new prompt is a new judge.

    Source: our own; menus of choices with scores are as in openai/evals' model-graded templates.

    Attributes:
        prompt: The template of the question: ``{{ input }}``, ``{{ output }}``, ``{{ references }}``,
            ``{{ contexts }}``, ``{{ choices }}``, ``{{ answer }}``, ``{{ meta.x }}`` or any field of the row.
        choices: A menu: each label with its score. In the place of it:
        scale: Lowest and highest number.
        system: The system message; the sentence about fences is added.
        parse: ``last_line`` reads the last ``Verdict:`` or ``Score:``; anything else is a regular expression whose
            first group is the verdict, the last match counts, and the prompt says itself what form it wants.
    """

    prompt: str
    choices: dict[str, float] = field(default_factory=dict)
    scale: tuple[float, float] | None = None
    system: str = "You judge the answer of an assistant."
    parse: str = "last_line"

    def __post_init__(self) -> None:
        if bool(self.choices) == (self.scale is not None):
            raise ValueError(
                "give 'choices' (labels with scores) or 'scale' (lowest and highest number), one of the two"
            )
        if self.choices and len(self.choices) == 1:
            raise ValueError("a menu needs two choices or more")
        if self.scale is not None and not self.scale[0] < self.scale[1]:
            raise ValueError(f"scale is {self.scale[0]:g} to {self.scale[1]:g}: the lowest number comes first")
        object.__setattr__(self, "_words", Words(self.prompt))
        if not self._words.names & {"output", "raw"}:
            raise ValueError("the prompt does not show the answer; write {{ output }} where it goes")
        if self.parse != "last_line":
            try:
                groups = re.compile(self.parse).groups
            except re.error as error:
                raise ValueError(f"'parse' is not a regular expression: {error}") from None
            if groups < 1:
                raise ValueError("'parse' needs a group around the verdict: (...)")

    _words: Words = field(init=False, repr=False, compare=False)

    @property
    def kind_of_verdict(self) -> Literal["choices", "scale"]:
        """Whether it picks a choice or a number."""
        return "choices" if self.choices else "scale"

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest score."""
        return (min(self.choices.values()), max(self.choices.values())) if self.scale is None else self.scale

    @property
    def binary(self) -> bool:
        """True where every choice scores 0 or 1."""
        return bool(self.choices) and set(self.choices.values()) <= {0.0, 1.0}

    @property
    def needs(self) -> tuple[str, ...]:
        """The fields of the row that the prompt shows without a test or a default."""
        asked_for = {name.removeprefix("raw.") for name in self._words.needed} - {
            "raw",
            "input",
            "output",
            "id",
            "meta",
        }
        return tuple(sorted(name if name in _NEEDS else f"meta.{name.removeprefix('meta.')}" for name in asked_for))

    @property
    def prompt_digest(self) -> str:
        """Of the texts that are sent."""
        return digest([self.system, GUARD, self.prompt, _ASK, _ASK_JSON, self.choices, self.scale], 4)

    @property
    def settings(self) -> dict[str, Any]:
        """What is not in the prompt's digest."""
        return {k: v for k, v in super().settings.items() if k not in ("prompt", "system", "choices")}

    def judge(self, sample: Sample, output: Output) -> Dialogue[Judgment]:
        """Ask for a verdict."""
        json_form = self.form == "json" and self.parse == "last_line"
        try:
            text = self._words.render(_values(sample, output))
        except DataError as error:
            return Judgment(Failure("prompt", str(error)))
        if self.parse == "last_line":
            low, high = self.scale or (0.0, 0.0)
            asks = _ASK_JSON if json_form else _ASK
            text += "\n\n" + asks[self.kind_of_verdict].format(menu=", ".join(self.choices), low=low, high=high)
        chat = [{"role": "system", "content": f"{self.system} {GUARD}"}, {"role": "user", "content": text}]
        schema = self._schema() if json_form else None
        found = yield from asked(chat, self._read(json_form=json_form), params=self.params, schema=schema)
        return Judgment(found) if isinstance(found, Failure) else Judgment(*found)

    def _read(self, *, json_form: bool) -> Callable[[Response], tuple[tuple[float | str, ...], str] | Fault]:
        after = _AFTER[self.kind_of_verdict]

        def read(response: Response) -> tuple[tuple[float | str, ...], str] | Fault:
            text, reason = response.text, response.text.strip()
            if json_form:
                said = said_json(text)
                if isinstance(said, Fault):
                    return said
                key = "verdict" if self.choices else "score"
                text, reason = f"{after} {said.get(key, '')}", str(said.get("reason", ""))
            elif self.parse != "last_line":
                matches = list(re.finditer(self.parse, text))
                if not matches:
                    return Fault("off_form", f"nothing in it matches {self.parse!r}")
                text = f"{after} {matches[-1][1] or ''}"
            if self.scale is not None:
                number = last_number(text, *self.scale, after=after)
                return number if isinstance(number, Fault) else ((number,), reason)
            label = last_choice(text, list(self.choices), after=after)
            return label if isinstance(label, Fault) else ((float(self.choices[label]), label), reason)

        return read

    def _schema(self) -> dict[str, Any]:
        if self.scale is None:
            verdict: dict[str, Any] = {"verdict": {"type": "string", "enum": list(self.choices)}}
        else:
            verdict = {"score": {"type": "number", "minimum": self.scale[0], "maximum": self.scale[1]}}
        return {
            "type": "object",
            "properties": {"reason": {"type": "string"}, **verdict},
            "required": ["reason", *verdict],
            "additionalProperties": False,
        }

    def details(self, table: Table) -> dict[str, Any]:
        """Return how often each choice was made."""
        if not self.choices:
            return {}
        words, codes = table.vocabulary[1], [int(code) for code in table.columns[1]]
        counts = dict.fromkeys(self.choices, 0)
        for code in codes:
            counts[words[code]] += 1
        rows = [[label, score, counts[label], counts[label] / len(codes)] for label, score in self.choices.items()]
        return {"tables": [{"title": "Verdicts", "columns": ["verdict", "score", "n", "share"], "rows": rows}]}


def _values(sample: Sample, output: Output) -> dict[str, Any]:
    """Return what the template may name: each text of the row between fences, and under ``raw`` without."""
    raw: dict[str, Any] = {
        **sample.meta,
        "input": sample.input if isinstance(sample.input, str) else _chat(sample.input),
        "output": output.text or "",
        "references": Texts(sample.references),
        "contexts": Texts([passage.text for passage in output.retrieved] or sample.contexts),
        "choices": Texts(sample.choices),
        "answer": _answer(sample),
        "meta": dict(sample.meta),
    }
    kept = {name: value for name, value in raw.items() if value not in ([], None)}
    return {**{name: _fenced(name, value) for name, value in kept.items()}, "id": sample.id, "raw": kept}


def _fenced(name: str, value: Any) -> Any:
    """Return a value with every text in it between fences."""
    if isinstance(value, str):
        return f"\n{block(name, value)}\n"
    if isinstance(value, Mapping):
        return {key: _fenced(str(key), item) for key, item in value.items()}
    if isinstance(value, list):
        return Texts(f"\n{block(f'{name} {number}', str(item))}\n" for number, item in enumerate(value, 1))
    return value


def _chat(messages: tuple[Message, ...]) -> str:
    return "\n\n".join(f"{message.get('role', '')}: {message.get('content', '')}" for message in messages)


def _answer(sample: Sample) -> str | None:
    if isinstance(sample.answer, int) and sample.choices:
        return f"{letter(sample.answer)}. {sample.choices[sample.answer]}"
    return None if sample.answer is None else str(sample.answer)
