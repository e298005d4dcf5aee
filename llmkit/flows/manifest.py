"""The manifest: who made a run, of what, when, with which versions, at what cost."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from llmkit._version import __version__
from llmkit.flows.members import specs_of
from llmkit.flows.setup import Setup
from llmkit.store import git_state

_PACKAGES = ("aiohttp", "openai", "numpy", "sacrebleu", "datasets", "pandas", "torch", "transformers", "uvloop")


def first_manifest(setup: Setup, *, resumed: bool) -> dict[str, Any]:
    """Return the manifest as a run begins."""
    config = setup.config
    return {
        "schema": 1,
        "llmkit": __version__,
        "name": config.name,
        "config": config.file,
        "fingerprint": setup.fingerprint,
        "conditions": setup.conditions,
        "subject": setup.subject,
        "dataset": {
            "source": setup.census.source,
            "rows": setup.census.rows,
            "fingerprint": setup.census.fingerprint,
            "skipped_rows": setup.census.skipped_rows,
        },
        "target": setup.target_name,
        **({} if config.ensemble is None else {"members": specs_of(config)}),
        "repeats": config.repeats,
        "seed": config.seed,
        "started": now(),
        "resumed": resumed,
        "git": git_state(config.base),
    }


def last_manifest(manifest: Mapping[str, Any], *, usage: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return the manifest as a run ends."""
    return {
        **manifest,
        "finished": now(),
        "seconds": round(seconds, 3),
        "usage": dict(usage),
        "versions": versions(),
    }


def now() -> str:
    """Return this moment in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions of the packages that this process really loaded."""
    loaded = {name: getattr(sys.modules[name], "__version__", "") for name in _PACKAGES if name in sys.modules}
    return {"python": platform.python_version(), **{name: str(version) for name, version in loaded.items() if version}}
