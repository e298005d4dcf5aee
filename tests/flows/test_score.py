"""Scoring from Python: lists in, a score for each pair and a value with its interval out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import score
from llmkit.errors import UsageError
from llmkit.metrics import MeanMetric, metric
from llmkit.metrics.token_f1 import TokenF1
from llmkit.types import Failure, Output, Sample, Score, Skipped

texts = st.lists(st.sampled_from(["", "a", "a b", "b c d"]), min_size=1, max_size=200)


@metric("in_batches_of_three")
@dataclass(frozen=True)
class InBatches(MeanMetric):
    """Says how many outputs came at once."""

    batch: ClassVar[int] = 3

    def score(self, sample: Sample, output: Output) -> float:
        """Return 1: an output alone."""
        return 1.0

    def stats_many(self, pairs: Sequence[tuple[Sample, Output]]) -> list[tuple[float]]:
        """Return how many there are."""
        return [(float(len(pairs)),)] * len(pairs)


@given(outputs=texts, data=st.data())
def test_every_pair_has_the_score_that_it_has_alone(outputs: list[str], data: st.DataObject) -> None:
    references = data.draw(st.lists(st.sampled_from(["a", "c b"]), min_size=len(outputs), max_size=len(outputs)))
    found = score(outputs, references, metrics=["token_f1"])["token_f1"]
    plain = TokenF1()
    alone = []
    for number, (output, reference) in enumerate(zip(outputs, references, strict=True)):
        value = plain.score(Sample("s", references=(reference,)), Output("s", output))
        assert isinstance(value, float)
        alone.append(Score(str(number), "token_f1", value, stats=(value,)))
    assert list(found.scores) == alone
    assert found.scores[-1] == alone[-1]
    assert found.scores[1:3] == alone[1:3]
    assert found.estimate is not None
    assert found.estimate.value == pytest.approx(sum(one.value or 0.0 for one in alone) / len(alone))
    assert found.estimate.n == len(found.scores) == len(alone)


def test_failed_answers_and_rows_without_a_reference_are_no_scores() -> None:
    outputs: list[str | Output] = ["a", Output("x", None, error=Failure("timeout", "too slow")), Output("x", "a"), "a"]
    found = score(outputs, [["b", "a"], "a", ("a",), []], metrics=["exact_match", "length"])
    scores = found["exact_match"].scores
    assert [(one.sample_id, one.value, one.status) for one in scores] == [
        ("0", 1.0, "ok"),
        ("1", None, "error"),
        ("2", 1.0, "ok"),
        ("3", None, "skipped"),
    ]
    assert scores[1].reason == "no output: timeout"
    assert scores[3].reason == "no reference"
    assert [one.value for one in found["length"].scores] == [1, None, 1, 1]


def test_samples_keep_their_ids() -> None:
    samples = [Sample(f"row {number}", references=("a",)) for number in range(70)]
    found = score(["a"] * 70, samples=samples, metrics=["exact_match"])["exact_match"]
    assert [one.sample_id for one in found.scores] == [sample.id for sample in samples]


def test_a_metric_that_takes_several_at_once_gets_them_so() -> None:
    values = [one.value for one in score(["a"] * 70, ["a"] * 70, metrics=["in_batches_of_three"]).popitem()[1].scores]
    assert values == [3.0] * 69 + [1.0]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UsageError, match="2 outputs for 1 references"):
        score(["a", "b"], ["a"], metrics=["exact_match"])
    with pytest.raises(UsageError, match="either references or samples"):
        score(["a"], metrics=["exact_match"])
    with pytest.raises(UsageError, match="the level 2"):
        score(["a"], ["a"], metrics=["exact_match"], level=2)
    assert isinstance(TokenF1().score(Sample("s"), Output("s", "a")), Skipped)


SEEN: list[tuple[Sample, Output]] = []


@metric("looks")
@dataclass(frozen=True)
class Looks(MeanMetric):
    """Keeps what it is shown."""

    def score(self, sample: Sample, output: Output) -> float:
        """Keep both records."""
        SEEN.append((sample, output))
        return 1.0


def test_a_metric_is_shown_whole_records() -> None:
    SEEN.clear()
    score(["x"], [["r", "s"]], metrics=["looks"])
    [(sample, output)] = SEEN
    assert asdict(sample) == asdict(Sample("0", references=("r", "s")))
    assert asdict(output) == asdict(Output("0", "x"))
    assert replace(sample, answer="b").references == ("r", "s")
    assert (sample.answer, sample.meta, output.retrieved, output.response) == (None, {}, (), None)
    with pytest.raises(AttributeError, match="no attribute 'anything'"):
        _ = sample.anything  # type: ignore[attr-defined]  # it has none
