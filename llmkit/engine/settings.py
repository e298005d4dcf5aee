"""What a user may set about sending requests."""

from __future__ import annotations

from dataclasses import dataclass, fields

from llmkit.errors import ConfigError, Problem

_AT_LEAST = {
    "max_concurrency": 1,
    "max_retries": 0,
    "requests_per_minute": 1,
    "tokens_per_minute": 1,
    "max_cost": 0,
    "max_tokens": 0,
    "max_requests": 0,
    "patience": 0,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The ``engine:`` section of a config.

    Attributes:
        max_concurrency: Requests in flight at the same time, over all providers.
        timeout: Seconds one attempt may take; None waits for ever.
        max_retries: Further attempts after transient failures. Answers 429 do not use them up, see ``patience``.
        requests_per_minute: Attempts started in any 60 seconds, for each provider.
        tokens_per_minute: Tokens (prompt and answer) in 60 seconds, for each provider; estimated, then corrected.
        max_cost: US dollars for the whole run; what the run paid before a crash counts.
        max_tokens: Tokens (prompt and answer) for the whole run, likewise.
        max_requests: Attempts sent in the whole run, likewise.
        patience: Seconds one request waits out answers 429 before it is given up; also the longest wait that is granted
            to a server which asks for one after any other failure.

    Raises:
        ConfigError: every value that is out of range, by its key.
    """

    max_concurrency: int = 32
    timeout: float | None = 60.0
    max_retries: int = 5
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_cost: float | None = None
    max_tokens: int | None = None
    max_requests: int | None = None
    patience: float = 600.0

    def __post_init__(self) -> None:
        problems = []
        for field in fields(self):
            value = getattr(self, field.name)
            least = _AT_LEAST.get(field.name)
            if value is None:
                continue
            if least is not None and not value >= least:
                problems.append(Problem(f"must be at least {least}, got {value}", key=f"engine.{field.name}"))
            elif least is None and not value > 0:
                problems.append(Problem(f"must be more than 0, got {value}", key=f"engine.{field.name}"))
        if problems:
            raise ConfigError(problems=problems)
