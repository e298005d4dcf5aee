"""Who the members of an ensemble are: targets that are asked and earlier runs that are read; built and checked here."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmkit import registry
from llmkit.config import EvalConfig
from llmkit.datasets import Census
from llmkit.errors import ConfigError, Problem, UsageError
from llmkit.flows.fit import target_problems
from llmkit.flows.tally import Codes
from llmkit.hashing import canonical_json
from llmkit.metrics import Ballots
from llmkit.protocols import Provider
from llmkit.providers.rag import Rag
from llmkit.stats.folds import grouped_folds
from llmkit.types import Sample, Skipped

if TYPE_CHECKING:
    from llmkit.config.ensemble import Ensemble

_OUTPUTS = "outputs.jsonl"
_NAMED = 5


@dataclass(frozen=True)
class Members:
    """The members of an ensemble, where a run has its one target: it stands for them in everything but answering.

    Attributes:
        name: What reports call the ensemble.
        specs: What each member is, by its name.
        asked: The members that are asked.
        runs: The run folders of the others.
    """

    name: str
    specs: Mapping[str, str]
    asked: Mapping[str, Provider]
    runs: Mapping[str, Path]

    @property
    def identity(self) -> str:
        """What makes each member answer as it does, in the order of their names."""
        return canonical_json({name: self.identity_of(name) for name in self.specs})

    def identity_of(self, name: str) -> str:
        """Return what makes one member answer as it does; a part of the keys of its answers."""
        return str(getattr(self.asked.get(name), "identity", self.specs[name]))

    @property
    def cacheable(self) -> bool:
        """Whether the answers of any member may be kept for later runs."""
        return any(getattr(target, "cacheable", False) for target in self.asked.values())

    @property
    def needs(self) -> tuple[str, ...]:
        """Row fields without which some member can answer nothing."""
        every = [need for target in self.asked.values() for need in getattr(target, "needs", ())]
        return tuple(dict.fromkeys(every))

    @property
    def files(self) -> tuple[Path, ...]:
        """Files whose content decides the answers: the members' own, and the outputs of earlier runs."""
        own = [path for target in self.asked.values() for path in getattr(target, "files", ())]
        return (*own, *(folder / _OUTPUTS for folder in self.runs.values()))

    @property
    def reads_output(self) -> bool:
        """Whether any member's answers were recorded with the rows as they are."""
        return any(getattr(target, "reads_output", False) for target in self.asked.values())

    @property
    def unmatched(self) -> int:
        """Recorded answers that belong to no row, of all members."""
        return sum(int(getattr(target, "unmatched", 0)) for target in self.asked.values())

    def check(self) -> None:
        """Let every member find its key and its address.

        Raises:
            ConfigError: what is wrong with each of them.
        """
        problems: list[Problem] = []
        for name, target in self.asked.items():
            try:
                getattr(target, "check", lambda: None)()
            except ConfigError as error:
                found = error.problems or (Problem(str(error)),)
                problems += [replace(problem, key=problem.key or key_of(name)) for problem in found]
        if problems:
            raise ConfigError(problems=problems)

    async def aclose(self) -> None:
        """Release what every member holds."""
        for target in self.asked.values():
            await target.aclose()


def each_asked(target: Any) -> tuple[Any, ...]:
    """Return who is asked: the members of an ensemble that are no earlier runs, or the one target."""
    return tuple(target.asked.values()) if isinstance(target, Members) else (target,)


def key_of(name: str) -> str:
    """Return where a member stands in the config."""
    return f"ensemble.members.{name}"


def specs_of(cfg: EvalConfig) -> dict[str, str]:
    """Return what each member of a config's ensemble is: the canonical spec of a target, or the folder of a run."""
    from llmkit.config.ensemble import earlier_run

    members = {} if cfg.ensemble is None else cfg.ensemble.members
    return {
        name: registry.canonical("providers", written)
        if earlier_run(written) is None
        else f"run('{earlier_run(written)}')"
        for name, written in members.items()
    }


def build_members(cfg: EvalConfig, problems: list[Problem]) -> Members:
    """Return the members that a config names; what is wrong with them is added to ``problems``."""
    from llmkit.config.ensemble import earlier_run
    from llmkit.store import open_run

    assert cfg.ensemble is not None
    specs: dict[str, str] = {}
    asked: dict[str, Provider] = {}
    runs: dict[str, Path] = {}
    for name, written in cfg.ensemble.members.items():
        folder = earlier_run(written)
        try:
            if folder is not None:
                runs[name], specs[name] = Path(open_run(cfg.path(folder)).path), f"run('{folder}')"
                continue
            built = registry.build("providers", written, base=cfg.base, key=key_of(name))
        except ConfigError as error:
            problems += error.problems or (Problem(str(error), key=key_of(name)),)
        except UsageError as error:
            problems.append(Problem(str(error), key=key_of(name)))
        else:
            if isinstance(built.plugin, Rag):
                key = key_of(name)
                problems.append(Problem("the target rag cannot be a member", key=key, hint="name its run: {run: ...}"))
            asked[name], specs[name] = built.plugin, built.name
            problems += [replace(problem, key=key_of(name)) for problem in target_problems(cfg, built.plugin)]
    members = Members(f"{cfg.ensemble.combine} of {', '.join(cfg.ensemble.members)}", specs, asked, runs)
    problems += _twins(members)
    return members


def _twins(members: Members) -> Iterator[Problem]:
    """Yield which members are one target: it is asked once, so that one answer would vote several times."""
    first: dict[str, str] = {}
    for name in members.specs:
        same = str(members.runs[name].resolve()) if name in members.runs else members.identity_of(name)
        other = first.setdefault(same, name)
        if other != name:
            message = f"'{name}' is the same target as '{other}', so that one answer would vote twice"
            hint = "let them differ, or write it as 'target' with 'repeats' and the metric 'majority'"
            yield Problem(message, key=key_of(name), hint=hint)


def ballots_of(ensemble: Ensemble) -> Ballots:
    """Return what reads the members' votes."""
    return Ballots(
        vote=ensemble.votes_by,
        normalise=ensemble.normalise,
        extract=ensemble.extract or "",
        labels=ensemble.labels,
    )


def ensemble_problems(cfg: EvalConfig) -> Iterator[Problem]:
    """Yield what an ensemble cannot do, whatever its members are.

    Raises:
        MissingExtraError: it stacks, and scikit-learn is not installed.
    """
    if cfg.ensemble is None:
        if cfg.target is None:
            yield Problem("the key 'target' is missing", key="target", hint="write 'target' or 'ensemble'")
        return
    try:
        ballots_of(cfg.ensemble)
    except ConfigError as error:
        yield from (replace(problem, key="ensemble") for problem in error.problems or (Problem(str(error)),))
    for key, given in (("ask", cfg.ask == "references"), ("choice", cfg.choice is not None)):
        if given:
            message = f"an ensemble combines answers, and '{key}' here asks for none that could be compared"
            yield Problem(message, key=key, hint=f"remove '{key}', or use a single target")
    if cfg.ensemble.combine == "stacking":
        from llmkit.stats.stacking import require_sklearn

        require_sklearn()


def label_problems(cfg: EvalConfig, counted: Census) -> Iterator[Problem]:
    """Yield why votes for labels could not be read from these rows."""
    wanted = cfg.ensemble
    if wanted is not None and wanted.votes_by == "label" and not wanted.labels and not counted.has.get("choices"):
        message = "'vote: label' needs known labels, and no row has 'choices'"
        yield Problem(message, key="ensemble.vote", hint="list them under ensemble.labels, or map a field to choices")


def learning_problems(cfg: EvalConfig, samples: Iterable[Sample]) -> Iterator[Problem]:
    """Yield why these rows cannot teach how members are combined; told before anybody is asked."""
    wanted = cfg.ensemble
    if wanted is None or not wanted.learns:
        return
    from llmkit.stats.stacking import untaught

    teaching = Teaching(ballots_of(wanted), cfg.cluster)
    for sample in samples:
        teaching.add(sample)
    key = "ensemble.combine" if wanted.combine == "stacking" else "ensemble.weights"
    groups, labels = teaching.arrays()
    groups_with_gold = len(set(groups[labels >= 0].tolist()))
    if groups_with_gold < wanted.folds:
        what = f"values of '{cfg.cluster}'" if cfg.cluster else "rows"
        message = f"{wanted.folds} folds need as many {what} with a gold label, and there are {groups_with_gold}"
        yield Problem(message, key=key, hint=teaching.why or "lower ensemble.folds, or use combine: majority")
        return
    if wanted.combine == "stacking" and len(teaching.classes) == 1:
        message = f"every row has the same gold label '{next(iter(teaching.classes))}', so there is nothing to learn"
        yield Problem(message, key=key, hint="use combine: majority")
    elif wanted.combine == "stacking" and untaught(labels, grouped_folds(groups, wanted.folds, cfg.seed)):
        rows = ", ".join(f"{name} ({count})" for name, count in teaching.rows.most_common(_NAMED))
        message = f"some of the {wanted.folds} folds would be learnt from rows of one gold label; rows by label: {rows}"
        yield Problem(message, key=key, hint="add rows of the rarer labels, or use combine: majority")


class Teaching:
    """What rows teach with: for each its group, whose rows are learnt from together, and its gold label.

    A reworded row teaches nothing and belongs to the row that it was made of, which comes before it.

    Attributes:
        classes: The code of each gold label, in the order in which they are met.
        rows: How many rows have each gold label.
        why: Why the last row without a gold label has none.
    """

    def __init__(self, ballots: Ballots, cluster: str | None) -> None:
        self._ballots = ballots
        self._clusters = Codes(cluster) if cluster else None
        self._labels = array("q")
        self._own = array("q")
        self._reworded = array("b")
        self.classes: dict[Any, int] = {}
        self.rows: Counter[str] = Counter()
        self.why = ""

    def add(self, sample: Sample) -> tuple[Any, ...]:
        """Note a row; return the votes that are right on it and may be learnt from."""
        self._reworded.append(bool(sample.perturbation))
        if sample.perturbation:
            self._own.append(len(self._labels) - 1)
            return ()
        self._own.append(len(self._labels))
        if self._clusters is not None:
            self._clusters.add(sample)
        right = self._ballots.right(sample)
        if isinstance(right, Skipped):
            self.why = right.reason
            self._labels.append(-1)
            return ()
        self._labels.append(self.classes.setdefault(right[0], len(self.classes)))
        self.rows[str(right[0])] += 1
        return right

    def arrays(self) -> tuple[Any, Any]:
        """Return the code of the group and of the gold label (-1: none) of each row that is not reworded."""
        import numpy as np

        labels = np.array(self._labels, dtype=np.int64)
        if self._clusters is None:
            return np.arange(len(labels)), labels
        return np.array(self._clusters.codes, dtype=np.int64), labels

    def folds(self, folds: int, seed: int) -> Any:
        """Return the fold of each row, reworded ones included."""
        import numpy as np

        return grouped_folds(self.arrays()[0], folds, seed)[np.array(self._own, dtype=np.int64)]

    def labels(self) -> Any:
        """Return the code of the gold label of each row (-1: none, or reworded), reworded ones included."""
        import numpy as np

        found = self.arrays()[1][np.array(self._own, dtype=np.int64)]
        return np.where(np.array(self._reworded, dtype=bool), -1, found)
