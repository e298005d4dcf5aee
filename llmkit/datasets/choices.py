"""Sets of multiple-choice questions, each by a name for ``dataset.format``: how its rows become rows of the house.

Every question becomes ``input``, ``choices`` and ``answer``, the index of the right choice; what else a row holds
stays, except explanations of the answer. The file itself is read as its ending says.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from llmkit.datasets.readers import Numbered, Reader, read_table
from llmkit.errors import Problem

Row: TypeAlias = dict[str, Any]


def convert(rows: Iterable[Numbered], name: str, source: str) -> Iterator[Numbered]:
    """Yield the rows of the set ``name`` as rows of the house; one that has not its form is a `Problem`."""
    make = SETS[name]
    for line, row in rows:
        if isinstance(row, Problem) or not isinstance(row, dict):
            yield line, row
            continue
        try:
            yield line, make(row)
        except ValueError as error:
            yield line, Problem(f"not a row of the format '{name}': {error}", file=source, line=line)


def reader_of(name: str, path: Path, plain: Reader) -> Callable[[], Iterator[Numbered]]:
    """Return a function that starts a reading of the set ``name``; ``plain`` reads the file as its ending says.

    MMLU's csv files have no header; their rows have the subject that the file's name begins with.
    """
    if name == "mmlu" and ".csv" in (suffix.lower() for suffix in path.suffixes):
        subject = re.sub(r"_(?:test|val|dev|train)$", "", path.name.split(".")[0])
        return lambda: convert(_with_subject(read_table(path, csv.excel, _MMLU_CSV), subject), name, str(path))
    return lambda: convert(plain(path), name, str(path))


_MMLU_CSV = ("question", *"ABCD", "answer")


def _with_subject(rows: Iterable[Numbered], subject: str) -> Iterator[Numbered]:
    for line, row in rows:
        yield line, {**row, "subject": subject} if isinstance(row, dict) else row


def _mmlu(row: Row) -> Row:
    """MMLU: ``question, A, B, C, D, answer``; ``question, choices, answer``; or one text ``input`` and ``output``."""
    if isinstance(row.get("input"), str) and "output" in row:
        question, texts = _taken_apart(row["input"])
        return _row(row, ("input", "output"), question, texts, row["output"])
    choices: Any = row["choices"] if "choices" in row else [row.get(letter) for letter in "ABCD"]
    return _row(row, _MMLU_CSV, row.get("question"), choices, row.get("answer"))


_HEADER = re.compile(r"The following are multiple choice questions \(with answers\) about [^\n]*\n\n")
_FORMATTED = re.compile(r"(.*)\nA\. (.*)\nB\. (.*)\nC\. (.*)\nD\. (.*)\nAnswer:", re.DOTALL)


def _taken_apart(prompt: str) -> tuple[str, list[str]]:
    found = _FORMATTED.fullmatch(_HEADER.sub("", prompt, count=1))
    if found is None:
        raise ValueError("the input does not end with the choices A to D and 'Answer:'")
    question, *choices = found.groups()
    return question, choices


def _truthfulqa(row: Row) -> Row:
    """TruthfulQA, MC1: the best answer against the incorrect ones, each with a full stop as the paper's program has."""
    best, wrong = row.get("Best Answer"), row.get("Incorrect Answers")
    if not isinstance(best, str) or not isinstance(wrong, str):
        raise ValueError("it needs 'Best Answer' and 'Incorrect Answers'")
    choices = [_closed(best), *map(_closed, _parts(wrong))]
    used = ("Question", "Best Answer", "Correct Answers", "Incorrect Answers", "Type", "Category", "Source")
    made = _row(row, used, row.get("Question"), choices, 0)
    made["references"] = _parts(row.get("Correct Answers") or best)
    return made | {name.lower(): row[name] for name in ("Type", "Category", "Source") if row.get(name) is not None}


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _closed(answer: str) -> str:
    text = answer.strip()
    return text if text.endswith(".") else text + "."


def _labelled(row: Row) -> Row:
    """CommonsenseQA and ARC: ``question: {stem, choices: [{label, text}]}, answerKey``, or the columns of the hub."""
    asked = row.get("question")
    found = asked.get("choices") if isinstance(asked, Mapping) else row.get("choices")
    if isinstance(found, Mapping):
        labels, choices = found.get("label"), found.get("text")
    elif isinstance(found, list) and all(isinstance(item, Mapping) for item in found):
        labels, choices = [item.get("label") for item in found], [item.get("text") for item in found]
    else:
        raise ValueError("it needs 'choices', each with a label and a text")
    question, more = asked, {}
    if isinstance(asked, Mapping):
        question, more = asked.get("stem"), {k: v for k, v in asked.items() if k not in ("stem", "choices")}
    made = _row(row, ("question", "choices", "answerKey"), question, choices, row.get("answerKey"), labels=labels)
    return more | made


def _aqua(row: Row) -> Row:
    """AQuA-RAT: ``question, options: ["A)5", ...], correct``. The rationale is left out: it names the answer."""
    options = row.get("options")
    if not isinstance(options, list) or not all(isinstance(item, str) and item[1:2] == ")" for item in options):
        raise ValueError("it needs 'options' such as 'A)5'")
    labels, choices = [item[0] for item in options], [item[2:] for item in options]
    used = ("question", "options", "correct", "rationale")
    return _row(row, used, row.get("question"), choices, row.get("correct"), labels=labels)


def _row(row: Row, used: Iterable[str], question: Any, choices: Any, answer: Any, *, labels: Any = None) -> Row:
    """Return the row with its fields under the house's names; ``labels`` name the choices, else letters do."""
    if not isinstance(question, str):
        raise ValueError("it has no question")
    if not isinstance(choices, list) or not choices or not all(isinstance(text, str) for text in choices):
        raise ValueError("every choice must be a text")
    names = list(labels) if isinstance(labels, (list, tuple)) else [chr(ord("A") + at) for at in range(len(choices))]
    if labels is None and isinstance(answer, int) and not isinstance(answer, bool):
        if not 0 <= answer < len(choices):
            raise ValueError(f"the answer {answer} is no index into {len(choices)} choices")
    elif answer in names:
        answer = names.index(answer)
    else:
        raise ValueError(f"the answer {answer!r} is none of {', '.join(map(str, names))}")
    kept = {name: value for name, value in row.items() if name not in used}
    return {**kept, "input": question, "choices": choices, "answer": answer}


SETS: Mapping[str, Callable[[Row], Row]] = {
    "mmlu": _mmlu,
    "truthfulqa": _truthfulqa,
    "commonsenseqa": _labelled,
    "aqua": _aqua,
    "arc": _labelled,
}
"""Format name -> what makes a row of it a row of the house."""
