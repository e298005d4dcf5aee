"""The main story: run a system over an eval set, score it, write the run folder."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmkit.config import EvalConfig
from llmkit.engine import Engine, Event, Interrupted
from llmkit.errors import BudgetError, DataError, LlmkitError, Problem, RequestError, UsageError
from llmkit.flows.ask import Asker
from llmkit.flows.ask_choices import ChoiceAsker
from llmkit.flows.manifest import first_manifest, last_manifest
from llmkit.flows.recorded_run import RecordedRun
from llmkit.flows.recorder import Recorder
from llmkit.flows.rows import checked_rows
from llmkit.flows.setup import Setup, prepare
from llmkit.report.markdown import markdown_report
from llmkit.store import Journal, ResponseCache, RunFolder, Status, at, new_or_resumed
from llmkit.types import Failure, Output, Run, Sample

CACHE_PATH = Path(".llmkit") / "responses.sqlite"

_BREATH = 0.01
"""Seconds of scoring at a stretch: while rows are scored, answers in flight wait to be read, and time out."""


@dataclass(frozen=True, slots=True)
class Started(Event):
    """A run folder was opened, new or resumed."""

    path: Path
    resumed: bool
    total: int


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """Something went wrong that does not touch the results."""

    message: str


@dataclass(frozen=True, slots=True)
class Options:
    """How to run, as opposed to what to measure; nothing here changes a score.

    Attributes:
        out: An exact run folder; None makes one under the config's ``out``.
        overwrite: Replace whatever run lies in ``out``.
        outputs: An earlier run whose answers are scored again; the target is not asked.
        cache: Whether the response cache is used at all.
        refresh: Ask anew and put the answers into the cache.
        observe: Called with every event; quick, never raises.
        catch_signals: Turn Ctrl-C and SIGTERM into a clean stop (only from the main thread).
    """

    out: Path | None = None
    overwrite: bool = False
    outputs: Path | None = None
    cache: bool = True
    refresh: bool = False
    observe: Callable[[Event], None] | None = None
    catch_signals: bool = False


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
        InfrastructureError: the endpoint refuses, the disk is full.
        BudgetError: a budget stop was reached; what is finished is kept.
        Interrupted: stopped by the user; what is finished is kept.
    """
    chosen = options or Options()
    return run_prepared(prepare(config, overrides, rescoring=chosen.outputs is not None), chosen)


def run_prepared(setup: Setup, chosen: Options) -> Run:
    """Run what `prepare` made ready; see `run_eval`."""
    with ExitStack() as stack:
        earlier = _earlier(setup, chosen)
        folder = stack.enter_context(_folder(setup, chosen))
        started = time.perf_counter()
        manifest = first_manifest(setup, resumed=folder.resumed)
        folder.begin(manifest, setup.config.resolved_yaml())
        recorder = Recorder(setup, folder, chosen.observe)
        _tell(chosen, Started(folder.path, folder.resumed, recorder.total))
        try:
            usage = _collect(setup, chosen, folder, recorder) if earlier is None else _collect_again(earlier, recorder)
            recorder.score_in_batches()
        except BaseException as error:
            _close_unfinished(folder, recorder, error)
            raise
        summary = recorder.summary()
        manifest = last_manifest(manifest, usage=usage, seconds=time.perf_counter() - started)
        recorder.close()
        run = Run(str(folder.path), manifest, summary)
        folder.finish(manifest, summary, {"report.md": markdown_report(run, recorder.examples.rows())})
        return folder.run()


def _earlier(setup: Setup, options: Options) -> RecordedRun | None:
    """Return the run whose answers are scored again; found before any folder is touched, so that a slip costs none."""
    if options.outputs is None:
        return None
    earlier = RecordedRun(options.outputs, setup)
    if options.out is not None and options.out.resolve() == earlier.folder:
        raise UsageError(
            f"--out and --outputs both name {options.out}, whose answers would be lost; choose another --out"
        )
    return earlier


def _collect_again(earlier: RecordedRun, recorder: Recorder) -> dict[str, Any]:
    """Fill the recorder from an earlier run."""
    for sample, output in earlier.pairs():
        recorder.take(sample, output)
        recorder.tell(0.0, 0)
    return {"rescored": str(earlier.path)}


def _collect(setup: Setup, options: Options, folder: RunFolder, recorder: Recorder) -> dict[str, Any]:
    """Fill the recorder from the target; return what it took."""
    with ExitStack() as stack:
        journal = stack.enter_context(closing(Journal(folder.journal_path)))
        path = cache_path(setup, options)
        cache = None if path is None else stack.enter_context(closing(ResponseCache(path)))
        engine = Engine(
            setup.settings,
            journal=journal,
            cache=cache,
            refresh=options.refresh,
            prices=setup.prices,
            seed=setup.config.seed,
            observe=options.observe,
        )
        run_loop(_ask_all(setup, engine, recorder, options))
        recorder.require_an_answer()
    _refuse_strangers(setup)
    for warning in _warnings(setup, cache):
        _tell(options, Warned(warning))
    return engine.usage.as_dict()


def _refuse_strangers(setup: Setup) -> None:
    """Refuse recorded rankings of which not one belongs to a row: every score would be a 0 that nobody earned."""
    if getattr(setup.target, "matched", None) == 0:
        message = f"not one ranking of {setup.target_name} belongs to a row of {setup.census.source}"
        hint = "are the ids of questions written the same way in both files?"
        raise DataError(problems=[setup.config.placed(Problem(message, key="target", hint=hint))])


async def _ask_all(setup: Setup, engine: Engine, recorder: Recorder, options: Options) -> None:
    lane = engine.lane(setup.target, setup.target_identity)
    asker = asker_of(setup)

    async def answer(task: tuple[Sample, int]) -> tuple[Sample, Output]:
        sample, repeat = task
        try:
            return sample, await engine.converse(lane, asker.dialogue(sample, repeat))
        except RequestError as error:
            return sample, Output(sample.id, None, repeat, error=failure(error))

    if options.catch_signals:
        _stop_on_signals(engine)
    try:
        async with aclosing(engine.map(answer, tasks(setup))) as answers:  # no worker outlives the target's connections
            breath = time.perf_counter()
            async for sample, output in answers:
                recorder.take(sample, output)
                recorder.tell(engine.usage.cost, engine.usage.tokens_in + engine.usage.tokens_out)
                if time.perf_counter() - breath > _BREATH:
                    await asyncio.sleep(0)
                    breath = time.perf_counter()
    except asyncio.CancelledError:
        if options.catch_signals and engine.halted is not None:  # the second Ctrl-C
            raise engine.halted from None
        raise
    finally:
        if options.catch_signals:
            _heed_signals_as_before()
        await setup.target.aclose()


def tasks(setup: Setup) -> Iterator[tuple[Sample, int]]:
    """Yield every sample as often as it is to be asked, repeats side by side."""
    for sample in checked_rows(setup):
        for repeat in range(setup.config.repeats):
            yield sample, repeat


def asker_of(setup: Setup) -> Asker | ChoiceAsker:
    """Return what turns samples into questions for the target."""
    target, choice = setup.target, setup.config.choice
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


def run_loop(work: Awaitable[None]) -> None:
    """Run a coroutine to its end, also from a notebook whose own loop is running; uvloop where installed."""
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        running.append((asyncio.get_running_loop(), task))
        await work

    factory = _loop_factory()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
        return
    from concurrent.futures import ThreadPoolExecutor

    def elsewhere() -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())

    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(elsewhere).result()
        except KeyboardInterrupt:  # the pool waits for its thread, so tell it
            for loop, task in running:
                with suppress(RuntimeError):  # it has just ended
                    loop.call_soon_threadsafe(task.cancel)
            raise


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _stop_on_signals(engine: Engine) -> None:
    """First Ctrl-C: finish what is in flight. Second: drop it; the journal still holds what was answered."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    asked_before = False

    def on_signal() -> None:
        nonlocal asked_before
        if asked_before:
            task.cancel()
        asked_before = True
        engine.stop()

    with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        for number in SIGNALS:
            loop.add_signal_handler(number, on_signal)


def _heed_signals_as_before() -> None:
    with suppress(NotImplementedError, RuntimeError, ValueError):
        for number in SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)


def _close_unfinished(folder: RunFolder, recorder: Recorder, error: BaseException) -> None:
    """Keep what is there and say why it is not finished; never hide the error that brought us here."""
    status: Status = "failed"
    if isinstance(error, BudgetError):
        status = "stopped"
    elif isinstance(error, (Interrupted, KeyboardInterrupt, asyncio.CancelledError)):
        status = "interrupted"
    if isinstance(error, LlmkitError):
        error.run_path = str(folder.path)
        error.done, error.total = recorder.answered, recorder.total
    try:
        recorder.close()
        folder.mark(status)
    except LlmkitError as closing:
        error.add_note(str(closing))


def _tell(options: Options, event: Event) -> None:
    if options.observe is not None:
        options.observe(event)


def _warnings(setup: Setup, cache: ResponseCache | None) -> Iterator[str]:
    if cache is not None:
        yield from cache.warnings
    unmatched = getattr(setup.target, "unmatched", 0)
    if unmatched:
        yield f"{unmatched:,} recorded answers belong to no row of {setup.census.source}"


def cache_path(setup: Setup, options: Options) -> Path | None:
    """Return where the response cache is, or None where the user, the config or the target wants none."""
    wanted = setup.config.engine.cache
    if not options.cache or wanted is False or not getattr(setup.target, "cacheable", False):
        return None
    return CACHE_PATH if isinstance(wanted, bool) else setup.config.base / wanted


def _folder(setup: Setup, options: Options) -> RunFolder:
    if options.out is not None:
        return at(options.out, setup.fingerprint, overwrite=options.overwrite)
    root = Path(setup.config.out)
    return new_or_resumed(root, setup.config.name, setup.fingerprint, now=datetime.now(UTC))
