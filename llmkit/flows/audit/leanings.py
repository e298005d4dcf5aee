"""What verdicts lean towards: the place of an answer, its length, its form, its maker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from llmkit.flows.audit.evidence import Evidence
from llmkit.flows.audit.figures import plain
from llmkit.flows.audit.looks import FEWEST, Finding, Subject, as_numbers, clusters_of, ends_of, standardised
from llmkit.flows.labels import Value
from llmkit.stats import feature_effects, pooled, position_bias, prefers_more

_WORDS = {"a": 1.0, "b": 0.0, "tie": 0.5, "first": 1.0, "second": 0.0, "win": 1.0, "loss": 0.0, "draw": 0.5}


def preference(value: Value, *, counted: bool) -> float | None:
    """Return a verdict on a pair as the preference for the first answer; ``counted`` is for verdicts 1 and 2."""
    if isinstance(value, float):
        if counted:
            return {1.0: 1.0, 2.0: 0.0}.get(value, 0.5 if value in {0.0, 1.5} else None)
        return value if 0 <= value <= 1 else None
    return None if value is None else _WORDS.get(str(value).casefold())


def position(subject: Subject) -> Finding:
    """Look at pairs that were judged in both orders."""
    look = Finding("position")
    pairs = _judged_twice(subject.evidence)
    if not pairs:
        look.sentence = "Not looked for: no pair was judged in both orders."
        return look
    rows, forward, swapped = zip(*pairs, strict=True)
    found = position_bias(forward, swapped, clusters=clusters_of(subject.clusters, rows), level=subject.ways.level)
    changed = f"{found.first + found.second} of {found.pairs} verdicts changed with the order of the two answers"
    towards = f"{found.first} of these towards the answer shown first"
    which = "first" if found.first >= found.second else "second"
    look.p = found.first_share.p if found.first_share.p is not None else 1.0
    look.effect = found.first_share
    look.yes = f"it favours the answer shown {which}. {changed}, {towards}."
    look.no = f"{changed}, {towards}." if found.first + found.second else "no verdict changed with the order."
    look.more = {
        "pairs": found.pairs,
        "inconsistent": plain(found.inconsistent),
        "first": found.first,
        "second": found.second,
        "first_wins": plain(found.first_wins),
        **({} if any(subject.evidence.games) else _both_orders(subject)),
    }
    return look


def _judged_twice(evidence: Evidence) -> list[tuple[int, float, float]]:
    """Return for each pair judged in both orders its row, and the preference for the first answer in each."""
    games = [(i, game[0], game[1]) for i, game in enumerate(evidence.games) if game is not None]
    if games:
        return games
    numbers = {one for one in (*evidence.verdicts, *evidence.swapped) if isinstance(one, float)}
    counted = 2.0 in numbers and numbers <= {0.0, 1.0, 1.5, 2.0}  # noqa: PLR2004 - the second answer
    found = []
    for i, (verdict, swapped) in enumerate(zip(evidence.verdicts, evidence.swapped, strict=True)):
        one, two = preference(verdict, counted=counted), preference(swapped, counted=counted)
        if one is not None and two is not None:
            found.append((i, one, two))
    return found


def _both_orders(subject: Subject) -> dict[str, Any]:
    """Return how often each order agrees with people, both do, and the two agree, over all rows with a label."""
    swapped = subject.scale.read(subject.evidence.swapped, "swapped")
    rows = [i for i, label in enumerate(subject.human) if label is not None]
    triples = [(subject.judge[i], swapped[i], subject.human[i]) for i in rows]
    if not triples:
        return {}
    kappa = None
    known = [(a, b) for a, b, _ in triples if a is not None and b is not None]
    if known:
        one, two = [a for a, _ in known], [b for _, b in known]
        drawn = {"resamples": subject.ways.resamples, "seed": subject.ways.seed, "level": subject.ways.level}
        kappa = plain(pooled(one, two, statistics=["kappa"], scale=subject.scale.labels, **drawn)["kappa"])  # type: ignore[arg-type]
    return {
        "orders": {
            "rows": len(triples),
            "correct_as_given": sum(a == h for a, _, h in triples),
            "correct_swapped": sum(b == h for _, b, h in triples),
            "correct_both": sum(a == h == b for a, b, h in triples),
            "agree": sum(a == b for a, b, _ in triples),
            "kappa": kappa,
        }
    }


def features(subject: Subject) -> list[Finding]:
    """Look at what verdicts do with an answer's length, lists, markup and maker, given what people say."""
    evidence = subject.evidence
    own = list(subject.own) if subject.own is not None else [None] * len(evidence)
    looks = {
        "verbosity": (evidence.length, "longer answers", "the rows hold no answers"),
        "lists": (evidence.lists, "answers with lists", "the rows hold no answers"),
        "markdown": (evidence.markup, "answers with headings, bold text, tables or code", "the rows hold no answers"),
        "self-preference": (own, "answers of its own family", "it is not known which model judged, or who answered"),
    }
    return [_feature(subject, name, *rest) for name, rest in looks.items()]


def _feature(subject: Subject, name: str, column: Sequence[float | None], what: str, unknown: str) -> Finding:
    look = Finding(name)
    pairs, scale = subject.pairs, subject.scale
    places = [k for k, row in enumerate(pairs.rows) if column[row] is not None]
    values = [column[pairs.rows[k]] for k in places]
    judge, human = (as_numbers([side[k] for k in places], scale) for side in (pairs.judge, pairs.human))
    why = unknown if not places else _too_alike(values, what)
    if not why and len(places) < FEWEST:
        why = f"fewer than {FEWEST} rows have a label"
    if why or judge is None or human is None:
        look.sentence = f"Not looked for: {why or 'the labels have no order'}."
        return look
    if not scale.shared:
        judge, human = standardised(judge), standardised(human)
    clusters = clusters_of(subject.clusters, [pairs.rows[k] for k in places])
    found = feature_effects(judge, human, {name: values}, clusters=clusters, level=subject.ways.level)[name]
    given, apart = found.given_human, found.of_difference
    look.effect = given
    unit = "points" if scale.shared else "standard deviations"
    if given.p is None or apart.p is None or given.estimate is None or apart.estimate is None:
        look.sentence = f"Not looked for: {given.reason or apart.reason or 'the effect cannot be told'}."
        return look
    same_way = given.estimate.value * apart.estimate.value > 0
    look.p = max(given.p, apart.p) if same_way else 1.0
    size = f"{given.estimate.value:+.3g} {unit}{ends_of(given.estimate)} for {_step(found.step)}, people's label equal"
    look.yes = f"it favours {what}: {size}." if given.estimate.value > 0 else f"it marks down {what}: {size}."
    look.no = f"{what} get {size}."
    look.more = {"step": found.step, "of_difference": plain(apart)}
    return look


def _too_alike(values: Sequence[float | None], what: str) -> str:
    """Return why nothing can be told of answers that are so alike; empty where something can."""
    counts = Counter(values)
    if len(counts) == 1:
        return f"no two answers differ in this ({what})"
    if len(counts) == 2 and min(counts.values()) < FEWEST:  # noqa: PLR2004 - yes and no
        return f"fewer than {FEWEST} answers are, or are not, {what}"
    return ""


def _step(step: str) -> str:
    return "yes against no" if step == "yes against no" else "one standard deviation more"


def longer_wins(subject: Subject) -> Finding:
    """Look at how often the longer answer of a pair wins, beside how often people let it win; told, not tested."""
    look = Finding("longer answer wins")
    evidence, pairs = subject.evidence, subject.pairs
    if not any(evidence.games) and not any(value is not None for value in evidence.swapped):
        look.sentence = "Not looked for: the verdicts are not on pairs."
        return look
    rows = [row for row in pairs.rows if evidence.length[row] is not None]
    mine = [preference(subject.judge[row], counted=False) for row in rows]
    theirs = [preference(subject.human[row], counted=False) for row in rows]
    kept = [k for k in range(len(rows)) if mine[k] is not None and theirs[k] is not None]
    if not kept:
        look.sentence = "Not looked for: the rows do not hold both answers, or verdicts are no preferences."
        return look
    apart = [evidence.length[rows[k]] for k in kept]
    judged = prefers_more([mine[k] for k in kept], apart, level=subject.ways.level)
    people = prefers_more([theirs[k] for k in kept], apart, level=subject.ways.level)
    look.effect = judged
    look.more = {"people": plain(people)}
    if judged.estimate is None or people.estimate is None:
        look.sentence = f"Not looked for: {judged.reason}."
        return look
    told = [f"{one.value:.1%}{ends_of(one)}" for one in (judged.estimate, people.estimate)]
    look.sentence = f"For information: the longer answer wins {told[0]} with the judge and {told[1]} with people."
    return look
