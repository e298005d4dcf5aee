from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from llmkit import registry
from llmkit.errors import ConfigError


@dataclass(frozen=True)
class Ruler:
    """Measures things.

    Long explanation.

    Attributes:
        variant: Which one.
        k: How many
            of them.
        words: The words.
        folder (Path): Where.
    """

    variant: Literal["1", "2", "L"] = "1"
    k: int = 5
    ratio: float = 0.5
    on: bool = False
    words: tuple[str, ...] = ()
    folder: Path | None = None
    either: int | str = 0
    weights: Mapping[str, float] = field(default_factory=dict)
    text: str = "x"
    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    files: tuple[Path, ...] = ()
    anything: Any = None
    secret_env: str = field(default="KEY", metadata={"identity": False})
    _private: int = 0


@dataclass(frozen=True)
class Needy:
    """Needs things."""

    target: str
    limit: int

    def __post_init__(self) -> None:
        if self.limit < 0:
            raise ValueError("limit must not be negative")


@dataclass(frozen=True)
class Drawer:
    """Builds another plug-in inside itself."""

    of: str | Mapping[str, Any] = "ruler"
    inner: Any = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inner", registry.build("metrics", self.of).plugin)


@pytest.fixture(autouse=True)
def plugins(forgotten: None) -> None:
    registry.metric("ruler")(Ruler)
    registry.metric("needy")(Needy)
    registry.metric("drawer")(Drawer)


def problems(written: Any, key: str = "") -> list[str]:
    return [str(problem) for problem in registry.check("metrics", written, key=key)]


@pytest.mark.parametrize(
    ("argument", "value", "becomes"),
    [
        ("variant", 1, "1"),
        ("variant", "L", "L"),
        ("k", 7, 7),
        ("ratio", 1, 1.0),
        ("on", True, True),
        ("words", ["a", 2], ("a", "2")),
        ("folder", "a/b", Path("a/b")),
        ("folder", None, None),
        ("either", 5, 5),
        ("either", "5", "5"),
        ("weights", {"a": 1}, {"a": 1.0}),
        ("text", 12, "12"),
        ("share", 0.5, 0.5),
        ("files", ["a", "b"], (Path("a"), Path("b"))),
        ("anything", {"x": [1]}, {"x": [1]}),
    ],
)
def test_values_become_their_field_types(argument: str, value: Any, becomes: Any) -> None:
    plugin = registry.build("metrics", {"ruler": {argument: value}}).plugin
    assert getattr(plugin, argument) == becomes
    assert type(getattr(plugin, argument)) is type(becomes)


@pytest.mark.parametrize(
    ("argument", "value", "sentence"),
    [
        ("variant", "3", "expected one of '1', '2', 'L', got '3'"),
        ("variant", True, "expected one of '1', '2', 'L', got true"),
        ("k", 0.5, "expected a whole number, got 0.5"),
        ("k", 5.0, "expected a whole number, got 5.0"),
        ("k", "5", "expected a whole number, got '5'"),
        ("k", True, "expected a whole number, got true"),
        ("k", None, "expected a whole number, got null"),
        ("ratio", "0.5", "expected a number, got '0.5'"),
        ("ratio", False, "expected a number, got false"),
        ("ratio", float("nan"), "expected a finite number, got nan"),
        ("on", "yes", "expected true or false, got 'yes'"),
        ("on", 1, "expected true or false, got 1"),
        ("words", "one", "expected a list, got 'one'"),
        ("folder", 5, "expected a path, got 5"),
        ("either", 1.5, "expected a whole number or a text, got 1.5"),
        ("either", [1], "expected a whole number or a text, got [1]"),
        ("text", True, "expected a text, got true"),
        ("text", 1.1, "expected a text, got the number 1.1; put quotes around it"),
        ("text", "x" * 80, None),
        ("share", 1.5, "must be at most 1, got 1.5"),
        ("share", -1, "must be at least 0, got -1"),
        ("weights", [1], "expected a mapping, got [1]"),
    ],
)
def test_nothing_is_converted_silently(argument: str, value: Any, sentence: str | None) -> None:
    expected = [f"ruler.{argument}: {sentence}"] if sentence else []
    assert problems({"ruler": {argument: value}}) == expected


def test_items_are_named_by_their_place() -> None:
    assert problems({"ruler": {"words": ["a", True], "weights": {"b": "c"}}}, "metrics[2]") == [
        "metrics[2].ruler.words[1]: expected a text, got true",
        "metrics[2].ruler.weights.b: expected a number, got 'c'",
    ]


def test_all_problems_of_a_spec_come_at_once() -> None:
    assert problems("needy(limt=1, target=true)", "metrics[0]") == [
        "metrics[0].limt: 'needy' has no argument 'limt' (did you mean 'limit'?)",
        "metrics[0].target: expected a text, got true",
        "metrics[0]: 'needy' needs the argument 'limit'",
    ]


def test_an_argument_given_twice() -> None:
    assert problems("needy('a', target='b', limit=1)") == ["needy.target: 'needy' is given the argument 'target' twice"]


def test_the_constructor_s_refusal_names_the_key() -> None:
    with pytest.raises(ConfigError) as refused:
        registry.build("metrics", "needy(a, limit=-1)", key="metrics[3]")
    assert str(refused.value) == "metrics[3]: limit must not be negative"


def test_a_value_alone_is_the_first_argument() -> None:
    built = registry.build("metrics", {"ruler": "L"})
    assert built.plugin.variant == "L"
    assert built.name == "ruler(variant='L')"


def test_the_canonical_name_leaves_out_defaults_and_what_is_no_identity() -> None:
    assert registry.build("metrics", {"ruler": {"variant": 1, "k": 5, "secret_env": "OTHER"}}).name == "ruler"
    assert registry.build("metrics", "ruler@10(folder='a/b', words=[x])").name == (
        "ruler@10(folder='a/b', words=['x'])"
    )
    assert registry.canonical("metrics", {"needy": {"target": "a", "limit": 0}}) == "needy(limit=0, target='a')"


def test_the_canonical_name_builds_an_equal_plugin() -> None:
    first = registry.build("metrics", {"ruler": {"k": 3, "weights": {"b": 2, "a": 1}, "share": 0}})
    assert registry.build("metrics", first.name) == first


def test_paths_start_from_the_base() -> None:
    plugin = registry.build("metrics", {"ruler": {"folder": "a b/c", "files": ["d", "/e"]}}, base=Path("conf")).plugin
    assert plugin.folder == Path("conf/a b/c")
    assert plugin.files == (Path("conf/d"), Path("/e"))
    assert registry.build("metrics", "ruler", base=Path("conf")).plugin.folder is None


def test_paths_of_a_plugin_inside_another_start_from_the_same_base() -> None:
    spec = {"drawer": {"of": {"ruler": {"folder": "c"}}}}
    assert registry.build("metrics", spec, base=Path("conf")).plugin.inner.folder == Path("conf/c")
    with pytest.raises(ConfigError):
        registry.build("metrics", {"drawer": {"of": {"ruler": {"k": "many"}}}}, base=Path("conf"))
    assert registry.build("metrics", spec).plugin.inner.folder == Path("c")


def test_explicit_names_every_argument() -> None:
    made = registry.explicit("metrics", "ruler@3(folder='x')")
    assert made["ruler"] == {
        "variant": "1",
        "k": 3,
        "ratio": 0.5,
        "on": False,
        "words": [],
        "folder": "x",
        "either": 0,
        "weights": {},
        "text": "x",
        "share": 1.0,
        "files": [],
        "anything": None,
        "secret_env": "KEY",
    }
    assert registry.explicit("metrics", made) == made


def test_unreadable_annotations_are_a_sentence() -> None:
    @dataclass(frozen=True)
    class Odd:
        x: Missing = 1  # type: ignore[name-defined]  # noqa: F821 - the point of the test

    registry.metric("odd")(Odd)
    [message] = problems("odd")
    assert message == (
        f"{__name__}: the field types of Odd cannot be read: name 'Missing' is not defined "
        "(import what they name at the top of the file, not under TYPE_CHECKING)"
    )


def test_describe_reads_fields_and_docstring() -> None:
    described = registry.describe("metrics", "ruler")
    assert (described.name, described.summary) == ("ruler", "Measures things.")
    assert described.doc == "Measures things.\n\nLong explanation."
    rows = {a.name: (a.type, a.default, a.help, a.required) for a in described.arguments}
    assert rows["variant"] == ("'1' | '2' | 'L'", '"1"', "Which one.", False)
    assert rows["k"] == ("int", "5", "How many of them.", False)
    assert rows["words"] == ("list[str]", "[]", "The words.", False)
    assert rows["folder"] == ("path | null", "null", "Where.", False)
    assert rows["weights"] == ("mapping", "{}", "", False)
    assert rows["share"][0] == "float"
    assert "_private" not in rows
    assert registry.describe("metrics", "needy").arguments[0].required


def test_describe_gives_json_schemas() -> None:
    schemas = {a.name: a.schema for a in registry.describe("metrics", "ruler").arguments}
    assert schemas["variant"] == {"enum": ["1", "2", "L", 1, 2]}
    assert schemas["share"] == {"type": "number", "minimum": 0, "maximum": 1}
    assert schemas["words"] == {"type": "array", "items": {"type": ["string", "integer"]}}
    assert schemas["folder"] == {"type": ["string", "null"]}
    assert schemas["weights"] == {"type": "object", "additionalProperties": {"type": "number"}}
    assert schemas["anything"] == {}
