"""Which index a user means: its folder, the config that builds it, or its name."""

from __future__ import annotations

from pathlib import Path

from llmkit.errors import UsageError
from llmkit.retrieval.schema import FILE_NAME

HOME = Path(".llmkit")
"""Where indexes lie that are called by their name alone, below the working directory."""


def index_folder(named: Path | str) -> Path:
    """Return the folder of an index that a user named.

    Raises:
        UsageError: none is there.
        ConfigError: it is a config, and that is wrong.
    """
    path = Path(named).expanduser()
    if len(path.parts) == 1 and not (path / FILE_NAME).is_file() and (HOME / path / FILE_NAME).is_file():
        return HOME / path  # also where a folder of that name holds the documents
    if path.is_dir():
        return path
    if path.name == FILE_NAME and path.is_file():
        return path.parent
    if path.is_file():
        from llmkit.config.index_config import load_index_config

        return load_index_config(path).folder
    raise UsageError(
        f"there is no index '{named}': give the folder of one, the config that builds it, or the name of one in {HOME}"
    )
