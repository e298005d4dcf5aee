"""The section ``engine`` of every config that sends requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from llmkit.config.section import FileName, Flag, Number, Section, Whole

CACHE_PATH = Path(".llmkit") / "responses.sqlite"
"""Where answers are kept for later runs, below the working directory."""


class EngineConfig(Section):
    """How requests are sent."""

    max_concurrency: Annotated[Whole, Field(ge=1)] = Field(default=32, description="Most requests in flight.")
    timeout: Annotated[Number, Field(gt=0)] | None = Field(
        default=60.0, description="Seconds that one attempt may take; null waits for ever."
    )
    max_retries: Annotated[Whole, Field(ge=0)] = Field(
        default=5, description="How often a request that failed in passing is asked again."
    )
    requests_per_minute: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Most requests in any 60 seconds."
    )
    tokens_per_minute: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Most tokens, prompt and answer, in any 60 seconds."
    )
    max_cost: Annotated[Number, Field(ge=0)] | None = Field(
        default=None, description="US dollars after which nothing more is sent (exit code 6)."
    )
    max_tokens: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Tokens after which nothing more is sent (exit code 6)."
    )
    max_requests: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Requests after which nothing more is sent (exit code 6)."
    )
    patience: Annotated[Number, Field(ge=0)] = Field(
        default=600.0, description="Seconds that a request waits out 'too many requests' answers."
    )
    cache: Flag | FileName = Field(
        default=True, description="Keep answers for later runs: true, false, or the path of the cache file."
    )

    def cache_file(self, base: Path) -> Path | None:
        """Return where answers are kept, in a config whose paths start from ``base``; None where they are not."""
        if isinstance(self.cache, bool):
            return CACHE_PATH if self.cache else None
        return base / Path(self.cache).expanduser()
