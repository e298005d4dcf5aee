"""The main story: run a system over an eval set, score it, write the run folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from llmkit.config import EvalConfig
from llmkit.engine import Engine, Lane
from llmkit.errors import DataError, Problem, RequestError, UsageError
from llmkit.flows.against import baseline_of, held_against
from llmkit.flows.ask import Asker
from llmkit.flows.ask_choices import ChoiceAsker
from llmkit.flows.choice_rules import rules_summary
from llmkit.flows.compare import latencies_of
from llmkit.flows.ensemble import Ask, EnsembleRun, MemberAsker, each_member, require_earlier_rows, require_members
from llmkit.flows.folders import leave_unfinished, open_folder
from llmkit.flows.gating import spent
from llmkit.flows.judging import Bench
from llmkit.flows.loop import run_loop, stopped_by_signals
from llmkit.flows.manifest import first_manifest, last_manifest
from llmkit.flows.mode_judging import judge_modes
from llmkit.flows.open_engine import open_engine
from llmkit.flows.options import Options, Started, Warned, tell
from llmkit.flows.rag import RagAsker, RagTarget
from llmkit.flows.rag_modes import modes_summary
from llmkit.flows.ready import ready
from llmkit.flows.recorded_run import RecordedRun
from llmkit.flows.recorder import Recorder
from llmkit.flows.routed import lane_of
from llmkit.flows.rows import checked_rows
from llmkit.flows.run_rows import run_rows
from llmkit.flows.sequential import Judged
from llmkit.flows.setup import Setup, prepare
from llmkit.flows.stopping import Stopping, stopping_of
from llmkit.report._words import with_gates
from llmkit.report.html import html_report
from llmkit.report.junit import facts_of, gate_cases, junit_xml
from llmkit.report.markdown import markdown_report
from llmkit.store import RunFolder
from llmkit.types import Failure, Judgment, Output, Request, Run, Sample

T = TypeVar("T")

_BREATH = 0.01
"""Seconds of scoring at a stretch: while rows are scored, answers in flight wait to be read, and time out."""


def run_eval(
    config: EvalConfig | Path | str,
    *,
    overrides: Sequence[str] = (),
    options: Options | None = None,
) -> Run:
    """Run an evaluation and return its run folder.

    A run that was interrupted is continued when it is called again with the same config and data: what was
    answered is not asked again.

    Raises:
        UsageError: the config or the data is wrong; nothing was asked or written.
        NotComparableError: the conditions of the baseline differ; nothing was asked or written.
        InfrastructureError: the endpoint refuses, the disk is full.
        BudgetError: a budget stop was reached; what is finished is kept.
        Interrupted: stopped by the user; what is finished is kept.
    """
    chosen = options or Options()
    return run_prepared(prepare(config, overrides, rescoring=chosen.outputs is not None), chosen)


def run_prepared(setup: Setup, chosen: Options) -> Run:
    """Run what `prepare` made ready; see `run_eval`."""
    require_earlier_rows(setup)
    setup = ready(setup, chosen)
    with ExitStack() as stack:
        earlier = _earlier(setup, chosen)
        base = baseline_of(setup, chosen)
        stopping = stopping_of(setup, chosen, earlier, base)
        folder = stack.enter_context(_folder_of(setup, chosen))
        started = time.perf_counter()
        manifest = first_manifest(setup, resumed=folder.resumed)
        folder.begin(manifest, setup.config.resolved_yaml())
        recorder = Recorder(setup, folder, chosen.observe, seed=None if stopping is None else stopping.seed)
        ensemble = None if setup.config.ensemble is None else EnsembleRun(setup, folder, chosen.observe)
        tell(chosen, Started(folder.path, folder.resumed, recorder.total))
        try:
            usage = _collect(setup, chosen, folder, recorder, earlier=earlier, ensemble=ensemble, stopping=stopping)
            recorder.score_in_batches()
            if ensemble is not None:
                ensemble.score_in_batches()
        except BaseException as error:
            closers = (recorder.close,) if ensemble is None else (ensemble.close, recorder.close)
            answered = (ensemble or recorder).answered
            leave_unfinished(folder, error, done=answered, total=recorder.total, closers=closers)
            raise
        summary = recorder.summary(None if stopping is None else stopping.summary(recorder.rows, usage))
        if ensemble is not None:
            summary["ensemble"] = ensemble.board.summary(recorder.tallies, recorder.design())
        if isinstance(setup.target, RagTarget) and len(setup.target.settings.modes) > 1 and earlier is None:
            summary["modes"] = modes_summary(setup, recorder.recorded(), recorder.tallies, recorder.design())
        if rules := rules_summary(setup, recorder.recorded(), recorder.tallies, recorder.design()):
            summary["rules"] = rules
        manifest = last_manifest(manifest, usage=usage, seconds=time.perf_counter() - started)
        recorder.close()
        run = replace(folder.run(), manifest=manifest, summary=summary)
        latencies = latencies_of(run) if setup.config.gate.latency is not None else ()
        if taken := spent(setup.rules, manifest["usage"], latencies):
            manifest = {**manifest, "gate": taken}
            run = replace(run, manifest=manifest)
        comparison, reports = None, {}
        if base is None:
            reports["report.html"] = html_report(run, run_rows(run))
        else:
            comparison, reports = held_against(base, run, chosen)
        gates = comparison.gate if comparison is not None else with_gates(manifest, summary)["gate"]
        reports["junit.xml"] = junit_xml(setup.config.name, gate_cases(gates, comparison), facts_of(summary))
        reports["report.md"] = markdown_report(run, recorder.examples.rows())
        folder.finish(manifest, summary, reports)
        return replace(folder.run(), comparison=comparison)


def _earlier(setup: Setup, options: Options) -> RecordedRun | None:
    """Return the run whose answers are scored again; found before any folder is touched, so that a slip costs none."""
    if options.outputs is None:
        return None
    earlier = RecordedRun(options.outputs, setup)
    earlier.require_variants()
    if options.out is not None and options.out.resolve() == earlier.folder:
        raise UsageError(
            f"--out and --outputs both name {options.out}, whose answers would be lost; choose another --out"
        )
    require_members(earlier, setup)
    return earlier


def _collect(
    setup: Setup,
    options: Options,
    folder: RunFolder,
    recorder: Recorder,
    *,
    earlier: RecordedRun | None,
    ensemble: EnsembleRun | None,
    stopping: Stopping | None,
) -> dict[str, Any]:
    """Fill the recorder from the target, or from an earlier run, and from the judges; return what it took."""
    for warning in setup.warnings:
        tell(options, Warned(warning))
    read = None if earlier is None else earlier.pairs()
    if ensemble is not None and read is not None:
        read = ensemble.combined_again(read)
    if earlier is not None and read is not None and not setup.seats:
        if stopping is not None:
            read = stopping.looked_at(read)
        for sample, output in read:
            recorder.take(sample, output)
            recorder.tell(0.0, 0)
        return {"rescored": str(earlier.path)}
    with open_engine(setup, options, folder.journal_path) as engine:
        run_loop(_ask_all(setup, engine, recorder, options, read=read, ensemble=ensemble, stopping=stopping))
        recorder.require_an_answer()
    if earlier is None:
        _refuse_strangers(setup)
    if unmatched := getattr(setup.target, "unmatched", 0):
        tell(options, Warned(f"{unmatched:,} recorded answers belong to no row of {setup.census.source}"))
    rescored = {} if earlier is None else {"rescored": str(earlier.path)}
    return {**rescored, **engine.usage.as_dict()}


def _refuse_strangers(setup: Setup) -> None:
    """Refuse recorded rankings of which not one belongs to a row: every score would be a 0 that nobody earned."""
    if getattr(setup.target, "matched", None) == 0:
        message = f"not one ranking of {setup.target_name} belongs to a row of {setup.census.source}"
        hint = "are the ids of questions written the same way in both files?"
        raise DataError(problems=[setup.config.placed(Problem(message, key="target", hint=hint))])


async def _ask_all(
    setup: Setup,
    engine: Engine,
    recorder: Recorder,
    options: Options,
    *,
    read: Iterable[tuple[Sample, Output]] | None,
    ensemble: EnsembleRun | None,
    stopping: Stopping | None,
) -> None:
    """Ask the target, or take answers that are read from an earlier run, and let judges judge; record all of it."""
    bench = Bench(setup.seats, engine)
    try:
        with stopped_by_signals(engine, wanted=options.catch_signals):
            if ensemble is not None and read is None:
                members = MemberAsker(setup, {name: asking(one, engine, bench) for name, one in each_member(setup)})
                await _record(engine, ensemble, members.tasks(tasks(setup)), _unjudged(members.ask))
                ensemble.require_every_member()
                await _record(engine, recorder, ensemble.combined(), _rejudged(setup, bench))
            else:
                await _asked(engine, recorder, stopping, *_questions(setup, engine, bench, read))
            if recorder.judges_together:
                await _record_together(setup, engine, recorder, bench)
    finally:
        await bench.aclose()
        if read is None:
            await setup.target.aclose()


def _questions(
    setup: Setup, engine: Engine, bench: Bench, read: Iterable[tuple[Sample, Output]] | None
) -> tuple[Iterable[Any], Callable[[Any], Awaitable[Judged]]]:
    """Return what is to be answered, and what answers it: the target and judges, or judges alone."""
    if read is not None:
        return read, _rejudged(setup, bench)
    return tasks(setup), answerer(setup, engine, bench)


async def _asked(
    engine: Engine,
    recorder: Recorder,
    stopping: Stopping | None,
    items: Iterable[Any],
    answer: Callable[[Any], Awaitable[Judged]],
) -> None:
    if stopping is None:
        await _record(engine, recorder, items, answer)
    else:
        await stopping.ask(engine, recorder, items, answer)


def answerer(setup: Setup, engine: Engine, bench: Bench) -> Callable[[tuple[Sample, int]], Awaitable[Judged]]:
    """Return what makes of a sample and a repeat its output and what the judges say of it."""
    ask = asking(setup, engine, bench)

    async def answer(task: tuple[Sample, int]) -> Judged:
        sample, repeat = task
        output = await ask(sample, repeat)
        meant = setup.variants.meant(sample)
        if isinstance(setup.target, RagTarget):
            return sample, *(await judge_modes(bench, setup.target.settings.modes, meant, output))
        return sample, output, await bench.judge(meant, output)

    return answer


def asking(setup: Setup, engine: Engine, bench: Bench) -> Ask:
    """Return what asks the target; a request that failed for good is an output with an error."""
    lane: Lane | Callable[[Request], Lane] = bench.lane(setup.target, setup.target_identity)
    if isinstance(setup.target, RagTarget):
        models = setup.target.models.items()
        lane = lane_of({name: bench.lane(asked.provider, asked.identity) for name, asked in models})
    asker = asker_of(setup)

    async def ask(sample: Sample, repeat: int) -> Output:
        try:
            return await engine.converse(lane, asker.dialogue(sample, repeat))
        except RequestError as error:
            return Output(sample.id, None, repeat, error=failure(error))

    return ask


def _unjudged(ask: Ask) -> Callable[[tuple[Sample, int]], Awaitable[Judged]]:
    async def unjudged(task: tuple[Sample, int]) -> Judged:
        return task[0], await ask(*task), {}

    return unjudged


def _rejudged(setup: Setup, bench: Bench) -> Callable[[tuple[Sample, Output]], Awaitable[Judged]]:
    async def judged(pair: tuple[Sample, Output]) -> Judged:
        sample, output = pair
        return sample, output, await bench.judge(setup.variants.meant(sample), output)

    return judged


async def _record(
    engine: Engine, recorder: Recorder | EnsembleRun, items: Iterable[T], answer: Callable[[T], Awaitable[Judged]]
) -> None:
    async with aclosing(engine.map(answer, items)) as answers:  # no worker outlives the target's connections
        breath = time.perf_counter()
        async for sample, output, judgments in answers:
            recorder.take(sample, output, judgments)
            recorder.tell(engine.usage.cost, engine.usage.tokens_in + engine.usage.tokens_out)
            if time.perf_counter() - breath > _BREATH:
                await asyncio.sleep(0)
                breath = time.perf_counter()


async def _record_together(setup: Setup, engine: Engine, recorder: Recorder, bench: Bench) -> None:
    """Let judges that look at all repeats of a sample at once judge, now that all answers are in."""
    repeats = setup.config.repeats

    async def judged(group: list[tuple[Sample, Output]]) -> tuple[Sample, list[Output], dict[str, Judgment]]:
        sample, outputs = group[0][0], [output for _, output in group]
        return sample, outputs, await bench.judge_together(setup.variants.meant(sample), outputs)

    pairs = recorder.recorded()
    groups = iter(lambda: list(islice(pairs, repeats)), [])
    row = 0
    async with aclosing(engine.map(judged, groups)) as found:
        async for sample, outputs, judgments in found:
            recorder.take_together(row, sample, outputs, judgments)
            row += repeats


def tasks(setup: Setup) -> Iterator[tuple[Sample, int]]:
    """Yield every sample as often as it is to be asked, repeats side by side."""
    for sample in checked_rows(setup):
        for repeat in range(setup.config.repeats):
            yield sample, repeat


def asker_of(setup: Setup) -> Asker | ChoiceAsker | RagAsker:
    """Return what turns samples into questions for the target."""
    target, choice = setup.target, setup.config.choice
    if isinstance(target, RagTarget):
        return RagAsker(target, setup.template, setup.shots)
    if choice is not None and setup.choice_shots is not None:
        return ChoiceAsker(
            choice.rules,
            setup.choice_shots,
            subject=choice.subject,
            unconditional=choice.unconditional,
            give_sample=bool(getattr(target, "wants_sample", False)),
            give_output=bool(getattr(target, "reads_output", False)),
        )
    return Asker(
        setup.template,
        setup.shots,
        give_sample=bool(getattr(target, "wants_sample", False)),
        give_output=bool(getattr(target, "reads_output", False)),
        ask=setup.config.ask,
    )


def failure(error: RequestError) -> Failure:
    """Return a failed request as the record that stands in place of its answer."""
    return Failure(error.kind, str(error), status=error.status, attempts=error.attempts)


def _folder_of(setup: Setup, options: Options) -> RunFolder:
    return open_folder(options, root=setup.config.out, name=setup.config.name, fingerprint=setup.fingerprint)
