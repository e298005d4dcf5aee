"""Two runs compared: sample by sample, with a verdict for each scorer and one exit code for a pipeline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from llmkit.config.gate import Gate
from llmkit.flows import changes, gating
from llmkit.flows.conditions import Differences, Rows, changed_fields, differences, paired_rows
from llmkit.flows.corrected_pairs import corrected_pairs
from llmkit.flows.described import Judged, as_entry
from llmkit.flows.pairs import Mask, Pairs
from llmkit.flows.rules import Rules, rules_of
from llmkit.flows.run_settings import RunSettings, settings_of
from llmkit.flows.scored_run import ScoredRun, codes_of
from llmkit.flows.settled import Settling, stopped_of
from llmkit.flows.summarise import SLICE_VALUES
from llmkit.flows.tested import Adjust, Found, Testing
from llmkit.report._words import below_floor
from llmkit.store import open_baseline
from llmkit.types import Comparison, ComparisonVerdict, Run

_GRAVEST: tuple[ComparisonVerdict, ...] = ("regressed", "inconclusive", "improved")


def compare_runs(
    base: Run | Path | str,
    candidate: Run | Path | str,
    *,
    gate: Gate | None = None,
    metrics: Collection[str] | None = None,
    intersection: bool = False,
    adjust: Adjust | None = None,
    level: float | None = None,
) -> Comparison:
    """Compare a candidate run with a base, row by row.

    Rows are paired where both id and content are equal. Runs whose conditions differ (rows, the way something is
    measured, repeats, clusters) get the verdict ``not_comparable``, which names what differs.

    Args:
        base: A run, its folder, or a baseline file of ``llmkit bless``.
        candidate: A run or its folder.
        gate: What must hold; None takes the gate of the candidate's config.
        metrics: Only these scorers; None for all.
        intersection: Compare what both have in common where conditions differ, and say what is left out.
        adjust: ``holm``, ``bh`` or ``none``; None takes the gate's.
        level: Of the intervals; None takes the gate's, or else the config's.

    Raises:
        UsageError: there is no such run, it is damaged, or the gate names scorers that there are not.
    """
    first = base if isinstance(base, Run) else open_baseline(base)
    second = candidate if isinstance(candidate, Run) else open_baseline(candidate)
    settings = settings_of(second)
    asked = gate or settings.gate
    how = _How(adjust or asked.adjust, level or asked.level or settings.level)
    return _Comparing(first, second, settings, rules_of(asked, _both(first, second), settings.slices), metrics, how)(
        intersection=intersection
    )


@dataclass(frozen=True, slots=True)
class _How:
    adjust: Adjust
    level: float


class _Comparing:
    """One comparison while it is made."""

    def __init__(  # noqa: PLR0917 - two runs and what to make of them
        self,
        base: Run,
        candidate: Run,
        settings: RunSettings,
        rules: Rules,
        wanted: Collection[str] | None,
        how: _How,
    ) -> None:
        self.base, self.candidate = base, candidate
        self.settings = settings
        self.rules = rules
        self.described: Mapping[str, Mapping[str, Any]] = candidate.summary["scores"]
        self.wanted = None if wanted is None else _names(wanted, _both(base, candidate))
        self.adjust, self.level = how.adjust, how.level
        self.stopped = stopped_of(base, candidate)

    def __call__(self, *, intersection: bool) -> Comparison:
        fields = dict.fromkeys([*self.settings.slices, *([self.settings.cluster] if self.settings.cluster else [])])
        both = (self.base, self.candidate)
        repeats = min(int(run.manifest.get("repeats", 1)) for run in both)
        bare = any(run.manifest.get("baseline") and not run.manifest.get("texts") for run in both)
        left = ScoredRun(self.base, repeats=repeats, labels_only=bare)
        right = ScoredRun(self.candidate, fields, repeats=repeats, labels_only=bare)
        found = self._differences(left, right)
        rows = found.rows
        assert rows is not None
        if found.reasons and not intersection:
            hint = "add --intersection to compare what both have in common"
            return self._refused([*found.reasons, hint], rows)
        scorers = [
            name
            for name in self.described
            if name in (self.wanted or self.base.summary["scores"]) and name not in found.scorers
        ]
        if not rows.shared or not scorers:
            nothing = "no row is the same in both runs" if not rows.shared else "no scorer is the same in both runs"
            return self._refused([nothing, *found.reasons], rows)
        clusters = None
        if self.settings.cluster:
            clusters = codes_of(_of_shared(right, rows.shared, self.settings.cluster))[0]
        pairs = Pairs(left, right, rows.shared, clusters, repeats)
        return self._judged(pairs, scorers, found)

    def _differences(self, left: ScoredRun, right: ScoredRun) -> Differences:
        rows = paired_rows(
            dict(zip(left.ids, left.digests, strict=True)),
            dict(zip(right.ids, right.digests, strict=True)),
            left.repeated | right.repeated,
        )
        before, now = (run.manifest.get("conditions") or {} for run in (self.base, self.candidate))
        if self.stopped is not None:
            rows = self.stopped.rows(rows, same_set=before.get("dataset") == now.get("dataset"))
        found = differences(
            before,
            now,
            rows,
            wanted=self.wanted,
            changed_fields=changed_fields(self.base, self.candidate, rows.changed),
        )
        if self.stopped is None or not self.stopped.clash:
            return found
        return replace(found, reasons=[*found.reasons, self.stopped.clash])

    def _refused(self, reasons: Sequence[str], rows: Rows) -> Comparison:
        gates = self._gates()
        return Comparison(
            "not_comparable",
            gating.exit_code(gates.values(), comparable=False),
            tuple(reasons),
            about(self.base),
            about(self.candidate),
            left_out=rows.left_out,
            gate=gates,
            adjust=self.adjust,
            level=self.level,
            seed=self.settings.seed,
        )

    def _judged(self, pairs: Pairs, scorers: Sequence[str], found: Differences) -> Comparison:
        masks = self._masks(pairs)
        results = self._found(pairs, scorers, masks)
        metrics: dict[str, Any] = {}
        slices: dict[str, dict[str, dict[str, Any]]] = {}
        sides = self.base.summary["scores"], self.described
        for place, (result, decision) in results.items():
            scorer, field, value = place
            entry = as_entry(
                Judged(
                    result,
                    decision,
                    margin=self.rules.margin_of(*place)[0],
                    gated=self.rules.drop_of(*place) is not None,
                    missing=pairs.missing(scorer, masks.get((field, value))),
                    sides=(sides[0][scorer], sides[1][scorer]),
                )
            )
            if field:
                slices.setdefault(field, {}).setdefault(value, {})[scorer] = entry
            else:
                metrics[scorer] = entry
        seen = changes.of_samples(pairs, {name: self.described[name] for name in scorers})
        for name, flips in seen.flips.items():
            metrics[name]["flips"] = flips
            if metrics[name]["better"] is None and metrics[name]["difference"] and flips["has_values"]:
                metrics[name] |= {"better": flips["better_in_all"], "worse": flips["worse_in_all"]}
        self._correct(pairs, metrics)
        asked = self._asked(scorers)
        floor = gating.covered(asked, self.base.summary)
        gates = {**self._gates(), **floor, **gating.dropped(asked, metrics, slices)}
        verdict = self._verdict(metrics, slices)
        code = gating.exit_code(gates.values())
        failed = [*gating.notes(gates, failed=True)]
        held = [*gating.notes(gates, failed=False)]
        return Comparison(
            verdict,
            code,
            (*failed, *held),
            about(self.base),
            about(self.candidate),
            samples=len(pairs.ids),
            left_out=self._left_out(found, metrics),
            metrics=metrics,
            slices=slices,
            changed=tuple(seen.changed),
            flaky=seen.flaky,
            gate=gates,
            adjust=self.adjust,
            level=self.level,
            seed=self.settings.seed,
        )

    def _correct(self, pairs: Pairs, metrics: Mapping[str, dict[str, Any]]) -> None:
        """Put beside a judge's difference what people's labels of both runs' answers make of it."""
        if self.stopped is not None:  # the correction's interval does not allow for asking that stopped early
            return
        for scorer, entry in metrics.items():
            slices = self.settings.slices
            found = corrected_pairs(pairs, scorer, self.described[scorer], slices=slices, level=self.level)
            if found is not None:
                entry["corrected"] = found

    def _asked(self, scorers: Sequence[str]) -> Rules:
        """Return the rules about what the user asked to compare."""
        if self.wanted is None:
            return self.rules
        return Rules(self.rules.gate, [bound for bound in self.rules.bounds if bound.scorer in scorers])

    def _masks(self, pairs: Pairs) -> dict[tuple[str, str], Mask]:
        """Return for each slice which shared rows it holds; of many values the largest, and those of the gate."""
        masks: dict[tuple[str, str], Mask] = {}
        gated = {(bound.field, bound.value) for bound in self.rules.bounds if bound.field}
        for field in self.settings.slices:
            codes, values = codes_of(_of_shared(pairs.candidate, pairs.ids, field))
            counts = np.bincount(codes, minlength=len(values))
            order = sorted(range(len(values)), key=lambda code: (-int(counts[code]), values[code]))
            for place, code in enumerate(order):
                if place < SLICE_VALUES or (field, values[code]) in gated:
                    masks[field, values[code]] = codes == code
        return masks

    def _found(self, pairs: Pairs, scorers: Sequence[str], masks: Mapping[tuple[str, str], Mask]) -> Found:
        if self.stopped is not None:
            return Settling(self.stopped, pairs, self.rules, self.level, self.described).results(scorers, masks)
        how = Testing(pairs, self.rules, self.settings, self.described, self.adjust, self.level)
        return how.results(scorers, masks)

    def _gates(self) -> dict[str, gating.Entry]:
        latencies = latencies_of(self.candidate) if self.rules.gate.latency is not None else ()
        usage = self.candidate.manifest.get("usage") or {}
        gates = {**gating.held(self.rules, self.candidate.summary), **gating.spent(self.rules, usage, latencies)}
        if not gates["coverage"]["pass"]:
            gates["coverage"]["note"] = below_floor(gates["coverage"])
        return gates

    def _verdict(self, metrics: Mapping[str, Any], slices: Mapping[str, Any]) -> ComparisonVerdict:
        judged = [
            *metrics.values(),
            *(one for values in slices.values() for scorers in values.values() for one in scorers.values()),
        ]
        verdicts = {one["verdict"] for one in judged if one["gated"]}
        return next((verdict for verdict in _GRAVEST if verdict in verdicts), "pass")

    def _left_out(self, found: Differences, metrics: Mapping[str, Any]) -> dict[str, Any]:
        assert found.rows is not None
        new = [name for name in self.described if name not in self.base.summary["scores"]]
        return {
            **found.rows.left_out,
            **({"scorers": list(found.scorers.values())} if found.scorers else {}),
            **({"new scorers": new} if new and self.wanted is None else {}),
            **({"not asked": told} if self.stopped is not None and (told := self.stopped.sentences) else {}),
            **{
                f"without {name} in the {side}": count
                for name, entry in metrics.items()
                for side, count in entry["missing"].items()
                if count
            },
        }


def _of_shared(run: ScoredRun, shared: Sequence[str], field: str) -> list[str]:
    of_id = dict(zip(run.ids, run.fields[field], strict=True))
    return [of_id[one] for one in shared]


def _both(base: Run, candidate: Run) -> dict[str, Mapping[str, Any]]:
    return {**base.summary["scores"], **candidate.summary["scores"]}


def _names(wanted: Collection[str], described: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the canonical names of scorers that the user named."""
    from llmkit.config.gate import Rule

    rules = rules_of(Gate(scorers={name: Rule(max_drop=0.0) for name in wanted}), _directed(described))
    return [bound.scorer for bound in rules.bounds]


def _directed(described: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return descriptions of scorers any of which may be asked for, whatever its direction."""
    return {name: {**about, "higher_is_better": True} for name, about in described.items()}


def latencies_of(run: Run) -> list[float]:
    """Return the seconds of every answer that the run waited for; answers from the cache are none."""
    found = []
    for output in run.outputs:
        response = output.response
        if response is not None and not response.cached:
            found.append(float(response.latency))
    return found


def about(run: Run) -> dict[str, Any]:
    """Return what names a run beside another."""
    manifest = run.manifest
    started = str(manifest.get("started") or "")
    name = Path(run.path).name or str(manifest.get("name", ""))
    return {"name": name, "path": run.path, "target": manifest.get("target", ""), "started": started}
