"""From the config's judges to seats: each judge built, its models built once, what it compares with read."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from llmkit import registry
from llmkit.config import AuditConfig, EvalConfig
from llmkit.errors import ConfigError, DataError, LlmkitError, Problem
from llmkit.flows.judging import OPPONENT, Model, Seat
from llmkit.hashing import digest
from llmkit.jsonl import read_rows
from llmkit.store import open_run

_SHOWN = 20

_FAMILIES = (
    ("GPT", r"gpt|chatgpt|davinci|^o[1-9](\b|-)"),
    ("Claude", r"claude"),
    ("Gemini", r"gemini|gemma|palm"),
    ("Llama", r"llama"),
    ("Mistral", r"mistral|mixtral|ministral|codestral|magistral"),
    ("Qwen", r"qwen|qwq"),
    ("DeepSeek", r"deepseek"),
    ("Command", r"command-?[ra]|cohere|aya"),
    ("Grok", r"grok"),
    ("Phi", r"\bphi-?[0-9]"),
    ("GLM", r"\bglm|chatglm"),
    ("Yi", r"\byi-"),
    ("Nova", r"nova-(micro|lite|pro|premier)"),
    ("Kimi", r"kimi|moonshot"),
)


def seated(cfg: EvalConfig, problems: list[Problem], *, taken: Collection[str] = ()) -> list[Seat]:
    """Return a seat for each judge of the config; what is wrong goes to ``problems``.

    Args:
        cfg: The config.
        problems: Gains every problem found.
        taken: Names that other scorers have.
    """
    models: dict[str, Model] = {}
    seats: list[Seat] = []
    names = set(taken)
    for position, written in enumerate(cfg.judges):
        key = f"judges[{position}]"
        seat = _seat(cfg, written, key, models, problems)
        if seat is None:
            continue
        if seat.name in names:
            message = f"two scorers would be listed as '{seat.name}'"
            problems.append(Problem(message, key=key, hint="give this judge a 'name' of its own"))
        names.add(seat.name)
        least = int(getattr(seat.judge, "min_repeats", 1))
        if cfg.repeats < least:
            message = f"'{seat.name}' needs {least} answers to every row, and each row is asked {cfg.repeats} time(s)"
            problems.append(Problem(message, key=key, hint=f"write 'repeats: {least}' or more"))
        seats.append(seat)
    return seats


def seated_alone(cfg: AuditConfig, problems: list[Problem]) -> Seat | None:
    """Return the seat of the one judge of an audit; what is wrong goes to ``problems``."""
    return _seat(cfg, cfg.judge, "judge", {}, problems)


def _seat(
    cfg: EvalConfig | AuditConfig, written: Any, key: str, models: dict[str, Model], problems: list[Problem]
) -> Seat | None:
    try:
        judge, name = registry.build("judges", written, base=cfg.base, key=key)
    except ConfigError as error:
        problems += error.problems
        return None
    own = str(getattr(judge, "name", "") or "") or name
    if hasattr(judge, "jurors"):
        members = [_seat(cfg, one, f"{key}.members[{i}]", models, problems) for i, one in enumerate(judge.jurors)]
        whole = tuple(member for member in members if member is not None)
        return Seat(own, judge, members=whole, code=_code(judge)) if len(whole) == len(members) else None
    model = _model(cfg, judge.model, key, models, problems)
    embedder = None
    if getattr(judge, "embedder", None) is not None:
        embedder = _model(cfg, judge.embedder, key, models, problems)
    if model is None:
        return None
    if getattr(judge, "form", "") == "auto":
        enforces = bool(getattr(model.provider, "enforces_schemas", False))
        judge = dataclasses.replace(judge, form="json" if enforces else "text")
    return Seat(own, judge, model, embedder, opponents=_opponents(judge, key, problems), code=_code(judge))


def _model(
    cfg: EvalConfig | AuditConfig, written: Any, key: str, models: dict[str, Model], problems: list[Problem]
) -> Model | None:
    """Return the model that a spec names; one spec is one model, however many judges ask it."""
    if written is None:
        written = cfg.judge_model
    if written is None:
        message = "the judge has no model to ask"
        hint = "write 'judge_model: {openai: {model: ...}}' in the config, or 'model:' in the judge"
        problems.append(Problem(message, key=key, hint=hint))
        return None
    try:
        provider, name = registry.build("providers", written, base=cfg.base, key=key)
    except ConfigError as error:
        problems += error.problems
        return None
    if getattr(provider, "wants_sample", False) and not getattr(provider, "answers_messages", False):
        message = f"'{name}' answers rows of an eval set, not questions; a judge needs a model"
        problems.append(Problem(message, key=key, hint="use openai or transformers"))
        return None
    identity = str(getattr(provider, "identity", name))
    files = [_file_digest(Path(file)) for file in getattr(provider, "files", ())]
    identity = f"{identity}#{digest(files, 4)}" if files else identity
    return models.setdefault(identity, Model(provider, identity))


def _opponents(judge: Any, key: str, problems: list[Problem]) -> dict[str, list[tuple[str, ...]]] | None:
    """Return the answers that a judge compares with, where they come from a run or a file; None where from the row."""
    written = getattr(judge, OPPONENT, None)
    if not isinstance(written, Path):
        return None
    try:
        return read_opponents(written)
    except (LlmkitError, OSError) as error:
        problems.append(Problem(f"its '{OPPONENT}' cannot be read: {error}", key=key))
        return None


def read_opponents(path: Path) -> dict[str, list[tuple[str, ...]]]:
    """Return for each row's id its answers: of each repeat, to all turns.

    ``path`` is a run folder, or a JSONL file whose rows hold ``id`` and ``output``.
    """
    found: dict[str, list[tuple[str, ...]]] = {}
    if path.is_dir():
        for output in open_run(path).outputs:
            if output.text is not None:
                found.setdefault(output.sample_id, []).append(output.turns or (output.text,))
        return found
    problems = []
    for number, row in read_rows(path):
        if isinstance(row, Problem):
            problems.append(row)
            continue
        text = row.get("output", row.get("text")) if isinstance(row, dict) else None
        name = row.get("id", row.get("sample_id")) if isinstance(row, dict) else None
        if text is None or name is None:
            problems.append(Problem("a row needs 'id' and 'output'", file=str(path), line=number))
            continue
        found.setdefault(str(name), []).append((str(text),))
    if problems:
        raise DataError(problems=problems[:_SHOWN])
    return found


def _code(judge: Any) -> str:
    """Return a digest of the file a judge comes from, where it is a user's own; empty for the built-in ones."""
    file = getattr(sys.modules.get(type(judge).__module__), "llmkit_plugin_file", None)
    if file is None:
        return ""
    return _file_digest(Path(file))[:8]


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()[:32]


def check_judges(cfg: EvalConfig | AuditConfig, seats: Iterable[Seat], key: str = "judges[{position}]") -> None:
    """Let every judge's model find its key and its address, so that a missing one is known before anything is asked."""
    for position, seat in enumerate(seats):
        for model in seat.models():
            check = getattr(model.provider, "check", None)
            try:
                if check is not None:
                    check()
            except ConfigError as error:
                place = key.format(position=position)
                raised = [dataclasses.replace(p, key=p.key or place) for p in error.problems or (Problem(str(error)),)]
                raise ConfigError(problems=[cfg.placed(problem) for problem in raised]) from error


def family(model: str) -> str:
    """Return the family that a model's name tells of (``GPT``, ``Llama``), or the name itself."""
    plain = model.casefold().rpartition("/")[2]
    return next((name for name, pattern in _FAMILIES if re.search(pattern, plain)), plain)


def self_judging(cfg: EvalConfig, target: Any, seats: Sequence[Seat]) -> list[str]:
    """Return a warning for each judge of the target's own model or family: models favour what sounds like them.

    Raises:
        ConfigError: there is one, and the config says ``forbid_self_judging``.
    """
    asked = str(getattr(target, "model", "") or "")
    if not asked:
        return []
    found = []
    for position, seat in enumerate(seats):
        kin = [model.name for model in seat.models() if family(model.name) == family(asked)]
        if kin:
            same = "the target's own model" if kin[0] == asked else f"of the target's family ({family(asked)})"
            found.append((f"judges[{position}]", f"the judge '{seat.name}' asks {kin[0]}, {same}"))
    if found and cfg.forbid_self_judging:
        hint = "choose a judge of another family, or leave forbid_self_judging out"
        raise ConfigError(problems=[cfg.placed(Problem(message, key=key, hint=hint)) for key, message in found])
    return [f"{message}: models favour answers like their own, so its scores may be too high" for _, message in found]
