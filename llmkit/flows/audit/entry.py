"""What a user may audit: a config, or a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmkit.config import make_audit_config
from llmkit.errors import UsageError
from llmkit.flows.audit.setup import AuditSetup, prepare_audit, prepare_run_audit
from llmkit.flows.show import RUNS, find_run

_FILES = frozenset({".jsonl", ".csv", ".tsv", ".json"})


def is_run(named: str) -> bool:
    """Return whether a user named a run, and not a config."""
    path = Path(named)
    return path.is_dir() or (not path.exists() and path.suffix not in {".yaml", ".yml"} and (RUNS / named).is_dir())


def audit_of(
    named: str,
    overrides: Sequence[str] = (),
    *,
    judge: str | None = None,
    human: str | None = None,
    group: str | None = None,
    system: str | None = None,
) -> AuditSetup:
    """Return the audit of a config, or of what a judge said in a run.

    Args:
        named: An audit config, a run folder, or the name of an evaluation for its latest run.
        overrides: ``key.path=value`` texts that replace values of the config.
        judge: Of a run: the scorer; None where it has one judge alone.
        human: Of a run: the row field, or the file, with people's labels.
        group: Of a run: the row field with the document.
        system: Of a run: the row field with the system.

    Raises:
        UsageError: there is no such thing, or an option belongs to the other kind.
    """
    if not is_run(named):
        given = {"--judge": judge, "--human": human, "--group": group, "--system": system}
        wrong = [name for name, value in given.items() if value is not None]
        if wrong:
            raise UsageError(f"{wrong[0]} is for a run; in a config write the key '{wrong[0][2:]}'")
        return prepare_audit(Path(named), overrides)
    run = find_run(named)
    if human is None:
        raise UsageError("an audit of a run needs --human: the row field, or the file, with people's labels")
    name = judge or only_judge(run.summary)
    from_file = Path(human).suffix.lower() in _FILES or Path(human).is_file()
    data: dict[str, Any] = {
        "name": f"{run.summary['name']}-audit"[:100],
        "dataset": str(Path(run.path, "samples.jsonl")),
        "judge": {"field": name},
        "human": {"file": human} if from_file else human,
        "seed": run.manifest.get("seed", 0),
    }
    data |= {key: value for key, value in (("group", group), ("system", system)) if value is not None}
    return prepare_run_audit(make_audit_config(data, overrides), run, name)


def only_judge(summary: Mapping[str, Any]) -> str:
    """Return the one judge of a run.

    Raises:
        UsageError: there are several scorers and none was named.
    """
    scores: Mapping[str, Any] = summary.get("scores", {})
    judges = [name for name, entry in scores.items() if "|model:" in str(entry.get("signature", ""))]
    if len(judges) == 1:
        return judges[0]
    if len(scores) == 1:
        return next(iter(scores))
    raise UsageError(f"say with --judge which scorer to audit: {', '.join(judges or scores)}")
