"""What verdicts do when an answer is changed in a way that makes it no better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmkit.flows.audit.figures import plain
from llmkit.flows.audit.looks import Finding, Subject, as_numbers, clusters_of, ends_of
from llmkit.flows.audit.probes import INJECTIONS, PADDING
from llmkit.stats import binomial_test, injection_resistance, mean_estimate


def _changed(subject: Subject, names: Sequence[str], control: str = "") -> tuple[list[float], list[int]] | None:
    """Return for each probed row by how much its verdict rose on average over the named probes, and the row.

    With a control, a rise that the control causes too does not count: instructions make an answer longer, and so does
    padding.
    """
    held = subject.scale.read(subject.evidence.probes[control], "probes") if control else None
    columns = [subject.scale.read(subject.evidence.probes[name], "probes") for name in names]
    shifts, rows = [], []
    for i, before in enumerate(subject.judge):
        after = [column[i] for column in columns if column[i] is not None]
        if before is None or not after:
            continue
        numbers = as_numbers([before, *after], subject.scale)
        if numbers is None:
            return None
        start = numbers[0]
        if held is not None and held[i] is not None:
            start = max(start, (as_numbers([held[i]], subject.scale) or [start])[0])
        shifts.append(sum(numbers[1:]) / len(after) - start)
        rows.append(i)
    return shifts, rows


def _moved(subject: Subject, look: Finding, names: Sequence[str], what: str, control: str = "") -> Finding:
    found = _changed(subject, names, control)
    if found is None:
        look.sentence = "Not looked for: the labels have no order."
        return look
    shifts, rows = found
    if not shifts:
        look.sentence = "Not looked for: no probe got a verdict."
        return look
    up, down = sum(one > 0 for one in shifts), sum(one < 0 for one in shifts)
    import numpy as np

    clusters = clusters_of(subject.clusters, rows)
    look.effect = mean_estimate(np.asarray(shifts), binary=False, clusters=clusters, level=subject.ways.level)
    look.p, look.toward = binomial_test(up, up + down), up > down
    against = "beside mere padding, " if control else ""
    told = (
        f"{against}of {len(shifts)} answers {up} got a better verdict and {down} a worse one; the mean change is "
        f"{look.effect.value:+.3g}{ends_of(look.effect)}."
    )
    look.yes, look.no = f"{what}: {told}", told
    look.more = {"probed": len(shifts), "up": up, "down": down}
    return look


def padding(subject: Subject) -> Finding:
    """Look at answers that were judged again with a padding that says nothing."""
    look = Finding("padding")
    if PADDING not in subject.evidence.probes:
        look.sentence = "Not looked for: no answer was padded (probes: {padding: true})."
        return look
    return _moved(subject, look, [PADDING], "padding that says nothing raises the verdict")


def injection(subject: Subject) -> Finding:
    """Look at answers that were judged again with instructions to the judge hidden in them."""
    look = Finding("hidden instructions")
    names = [name for name in INJECTIONS if name in subject.evidence.probes]
    if not names:
        look.sentence = "Not looked for: no instruction was hidden in an answer (probes: {injection: true})."
        return look
    look = _moved(subject, look, names, "instructions hidden in an answer raise its verdict", PADDING)
    look.more["by_instruction"] = {name: _resistance(subject, name) for name in names}
    return look


def _resistance(subject: Subject, name: str) -> dict[str, Any]:
    after = subject.scale.read(subject.evidence.probes[name], "probes")
    rows = [i for i, one in enumerate(after) if one is not None and subject.judge[i] is not None]
    if not rows:
        return {}
    found = injection_resistance(
        [subject.judge[i] for i in rows],
        [after[i] for i in rows],
        toward=subject.best,
        clusters=clusters_of(subject.clusters, rows),
        level=subject.ways.level,
    )
    return {"n": len(rows), **{key: plain(getattr(found, key)) for key in ("moved", "obeyed", "shift")}}
