"""Getting an audit ready: everything is built and checked here, before anything is asked or written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmkit import registry
from llmkit.config import AuditConfig, load_audit_config
from llmkit.config.audit_config import Recorded
from llmkit.datasets import Census, Dataset, census, open_dataset
from llmkit.engine import PriceBook, Settings
from llmkit.errors import ConfigError, DataError, Problem
from llmkit.flows.audit.evidence import Row
from llmkit.flows.audit.live import Work, draw, probes_of
from llmkit.flows.audit.sources import recorded_rows, run_rows_of
from llmkit.flows.engine_settings import engine_settings
from llmkit.flows.judging import Seat
from llmkit.flows.labels import People, people
from llmkit.flows.seating import check_judges, seated_alone
from llmkit.hashing import digest
from llmkit.types import Run


@dataclass(frozen=True)
class AuditSetup:
    """One audit, checked and ready.

    Attributes:
        config: The config.
        source: The rows, as the user named them.
        fingerprint_of_rows: A digest of them.
        rows: How many there are.
        walk: Yields them with their recorded verdicts; without verdicts for a judge that is run.
        people: People's labels.
        seat: The judge that is run; None for recorded verdicts.
        judge_name: What the judge is called.
    """

    config: AuditConfig
    source: str
    fingerprint_of_rows: str
    rows: int
    walk: Callable[[], Iterator[Row]]
    people: People
    judge_name: str
    settings: Settings
    prices: PriceBook
    seat: Seat | None = None
    ids: Sequence[str] = ()
    judge_model: str = ""
    warnings: Sequence[str] = ()

    @property
    def fingerprint(self) -> str:
        """What the audit depends on: an interrupted one is continued only under the same."""
        judge = self.judge_name if self.seat is None else f"{self.seat.name}|{self.seat.signature}"
        plain = self.config.resolved()
        kept = {key: plain[key] for key in plain if key not in {"engine", "out", "gate", "prices"}}
        return digest(["audit", self.fingerprint_of_rows, judge, kept])

    @property
    def providers(self) -> list[Any]:
        """Everyone who is asked: the judge's models."""
        return [] if self.seat is None else [model.provider for model in self.seat.models()]

    @property
    def work(self) -> Work | None:
        """What the judge is asked; None for recorded verdicts."""
        if self.seat is None:
            return None
        config = self.config
        probes = probes_of(config)
        probed = probes or config.probes.repeats > 1
        drawn = draw(self.ids, config.probes.rows, config.seed) if probed else frozenset()
        return Work(self.seat, drawn, probes, config.probes.repeats)


def prepare_audit(config: AuditConfig | Path | str, overrides: Sequence[str] = ()) -> AuditSetup:
    """Return a checked `AuditSetup`; nothing is asked and nothing written.

    Raises:
        ConfigError: every problem of the config and its plug-ins.
        DataError: every bad row, or rows that lack what the audit needs.
    """
    cfg = config if isinstance(config, AuditConfig) else load_audit_config(Path(config), overrides)
    registry.load_plugins(cfg.paths(cfg.plugins))
    problems: list[Problem] = []
    recorded = cfg.recorded
    seat = None if recorded is not None else seated_alone(cfg, problems)
    if seat is not None:
        problems += _unfit(seat)
    try:
        prices = PriceBook.load(*cfg.paths(cfg.prices))
    except ConfigError as error:
        problems += error.problems or (Problem(str(error)),)
    if problems:
        raise ConfigError(problems=[cfg.placed(problem) for problem in problems])
    if seat is not None:
        check_judges(cfg, [seat], "judge")
    labels = people(cfg.human, cfg.base)
    dataset = open_dataset(cfg.dataset.source, base=cfg.base)
    counted = _counted(dataset, _needed(cfg), outputs=seat is not None)
    model = seat.model.name if seat is not None and seat.model is not None else recorded and recorded.model
    name = seat.name if seat is not None else f"field {recorded.field}" if recorded is not None else ""
    return AuditSetup(
        config=cfg,
        source=counted.source,
        fingerprint_of_rows=counted.fingerprint,
        rows=counted.rows,
        walk=_walk(cfg, dataset, recorded),
        people=labels,
        judge_name=name,
        settings=engine_settings(cfg.engine),
        prices=prices,
        seat=seat,
        ids=[sample.id for sample in dataset if sample.output is not None] if seat is not None else (),
        judge_model=model or "",
    )


def _unfit(seat: Seat) -> Iterator[Problem]:
    """Yield why a judge cannot be audited as it is."""
    if seat.over_repeats or any(member.over_repeats for member in seat.members):
        message = (
            f"'{seat.name}' judges several answers to one question together; an audit is of verdicts on one answer"
        )
        yield Problem(message, key="judge")
    if seat.unprepared():
        hint = "run an evaluation with this judge once; it writes them"
        yield Problem(f"'{seat.name}' has no steps yet", key="judge", hint=hint)


def _counted(dataset: Dataset, needed: Sequence[str], *, outputs: bool) -> Census:
    """Return the census of the rows.

    Raises:
        DataError: bad rows; a field that is needed, or an output where a judge is run, is in no row.
    """
    found = census(dataset, fields_needed=needed)
    if found.problems:
        raise DataError(found.report(), found.problems)
    lacking = [p for name in needed if (p := found.lacking(name)) and found.missing[name].count == found.rows]
    if outputs and not found.has.get("output"):
        hint = "an audit judges recorded answers: map them with dataset.fields: {output: ...}"
        lacking.append(Problem("no row has an 'output'", file=found.source, hint=hint))
    if lacking:
        raise DataError(problems=lacking)
    return found


def prepare_run_audit(config: AuditConfig, run: Run, judge: str) -> AuditSetup:
    """Return the audit of what a scorer of a finished run said; ``config`` says all but the rows and the judge."""
    rows = list(run_rows_of(run, judge, config.other))
    models = [part.partition(":")[2].partition("@")[0] for part in _signature(run, judge) if part.startswith("model:")]
    return AuditSetup(
        config=config,
        source=run.path,
        fingerprint_of_rows=digest([run.manifest.get("fingerprint"), judge]),
        rows=len(rows),
        walk=lambda: iter(rows),
        people=people(config.human, Path()),
        judge_name=judge,
        settings=engine_settings(config.engine),
        prices=PriceBook.load(),
        judge_model=models[0] if models else "",
    )


def _signature(run: Run, judge: str) -> list[str]:
    return str(run.summary["scores"][judge].get("signature", "")).split("|")


def _needed(cfg: AuditConfig) -> list[str]:
    own = cfg.recorded
    found = [cfg.group, cfg.system, cfg.other, cfg.cluster, *cfg.slices, *cfg.human.field]
    found += [own.field, own.swapped, own.reason] if own is not None else []
    return list(dict.fromkeys(name for name in found if name))


def _walk(cfg: AuditConfig, dataset: Dataset, recorded: Recorded | None) -> Callable[[], Iterator[Row]]:
    if recorded is not None:
        return lambda: recorded_rows(cfg, dataset, recorded)
    return lambda: (Row(sample, sample.output, None) for sample in dataset)
