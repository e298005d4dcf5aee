"""Getting ready: everything a run needs is built and checked here, before anything is asked or written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llmkit import registry
from llmkit.config import EvalConfig, load_eval_config
from llmkit.datasets import Census, FewShot, census, few_shot, open_dataset
from llmkit.engine import PriceBook, Settings
from llmkit.errors import ConfigError, DataError, Problem, UsageError
from llmkit.flows.ask_choices import ChoiceShots, choice_shots
from llmkit.flows.engine_settings import engine_settings
from llmkit.flows.fit import choice_problems, metric_problems, row_problems, target_problems
from llmkit.flows.human_labels import labelled_judges
from llmkit.flows.judging import Seat
from llmkit.flows.labels import People
from llmkit.flows.members import (
    build_members,
    each_asked,
    ensemble_problems,
    label_problems,
    learning_problems,
)
from llmkit.flows.questions import sequential_problems
from llmkit.flows.rag import rag_target
from llmkit.flows.rules import Rules, rules_of
from llmkit.flows.seating import check_judges, seated, self_judging
from llmkit.flows.variants import Variants, build_variants, perturb_problems
from llmkit.hashing import digest
from llmkit.prompts import Template
from llmkit.protocols import Dataset, Judge, Metric, Provider
from llmkit.providers.rag import Rag


@dataclass(frozen=True, slots=True)
class Setup:
    """One evaluation, checked and ready to run."""

    config: EvalConfig
    dataset: Dataset
    census: Census
    template: Template
    shots: FewShot
    target: Provider
    target_name: str
    metrics: Mapping[str, Metric]
    settings: Settings
    prices: PriceBook
    choice_shots: ChoiceShots | None = None
    seats: Sequence[Seat] = ()
    warnings: Sequence[str] = ()
    variants: Variants = field(default_factory=Variants)
    human: Mapping[str, People] = field(default_factory=dict)

    @property
    def target_identity(self) -> str:
        """What makes the target answer as it does; a target whose address comes from the environment adds it."""
        return str(getattr(self.target, "identity", self.target_name))

    @property
    def providers(self) -> list[Any]:
        """Everyone who is asked: the target, and the models of judges."""
        return [self.target, *(model.provider for seat in self.seats for model in seat.models())]

    @property
    def scorers(self) -> dict[str, Any]:
        """Metrics and judges by name, in the order of the config."""
        return {**self.metrics, **{seat.name: seat.judge for seat in self.seats}}

    @property
    def described(self) -> dict[str, dict[str, Any]]:
        """For each scorer what a gate must know of it: ``higher_is_better`` and ``unit``."""
        return _described(self.scorers)

    @property
    def rules(self) -> Rules:
        """The gate with its rules for these scorers."""
        return rules_of(self.config.gate, self.described, self.config.slices)

    @property
    def conditions(self) -> dict[str, Any]:
        """What two runs must share to be compared: the rows, the scorers, the repeats."""
        return {
            "dataset": self.census.fingerprint,
            "scorers": {
                **{name: f"{name}|{metric.signature}" for name, metric in self.metrics.items()},
                **{seat.name: f"{seat.name}|{seat.signature}" for seat in self.seats},
            },
            "repeats": self.config.repeats,
            "cluster": self.config.cluster,
        }

    @property
    def subject(self) -> dict[str, Any]:
        """What a run is about, and may differ between two that are compared: the target and how it is asked."""
        return {
            "target": self.target_identity,
            "prompt": self.template.digest,
            "ask": self.config.ask,
            "few_shot": self.shots.digest if self.shots.n else "",
            **self._choice,
            **({} if self.config.ensemble is None else {"ensemble": self.config.ensemble.settings}),
            **self.variants.subject,
            "files": [
                _file_digest(path)
                for path in (
                    *self.config.paths(self.config.plugins),
                    *getattr(self.target, "files", ()),
                    *self.variants.files,
                )
            ],
        }

    @property
    def _choice(self) -> dict[str, Any]:
        asked = self.config.choice
        if asked is None or self.choice_shots is None:
            return {}
        return {"choice": {**asked.model_dump(exclude={"from_", "shots"}), "shots": self.choice_shots.digest}}

    @property
    def fingerprint(self) -> str:
        """A digest of conditions and subject: an interrupted run is continued only under the same one."""
        return digest([self.config.name, self.conditions, self.subject, self.config.seed])


def prepare(config: EvalConfig | Path | str, overrides: Sequence[str] = (), *, rescoring: bool = False) -> Setup:
    """Return a checked `Setup`; nothing is asked and nothing written.

    Args:
        config: A config, or the path of one.
        overrides: ``key.path=value`` texts that replace values of the config.
        rescoring: The answers come from an earlier run: the target is named but not built.

    Raises:
        ConfigError: every problem of the config, its plug-ins and its template.
        DataError: every bad row; an eval set with no rows, or none that a metric can score.
    """
    cfg = config if isinstance(config, EvalConfig) else load_eval_config(Path(config), overrides)
    registry.load_plugins(cfg.paths(cfg.plugins))
    problems: list[Problem] = [*choice_problems(cfg), *ensemble_problems(cfg)]
    metrics = _metrics(cfg, problems)
    seats = seated(cfg, problems, taken=metrics)
    labelled = labelled_judges(cfg, [seat.name for seat in seats], problems)
    target, target_name = _target(cfg, problems, rescoring=rescoring)
    variants = build_variants(cfg, problems)
    template = _collected(problems, lambda: Template.from_source(_prompt(cfg), base=cfg.base))
    prices = _collected(problems, lambda: PriceBook.load(*cfg.paths(cfg.prices)))
    problems += perturb_problems(cfg, variants, target, template)
    if not problems:
        problems += _gate_problems(cfg, {**metrics, **{seat.name: seat.judge for seat in seats}})
    if problems:
        raise ConfigError(problems=[cfg.placed(problem) for problem in problems])
    warnings = [warning for asked in each_asked(target) for warning in self_judging(cfg, asked, seats)]
    _check_target(cfg, target)
    check_judges(cfg, seats)
    dataset = open_dataset(cfg.dataset_source, base=cfg.base)
    settings = engine_settings(cfg.engine)
    for asked in (*each_asked(target), *(model.provider for seat in seats for model in seat.models())):
        _check_price(cfg, asked, prices, settings)
    counted = census(dataset, fields_needed=_fields_needed(cfg, _row_fields(template, target)))
    scorers: dict[str, Metric | Judge] = {**metrics, **{seat.name: seat.judge for seat in seats}}
    _check_rows(cfg, counted, scorers, target, _row_fields(template, target))
    unlearnt = [cfg.placed(problem) for problem in learning_problems(cfg, dataset)]
    if unlearnt:
        raise ConfigError(problems=unlearnt)
    return Setup(
        config=cfg,
        dataset=dataset,
        census=counted,
        template=template,
        shots=_shots(cfg),
        choice_shots=_choice_shots(cfg),
        variants=variants.with_counts(dataset, counted.source),
        target=target,
        target_name=target_name,
        metrics=metrics,
        seats=seats,
        human=labelled,
        warnings=warnings,
        settings=settings,
        prices=prices,
    )


def _described(scorers: Mapping[str, Metric | Judge]) -> dict[str, dict[str, Any]]:
    return {name: {"higher_is_better": one.higher_is_better, "unit": one.unit} for name, one in scorers.items()}


def _gate_problems(cfg: EvalConfig, scorers: Mapping[str, Metric | Judge]) -> Sequence[Problem]:
    try:
        rules = rules_of(cfg.gate, _described(scorers), cfg.slices)
    except ConfigError as error:
        return error.problems
    return list(sequential_problems(cfg, rules, scorers))


def _collected(problems: list[Problem], make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ConfigError as error:
        problems.extend(error.problems or (Problem(str(error)),))
        return None


def _metrics(cfg: EvalConfig, problems: list[Problem]) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for position, written in enumerate(cfg.metrics):
        key = f"metrics[{position}]"
        built = _collected(problems, lambda w=written, k=key: registry.build("metrics", w, base=cfg.base, key=k))  # type: ignore[misc]
        if built is None:
            continue
        if built.name in metrics:
            problems.append(Problem(f"the metric '{built.name}' is listed twice", key=key, hint="remove one"))
        metrics[built.name] = built.plugin
        problems += metric_problems(cfg, built.name, built.plugin, key)
    return metrics


def _target(cfg: EvalConfig, problems: list[Problem], *, rescoring: bool) -> tuple[Any, str]:
    if rescoring:
        return None, ""
    if cfg.ensemble is not None:
        members = build_members(cfg, problems)
        return members, members.name
    written = cfg.target
    if written is None:  # told by `ensemble_problems`
        return None, ""
    built = _collected(problems, lambda: registry.build("providers", written, base=cfg.base, key="target"))
    if built is None:
        return None, ""
    if isinstance(built.plugin, Rag):
        return rag_target(built.plugin, built.name, cfg, problems), built.name
    problems += target_problems(cfg, built.plugin)
    return built.plugin, built.name


def _check_target(cfg: EvalConfig, target: Any) -> None:
    """Let the target find its key and its address; last, so that a missing key hides no other problem."""
    check = getattr(target, "check", None)
    try:
        if check is not None:
            check()
    except ConfigError as error:
        problems = error.problems or (Problem(str(error)),)
        raise ConfigError(problems=[cfg.placed(replace(p, key=p.key or "target")) for p in problems]) from error


def _prompt(cfg: EvalConfig) -> Any:
    written = cfg.prompt
    return written if written is None or isinstance(written, str) else [message.model_dump() for message in written]


def _check_price(cfg: EvalConfig, target: Any, prices: PriceBook, settings: Settings) -> None:
    """A cost stop needs a price: without one it would never stop, so the run is refused."""
    model = getattr(target, "model", None)
    if settings.max_cost is None or not model or not getattr(target, "cacheable", False) or prices.knows(model):
        return
    message = f"the price of the model '{model}' is unknown, so its cost could not be stopped"
    hint = "add it to a price file and name that file under 'prices:'"
    raise ConfigError(problems=[cfg.placed(Problem(message, key="engine.max_cost", hint=hint))])


def _row_fields(template: Template, target: Any) -> list[str]:
    """Return the fields that the prompt needs of each row; a target that retrieves brings the contexts itself."""
    return sorted(template.fields - ({"contexts"} if getattr(target, "gives_contexts", False) else set()))


def _fields_needed(cfg: EvalConfig, named: Sequence[str]) -> list[str]:
    return [*named, *cfg.slices, *([cfg.cluster] if cfg.cluster else [])]


def _check_rows(
    cfg: EvalConfig, counted: Census, scorers: Mapping[str, Metric | Judge], target: Any, named: Sequence[str]
) -> None:
    if counted.problems:
        raise DataError(counted.report(), counted.problems)
    problems = [
        *row_problems(cfg, counted),
        *label_problems(cfg, counted),
        *_lacking(counted, named, "the prompt"),
        *_lacking(counted, [cfg.cluster] if cfg.cluster else [], "cluster"),
        *_lacking(counted, cfg.slices, "slices", some_may=True),
    ]
    needs: dict[str, list[str]] = {need: ["the target"] for need in getattr(target, "needs", ())}
    for name, scorer in scorers.items():
        for need in scorer.needs:
            needs.setdefault(need, []).append(name)
    for need, who in needs.items():
        field = need.removeprefix("meta.")
        if not (counted.has.get(need) if field == need else {field, field.split(".")[0]} & counted.fields):
            hint = f"add '{field}' to the rows, or map another field to it with dataset.fields"
            verb = "needs" if len(who) == 1 else "need"
            message = f"no row has '{field}', and {', '.join(who)} {verb} it"
            problems.append(Problem(message, file=counted.source, hint=hint))
    if problems:
        raise DataError(problems=problems)


def _lacking(counted: Census, fields: Sequence[str], who: str, *, some_may: bool = False) -> list[Problem]:
    """Return a problem for each field that rows lack; with ``some_may``, only where every row lacks it."""
    found = []
    for name in dict.fromkeys(fields):
        problem = counted.lacking(name)
        if problem is not None and not (some_may and counted.missing[name].count < counted.rows):
            found.append(replace(problem, message=f"{who} needs the field '{name}': {problem.message}"))
    return found


def _shots(cfg: EvalConfig) -> FewShot:
    wanted = cfg.few_shot
    if wanted is None:
        return few_shot((), n=0)
    pool = open_dataset(wanted.source, base=cfg.base)
    return few_shot(pool, n=wanted.n, pick=wanted.pick, seed=wanted.seed, source=pool.source)


def _choice_shots(cfg: EvalConfig) -> ChoiceShots | None:
    wanted = cfg.choice
    if wanted is None:
        return None
    pool = open_dataset(wanted.source, base=cfg.base) if wanted.from_ is not None else ()
    return choice_shots(pool, n=wanted.shots, field=wanted.subject, source=getattr(pool, "source", ""))


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
