"""geval: steps written once, numbers weighed by probability, sampling where there are no probabilities."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import registry
from llmkit.errors import ConfigError, PermanentError, RequestError
from llmkit.judges._numbers import weighed
from llmkit.judges.geval import Geval
from llmkit.testing import Reply, converse
from llmkit.types import Failure, Output, Request, Response, Sample, Skipped, TokenLogprob

SAMPLE = Sample("q", "Summarise it.", contexts=("A passage.",), references=("A summary.",))
OUTPUT = Output("q", "An answer.")
STEPS = ["Read it.", "Score it."]


def token(sampled: str, **others: float) -> TokenLogprob:
    """Return a token with alternatives: ``token("1", **{"2": .3})`` takes 1 with what is left."""
    top = tuple((text, math.log(p)) for text, p in others.items())
    own = others.get(sampled)
    return TokenLogprob(sampled, math.log(own) if own else -9.0, top)


def said(*tokens: TokenLogprob, text: str = "") -> Response:
    return Response(text=text or "".join(t.token for t in tokens), logprobs=tokens)


def test_the_score_is_the_expected_number() -> None:
    response = said(token("4", **{"3": 0.2, "4": 0.5, "5": 0.3}))
    judgment, [request] = converse(Geval("coherence", steps=STEPS).judge(SAMPLE, OUTPUT), [response])
    assert judgment.stats == pytest.approx((4.1, 1.0, 0.0, 0.0, 1.0))
    assert request.params["logprobs"] is True
    assert request.params["top_logprobs"] == 20
    text = request.messages[1]["content"]
    for part in ("Coherence:", "1. Read it.", "Summarise it.", "A passage.", "A summary.", "An answer.", "from 1 to 5"):
        assert part in text


def test_numbers_off_the_scale_and_words_do_not_count_and_the_mass_says_so() -> None:
    found = weighed([token("4", **{"4": 0.6, "100": 0.1, "7": 0.1, " 5": 0.1, "The": 0.1})], 1, 5)
    assert found is not None
    assert found.mass == pytest.approx(0.7)
    assert found.mean == pytest.approx((0.6 * 4 + 0.1 * 5) / 0.7)


def test_variants_of_one_number_are_added() -> None:
    found = weighed([token("3", **{"3": 0.5, " 3": 0.2, "\uff13": 0.1, "3\n": 0.1, "2": 0.1})], 1, 5)
    assert found is not None
    assert found.shares[3] == pytest.approx(0.9)


def test_a_ten_in_two_tokens_is_told_from_a_one() -> None:
    first, second = token("1", **{"1": 0.8, "9": 0.2}), token("0", **{"0": 0.75, "\n": 0.25})
    found = weighed([first, second], 1, 10)
    assert found is not None
    assert found.shares[10] == pytest.approx(0.6)
    assert found.shares[1] == pytest.approx(0.2)
    assert found.shares[9] == pytest.approx(0.2)
    assert found.ambiguous == 0


def test_a_one_that_was_not_gone_on_from_is_ambiguous_unless_tens_are_tokens() -> None:
    lone = weighed([token("9", **{"9": 0.7, "1": 0.3})], 1, 10)
    assert lone is not None
    assert lone.mass == pytest.approx(0.7)
    assert lone.ambiguous == pytest.approx(0.3)
    whole = weighed([token("9", **{"9": 0.6, "1": 0.3, "10": 0.1})], 1, 10)
    assert whole is not None
    assert whole.shares[1] == pytest.approx(0.3)
    assert whole.shares[10] == pytest.approx(0.1)


def test_a_hundred_in_three_tokens() -> None:
    tokens = [token("1", **{"1": 0.9}), token("0", **{"0": 0.8, "5": 0.1}), token("0", **{"0": 0.5, ".": 0.5})]
    found = weighed(tokens, 1, 100)
    assert found is not None
    assert found.shares[100] == pytest.approx(0.9 * 0.8 * 0.5)
    assert found.shares[10] == pytest.approx(0.9 * 0.8 * 0.5)
    assert found.shares[15] == pytest.approx(0.9 * 0.1)


@given(
    low=st.integers(0, 5),
    size=st.integers(1, 99),
    weights=st.dictionaries(st.integers(0, 120), st.floats(0.01, 1), min_size=1, max_size=20),
)
def test_mass_and_ambiguity_never_exceed_the_whole_and_the_mean_is_on_the_scale(
    low: int, size: int, weights: dict[int, float]
) -> None:
    total = sum(weights.values())
    shares = {str(number): weight / total for number, weight in weights.items()}
    found = weighed([token(next(iter(shares)), **shares)], low, low + size)
    assert found is not None
    assert found.mass + found.ambiguous <= 1 + 1e-9
    if found.mass:
        assert low - 1e-9 <= found.mean <= low + size + 1e-9


def test_too_little_mass_is_sampled_with_a_standard_error() -> None:
    low_mass = said(token("4", **{"4": 0.5, "Well": 0.5}))
    replies: list[Reply] = [low_mass, "4", "5", "3", "4"]
    judgment, requests = converse(Geval("coherence", steps=STEPS, samples=4).judge(SAMPLE, OUTPUT), replies)
    assert judgment.stats == pytest.approx((4.0, 0.0, math.sqrt(2 / 3 / 4), 0.0, 0.0))
    assert [request.repeat for request in requests] == [0, 1, 2, 3, 4]
    assert requests[1].params["temperature"] == 1.0


def test_without_log_probabilities_samples_that_are_no_number_are_left_out_and_counted() -> None:
    replies = ["4", "4", "five", "5", "99", "3"]
    judgment, _ = converse(Geval("coherence", steps=STEPS, samples=5).judge(SAMPLE, OUTPUT), replies)
    assert isinstance(judgment.stats, tuple)
    assert judgment.stats[0] == 4.0
    assert judgment.stats[3] == 2.0


def test_an_endpoint_that_refuses_log_probabilities_is_sampled_and_other_refusals_are_not_hidden() -> None:
    refused = PermanentError("'logprobs' is not supported", kind="http_400", status=400)
    judgment, _ = converse(Geval("coherence", steps=STEPS, samples=2).judge(SAMPLE, OUTPUT), [refused, "4", "4"])
    assert judgment.stats[0] == 4.0  # type: ignore[index]
    other = PermanentError("maximum context length is 4096 tokens", kind="http_400", status=400)
    with pytest.raises(RequestError, match="context length"):
        converse(Geval("coherence", steps=STEPS).judge(SAMPLE, OUTPUT), [other])


def test_no_more_samples_are_paid_for_where_none_of_the_first_is_a_number() -> None:
    judge = Geval("coherence", steps=STEPS, samples=20, probabilities="never")
    judgment, requests = converse(judge.judge(SAMPLE, OUTPUT), ["I would rather not."] * 20)
    assert isinstance(judgment.stats, Failure)
    assert "only 0 of 5 answers" in judgment.stats.message
    assert len(requests) == 5
    judgment, requests = converse(judge.judge(SAMPLE, OUTPUT), ["no"] * 4 + ["3"] * 16)
    assert len(requests) == 20
    assert judgment.stats[0] == 3.0  # type: ignore[index]


@pytest.mark.parametrize("text", ["<html>", "I cannot rate this.", "11", "0", "1-3", "vier"])
def test_samples_that_say_nothing_usable_are_an_error_and_never_a_0(text: str) -> None:
    judgment, _ = converse(Geval("coherence", steps=STEPS, samples=4).judge(SAMPLE, OUTPUT), [text] * 5)
    assert isinstance(judgment.stats, Failure)
    assert "only 0 of 4" in judgment.stats.message


def test_steps_are_written_once_kept_and_read(tmp_path: Path) -> None:
    judge = Geval("Brevity: no word too many.", folder=tmp_path)
    assert judge.unprepared
    before = judge.signature
    files, [request] = converse(judge.prepare(), [Response(text="1. Count.\n2) Compare.\n\nDone.", model="m")])
    assert "Brevity" in request.messages[0]["content"]
    [(path, text)] = files.items()
    assert path.parent == tmp_path
    path.write_text(text)
    again = Geval("Brevity: no word too many.", folder=tmp_path)
    assert not again.unprepared
    assert again.signature != before
    _, [asked] = converse(again.judge(SAMPLE, OUTPUT), [said(token("4", **{"4": 1.0}))])
    assert "1. Count.\n2. Compare." in asked.messages[1]["content"]
    path.write_text(text.replace("Compare.", "Compare well."))
    assert Geval("Brevity: no word too many.", folder=tmp_path).signature != again.signature
    assert Geval("Brevity: no word too few.", folder=tmp_path).unprepared


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("steps: [", "is not YAML"),
        ("steps: []", "holds no steps"),
        ("criterion: other\nsteps: [a]", "another criterion"),
    ],
)
def test_a_file_of_steps_that_does_not_fit_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = Geval("coherence", folder=tmp_path).path
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        registry.build("judges", {"geval": {"criteria": "coherence", "folder": str(tmp_path)}})


def test_steps_that_cannot_be_had_are_an_error() -> None:
    with pytest.raises(RequestError, match="no evaluation steps"):
        converse(Geval("x", folder=Path("nowhere")).prepare(), ["Sorry.", "Sorry."])


def test_the_folder_of_steps_lies_beside_the_config(tmp_path: Path) -> None:
    built = registry.build("judges", {"geval": "coherence"}, base=tmp_path)
    assert built.plugin.path.parent == tmp_path / "judges"


def test_a_dry_question_before_there_are_steps_is_of_like_size() -> None:
    dialogue = Geval("coherence", folder=Path("nowhere")).judge(SAMPLE, OUTPUT)
    [request] = next(dialogue)
    assert isinstance(request, Request)
    dialogue.close()


def test_rescaled_to_a_share() -> None:
    response = said(token("3", **{"3": 1.0}))
    judgment, _ = converse(Geval("fluency", steps=STEPS, rescale=True).judge(SAMPLE, OUTPUT), [response])
    assert judgment.stats[0] == 1.0  # type: ignore[index]
    assert Geval("fluency", rescale=True).bounds == (0.0, 1.0)
    assert Geval("fluency").bounds == (1, 3)


@pytest.mark.parametrize("lead", ["Out of ", "-", "Between 1 and "])
def test_digits_that_are_not_what_the_answer_begins_with_are_not_its_score(lead: str) -> None:
    tokens = [TokenLogprob(lead, 0.0, ()), token("5", **{"5": 1.0})]
    assert weighed(tokens, 1, 5) is None
    for fine in ("", "\n", "**", "Score: ", "**Score:** "):
        found = weighed([TokenLogprob(fine, 0.0, ()), token("5", **{"5": 1.0})], 1, 5)
        assert found is not None
        assert found.mean == 5


def test_a_sampled_answer_may_name_what_it_is() -> None:
    judge = Geval("coherence", steps=STEPS, probabilities="never", samples=3)
    judgment, _ = converse(judge.judge(SAMPLE, OUTPUT), ["Score: 4", "**Score:** 4", "4"])
    assert not isinstance(judgment.stats, (Failure, Skipped))
    assert judgment.stats[:4] == (4.0, 0.0, 0.0, 0.0)
