"""Longest common subsequence and edit distance with a whole table column in the bits of one integer.

A Python integer has as many bits as it needs, so one addition advances a column of any length: n additions
instead of n x m steps of the textbook table.

Sources: Hyyro 2004, "Bit-parallel LCS-length computation revisited" (after Crochemore et al. 2001);
Myers 1999 and Hyyro 2003 for the edit distance. The weighted subsequence, whose cells are no bits, goes row by row.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import accumulate


def positions(items: Sequence[Hashable]) -> dict[Hashable, int]:
    """Return for each item an integer whose bit i says that it stands at place i."""
    found: dict[Hashable, int] = {}
    get = found.get
    bit = 1
    for item in items:
        found[item] = get(item, 0) | bit
        bit <<= 1
    return found


def lcs_length(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """Return the length of a longest common subsequence."""
    size = len(left)
    left, right = _without_common_ends(left, right)
    ends = size - len(left)
    if not left or not right:
        return ends
    get = positions(left).get
    column = full = (1 << len(left)) - 1
    for item in right:
        places = get(item, 0)
        if places:
            step = column & places
            column = (column + step) | (column - step)
    return ends + len(left) - (column & full).bit_count()


def lcs_places(places_of: Mapping[Hashable, int], length: int, right: Sequence[Hashable]) -> int:
    """Return, as bits, the places in the left text of one longest common subsequence with ``right``.

    Of several longest ones it is the one that rouge-score reads out of its table: from the end, a match is
    always taken, and without one the left text is shortened first where that costs nothing.

    Args:
        places_of: `positions` of the left text.
        length: Length of the left text.
        right: The other text.
    """
    column = full = (1 << length) - 1
    matches: list[int] = []
    columns: list[int] = []
    for item in right:
        places = places_of.get(item, 0)
        if places:
            step = column & places
            column = (column + step) | (column - step)
        elif not matches or not matches[-1]:
            continue  # items that match nothing leave the column as it is: a run of them is one step of the walk
        matches.append(places)
        columns.append(column)
    chosen = 0
    below = full
    while columns and below:
        places = matches.pop()
        # A zero bit of a column is a place where the table grows; only those and the matches stop the walk.
        stops = (places | ~columns.pop()) & below
        if not stops:
            break
        top = 1 << (stops.bit_length() - 1)
        below = top - 1
        if places & top:
            chosen |= top
        else:
            below |= top
    return chosen


def weighted_lcs(left: Sequence[Hashable], right: Sequence[Hashable], weight: float) -> float:
    """Return the score of a common subsequence in which a run of k matches next to one another counts k**weight.

    Source: the table of Lin 2004, section 3.3: a match always goes on from the cell before both words, and adds what
    makes the run there longer by one; without a match the better neighbour is kept.
    """
    places: dict[Hashable, list[int]] = {}
    for place, item in enumerate(right, 1):
        places.setdefault(item, []).append(place)
    counts = [k**weight for k in range(min(len(left), len(right)) + 1)]
    row = [0.0] * (len(right) + 1)
    runs: dict[int, int] = {}  # place in the right text -> matches in a row that end there
    for item in left:
        longer: dict[int, int] = {}
        new = [0.0]
        for place in places.get(item, ()):
            new[-1:] = accumulate(row[len(new) : place], max, initial=new[-1])
            run = runs.get(place - 1, 0)
            new.append(row[place - 1] + counts[run + 1] - counts[run])
            longer[place] = run + 1
        if longer or runs:  # else nothing has changed since the row before
            new[-1:] = accumulate(row[len(new) :], max, initial=new[-1])
            row = new
        runs = longer
    return row[-1]


def edit_distance(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """Return the smallest number of insertions, deletions and substitutions that turns one into the other."""
    left, right = _without_common_ends(left, right)
    if not left or not right:
        return len(left) + len(right)
    get = positions(left).get
    full = (1 << len(left)) - 1
    last = 1 << (len(left) - 1)
    up, down = full, 0
    distance = len(left)
    for item in right:
        places = get(item, 0)
        diagonal = ((((places & up) + up) ^ up) | places | down) & full
        rise = down | (full & ~(diagonal | up))
        fall = up & diagonal
        if rise & last:
            distance += 1
        elif fall & last:
            distance -= 1
        rise = (rise << 1 | 1) & full
        fall = (fall << 1) & full
        up = fall | (full & ~(diagonal | rise))
        down = rise & diagonal
    return distance


def _without_common_ends(
    left: Sequence[Hashable], right: Sequence[Hashable]
) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    start, end = 0, min(len(left), len(right))
    while start < end and left[start] == right[start]:
        start += 1
    tail = 0
    while tail < end - start and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    return left[start : len(left) - tail], right[start : len(right) - tail]
