from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.errors import ConfigError, DataError
from llmkit.prompts import Template, letter, lettered
from llmkit.types import Sample

HERE = Path()
ROW = Sample(
    id="q7",
    input="Capital of France?",
    references=("Paris",),
    contexts=("c1", "c2"),
    choices=("Rome", "Paris"),
    answer=1,
    meta={"category": "geo", "user": {"age": 3}},
    line=7,
)
CHAT = Sample(
    id="chat",
    input=(
        {"role": "system", "content": "S"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two", "name": "Ann"},
    ),
)
SHOTS = (
    Sample(id="s1", input="Capital of Italy?", references=("Rome", "Roma"), meta={"category": "geo"}),
    Sample(id="s2", input="2+2?", choices=("3", "4"), answer=1, meta={"category": "math"}),
)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def asked(source: Any, sample: Sample = ROW, shots: tuple[Sample, ...] = ()) -> list[Any]:
    return list(Template.from_source(source, base=HERE).messages(sample, shots))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ input }}", "Capital of France?"),
        ("Answer briefly.\n\n{{ input }}\n", "Answer briefly.\n\nCapital of France?"),
        ("{{ id }} {{ category }} {{ meta.category }} {{ user.age }}", "q7 geo geo 3"),
        ("{% for c in contexts %}[{{ c }}]{% endfor %} {{ input }}", "[c1][c2] Capital of France?"),
        ("{% for l, t in choices | lettered %}{{ l }}. {{ t }}\n{% endfor %}", "A. Rome\nB. Paris\n"),
        ("{{ note | default('-') }}{% if note is defined %}{{ note }}{% endif %}{{ input }}", "-Capital of France?"),
        ("<b>{{ input }}</b> & {{ '<i>' }}", "<b>Capital of France?</b> & <i>"),
        ("{# a remark #}{{ messages[0].content }}", "Capital of France?"),
    ],
)
def test_a_text_becomes_the_user_message(source: str, text: str) -> None:
    assert asked(source) == [user(text)]


def test_without_a_template_the_input_is_sent_as_it_is() -> None:
    assert asked(None) == [user("Capital of France?")]
    assert asked(None, CHAT) == list(CHAT.input)


@given(st.text(min_size=1))
def test_the_input_is_never_read_as_a_template(text: str) -> None:
    sample = Sample(id="1", input=text, meta={"x": "{{ input }}"})
    assert asked("{{ input }}", sample) == [user(text)]
    assert asked("{{ x }}", sample) == [user("{{ input }}")]


def test_a_megabyte_of_input() -> None:
    text = "{{ word }} " * 100_000
    assert asked("Q: {{ input }}", Sample(id="1", input=text)) == [user(f"Q: {text}")]


def test_a_chat_template() -> None:
    source = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{ input }} ({{ category }})"}]
    assert asked(source) == [{"role": "system", "content": "Be brief."}, user("Capital of France? (geo)")]


def test_a_chat_template_without_a_user_message_is_put_before_the_input() -> None:
    source = [{"role": "system", "content": "You know {{ category }}."}]
    assert asked(source) == [{"role": "system", "content": "You know geo."}, user("Capital of France?")]


def test_an_assistant_message_at_the_end_starts_the_answer() -> None:
    assert asked([user("{{ input }}"), assistant("It is")]) == [user("Capital of France?"), assistant("It is")]


def test_a_text_template_replaces_the_last_user_message_of_a_chat() -> None:
    assert asked("Now: {{ input }}", CHAT) == [*CHAT.input[:3], {"role": "user", "content": "Now: two", "name": "Ann"}]


def test_a_chat_template_goes_around_a_chat() -> None:
    found = asked([{"role": "system", "content": "T"}, user("Now: {{ input }}")], CHAT)
    assert found == [
        {"role": "system", "content": "T"},
        *CHAT.input[:3],
        {"role": "user", "content": "Now: two", "name": "Ann"},
    ]
    assert asked([{"role": "system", "content": "T"}], CHAT) == [{"role": "system", "content": "T"}, *CHAT.input]


def test_a_template_that_names_messages_renders_the_chat_itself() -> None:
    source = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    assert asked(source, CHAT) == [user("system: S\nuser: one\nassistant: 1\nuser: two\n")]


def test_pictures_stay_in_the_message() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:..."}}
    chat = Sample(id="p", input=({"role": "user", "content": [{"type": "text", "text": "What?"}, picture]},))
    assert asked("Q: {{ input }}", chat) == [
        {"role": "user", "content": [{"type": "text", "text": "Q: What?"}, picture]}
    ]


def test_examples_are_pairs_before_the_question() -> None:
    source = [{"role": "system", "content": "S"}, user("Q: {{ input }}")]
    assert asked(source, ROW, SHOTS) == [
        {"role": "system", "content": "S"},
        user("Q: Capital of Italy?"),
        assistant("Rome"),
        user("Q: 2+2?"),
        assistant("B"),
        user("Q: Capital of France?"),
    ]
    # A row's own system message stays in front: many endpoints refuse one that comes later.
    pair = [user("Capital of Italy?"), assistant("Rome")]
    assert asked(None, CHAT, SHOTS[:1]) == [CHAT.input[0], *pair, *CHAT.input[1:]]


def test_a_template_may_place_the_examples_itself() -> None:
    source = (
        "{% for shot in shots %}{{ shot.input }} {{ shot.answer }} {{ shot.meta.category }}\n{% endfor %}{{ input }}"
    )
    assert asked(source, ROW, SHOTS) == [user("Capital of Italy? Rome geo\n2+2? B math\nCapital of France?")]


def test_an_example_without_an_answer_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        asked("{{ input }}", ROW, (Sample(id="s", input="x"),))
    assert str(caught.value) == "the few-shot example 's' has neither references nor an answer to show"


@pytest.mark.parametrize("name", ["references", "answer", "output"])
def test_gold_never_goes_into_a_prompt(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        asked("{{ input }} {{ " + name + " }}")
    assert str(caught.value) == (
        f"prompt: '{name}' is gold and never goes into a prompt "
        "(only few-shot examples may show answers, as shot.answer in {% for shot in shots %})"
    )


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("{{ input }", "prompt: the template has a mistake on line 1: unexpected '}'"),
        ("a\n{% if input %}\nb {{ input }}", ("prompt: the template has a mistake on line 3: Unexpected end of template. "
         "Jinja was looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'")),
        ("{{ input | nosuch }}", "prompt: the template has a mistake on line 1: No filter named 'nosuch'"),
        ("{{ input | random }}", "prompt: the template has a mistake on line 1: No filter named 'random'"),
        ("Answer: {input}", "prompt: the prompt names no field, so every row would be asked the same (write {{ input }} where the question goes)"),
        ([user("hello")], "prompt: the prompt names no field, so every row would be asked the same (write {{ input }} where the question goes)"),
        ([], "prompt: message 1: expected {role, content} with one of the roles system, developer, user, assistant, tool, function"),
        ([{"role": "bot", "content": "x"}], "prompt: message 1: expected {role, content} with one of the roles system, developer, user, assistant, tool, function"),
        ([user("{{ input }}"), {"role": "user", "content": 3}], "prompt: message 2: the content must be a text"),
        ("gone.md", "gone.md: prompt: there is no such prompt file"),
    ],
)  # fmt: skip
def test_prompts_that_are_wrong(source: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        asked(source)
    assert str(caught.value) == sentence


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        asked([user("{{ input"), user("{{ answer }}"), {"role": "x", "content": ""}])
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ input }} {{ topic }}", "the prompt names a field that row 'q7' (line 7) lacks: 'topic' is undefined"),
        ("{{ meta.topic }}", "the prompt names a field that row 'q7' (line 7) lacks: 'dict object' has no attribute 'topic'"),
        ("{{ 1 / 0 }}{{ input }}", "the prompt cannot be made for row 'q7' (line 7): division by zero"),
        ("{% for i in range(10**9) %}x{% endfor %}{{ input }}", "the prompt cannot be made for row 'q7' (line 7): Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000)."),
        ("{{ input.__class__.__mro__ }}", "the prompt cannot be made for row 'q7' (line 7): access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ meta.update({'a': 1}) }}", "the prompt cannot be made for row 'q7' (line 7): "),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_asked_is_named(source: str, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        asked(source)
    assert str(caught.value).startswith(f"prompt: {reason}")


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("{{ input }} {{ category }} {{ id }}", {"category"}),
        ("{{ meta.topic }} {{ meta['kind'] }} {{ user.age }}", {"meta.topic", "meta.kind", "user.age"}),
        ("{{ q.stem }} {{ q }} {{ q.choices[0]['text'] }} {{ meta.a.b }} {{ meta['x.y'] }} {{ q['a.b'] }}", {"q.stem", "q.choices.0.text", "meta.a.b", "meta.x.y"}),
        ("{{ input.upper() }} {{ topic.title() }} {{ meta.items() }} {{ q.name.lower() }}", {"topic", "q.name"}),
        ("{{ q.stem | d('') }}{% if meta.a.b %}{{ meta.a.b }}{% endif %}{% if r %}{{ r.s }}{% endif %}{{ meta['n'] | d('') }}{{ input }}", set()),
        ("{{ contexts | join }} {{ choices[0] }}", {"contexts", "choices"}),
        ("{% if contexts %}{{ contexts | join }}{% endif %}{{ input }}", set()),
        ("{{ a | default('') }}{% if b is defined %}{{ b }}{% endif %}{{ meta.c or '' }}{{ meta.d | d('') }}{{ input }}", {"meta.c"}),
        ("{% set x = 1 %}{% for i in range(3) %}{{ i }}{{ x }}{% endfor %}{{ input }}", set()),
        (None, set()),
    ],
)  # fmt: skip
def test_the_fields_a_prompt_cannot_do_without(source: str | None, fields: set[str]) -> None:
    assert Template.from_source(source, base=HERE).fields == fields


def test_the_digest_is_of_the_words(tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text("Q: {{ input }}")
    digests = [
        Template.from_source(source, base=tmp_path).digest
        for source in ("Q: {{ input }}", "prompt.md", "Q:  {{ input }}", None, [user("Q: {{ input }}")])
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_prompts_in_files(tmp_path: Path) -> None:
    (tmp_path / "my prompts").mkdir()
    (tmp_path / "my prompts" / "a b.txt").write_text("\ufeffQ: {{ input }}\n", encoding="utf-8")
    (tmp_path / "chat.yaml").write_text("- {role: system, content: S}\n- {role: user, content: 'Q {{ input }}'}\n")
    text = Template.from_source("my prompts/a b.txt", base=tmp_path)
    assert text.messages(ROW) == (user("Q: Capital of France?"),)
    chat = Template.from_source("chat.yaml", base=tmp_path)
    assert chat.messages(ROW) == ({"role": "system", "content": "S"}, user("Q Capital of France?"))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("p.md", b"one\n{{ input }\n", "p.md:2: prompt: the template has a mistake: unexpected '}'"),
        ("p.md", b"\xff", "p.md: prompt: the prompt file cannot be read: it is not UTF-8"),
        ("p.yaml", b"a: [\n", "p.yaml:2: prompt: the file is not YAML"),
        ("p.yaml", b"a: 1\n", "p.yaml: prompt: expected a text or a list of {role, content}"),
    ],
)
def test_prompt_files_that_are_wrong(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Template.from_source(name, base=tmp_path)
    assert str(caught.value) == f"{tmp_path}/{sentence}"


@given(st.integers(0, 20_000))
def test_letters_count_on_without_end(index: int) -> None:
    value = 0
    for char in letter(index):
        value = value * 26 + ord(char) - ord("A") + 1
    assert value == index + 1
    assert lettered(["x", "y"]) == [("A", "x"), ("B", "y")]


def test_plain_prompts_do_not_import_the_template_engine() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from llmkit.prompts import Template; from llmkit.datasets import open_dataset;"
        "Template.from_source([{'role': 'system', 'content': 'S'}], base=Path());"
        "print([name for name in ('jinja2', 'yaml', 'numpy', 'datasets', 'pyarrow', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
