from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit.spec import FIRST, NAME, Spec, parse


@pytest.mark.parametrize(
    ("written", "name", "args"),
    [
        ("bleu", "bleu", {}),
        (" bleu ", "bleu", {}),
        ("bleu()", "bleu", {}),
        ("ndcg@10", "ndcg", {"k": 10}),
        ("ndcg(k=10)", "ndcg", {"k": 10}),
        ("ndcg@10(gain='exp')", "ndcg", {"k": 10, "gain": "exp"}),
        ({"ndcg": {"k": 10}}, "ndcg", {"k": 10}),
        ({"ndcg@10": None}, "ndcg", {"k": 10}),
        ({"ndcg@10": {"gain": "exp"}}, "ndcg", {"k": 10, "gain": "exp"}),
        ("rouge(variant='L')", "rouge", {"variant": "L"}),
        ("rouge(variant=L)", "rouge", {"variant": "L"}),
        ({"rouge": {"variant": "L"}}, "rouge", {"variant": "L"}),
        ({"python": "app:answer"}, "python", {FIRST: "app:answer"}),
        ("python('app:answer')", "python", {FIRST: "app:answer"}),
        ({"contains": ["a", "b"]}, "contains", {FIRST: ["a", "b"]}),
        ("m(a=true, b=False, c=null, d=None)", "m", {"a": True, "b": False, "c": None, "d": None}),
        # As in YAML, none is a word, and the name of a normalisation.
        ("m(a=none)", "m", {"a": "none"}),
        ("m(a=-1, b=-.5, c=1e999)", "m", {"a": -1, "b": -0.5, "c": float("inf")}),
        ("m(a=[x, 'y', (1, 2)], b={k: v})", "m", {"a": ["x", "y", [1, 2]], "b": {"k": "v"}}),
        (r"m(pattern='\d+')", "m", {"pattern": r"\d+"}),
        (r"m(pattern=r'\bno')", "m", {"pattern": r"\bno"}),
        ("json-match.v2", "json-match.v2", {}),
    ],
)
def test_spellings(written: Any, name: str, args: dict[str, Any]) -> None:
    assert parse(written) == Spec(name, args)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("", "'' is not a name such as rouge, ndcg@10 or rouge(variant='L')"),
        ("9lives", "'9lives' is not a name such as rouge, ndcg@10 or rouge(variant='L')"),
        ("ndcg@", "'ndcg@' is not a name such as rouge, ndcg@10 or rouge(variant='L')"),
        ("ndcg@ten", "'ndcg@ten' is not a name such as rouge, ndcg@10 or rouge(variant='L')"),
        ("a b", "'a b' is not a name such as rouge, ndcg@10 or rouge(variant='L')"),
        ("rouge(variant=)", "'rouge(variant=)' is not a call such as rouge(variant='L')"),
        ("rouge(L)(M)", "'rouge(L)(M)' is not a call such as rouge(variant='L')"),
        ("m(a=" + "[" * 500 + ")", f"'{'m(a=' + '[' * 73}...' is not a call such as rouge(variant='L')"),
        (
            "rouge('L', 'M')",
            "only the first argument may go without a name in 'rouge('L', 'M')'; write rouge(variant='L')",
        ),
        ("m(**x)", "only the first argument may go without a name in 'm(**x)'; write rouge(variant='L')"),
        ("m(a=open('x'))", "a value in 'm(a=open('x'))' is not a plain literal"),
        ("m(a=b'x')", "a value in 'm(a=b'x')' is not a plain literal"),
        ("m(a={1, 2})", "a value in 'm(a={1, 2})' is not a plain literal"),
        ("m(a=...)", "a value in 'm(a=...)' is not a plain literal"),
        ("m(a={**x})", "a value in 'm(a={**x})' is not a plain literal"),
        ("m(a=1, a=2)", "'a' is given twice in 'm(a=1, a=2)'"),
        ("ndcg@10(k=5)", "'k' is given twice in 'ndcg@10(k=5)'"),
        ({"ndcg@10": {"k": 5}}, "'k' is given twice in 'ndcg@10'"),
        ({}, "expected one name with its arguments, got 0 (none)"),
        ({"a": {}, "b": {}}, "expected one name with its arguments, got 2 (a, b)"),
        (
            {"rouge": None, "variant": "L"},
            "expected one name with its arguments, got 2 (rouge, variant); indent the arguments under 'rouge'",
        ),
        (5, "expected a name such as rouge, rouge(variant='L') or {rouge: {variant: L}}, got 5"),
    ],
)
def test_bad_specs_are_refused_in_a_sentence(written: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse(written)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("spec", "canonical"),
    [
        (Spec("ndcg", {"k": 10}), "ndcg@10"),
        (Spec("rouge", {"variant": "L", "stem": True}), "rouge(stem=True, variant='L')"),
        (Spec("m", {"k": "ten"}), "m(k='ten')"),
        (Spec("m", {"k": None}), "m(k=None)"),
        (Spec("m", {"k": -1}), "m(k=-1)"),
        (Spec("m", {"k": True}), "m(k=True)"),
        (Spec("m", {"x": {"b": 1, "a": [2]}}), "m(x={'a': [2], 'b': 1})"),
        (Spec("python", {FIRST: "app:answer", "threads": 2}), "python('app:answer', threads=2)"),
    ],
)
def test_canonical_spelling(spec: Spec, canonical: str) -> None:
    assert str(spec) == canonical


_names = st.from_regex(NAME, fullmatch=True)
_keys = st.text(string.ascii_lowercase + "_", min_size=1, max_size=8).map(lambda key: f"x_{key}")
_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)


@given(_names, st.dictionaries(_keys | st.just("k") | st.just(FIRST), _values, max_size=4))
def test_canonical_spelling_reads_back_unchanged(name: str, args: dict[str, Any]) -> None:
    spec = Spec(name, args)
    assert parse(str(spec)) == spec
    assert str(parse(str(spec))) == str(spec)
    assert parse({name: args}) == spec


@given(st.text(max_size=40) | st.from_regex(r"[a-z]{1,3}(@[0-9]{1,3})?\([\[\]a-z=,1']{0,8}\)", fullmatch=True))
def test_any_text_is_a_spec_or_a_sentence(text: str) -> None:
    try:
        spec = parse(text)
    except ValueError:
        return
    assert parse(str(spec)) == spec
