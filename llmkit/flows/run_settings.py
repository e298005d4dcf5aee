"""What a comparison needs of a run's config: its gate, level, seed, slices, and the scorers themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmkit import registry
from llmkit.config.gate import Gate
from llmkit.config.yaml_source import parse
from llmkit.errors import ConfigError, LlmkitError, UsageError
from llmkit.types import Run


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The parts of a resolved config that comparisons read; ``base`` is the folder its paths start from."""

    config: Mapping[str, Any]
    base: Path

    @property
    def gate(self) -> Gate:
        """The gate of the config."""
        return Gate.model_validate(self.config.get("gate") or {})

    @property
    def level(self) -> float:
        """The confidence level of its intervals."""
        return float(self.config.get("level", 0.95))

    @property
    def seed(self) -> int:
        """The seed of everything that is drawn."""
        return int(self.config.get("seed", 0))

    @property
    def slices(self) -> tuple[str, ...]:
        """The fields that it has slices by."""
        return tuple(self.config.get("slices") or ())

    @property
    def cluster(self) -> str | None:
        """The field whose equal values mark samples that are not independent."""
        cluster: str | None = self.config.get("cluster")
        return cluster

    def scorers(self, wanted: Collection[str]) -> dict[str, Any]:
        """Build the scorers of these names; one that cannot be built here is left out."""
        found: dict[str, Any] = {}
        if not wanted:
            return found
        try:
            registry.load_plugins(
                tuple(self.base / Path(name).expanduser() for name in self.config.get("plugins") or ())
            )
        except LlmkitError:
            return found
        for kind in ("metrics", "judges"):
            for written in self.config.get(kind) or ():
                try:
                    built = registry.build(kind, written, base=self.base, key=kind)
                except ConfigError:
                    continue
                name = str(getattr(built.plugin, "name", "") or "") if kind == "judges" else ""
                if (name or built.name) in wanted:
                    found[name or built.name] = built.plugin
        return found


def settings_of(run: Run) -> RunSettings:
    """Return the settings of a run: those in its folder.

    Raises:
        UsageError: its config cannot be read.
    """
    path = Path(run.path, "config.yaml")
    try:
        data = parse(path.read_text(encoding="utf-8"), str(path)).data
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}; compare a run folder that llmkit wrote") from error
    if not isinstance(data, Mapping):
        raise UsageError(f"{path} is no config; run the evaluation again")
    source = str(run.manifest.get("config") or "")
    return RunSettings(data, Path(source).parent if source else Path())
