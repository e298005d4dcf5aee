"""Filters: what they let pass, what they refuse, and that nothing a user writes becomes SQL."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.retrieval.filters import FilterError, all_of, compile_filter

FIELDS = {"date": "date", "lang": "str", "tags": "list[str]", "stars": "int", "price": "float", "draft": "bool"}
DOCUMENTS: list[dict[str, Any]] = [
    {"date": "2022-12-31", "lang": "en", "tags": ["howto", "api"], "stars": 3, "price": 1.5, "draft": False},
    {"date": "2023-01-01", "lang": "de", "tags": [], "stars": 5, "price": -2.0, "draft": True},
    {"date": "2023-06-30T10:00:00", "lang": "it's", "tags": ["api"], "stars": 0},
    {"lang": "", "stars": 7},
    {},
]


def passing(source: str, documents: list[dict[str, Any]] = DOCUMENTS) -> list[int]:
    where = compile_filter(source, FIELDS)
    database = sqlite3.connect(":memory:")
    try:
        database.execute("CREATE TABLE documents (id INTEGER PRIMARY KEY, path TEXT, title TEXT, meta TEXT)")
        database.executemany(
            "INSERT INTO documents VALUES (?, ?, ?, ?)",
            [(n, f"guides/{n}.md", f"Title {n}" if n else "", json.dumps(meta)) for n, meta in enumerate(documents)],
        )
        rows = database.execute(f"SELECT d.id FROM documents d WHERE {where.sql} ORDER BY d.id", where.parameters)
        return [row[0] for row in rows]
    finally:
        database.close()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('date >= 2023-01-01 and lang = "de"', [1]),
        ("date < 2023", [0]),
        ("date = 2023", [1, 2]),
        ("date <= 2023-06", [0, 1, 2]),
        ("date > 2023-01", [2]),
        ("date = 2023-06-30", [2]),
        ("date != 2023", [0, 3, 4]),
        ("date <= 9999-12-31", [0, 1, 2]),
        ("date in (2022, 2023-06)", [0, 2]),
        ("lang = en", [0]),
        ("lang == 'en' or lang = \"de\"", [0, 1]),
        ("lang <> en", [1, 2, 3, 4]),
        ("not lang = en", [1, 2, 3, 4]),
        ("lang in (en, 'de')", [0, 1]),
        ("lang not in [en, de]", [2, 3, 4]),
        ('lang = "it\'s"', [2]),
        ("lang = 'it\\'s'", [2]),
        ("tags = api", [0, 2]),
        ("tags = api and not tags = howto", [2]),
        ("tags in (howto, nothing)", [0]),
        ("tags contains ap", [0, 2]),
        ("stars >= 3 and (draft = false or price < 0)", [0, 1]),
        ("stars != 3", [1, 2, 3, 4]),
        ("price = 1.5", [0]),
        ("price > -3", [0, 1]),
        ("draft = TRUE", [1]),
        ("exists price", [0, 1]),
        ("not exists date", [3, 4]),
        ("exists title and exists path", [1, 2, 3, 4]),
        ("path glob 'guides/[01].md'", [0, 1]),
        ("title contains 'le 4'", [4]),
        ("stars = 3 OR stars = 5 AND draft = false", [0]),
        ("NOT (stars = 3 or not stars = 3)", []),
    ],
)
def test_a_filter_lets_pass(source: str, found: list[int]) -> None:
    assert passing(source) == found


@pytest.mark.parametrize(
    ("source", "message", "column"),
    [
        ("dat >= 2023", "there is no field 'dat' (did you mean 'date'?)", 0),
        ("lang = en and dte = 2023", "there is no field 'dte'", 14),
        ("date >= yesterday", "'yesterday' is no date such as", 8),
        ("date >= 2023-02-30", "'2023-02-30' is no date", 8),
        ("stars > many", "'many' is no number, and 'stars' is of type int", 8),
        ("stars = '3'", "'3' is no number", 8),
        ("stars = nan", "'nan' is no number", 8),
        ("draft = maybe", "neither true nor false", 8),
        ("draft > true", "has no order", 0),
        ("tags < x", "has no order", 0),
        ("stars contains 3", "'contains' is for texts", 0),
        ("lang", "expected =, !=", 4),
        ("lang = ", "expected a value", 6),
        ("lang = en lang = de", "expected 'and', 'or' or the end, found 'lang'", 10),
        ("(lang = en", "expected ')'", 10),
        ("lang in en", "expected a list", 8),
        ("lang not = en", "expected 'in' after 'not'", 9),
        ("lang = 'en", "the quotation mark is never closed", 7),
        ("and lang = en", "expected the name of a field, found 'and'", 0),
        ("lang ! en", "'!' cannot stand here", 5),
    ],
)
def test_a_filter_is_refused_with_the_place(source: str, message: str, column: int) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(source, FIELDS)
    said, line, caret = str(caught.value).split("\n")
    assert message in said
    assert line == f"  {source}"
    assert caret == " " * (column + 2) + "^"
    assert caught.value.exit_code == 2


def test_long_lists_and_chains_are_no_trouble_for_sqlite() -> None:
    assert passing(f"stars in ({','.join(map(str, range(4, 1990)))})") == [1, 3]
    assert passing(" or ".join(f"stars={number}" for number in range(4, 550))) == [1, 3]
    assert passing(" and ".join(f"stars!={number}" for number in range(4, 550))) == [0, 2, 4]
    months = ",".join(f"{year}-{month:02}" for year in range(1950, 2023) for month in range(1, 13))
    assert passing(f"date in ({months})") == [0]
    assert passing(f"tags in ({','.join(f'x{number}' for number in range(1400))}, howto)") == [0]


def test_several_filters_must_all_hold() -> None:
    written = all_of(["stars = 3 or stars = 5", 'lang = "en"'])
    assert written is not None
    assert passing(written) == [0]
    assert all_of(["stars = 3"]) == "stars = 3"
    assert all_of([]) is None


def test_all_misfits_are_told_at_once() -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter("dat = 2023 and stars = x or draft = 1", FIELDS)
    assert str(caught.value).count("^") == 3


def test_what_is_too_much_is_refused_in_a_sentence() -> None:
    for source in ("", "   ", "(" * 5000 + "lang = en", "not " * 200 + "lang = en", "lang = " + "x" * 20_000):
        with pytest.raises(FilterError):
            compile_filter(source, FIELDS)


_values = {
    "lang": st.sampled_from(["en", "de", "' OR 1=1 --", '"', "%", "ü"]),
    "stars": st.integers(-5, 5),
    "date": st.dates().map(str),
    "tags": st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
}
_metas = st.lists(st.fixed_dictionaries({}, optional=_values), min_size=1, max_size=8)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _holds(meta: dict[str, Any], test: tuple[str, str, Any]) -> bool:
    field, operator, value = test
    if field not in meta:
        return operator == "!="
    if field == "tags":
        return (value in meta["tags"]) != (operator == "!=")
    have = meta[field]
    found: dict[str, bool] = {
        "=": have == value,
        "!=": have != value,
        "<": have < value,
        "<=": have <= value,
        ">": have > value,
        ">=": have >= value,
    }
    return found[operator]


@st.composite
def _tests(draw: st.DrawFn) -> tuple[str, str, Any]:
    field = draw(st.sampled_from(["lang", "stars", "date", "tags"]))
    ordered = ["=", "!="] if field == "tags" else ["=", "!=", "<", "<=", ">", ">="]
    value = draw(st.sampled_from(["a", "b", "z"]) if field == "tags" else _values[field])
    return field, draw(st.sampled_from(ordered)), value


def _written(test: tuple[str, str, Any]) -> str:
    field, operator, value = test
    return f"{field} {operator} {value if field in {'stars', 'date'} else _quoted(value)}"


@given(_metas, _tests(), _tests(), st.sampled_from(["and", "or"]), st.booleans())
def test_sql_agrees_with_python(
    metas: list[dict[str, Any]], one: tuple[str, str, Any], other: tuple[str, str, Any], word: str, negated: bool
) -> None:
    source = f"({_written(one)} {word} {_written(other)})"
    source = f"not {source}" if negated else source
    join = all if word == "and" else any
    wanted = [number for number, meta in enumerate(metas) if join([_holds(meta, one), _holds(meta, other)]) != negated]
    assert passing(source, metas) == wanted


@given(st.text(max_size=60))
def test_any_text_compiles_or_is_refused_in_a_sentence(source: str) -> None:
    try:
        where = compile_filter(source, FIELDS)
    except FilterError:
        return
    assert where.sql.count("?") == len(where.parameters)


@given(st.text(min_size=1, max_size=30))
def test_a_value_never_reaches_the_sql(value: str) -> None:
    where = compile_filter(f"lang = {_quoted(value)}", FIELDS)
    assert where.sql == compile_filter("lang = en", FIELDS).sql
    assert where.parameters[-1] == value
