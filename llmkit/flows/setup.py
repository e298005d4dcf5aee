"""Getting ready: everything a run needs is built and checked here, before anything is asked or written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmkit import registry
from llmkit.config import EvalConfig, load_eval_config
from llmkit.datasets import Census, census, few_shot, open_dataset
from llmkit.engine import PriceBook, Settings
from llmkit.errors import ConfigError, DataError, Problem, UsageError
from llmkit.hashing import digest
from llmkit.prompts import Template
from llmkit.protocols import Dataset, Metric, Provider
from llmkit.types import Sample


@dataclass(frozen=True, slots=True)
class Setup:
    """One evaluation, checked and ready to run."""

    config: EvalConfig
    dataset: Dataset
    census: Census
    template: Template
    shots: Callable[[Sample], Sequence[Sample]]
    shots_fingerprint: str
    target: Provider
    target_name: str
    metrics: Mapping[str, Metric]
    settings: Settings
    prices: PriceBook

    @property
    def conditions(self) -> dict[str, Any]:
        """What two runs must share to be compared: the rows, the scorers, the repeats."""
        return {
            "dataset": self.census.fingerprint,
            "scorers": {name: f"{name}|{metric.signature}" for name, metric in self.metrics.items()},
            "repeats": self.config.repeats,
            "cluster": self.config.cluster,
        }

    @property
    def subject(self) -> dict[str, Any]:
        """What a run is about, and may differ between two that are compared: the target and how it is asked."""
        return {
            "target": self.target_name,
            "prompt": self.template.digest,
            "few_shot": self.shots_fingerprint,
            "files": {str(path): _file_digest(path) for path in self.config.plugin_paths},
        }

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
    registry.load_plugins(cfg.plugin_paths)
    problems: list[Problem] = []
    metrics = _metrics(cfg, problems)
    target, target_name = _target(cfg, problems, rescoring=rescoring)
    template = _collected(problems, lambda: Template.from_source(cfg.prompt, base=cfg.base))
    prices = _collected(problems, lambda: PriceBook.load(*cfg.price_paths))
    if problems:
        raise ConfigError(problems=[_placed(problem, cfg) for problem in problems])
    dataset = open_dataset(cfg.dataset_source, base=cfg.base)
    settings = _settings(cfg)
    _check_price(cfg, target, prices, settings)
    counted = census(dataset, fields_needed=_fields_needed(cfg, template))
    _check_rows(cfg, counted, metrics)
    shots, shots_fingerprint = _shots(cfg)
    return Setup(
        config=cfg,
        dataset=dataset,
        census=counted,
        template=template,
        shots=shots,
        shots_fingerprint=shots_fingerprint,
        target=target,
        target_name=target_name,
        metrics=metrics,
        settings=settings,
        prices=prices,
    )


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
    return metrics


def _target(cfg: EvalConfig, problems: list[Problem], *, rescoring: bool) -> tuple[Any, str]:
    if rescoring:
        return None, ""
    built = _collected(problems, lambda: registry.build("providers", cfg.target, base=cfg.base, key="target"))
    if built is None:
        return None, ""
    check = getattr(built.plugin, "check", None)
    if check is not None:
        check()
    return built.plugin, built.name


def _placed(problem: Problem, cfg: EvalConfig) -> Problem:
    return problem if problem.file else replace(problem, file=cfg.source)


def _settings(cfg: EvalConfig) -> Settings:
    wanted = cfg.engine
    return Settings(
        max_concurrency=wanted.max_concurrency,
        timeout=wanted.timeout,
        max_retries=wanted.max_retries,
        requests_per_minute=wanted.requests_per_minute,
        tokens_per_minute=wanted.tokens_per_minute,
        max_cost=wanted.max_cost,
        max_tokens=wanted.max_tokens,
        max_requests=wanted.max_requests,
        patience=wanted.patience,
    )


def _check_price(cfg: EvalConfig, target: Any, prices: PriceBook, settings: Settings) -> None:
    """A cost stop needs a price: without one it would never stop, so the run is refused."""
    model = getattr(target, "model", None)
    if settings.max_cost is None or not model or not getattr(target, "cacheable", False) or prices.knows(model):
        return
    message = f"engine.max_cost is set, but the price of the model '{model}' is unknown, so cost could not be counted"
    hint = "add it to a price file and name that file under 'prices:'"
    raise ConfigError(problems=[Problem(message, file=cfg.source, key="engine.max_cost", hint=hint)])


def _fields_needed(cfg: EvalConfig, template: Template) -> list[str]:
    return [*sorted(template.fields), *cfg.slices, *([cfg.cluster] if cfg.cluster else [])]


def _check_rows(cfg: EvalConfig, counted: Census, metrics: Mapping[str, Metric]) -> None:
    if counted.problems:
        raise DataError(counted.report(), counted.problems)
    problems = [
        Problem(
            f"the metric '{name}' needs '{need}', and no row of {counted.source} has one",
            file=cfg.source,
            key="metrics",
            hint=f"add '{need}' to the rows, or map another field to it with dataset.fields",
        )
        for name, metric in metrics.items()
        for need in metric.needs
        if not counted.has.get(need)
    ]
    if problems:
        raise ConfigError(problems=problems)


def _shots(cfg: EvalConfig) -> tuple[Callable[[Sample], Sequence[Sample]], str]:
    wanted = cfg.few_shot
    if wanted is None:
        return (lambda _sample: ()), ""
    pool = list(open_dataset(wanted.source, base=cfg.base))
    picker = few_shot(pool, n=wanted.n, pick=wanted.pick, seed=wanted.seed)
    return picker, digest([[s.id, s.input if isinstance(s.input, str) else list(s.input)] for s in pool])


def _file_digest(path: Path) -> str:
    try:
        return digest(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
