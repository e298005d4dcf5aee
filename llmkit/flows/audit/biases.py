"""What a judge leans towards: each look is one test, and all of them are adjusted together.

A bias is *found* where its p-value, adjusted by Holm for all tests of the audit, is at most 1 - level: of fair judges
at most so many get any finding. Two looks have no test: whether scores clump, and whether verdicts stay. These are
found where an interval lies beyond a threshold that is said.
"""

from __future__ import annotations

from typing import Any

from llmkit.flows.audit.figures import plain
from llmkit.flows.audit.leanings import features, longer_wins, position
from llmkit.flows.audit.looks import FEWEST, Finding, Subject, clusters_of, ends_of
from llmkit.flows.audit.probed import injection, padding
from llmkit.stats import adjust, score_use, self_consistency

UNSTEADY = 0.05
"""A judge is called unsteady where more than this share of samples, with certainty, gets different verdicts."""

CLUMPED = 0.75
"""Scores clump where their entropy is, with certainty, less than this share of people's."""


def biases(subject: Subject) -> dict[str, Any]:
    """Return every look at the judge, decided together."""
    looks = [
        position(subject),
        *features(subject),
        longer_wins(subject),
        padding(subject),
        injection(subject),
        _clumping(subject),
        _steadiness(subject),
    ]
    tested = [look for look in looks if look.p is not None]
    adjusted = adjust([look.p for look in tested if look.p is not None], "holm").tolist() if tested else []
    by_look = {id(look): p for look, p in zip(tested, adjusted, strict=True)}
    alpha = 1 - subject.ways.level
    decided = [look.as_dict(by_look.get(id(look)), alpha) for look in looks]
    return {"tests": len(tested), "alpha": alpha, "adjusted": "holm", "looks": decided}


def _clumping(subject: Subject) -> Finding:
    look = Finding("clumping")
    pairs, ways, scale = subject.pairs, subject.ways, subject.scale
    if len(pairs.rows) < FEWEST:
        look.sentence = "Not looked for: fewer than 10 rows have a label."
        return look
    drawn = {"scale": scale.labels, "resamples": ways.resamples, "seed": ways.seed, "level": ways.level}
    clusters = clusters_of(subject.clusters, pairs.rows)
    judge = score_use(pairs.judge, clusters=clusters, **drawn)  # type: ignore[arg-type]
    human = score_use(pairs.human, clusters=clusters, **drawn)  # type: ignore[arg-type]
    look.effect = judge.top_share
    look.more = {
        "judge": {"distinct": judge.distinct, "top": judge.top, "entropy": plain(judge.entropy)},
        "human": {"distinct": human.distinct, "top": human.top, "entropy": plain(human.entropy)},
    }
    top = judge.top if isinstance(judge.top, str) else f"{judge.top:g}"
    told = (
        f"it gives {judge.distinct} different verdicts where people give {human.distinct}, and the commonest, "
        f"{top}, to {judge.top_share.value:.1%} of rows; "
        f"its verdicts hold {judge.entropy.value:.2f} bits, people's {human.entropy.value:.2f}."
    )
    look.yes, look.no = f"its verdicts clump. {told[0].upper()}{told[1:]}", told
    high = judge.entropy.high if judge.entropy.high is not None else judge.entropy.value
    low = human.entropy.low if human.entropy.low is not None else human.entropy.value
    look.found = bool(high < CLUMPED * low)
    return look


def _steadiness(subject: Subject) -> Finding:
    look = Finding("self-consistency")
    repeats = subject.evidence.repeats
    width = max((len(row) for row in repeats), default=0)
    if width < 2:  # noqa: PLR2004 - one answer repeats nothing
        look.sentence = "Not looked for: no answer was judged more than once (probes: {repeats: 3})."
        return look
    columns = [
        subject.scale.read([row[i] if i < len(row) else None for row in repeats], "repeats") for i in range(width)
    ]
    rows = [i for i in range(len(repeats)) if sum(column[i] is not None for column in columns) > 1]
    if not rows:
        look.sentence = "Not looked for: no answer has two verdicts."
        return look
    ways = subject.ways
    found = self_consistency(
        [[column[i] for column in columns] for i in rows],
        scale=subject.scale.labels,
        clusters=clusters_of(subject.clusters, rows),
        resamples=ways.resamples,
        seed=ways.seed,
        level=ways.level,
    )
    estimate = found.unanimous.estimate
    assert estimate is not None
    high = estimate.high if estimate.high is not None else estimate.value
    look.effect = found.unanimous
    look.found = bool(1 - high > UNSTEADY)
    same = f"the same of {estimate.value:.1%}{ends_of(estimate)} of {found.samples} answers"
    told = f"asked up to {width} times, it said {same}."
    look.yes, look.no = f"its verdicts change. {told[0].upper()}{told[1:]}", told
    look.more = {name: plain(getattr(found, name)) for name in ("pairs", "deviation", "alpha")}
    return look
