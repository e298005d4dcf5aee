"""Which index a user means: its folder, the config that builds it, or its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmkit.errors import UsageError
from llmkit.retrieval.schema import FILE_NAME

if TYPE_CHECKING:
    from llmkit.config.index_config import IndexConfig

HOME = Path(".llmkit")
"""Where indexes lie that are called by their name alone, below the working directory."""


def index_folder(named: Path | str) -> Path:
    """Return the folder of an index that a user named. Raises what `find_index` does."""
    return find_index(named)[0]


def find_index(named: Path | str) -> tuple[Path, IndexConfig | None]:
    """Return the folder of an index that a user named, and its config where that is what was named.

    Raises:
        UsageError: none is there.
        ConfigError: it is a config, and that is wrong.
    """
    path = Path(named).expanduser()
    if len(path.parts) == 1 and not (path / FILE_NAME).is_file() and (HOME / path / FILE_NAME).is_file():
        return HOME / path, None  # also where a folder of that name holds the documents
    if path.is_dir():
        return path, None
    if path.name == FILE_NAME and path.is_file():
        return path.parent, None
    if path.is_file():
        from llmkit.config.index_config import load_index_config

        config = load_index_config(path)
        return config.folder, config
    raise UsageError(
        f"there is no index '{named}': give the folder of one, the config that builds it, or the name of one in {HOME}"
    )


def named_or_only(first: str, second: str | None) -> tuple[str, str]:
    """Return which index is asked and what, of the words given: the index may be left out where there is one alone.

    Raises:
        UsageError: it was left out, and there is none, or there are several; or it is the question that was left out.
    """
    if second is not None:
        return first, second
    if _is_there(Path(first).expanduser()) or _is_there(HOME / first / FILE_NAME):
        raise UsageError(f"'{first}' is an index or a file: what is to be looked for? Put it behind, in quotes")
    there = sorted(path.parent.name for path in HOME.glob(f"*/{FILE_NAME}"))
    if len(there) == 1:
        return there[0], first
    which = f"there are {len(there)} in {HOME}: {', '.join(there)}" if there else f"there is none in {HOME}"
    raise UsageError(f"which index is to be asked '{first}'? {which}; name one before the question")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a question may be longer than a file's name can be
        return False
