"""Which commit a run was made from."""

from __future__ import annotations

import subprocess
from pathlib import Path

SECONDS = 2.0


def git_state(folder: Path | None = None) -> dict[str, str | bool] | None:
    """Return ``{"commit": <hash>, "dirty": <tracked files changed?>}`` of the folder's repository.

    None where there is no repository, no commit, no git, or no answer within `SECONDS`: a run does not depend on it.
    """
    commit = _git("rev-parse", "--verify", "HEAD", folder=folder)
    if not commit:
        return None
    changes = _git("status", "--porcelain", "--untracked-files=no", folder=folder)
    if changes is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}


def _git(*arguments: str, folder: Path | None) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            ["git", "--no-optional-locks", *arguments],  # noqa: S607 - git is where the user's PATH says
            cwd=folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
