"""How members' answers become one: the laws of it, weights and models that never saw the row, failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from llmkit.config import EvalConfig, make_eval_config
from llmkit.flows.combine import LEAST, Combiner, Row, combiner_of
from llmkit.flows.ensemble import combined, members_of
from llmkit.stats.folds import grouped_folds
from llmkit.store.records import output_from_dict, output_to_dict
from llmkit.types import Failure, Output, Passage, Response, Sample, TokenLogprob

LABELS = ("red", "green", "blue")
SAID = st.sampled_from([*LABELS, "I say red", "nothing", None])


def config(members: Sequence[str], **ensemble: Any) -> EvalConfig:
    more: dict[str, Any] = {key: ensemble.pop(key) for key in ("seed", "cluster", "repeats") if key in ensemble}
    wanted = {"members": dict.fromkeys(members, "echo"), "labels": list(LABELS), **ensemble}
    return make_eval_config({"dataset": "d", "metrics": ["accuracy"], "ensemble": wanted, **more})


def answers(sample: Sample, said: Mapping[str, str | None]) -> dict[str, Output]:
    return {
        name: Output(sample.id, None, error=Failure("timeout", f"{name} was slow"))
        if text is None
        else Output(sample.id, text, response=Response(text))
        for name, text in said.items()
    }


def decided(combiner: Combiner, said: Mapping[str, str | None]) -> Output:
    sample = Sample("s")
    return combined(combiner, 0, sample, answers(sample, said))[0]


def winner(output: Output) -> Any:
    assert output.response is not None
    return output.response.extra["ensemble"]["winner"] if output.error is None else output.error.kind


@given(st.lists(SAID, min_size=1, max_size=5), st.permutations(range(5)))
def test_the_order_of_members_changes_nothing_but_ties(said: list[str | None], order: Sequence[int]) -> None:
    names = [f"m{place}" for place in range(len(said))]
    spoken = dict(zip(names, said, strict=True))
    shuffled = {names[place]: said[place] for place in order if place < len(names)}
    one = decided(combiner_of(config(names)), spoken)
    other = decided(combiner_of(config(list(shuffled))), shuffled)
    tied = one.response is not None and one.response.extra.get("ensemble", {}).get("tied")
    assert tied or winner(one) == winner(other)
    drawn = [decided(combiner_of(config(list(who), ties="random")), who) for who in (spoken, shuffled)]
    assert winner(drawn[0]) == winner(drawn[1])


@given(SAID)
def test_one_member_is_that_member(text: str | None) -> None:
    output = decided(combiner_of(config(["only"])), {"only": text})
    assert output.text == text


@given(st.sampled_from(LABELS), st.lists(st.booleans(), min_size=2, max_size=5), st.integers(0, 3))
def test_unanimous_members_give_that_answer_however_they_weigh(label: str, present: list[bool], weight: int) -> None:
    said = {f"m{place}": label if here else None for place, here in enumerate(present)}
    for more in ({}, {"combine": "weighted", "weights": dict.fromkeys(said, weight + 1)}):
        output = decided(combiner_of(config(list(said), **more)), said)
        assert output.text == (label if any(present) else None)


def test_the_text_is_that_of_the_first_member_who_names_the_winner() -> None:
    said = {"a": "red", "b": "It is green.", "c": "green"}
    assert decided(combiner_of(config(list(said))), said).text == "It is green."
    weighted = config(list(said), combine="weighted", weights={"a": 3, "b": 1, "c": 1})
    assert decided(combiner_of(weighted), said).text == "red"
    assert decided(combiner_of(config(["a", "b"])), {"a": "who knows", "b": "me neither"}).text == "who knows"


def test_a_member_that_failed_has_no_vote_and_if_all_failed_there_is_no_answer() -> None:
    combiner = combiner_of(config(["a", "b", "c"]))
    assert decided(combiner, {"a": None, "b": "red", "c": "red"}).text == "red"
    output = decided(combiner, {"a": None, "b": None, "c": None})
    assert output.text is None
    assert output.error == Failure(
        "no_member_answered", "no member answered (a: a was slow; b: b was slow; c: c was slow)"
    )


def test_rows_whose_labels_are_unknown_are_failures_that_keep_the_answers() -> None:
    choices = config(["a"], labels=[], vote="label")
    output = decided(combiner_of(choices), {"a": "red"})
    assert output.error is not None
    assert output.error.kind == "no_vote"
    assert members_of(output, ["a"])["a"].text == "red"


def test_tokens_and_cost_add_up_and_the_slowest_is_waited_for() -> None:
    sample = Sample("s")
    found = {
        "a": Output("s", "red", response=Response("red", 10, 2, latency=0.5, cost=0.25, attempts=2)),
        "b": Output("s", "red", response=Response("red", 20, 3, latency=1.5, cost=0.5), retrieved=(Passage("p", ""),)),
        "c": Output("s", None, error=Failure("http_500", "broke")),
    }
    output = combined(combiner_of(config(["a", "b", "c"])), 0, sample, found)[0]
    response = output.response
    assert response is not None
    assert (response.tokens_in, response.tokens_out, response.cost, response.latency) == (30, 5, 0.75, 1.5)
    assert (response.attempts, output.retrieved) == (3, ())
    unknown = {**found, "c": Output("s", "red", response=Response("red"))}
    response = combined(combiner_of(config(["a", "b", "c"])), 0, sample, unknown)[0].response
    assert response is not None
    assert response.tokens_in is response.cost is None


def test_members_answers_are_kept_to_the_letter() -> None:
    tokens = (TokenLogprob("red", -0.1, (("red", -0.1), ("blue", float("-inf")))),)
    found = {
        "a": Output("s", "red", 2, Response("red", 1, 2, logprobs=tokens, extra={"x": [1]})),
        "b": Output("s", None, 2, error=Failure("http_500", "broke", 500, 3)),
    }
    output = combined(combiner_of(config(["a", "b"])), 0, Sample("s"), found)[0]
    assert members_of(output_from_dict(output_to_dict(output)), ["a", "b"]) == found
    assert members_of(output, ["z"])["z"].error == Failure("missing", "the run holds no answer of this member")


def labelled(count: int, seed: int = 0, skill: Sequence[float] = (0.8, 0.6, 0.4)) -> list[Row]:
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(count):
        gold = LABELS[rng.integers(3)]
        sample = Sample(f"s{number}", answer=gold, meta={"source": number // 4})
        said = {f"m{place}": gold if rng.random() < p else LABELS[rng.integers(3)] for place, p in enumerate(skill)}
        rows.append((sample, answers(sample, said)))
    return rows


def learnt(rows: Sequence[Row], **ensemble: Any) -> tuple[Combiner, list[str | None]]:
    combiner = combiner_of(config(["m0", "m1", "m2"], **ensemble))
    combiner.learn(iter(rows))
    return combiner, [combined(combiner, place, *row)[0].text for place, row in enumerate(rows)]


def test_weights_by_accuracy_are_those_of_the_other_folds() -> None:
    rows = labelled(200)
    combiner, texts = learnt(rows, combine="weighted", weights="accuracy", folds=4)
    folds = grouped_folds(np.arange(200), 4, 0)
    right = np.array([[output.text == sample.answer for output in found.values()] for sample, found in rows])
    for place, (sample, found) in enumerate(rows):
        others = right[folds != folds[place]].mean(axis=0)
        fixed = config(list(found), combine="weighted", weights=dict(zip(found, others.tolist(), strict=True)))
        assert combined(combiner_of(fixed), 0, sample, found)[0].text == texts[place]
    assert combiner.facts["weights"] == pytest.approx(
        dict(zip(("m0", "m1", "m2"), right.mean(axis=0), strict=True)), abs=1e-9
    )


def test_a_failure_or_silence_says_nothing_of_a_member_s_accuracy() -> None:
    rows = labelled(60)
    broken = [
        (sample, {**found, "m2": answers(sample, {"m2": [None, "no idea"][place % 2]})["m2"]}) if place % 3 else row
        for place, row in enumerate(rows)
        for sample, found in [row]
    ]
    kept = [row for place, row in enumerate(rows) if place % 3 == 0]
    combiner, _ = learnt(broken, combine="weighted", weights="accuracy", folds=2, seed=1)
    share = np.mean([found["m2"].text == sample.answer for sample, found in kept])
    by_fold = [weights["m2"] for weights in combiner.facts["weights_by_fold"]]
    assert min(by_fold) <= share <= max(by_fold)


@pytest.mark.parametrize("cluster", [None, "source"])
def test_stacked_votes_are_sklearns_on_the_same_folds(cluster: str | None) -> None:
    rows = labelled(300)
    rows[7] = (rows[7][0], {**rows[7][1], "m1": answers(rows[7][0], {"m1": None})["m1"]})
    _, texts = learnt(rows, combine="stacking", cluster=cluster, seed=3)
    classes = list(dict.fromkeys(str(sample.answer) for sample, _ in rows))
    features = np.array(
        [[float(found[name].text == label) for name in sorted(found) for label in classes] for _, found in rows]
    )
    groups = np.arange(300) // 4 if cluster else np.arange(300)
    folds = PredefinedSplit(grouped_folds(groups, 5, 3))
    gold = [classes.index(str(sample.answer)) for sample, _ in rows]
    theirs = cross_val_predict(LogisticRegression(max_iter=1000), features, gold, cv=folds)
    assert texts == [classes[code] for code in theirs]


def test_the_repeats_of_a_row_lie_in_one_fold() -> None:
    rows = [
        (sample, found)
        for (sample, _), (_, found) in zip(sorted(labelled(100) * 2, key=by_id), labelled(200), strict=True)
    ]
    _, texts = learnt(rows, combine="stacking", repeats=2)
    classes = list(dict.fromkeys(str(sample.answer) for sample, _ in rows))
    features = np.array(
        [[float(found[name].text == label) for name in sorted(found) for label in classes] for _, found in rows]
    )
    folds = PredefinedSplit(np.repeat(grouped_folds(np.arange(100), 5, 0), 2))
    gold = [classes.index(str(sample.answer)) for sample, _ in rows]
    theirs = cross_val_predict(LogisticRegression(max_iter=1000), features, gold, cv=folds)
    assert texts == [classes[code] for code in theirs]


def by_id(row: Row) -> str:
    return row[0].id


def with_probabilities(rows: Sequence[Row], sure: Callable[[Sample], dict[str, float]]) -> list[Row]:
    """Return the rows with token log-probabilities in the answers of the first member."""
    found: list[Row] = []
    for sample, said in rows:
        top = tuple((label, log(value) if value else float("-inf")) for label, value in sure(sample).items())
        token = TokenLogprob(*max(top, key=lambda pair: pair[1]), top)
        response = Response(token.token, logprobs=(token,))
        found.append((sample, {**said, "m0": Output(sample.id, token.token, response=response)}))
    return found


def test_stacking_reads_probabilities_where_a_member_gives_them_on_every_row() -> None:
    rows = with_probabilities(
        labelled(120, skill=(0, 0, 0)),
        lambda sample: {label: 0.35 if label == sample.answer else 0.25 for label in LABELS} | {"blue": 0.4},
    )
    combiner, texts = learnt(rows, combine="stacking")
    assert combiner.facts["features"] == {"m0": "log-probabilities", "m1": "votes", "m2": "votes"}
    right = [text == sample.answer for text, (sample, _) in zip(texts, rows, strict=True)]
    assert np.mean(right) > 0.9  # it always says blue, and yet its probabilities tell which it is
    sample, said = rows[0]
    rows[0] = (sample, {**said, "m0": answers(sample, {"m0": "blue"})["m0"]})
    assert learnt(rows, combine="stacking")[0].facts["features"]["m0"] == "votes"


def test_a_probability_of_nothing_is_a_small_one() -> None:
    rows = with_probabilities(labelled(60), lambda sample: {label: float(label == sample.answer) for label in LABELS})
    assert LEAST > 0
    _, texts = learnt(rows, combine="stacking")
    assert texts == [sample.answer for sample, _ in rows]


def test_stacking_may_choose_a_label_that_no_member_names() -> None:
    rows = []
    for number in range(60):
        gold = LABELS[number % 3]
        said = LABELS[(number + 1) % 3]  # wrong, and always in the same way
        sample = Sample(f"s{number}", answer=gold)
        rows.append((sample, answers(sample, dict.fromkeys(("m0", "m1", "m2"), said))))
    combiner, texts = learnt(rows, combine="stacking")
    assert texts == [sample.answer for sample, _ in rows]
    output, _, count = combined(combiner, 0, *rows[0])
    assert output.response is not None
    assert output.response.extra["ensemble"]["by"] is None
    assert count is not None
    assert 0.5 < count.share < 1


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"combine": "stacking"}, {"combine": "weighted", "weights": "accuracy"}])
def test_where_labels_are_chance_so_is_the_ensemble(how: dict[str, Any]) -> None:
    right = []
    for seed in range(12):
        _, texts = learnt(rows := labelled(240, seed, skill=(0, 0, 0)), cluster="source", **how)
        right += [text == sample.answer for text, (sample, _) in zip(texts, rows, strict=True)]
    error = float(np.sqrt(2 / 9 / len(right)))
    assert abs(float(np.mean(right)) - 1 / 3) < 4 * error
