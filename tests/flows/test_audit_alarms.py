"""How often an audit finds something in a judge that has nothing to find, and whether it finds what is there."""

from __future__ import annotations

import random

import pytest

from llmkit.flows.audit.agreement import Ways, paired
from llmkit.flows.audit.biases import biases
from llmkit.flows.audit.evidence import Evidence, Row
from llmkit.flows.audit.looks import Subject
from llmkit.flows.audit.scales import resolve
from llmkit.types import Sample


def findings(seed: int, *, per_word: float = 0.0, for_kin: float = 0.0) -> set[str]:
    """Audit a made-up noisy judge of 150 rows; longer answers and lists are better, and people as noisy as it is."""
    rng = random.Random(seed)
    evidence, own = Evidence(), []

    def noisy(quality: float) -> float:
        return float(min(5, max(1, round(quality + rng.gauss(0, 0.7)))))

    for i in range(150):
        quality, kin = rng.uniform(1, 5), rng.random() < 0.35
        words = max(1, int(rng.gauss(30 + 8 * quality, 15)))
        text = "word " * words + ("\n- a\n" if rng.random() < 0.3 + 0.08 * quality else "")
        text += "**b**" if rng.random() < 0.4 else ""
        verdict = noisy(quality + per_word * (words - 54) + for_kin * kin)
        again = {name: noisy(quality) if rng.random() < 0.3 else verdict for name in ("padding", "order")}
        if verdict != noisy(quality):  # a verdict that is asked for again may change, both ways alike
            again = {name: verdict + rng.choice([-1.0, 0.0, 1.0]) for name in again}
        torn = rng.random() < 0.2
        first = float(rng.random() < 0.5)
        games = (first, 1 - first if torn else first)
        probes = again if i < 80 else {}
        evidence.add(Row(Sample(f"r{i}"), text, verdict, probes=probes, games=games), (noisy(quality),), {})
        own.append(float(kin))
    scale = resolve(evidence.verdicts, [row[0] for row in evidence.people], asked=None, labels=())
    pairs, judge, human = paired(evidence, scale)
    subject = Subject(evidence, pairs, judge, human, scale, Ways(100, 0, 0.95), own=own)
    return {look["name"] for look in biases(subject)["looks"] if look["found"]}


@pytest.mark.slow
def test_of_fair_judges_at_most_five_in_a_hundred_get_any_finding() -> None:
    alarms = [findings(seed) for seed in range(400)]
    share = sum(map(bool, alarms)) / len(alarms)
    assert share <= 0.05 + 0.02  # two standard errors of 400 judges


def test_leanings_are_found_in_noise() -> None:
    assert sum("verbosity" in findings(seed, per_word=0.03) for seed in range(10)) >= 8
    assert sum("self-preference" in findings(seed, for_kin=0.8) for seed in range(10)) >= 8
