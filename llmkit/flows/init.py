"""The files of a first evaluation."""

from __future__ import annotations

from pathlib import Path

from llmkit.errors import InfrastructureError, UsageError

_SCAFFOLD = Path(__file__).parent / "scaffold"
FILES = ("llmkit.yaml", "evalset.jsonl", "bot.py")


def scaffold(folder: Path) -> list[Path]:
    """Write the files of a first evaluation into ``folder`` and return their paths.

    Raises:
        UsageError: one of the files is there already; nothing is written.
        InfrastructureError: the folder cannot be written.
    """
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise UsageError(f"{folder / there[0]} is there already; nothing was written. Choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).write_bytes((_SCAFFOLD / name).read_bytes())
    except OSError as error:
        raise InfrastructureError(f"{folder}: cannot be written: {error.strerror}") from error
    return [folder / name for name in FILES]
