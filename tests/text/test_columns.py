"""Blocks of lines split at once give what each line gives."""

from __future__ import annotations

from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from llmkit.text.columns import split_columns, stretches

lines = st.lists(
    st.sampled_from(
        [b"a b c", b"a\tb  c", b" d e f ", b"d e f\r", b"g h", b"g h i j", b"", b"# x y", b"a \0 c", b"\0 b c"]
    ),
    min_size=1,
    max_size=6,
)


@given(lines, st.booleans())
def test_a_block_is_split_as_its_lines_are(found: list[bytes], ended: bool) -> None:
    block = b"\n".join(found) + (b"\n" if ended else b"")
    rows = [line.split() for line in block.removesuffix(b"\n").split(b"\n")]
    plain = all(len(row) == 3 and b"\0" not in row for row in rows) and not any(row[0] == b"#" for row in rows)
    expected = [[row[column] for row in rows] for column in (2, 0)] if plain else None
    assert split_columns(block, 3, (2, 0)) == expected


@given(st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=30))
def test_stretches_are_runs_of_equal_neighbours(items: list[bytes]) -> None:
    sizes = [len(list(run)) for _, run in groupby(items)]
    places = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    assert list(stretches(items)) == list(pairwise(places))
