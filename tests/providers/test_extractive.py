from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from llmkit import registry
from llmkit.errors import ConfigError, PermanentError
from llmkit.providers._passages import find_files, pieces_of
from llmkit.providers.extractive import NOT_FOUND, Extractive
from llmkit.types import Request, Response

GUIDE = """# Guide

Llamas live in the Andes. They eat grass.

## Installing

Install the **tool** with pip:

```sh
pip install llama-tool
```

Python 3.11 or later is needed, e.g. 3.12. Windows works too.

## Exit codes

| code | meaning |
|---|---|
| 0 | all is good |
| 4 | the runs are not comparable |

## Budget

Set `max_cost` to stop a run when it becomes expensive. The default is no limit.
"""


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "deep").mkdir(parents=True)
    (folder / "guide.md").write_text(GUIDE)
    (folder / "deep" / "note.txt").write_text("The answer to everything is 42. Nobody knows the question.")
    (folder / "code.py").write_text("answer = 41")
    (folder / ".hidden.md").write_text("hidden answer 43")
    return folder


def _ask(target: Extractive, text: str, **sample: Any) -> Response:
    request = Request(messages=({"role": "user", "content": text},), sample=sample or None)
    return asyncio.run(target.complete(request))


@pytest.mark.parametrize(
    ("question", "answer", "passage"),
    [
        ("Where do llamas live?", "Llamas live in the Andes.", "docs/guide.md#guide"),
        ("How do I install the tool?", "pip install llama-tool", "docs/guide.md#installing"),
        ("Which Python version is needed?", "Python 3.11 or later is needed, e.g. 3.12.", "docs/guide.md#installing"),
        ("What does exit code 4 mean?", "4: the runs are not comparable", "docs/guide.md#exit-codes"),
        ("How do I stop an expensive run?", "Set max_cost to stop a run", "docs/guide.md#budget"),
        ("What is the maxCost default?", "The default is no limit.", "docs/guide.md#budget"),
        ("What is the answer to everything?", "The answer to everything is 42.", "docs/deep/note.txt"),
    ],
)
def test_the_best_sentences_answer(docs: Path, question: str, answer: str, passage: str) -> None:
    response = _ask(Extractive((docs,)), question)
    assert answer in response.text
    assert response.retrieved[0].id == passage
    assert response.retrieved[0].score > 0
    assert 0 < response.extra["confidence"] <= 1
    assert "**" not in response.text


def test_an_answer_has_at_most_the_sentences_asked_for_in_document_order(docs: Path) -> None:
    one = _ask(Extractive((docs,), sentences=1), "What do llamas eat, and where do they live?")
    assert one.text in {"Llamas live in the Andes.", "They eat grass."}
    two = _ask(Extractive((docs,), sentences=2), "What do llamas eat, and where do they live?")
    assert two.text == "Llamas live in the Andes. They eat grass."


def test_a_question_that_nothing_matches_is_answered_plainly(docs: Path) -> None:
    response = _ask(Extractive((docs,)), "Zymurgy?")
    assert (response.text, response.extra["confidence"], response.retrieved) == (NOT_FOUND, 0.0, ())


def test_a_word_that_only_looks_alike_still_finds(docs: Path) -> None:
    response = _ask(Extractive((docs,)), "comparability")
    assert "not comparable" in response.text
    assert response.extra["confidence"] == 0.0


def test_the_rows_contexts_are_read_where_there_are_no_documents() -> None:
    contexts = ["Cats purr. Dogs bark.", "Cows moo in the morning. They sleep at night."]
    response = _ask(Extractive(sentences=1), "When do cows moo?", contexts=contexts)
    assert response.text == "Cows moo in the morning."
    assert response.retrieved[0].id == "1"


def test_a_prompt_around_the_input_does_not_disturb(docs: Path) -> None:
    target = Extractive((docs,))
    prompt = "Answer the question about everything: Where do llamas live?"
    assert _ask(target, prompt, input="Where do llamas live?").text == _ask(target, "Where do llamas live?").text


def test_nothing_to_answer_from_is_an_error_of_the_row() -> None:
    with pytest.raises(PermanentError, match="no documents and the row no contexts"):
        _ask(Extractive(), "What?")


def test_what_is_wrong_with_the_documents_is_told_at_once(docs: Path) -> None:
    (docs / "empty").mkdir()
    arguments = {"documents": ["gone.md", "empty", "*.none"], "sentences": 0}
    with pytest.raises(ConfigError) as caught:
        registry.build("providers", {"extractive": arguments}, base=docs)
    messages = [problem.message for problem in caught.value.problems]
    assert messages == ["no such file or folder", "no document is found", "no document is found", "sentences is 0"]


def test_files_folders_and_globs_count_once(docs: Path) -> None:
    found, problems = find_files([docs / "guide.md", docs, docs / "**" / "*.txt", docs / ".." / "docs" / "guide.md"])
    assert [name for _, name in found] == ["guide.md", "docs/deep/note.txt"]
    assert problems == []


def test_passages_have_distinct_ids_and_keep_blocks_whole() -> None:
    long = " ".join(f"Word{n} fills this line." for n in range(40))
    pieces = pieces_of(f"# A\n\n{long}\n\n{long}\n\nRun:\n\n```\n{long}\n```\n\n# A\n\nagain", "f.md")
    assert [piece.id for piece in pieces] == ["f.md#a", "f.md#a~2", "f.md#a~3", "f.md#a~4"]
    assert [piece.text for piece in pieces] == [long, long, f"Run:\n{long}", "again"]


def test_a_long_piece_of_code_is_quoted_by_the_line(tmp_path: Path) -> None:
    lines = [f"key_{n}: {n}" for n in range(20)]
    (tmp_path / "f.md").write_text("Config:\n\n```yaml\n" + "\n".join([*lines, "colour: green"]) + "\n```\n")
    assert _ask(Extractive((tmp_path,), sentences=1), "Which colour?").text == "colour: green"


def test_answers_do_not_depend_on_what_was_asked_before(docs: Path) -> None:
    def answer(target: Extractive, text: str) -> Response:
        return dataclasses.replace(_ask(target, text), latency=0.0)

    questions = ["Where do llamas live?", "What does exit code 0 mean?", "Zymurgy?"]
    together = Extractive((docs,))
    assert [answer(together, text) for text in questions] == [answer(Extractive((docs,)), text) for text in questions]


def test_xquad_answers_are_among_the_quoted_sentences(shared_data: Path, tmp_path: Path) -> None:
    with gzip.open(shared_data / "qa_short" / "xquad.en.json.gz") as file:
        articles = json.load(file)["data"]
    asked: list[tuple[str, str, list[str]]] = []
    for number, article in enumerate(articles):
        name = f"a{number}.md"
        paragraphs = article["paragraphs"]
        sections = [f"# p{place}\n\n{p['context']}" for place, p in enumerate(paragraphs)]
        (tmp_path / name).write_text("\n\n".join(sections))
        for place, paragraph in enumerate(paragraphs):
            identity = f"{tmp_path.name}/{name}#p{place}"
            asked += [(q["question"], identity, [a["text"] for a in q["answers"]]) for q in paragraph["qas"]]
    target = Extractive((tmp_path,))
    quoted = first = five = 0
    for question, passage, answers in asked:
        response = _ask(target, question)
        found = [piece.id.split("~")[0] for piece in response.retrieved]
        quoted += any(answer in response.text for answer in answers)
        first += found[0] == passage
        five += passage in found[:5]
    assert len(asked) == 1190
    # Measured: 90.3 % quoted, 93.7 % first, 98.9 % among five.
    assert quoted / len(asked) > 0.88
    assert first / len(asked) > 0.92
    assert five / len(asked) > 0.98
