"""From a file to a checked config; everything that is wrong is said at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmkit import registry
from llmkit.errors import ConfigError, Problem

if TYPE_CHECKING:
    from llmkit.config.audit_config import AuditConfig
    from llmkit.config.eval_config import EvalConfig
    from llmkit.config.yaml_source import Document


def load_eval_config(path: Path, overrides: Sequence[str] = ()) -> EvalConfig:
    """Return the config that a YAML file holds, checked through and through; no plug-in is constructed.

    User plug-in files that it names are imported, so that its metrics and target can be checked by name and
    argument.

    Args:
        path: The file; relative paths in it start from its folder.
        overrides: ``key.path=value`` texts; the value is YAML.

    Raises:
        ConfigError: every problem of file and overrides, each with line, key path and, where one is near, a suggestion.
    """
    document = read_document(path, "it needs at least dataset, target and metrics; 'llmkit init' writes an example")
    config: EvalConfig = checked(
        document, overrides, _eval_problems, base=path.parent, source=str(path), name=path.stem
    )
    return config


def read_document(path: Path, needed: str) -> Document:
    """Return what a YAML file holds.

    Args:
        path: The file.
        needed: What the hint says of an empty one.

    Raises:
        ConfigError: it cannot be read, is no YAML, or is empty.
    """
    from llmkit.config.source import read_text
    from llmkit.config.yaml_source import parse

    document = parse(read_text(path), str(path))
    if document.data is None:
        raise ConfigError(problems=[Problem("the config is empty", file=str(path), hint=needed)])
    return document


def load_audit_config(path: Path, overrides: Sequence[str] = ()) -> AuditConfig:
    """Return the audit config that a YAML file holds, checked through and through; as `load_eval_config`."""
    document = read_document(path, "it needs dataset, judge and human")
    config: AuditConfig = checked(
        document, overrides, _audit_problems, base=path.parent, source=str(path), name=path.stem
    )
    return config


def make_audit_config(
    data: Mapping[str, Any], overrides: Sequence[str] = (), *, base: Path | None = None
) -> AuditConfig:
    """Return an audit config made in Python from the same keys as a file has; as `make_eval_config`."""
    from llmkit.config.yaml_source import Document

    document = Document(listed(data))
    config: AuditConfig = checked(document, overrides, _audit_problems, base=base or Path(), source="", name="audit")
    return config


def make_eval_config(data: Mapping[str, Any], overrides: Sequence[str] = (), *, base: Path | None = None) -> EvalConfig:
    """Return a config made in Python from the same keys as a file has; ``base`` defaults to the working directory.

    Raises:
        ConfigError: as `load_eval_config`.
    """
    from llmkit.config.yaml_source import Document

    document = Document(listed(data))
    config: EvalConfig = checked(document, overrides, _eval_problems, base=base or Path(), source="", name="eval")
    return config


def listed(value: Any) -> Any:
    """Return Python data as YAML would give it: dicts and lists."""
    if isinstance(value, Mapping):
        return {str(key): listed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [listed(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def checked(
    document: Document,
    overrides: Sequence[str],
    check: Callable[[dict[str, Any], Path], tuple[Any, list[Problem]]],
    *,
    base: Path,
    source: str,
    name: str,
) -> Any:
    """Return what ``check`` makes of a document and its overrides, or raise ConfigError with every problem."""
    from llmkit.config.overrides import override
    from llmkit.config.source import without_secrets

    if not isinstance(document.data, dict):
        message = f"a config is a mapping of keys such as dataset, target and metrics, got {_kind(document.data)}"
        raise ConfigError(problems=[Problem(message, file=source)])
    data, places, problems = override(document.data, overrides)
    secrets: list[str] = []
    data = without_secrets(data, "", secrets)
    problems += [_secret(path) for path in secrets]
    # A key with nothing under it means its default, so that commenting out a whole section works.
    data = {key: value for key, value in data.items() if value is not None}
    data.setdefault("name", _as_name(name))
    config, found = check(data, base)
    problems += found
    problems = [_placed(problem, document, places, source) for problem in _without_echoes(problems, secrets)]
    if problems or config is None:
        raise ConfigError(problems=sorted(problems, key=lambda p: (p.file.startswith("--set"), p.file, p.line)))
    return config.read_from(document, base=base, file=source)


def _eval_problems(data: dict[str, Any], base: Path) -> tuple[EvalConfig | None, list[Problem]]:
    from llmkit.config.problems import model_problems

    config, found = model_problems(data)
    return config, [*found, *_plugin_problems(data, base)]


def _audit_problems(data: dict[str, Any], base: Path) -> tuple[AuditConfig | None, list[Problem]]:
    from llmkit.config.problems import audit_problems

    config, found = audit_problems(data)
    broken = plugin_file_problems(data, base)
    if broken:
        return config, [*found, *broken]
    judge = data.get("judge")
    if isinstance(judge, str) or (isinstance(judge, dict) and "field" not in judge):
        found += registry.check("judges", judge, key="judge")
    if isinstance(data.get("judge_model"), (str, dict)):
        found += registry.check("providers", data["judge_model"], key="judge_model")
    return config, found


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else registry.shown(value)


def _as_name(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:100] or "eval"


def _secret(path: str) -> Problem:
    message = "this looks like a secret key, and a config must not hold one"
    hint = "put it into an environment variable and name that variable with api_key_env"
    return Problem(message, key=path, hint=hint)


def _without_echoes(problems: list[Problem], secrets: list[str]) -> list[Problem]:
    """Return the problems without a second word about a value that was refused as a secret."""
    first = {path: next(p for p in problems if p.key == path) for path in secrets}
    return [p for p in problems if p.key not in first or p is first[p.key]]


def _plugin_problems(data: dict[str, Any], base: Path) -> list[Problem]:
    """Return what is wrong with plug-in files and specs."""
    broken = plugin_file_problems(data, base)
    if broken:
        return broken
    problems: list[Problem] = []
    if isinstance(data.get("target"), (str, dict)):
        problems += registry.check("providers", data["target"], key="target")
    problems += _member_problems(data.get("ensemble"))
    if isinstance(data.get("judge_model"), (str, dict)):
        problems += registry.check("providers", data["judge_model"], key="judge_model")
    problems += _listed_problems(data, "metrics")
    problems += _listed_problems(data, "judges")
    problems += _listed_problems(data, "perturb", "perturbations")
    return problems


def plugin_file_problems(data: Mapping[str, Any], base: Path) -> list[Problem]:
    """Import plug-in files; what a broken one would have registered is unknown, so names cannot be judged then."""
    files = data.get("plugins", [])
    if isinstance(files, list) and all(isinstance(file, str) and file for file in files):
        try:
            registry.load_plugins(base / Path(file).expanduser() for file in files)
        except ConfigError as error:
            return list(error.problems)
    return []


def _listed_problems(data: Mapping[str, Any], key: str, kind: str = "") -> list[Problem]:
    """Return what is wrong with the plug-ins listed under a key, of the kind of that name where no other is given.

    Metrics and perturbations are not listed twice.
    """
    kind = kind or key
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    listed = data.get(key)
    for index, written in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(written, (str, dict)):
            continue
        place = f"{key}[{index}]"
        wrong = registry.check(kind, written, key=place)
        problems += wrong
        if wrong or kind == "judges":  # two judges of one name may ask two models
            continue
        name = registry.canonical(kind, written)
        if name in seen:
            problems.append(Problem(f"'{name}' is listed already at {seen[name]}", key=place, hint="remove one"))
        seen.setdefault(name, place)
    return problems


def _member_problems(ensemble: Any) -> list[Problem]:
    from llmkit.config.ensemble import earlier_run

    members = ensemble.get("members") if isinstance(ensemble, dict) else None
    found: list[Problem] = []
    for name, written in (members if isinstance(members, dict) else {}).items():
        if isinstance(written, (str, dict)) and not earlier_run(written):
            found += registry.check("providers", written, key=f"ensemble.members.{name}")
    return found


def _placed(problem: Problem, document: Document, places: Mapping[str, str], source: str) -> Problem:
    if problem.file:
        return problem
    for path, place in places.items():
        if problem.key == path or problem.key.startswith((f"{path}.", f"{path}[")):
            return replace(problem, file=place, key="" if problem.key == path else problem.key)
        if problem.key and path.startswith(f"{problem.key}.") and problem.key not in document.lines:
            return replace(problem, file=place)
    return replace(problem, file=source, line=problem.line or document.line(problem.key))
