"""`llmkit audit`, told top to bottom: get ready, collect verdicts, measure, write the run folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmkit._version import __version__
from llmkit.config import AuditConfig
from llmkit.datasets import field_getter, row_digest
from llmkit.engine import Engine
from llmkit.flows.audit.evidence import Evidence, Row
from llmkit.flows.audit.live import Spent, Work, judged
from llmkit.flows.audit.setup import AuditSetup, prepare_audit
from llmkit.flows.audit.summary import cost_of, summarise
from llmkit.flows.folders import leave_unfinished, open_folder
from llmkit.flows.loop import run_loop
from llmkit.flows.manifest import now, versions
from llmkit.flows.open_engine import open_engine
from llmkit.flows.options import Options, Started, Warned, tell
from llmkit.flows.recorder import Progress
from llmkit.flows.tally import slice_value
from llmkit.report.audit import audit_html, audit_markdown
from llmkit.store import RunFolder, git_state
from llmkit.types import Output, Run, SampleRow, Score


def run_audit(
    config: AuditConfig | Path | str, *, overrides: Sequence[str] = (), options: Options | None = None
) -> Run:
    """Audit a judge and return the run folder.

    Raises:
        UsageError: the config or the data is wrong; nothing was asked or written.
        InfrastructureError: the endpoint refuses, the disk is full.
        BudgetError: a budget stop was reached; what is finished is kept.
        Interrupted: stopped by the user; what is finished is kept.
    """
    return run_prepared_audit(prepare_audit(config, overrides), options or Options())


def run_prepared_audit(setup: AuditSetup, options: Options) -> Run:
    """Run what `prepare_audit` made ready."""
    config = setup.config
    with open_folder(options, root=config.out, name=config.name, fingerprint=setup.fingerprint) as folder:
        started = time.perf_counter()
        manifest = _first_manifest(setup, resumed=folder.resumed)
        folder.begin(manifest, config.resolved_yaml())
        tell(options, Started(folder.path, folder.resumed, setup.rows))
        book = _Book(setup, folder, options)
        try:
            usage = book.read() if setup.seat is None else book.ask()
            summary = summarise(setup, book.evidence, book.spent)
        except BaseException as error:
            done = len(book.evidence)
            leave_unfinished(folder, error, done=done, total=setup.rows, closers=(book.close,))
            raise
        book.close()
        for warning in setup.warnings:
            tell(options, Warned(warning))
        lost = setup.people.unmatched()
        if lost:
            what = "row" if lost == 1 else "rows"
            tell(options, Warned(f"{lost:,} labelled {what} of {config.human.file} not found among the rows"))
        manifest = {
            **manifest,
            "finished": now(),
            "seconds": round(time.perf_counter() - started, 3),
            "usage": usage,
            "versions": versions(),
            "per_1000_verdicts": cost_of(book.spent),
        }
        run = replace(folder.run(), manifest=manifest, summary=summary)
        folder.finish(manifest, summary, {"report.md": audit_markdown(run), "report.html": audit_html(run)})
        return folder.run()


class _Book:
    """Takes rows in dataset order: writes them, and keeps what the measures need."""

    def __init__(self, setup: AuditSetup, folder: RunFolder, options: Options) -> None:
        config = setup.config
        self.setup, self.folder, self.options = setup, folder, options
        names = [config.group, config.system, config.cluster, *config.slices]
        self.fields = {name: field_getter(name) for name in dict.fromkeys(names) if name}
        self.evidence = Evidence(names=tuple(self.fields))
        self.spent: Spent | None = None
        self._scores = folder.scores_writer()
        self._samples = folder.samples_writer()
        self._outputs = folder.outputs_writer()
        self._transcripts = folder.transcripts_writer() if setup.seat is not None else None
        self._open = True

    def read(self) -> dict[str, Any]:
        """Take rows whose verdicts are recorded."""
        for row in self.setup.walk():
            self._take(row)
        return {"recorded": self.setup.source}

    def ask(self) -> dict[str, Any]:
        """Let the judge judge every row."""
        setup, options = self.setup, self.options
        work = setup.work
        assert work is not None
        self.spent = work.spent
        with open_engine(setup, options, self.folder.journal_path) as engine:
            run_loop(self._judge(work, engine))
        return engine.usage.as_dict()

    async def _judge(self, work: Work, engine: Engine) -> None:
        samples = (row.sample for row in self.setup.walk())
        rows = judged(work, engine, samples, self._keep, catch_signals=self.options.catch_signals)
        try:
            breath = time.perf_counter()
            async for row in rows:
                self._take(row)
                failed = sum(self.evidence.faults.values())
                usage = engine.usage
                tokens = usage.tokens_in + usage.tokens_out
                tell(self.options, Progress(len(self.evidence), self.setup.rows, failed, usage.cost, tokens))
                if time.perf_counter() - breath > 0.01:  # noqa: PLR2004 - answers in flight wait to be read
                    await asyncio.sleep(0)
                    breath = time.perf_counter()
        finally:
            await rows.aclose()  # type: ignore[attr-defined]

    def _take(self, row: Row) -> None:
        sample = row.sample
        self._samples.write(SampleRow(sample, row_digest(sample)))
        if row.answer is not None:
            self._outputs.write(Output(sample.id, row.answer))
        if self.setup.seat is None:
            self._scores.write(_recorded_score(self.setup.judge_name, row))
        labels = self.setup.people.of(sample)
        fields = {name: slice_value(get(sample)) for name, get in self.fields.items()}
        reason = self.setup.people.reason(sample)
        strata = self.setup.people.strata
        if strata:
            fields["stratum"] = strata.get(sample.id, "")
        fields["human_reason"] = reason
        self.evidence.add(row, labels, fields)

    def _keep(self, score: Any, transcript: Any) -> None:
        self._scores.write(score)
        if transcript is not None and self._transcripts is not None:
            self._transcripts.write(transcript)

    def close(self) -> None:
        """Put everything on disk."""
        if not self._open:
            return
        self._open = False
        for writer in (self._samples, self._outputs, self._scores, self._transcripts):
            if writer is not None:
                writer.close()


def _recorded_score(judge: str, row: Row) -> Score:
    if row.verdict is None:
        return Score(row.sample.id, judge, None, "error", row.fault)
    if isinstance(row.verdict, str):
        return Score(row.sample.id, judge, None, "ok", row.reason, (row.verdict,))
    return Score(row.sample.id, judge, row.verdict, "ok", row.reason, (row.verdict,))


def _first_manifest(setup: AuditSetup, *, resumed: bool) -> dict[str, Any]:
    config = setup.config
    signature = "" if setup.seat is None else f"{setup.seat.name}|{setup.seat.signature}"
    return {
        "schema": 1,
        "kind": "audit",
        "llmkit": __version__,
        "name": config.name,
        "config": config.file,
        "fingerprint": setup.fingerprint,
        "conditions": {"dataset": setup.fingerprint_of_rows, "scorers": {}, "repeats": 1, "cluster": config.cluster},
        "subject": {"judge": setup.judge_name, "signature": signature, "model": setup.judge_model},
        "dataset": {
            "source": setup.source,
            "rows": setup.rows,
            "fingerprint": setup.fingerprint_of_rows,
            "skipped_rows": 0,
        },
        "target": setup.judge_name,
        "repeats": 1,
        "seed": config.seed,
        "started": now(),
        "resumed": resumed,
        "git": git_state(config.base),
    }
