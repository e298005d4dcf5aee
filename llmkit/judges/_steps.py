"""Evaluation steps of G-Eval: written once by a model, kept in a file that people read and commit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmkit.hashing import digest

_STEP = re.compile(r"^\s*(?:\d+[.):]|[-*])\s+(.*\S)")


def steps_path(folder: Path, name: str, criterion: str) -> Path:
    """Return where the steps of a criterion are kept: another text of the criterion is another file."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")[:40] or "criterion"
    return folder / f"{slug}-{digest(criterion, 4)}.steps.yaml"


def read_steps(path: Path, criterion: str) -> list[str]:
    """Return the steps that a file keeps.

    Raises:
        ValueError: with a sentence: it cannot be read, or keeps the steps of another criterion.
    """
    import yaml

    try:
        kept: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    steps = kept.get("steps") if isinstance(kept, dict) else None
    if not isinstance(steps, list) or not steps or not all(isinstance(step, str) and step.strip() for step in steps):
        raise ValueError(
            f"{path} holds no steps: it needs a list of texts under 'steps'; delete it to have them written"
        )
    if " ".join(str(kept.get("criterion", "")).split()) != " ".join(criterion.split()):
        raise ValueError(f"{path} holds the steps of another criterion; delete it to have them written anew")
    return [step.strip() for step in steps]


def steps_text(criterion: str, steps: Sequence[str], model: str) -> str:
    """Return the text of a file of steps."""
    import yaml

    head = "# Evaluation steps of a geval judge, written by a model once. Read them, mend them, commit them:\n"
    note = (
        "# they are part of the judge, and another text is another judge. Delete the file to have them written anew.\n"
    )
    kept = {"criterion": criterion, "written_by": model, "steps": list(steps)}
    return head + note + yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=100)


def found_steps(text: str) -> list[str]:
    """Return the numbered steps in a model's answer."""
    return [match[1] for line in text.splitlines() if (match := _STEP.match(line))]
