"""Digests of a model's files, kept by size and time of change: weights are not read again at every start."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

KEPT = Path(".llmkit") / "digests.json"
"""Beside the response cache, seen from the working directory."""

_SMALL = 1 << 20  # bytes; smaller files are read every time
_BLOCK = 1 << 22


def files_digest(files: Iterable[Path]) -> str:
    """Return one digest of the contents of files, in the order given."""
    found = blake2b(digest_size=16)
    for path in files:
        found.update(file_digest(path).encode())
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """Return the digest of a file's content; that of a large file is looked up where it has not changed since."""
    stat = path.stat()
    if stat.st_size < _SMALL:
        return blake2b(path.read_bytes(), digest_size=16).hexdigest()
    name, mark = os.fspath(path.resolve()), [stat.st_size, stat.st_mtime_ns, stat.st_ino]
    known = _kept()
    if known.get(name, [None])[:-1] == mark:
        return str(known[name][-1])
    found = blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    _keep(name, [*mark, found.hexdigest()])
    return found.hexdigest()


def _kept() -> dict[str, list[object]]:
    try:
        found = json.loads(KEPT.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    good = isinstance(found, dict) and all(isinstance(value, list) for value in found.values())
    return found if good else {}


def _keep(name: str, value: list[object]) -> None:
    """Remember a digest; where that fails, the file is read again next time."""
    with contextlib.suppress(OSError):
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        part = KEPT.with_name(f"{KEPT.name}.{os.getpid()}")
        part.write_text(json.dumps(_kept() | {name: value}), encoding="utf-8")
        part.replace(KEPT)
