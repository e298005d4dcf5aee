"""Rows that were asked and what judges heard survive the way through their files."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llmkit.datasets import row_digest
from llmkit.store.records import (
    sample_from_dict,
    sample_to_dict,
    to_json,
    transcript_from_dict,
    transcript_to_dict,
)
from llmkit.types import Exchange, Sample, SampleRow, Transcript

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LISTS = st.lists(TEXTS, max_size=3).map(tuple)


@given(
    sample=st.builds(
        Sample,
        id=TEXTS,
        input=TEXTS | st.tuples(st.fixed_dictionaries({"role": st.just("user"), "content": TEXTS})),
        turns=LISTS,
        references=LISTS,
        contexts=LISTS,
        choices=LISTS,
        answer=st.none() | TEXTS | st.integers(0, 5),
        meta=st.dictionaries(TEXTS, st.integers() | TEXTS | st.lists(st.booleans())),
    )
)
def test_a_sample_survives_its_file_and_keeps_its_digest(sample: Sample) -> None:
    import json

    row: Any = json.loads(to_json(sample_to_dict(SampleRow(sample, row_digest(sample)))))
    read = sample_from_dict(row)
    assert read.sample == sample
    assert row_digest(read.sample) == read.digest == row_digest(sample)


@given(
    transcript=st.builds(
        Transcript,
        sample_id=TEXTS,
        scorer=TEXTS,
        exchanges=st.lists(
            st.builds(
                Exchange,
                messages=st.tuples(st.fixed_dictionaries({"role": st.just("user"), "content": TEXTS})),
                text=TEXTS,
            ),
            max_size=3,
        ).map(tuple),
        repeat=st.integers(0, 3),
    )
)
def test_a_transcript_survives_its_file(transcript: Transcript) -> None:
    import json

    assert transcript_from_dict(json.loads(to_json(transcript_to_dict(transcript)))) == transcript
