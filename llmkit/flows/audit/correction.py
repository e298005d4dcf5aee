"""What people's labels of some rows make of the judge's verdicts on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmkit.flows.audit.scales import Scale, text_of
from llmkit.flows.corrected import corrected_mean

_MOST_LABELS = 10
_FEW = 2


def correction(
    judge: Sequence[Any],
    human: Sequence[Any],
    scale: Scale,
    *,
    strata: Sequence[str] | None,
    clusters: Any,
    level: float,
    width: float | None,
) -> dict[str, Any]:
    """Return the corrected mean, or of labels the corrected share of each.

    Args:
        judge: All rows' verdicts, None where there is none.
        human: All rows' labels, None where there is none.
        scale: What they lie on.
        strata: All rows' strata; None for one.
        clusters: All rows' clusters; None where they are independent.
        level: Of the intervals.
        width: The half-width that is wanted.
    """
    import numpy as np

    kept = [i for i, verdict in enumerate(judge) if verdict is not None]
    place = {row: k for k, row in enumerate(kept)}
    labelled = [i for i in kept if human[i] is not None]
    if not scale.shared:
        return {"reason": "judge and people use different numbers; say with 'values' what they stand for"}
    if not labelled:
        return {"reason": "no row has both a verdict and a human label"}
    where = [place[i] for i in labelled]
    options: dict[str, Any] = {
        "strata": None if strata is None else [strata[i] for i in kept],
        "clusters": None if clusters is None else np.asarray(clusters)[kept],
        "level": level,
        "width": width,
    }
    if scale.numbers:
        verdicts, labels = [judge[i] for i in kept], [human[i] for i in labelled]
        bounds = None
        if scale.kind != "interval":
            everything = scale.labels or (*verdicts, *labels)
            bounds = (float(min(everything)), float(max(everything)))
        return {"mean": corrected_mean(verdicts, labels, where, bounds=bounds, **options)}
    present = {judge[i] for i in kept} | {human[i] for i in labelled}
    names = [label for label in (scale.labels or sorted(present)) if label in present]
    if len(names) > _MOST_LABELS:
        return {"reason": f"there are {len(names)} labels; shares of at most {_MOST_LABELS} are corrected"}
    wanted = names[-1:] if len(names) == _FEW else names
    return {
        "shares": {
            text_of(name): corrected_mean(
                [float(judge[i] == name) for i in kept], [float(human[i] == name) for i in labelled], where, **options
            )
            for name in wanted
        }
    }
