from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmkit.text.numbers import find_numbers, first_number, last_number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("none at all", []),
        ("42", [42]),
        ("A: 42.", [42]),
        ("#### 42", [42]),
        (".5 and 0.5", [0.5, 0.5]),
        ("1,234.5", [1234.5]),
        ("1,234,567", [1234567]),
        ("1,2,3", [1, 2, 3]),
        ("12,34", [12, 34]),
        ("1.234,5", [1.234, 5]),
        ("$1,000", [1000]),
        ("-$5 or $-5 or -\\$5 or \u22125", [-5, -5, -5, -5]),
        ("50%", [50]),
        ("-3 + (-4) = -7", [-3, -4, -7]),
        ("16-3=13", [16, 3, 13]),
        ("5 - 3", [5, 3]),
        ("f(2)-3, 50%-60%, 7--8", [2, 3, 50, 60, 7, 8]),
        ("2020-01-05", [2020, 1, 5]),
        ("12/25/2020", [12, 25, 2020]),
        ("1e-3 and 2E5", [0.001, 200000]),
        ("2 x 10^5, 3\u00d710^{-2}, 4 \\times 10^2", [200000, 0.03, 400]),
        ("3/4", [0.75]),
        ("-1/2", [-0.5]),
        ("1 1/2 cups", [1.5]),
        ("-1 1/2", [-1.5]),
        ("5 10/2", [5, 5]),
        ("2020 1/2", [2020, 0.5]),
        ("3/0", [3, 0]),
        ("\\frac{3}{4} and \\dfrac{-1}{2} and -\\frac{1}{4}", [0.75, -0.5, -0.25]),
        ("\\boxed{12}", [12]),
        ("<<16-3=13>>13", [16, 3, 13, 13]),
        ("CO2, GPT4 and 3D", [3]),
        ("v1.5.2", []),
        ("version 1.5.2", [1.5]),
        ("\u7b54\u6848\u662f42", [42]),
        ("1e999", []),
        ("9" * 400, []),
        ("US$5", [5]),
    ],
)
def test_reads_numbers_as_people_write_them(text: str, expected: list[float]) -> None:
    assert list(find_numbers(text)) == expected
    assert first_number(text) == (expected[0] if expected else None)
    assert last_number(text) == (expected[-1] if expected else None)


@given(
    st.integers(-(2**53), 2**53), st.sampled_from(["{}", "{:,}", "so it is {}.", "A: {:,} apples", "= ${}", "#### {}"])
)
def test_whole_numbers_come_back_exactly(number: int, frame: str) -> None:
    assert list(find_numbers(frame.format(number))) == [number]


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(1e-300)
def test_floats_come_back_exactly(number: float) -> None:
    assert last_number(repr(number)) == number


@given(st.integers(-999, 999), st.integers(1, 999))
def test_fractions_are_quotients(top: int, bottom: int) -> None:
    assert list(find_numbers(f"{top}/{bottom}")) == [top / bottom]


@given(st.text(alphabet="0123456789.,-/ e$%x^{}\\fracA\n", max_size=40))
def test_any_text_gives_finite_numbers_and_the_ends_agree(text: str) -> None:
    numbers = list(find_numbers(text))
    assert all(math.isfinite(number) for number in numbers)
    assert first_number(text) == (numbers[0] if numbers else None)
    assert last_number(text) == (numbers[-1] if numbers else None)
