"""What is put before a text, so that a model knows what it is: E5's words, Instructor's sentence, a model's prompts."""

from __future__ import annotations

import string
from collections.abc import Mapping

from llmkit.errors import ConfigError, Problem
from llmkit.protocols import Role

INSTRUCTION = "Represent the {domain} {task_type} for {objective}: "
"""Instructor's sentence; ``task_type`` is what the text is (a question, a document)."""

_KEYS = ("domain", "objective", "query", "passage", "template")


def prefix_of(role: Role, given: str | None, instruction: Mapping[str, str] | None, prompts: Mapping[str, str]) -> str:
    """Return what is put before a text of this role: what was given, an instruction, or the model's own prompt."""
    if given is not None:
        return given
    if instruction is None:
        return prompts.get(role, "")
    words = {
        "domain": instruction.get("domain", ""),
        "task_type": instruction.get(role, "question" if role == "query" else "document"),
        "objective": instruction.get("objective", "retrieval"),
    }
    made = instruction.get("template", INSTRUCTION).format(**words)
    return " ".join(made.split()) + made[len(made.rstrip()) :]


def check_instruction(instruction: Mapping[str, str] | None) -> None:
    """Refuse an instruction that cannot be filled in.

    Raises:
        ConfigError: an unknown key, or an unknown word in braces.
    """
    problems = [
        Problem(f"'{key}' is no part of an instruction", key="instruction", hint=f"known: {', '.join(_KEYS)}")
        for key in instruction or ()
        if key not in _KEYS
    ]
    try:
        names = [name for _, name, _, _ in string.Formatter().parse((instruction or {}).get("template", "")) if name]
    except ValueError as error:
        names = []
        problems.append(Problem(f"the template cannot be read: {error}", key="instruction.template"))
    known = ("domain", "task_type", "objective")
    problems += [
        Problem(f"the template names '{name}'", key="instruction.template", hint=f"known: {', '.join(known)}")
        for name in names
        if name not in known
    ]
    if problems:
        raise ConfigError(problems=problems)
