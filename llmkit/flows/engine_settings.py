"""What a config says about sending requests, as the engine takes it."""

from __future__ import annotations

from llmkit.config.engine_config import EngineConfig
from llmkit.engine import Settings


def engine_settings(wanted: EngineConfig) -> Settings:
    """Return the engine's settings of a config."""
    return Settings(
        max_concurrency=wanted.max_concurrency,
        timeout=wanted.timeout,
        max_retries=wanted.max_retries,
        requests_per_minute=wanted.requests_per_minute,
        tokens_per_minute=wanted.tokens_per_minute,
        max_cost=wanted.max_cost,
        max_tokens=wanted.max_tokens,
        max_requests=wanted.max_requests,
        patience=wanted.patience,
    )
