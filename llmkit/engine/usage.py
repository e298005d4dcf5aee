"""What a run has asked and paid so far."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Usage:
    """Counters that the engine keeps up to date; read them at any time, for a progress line or a manifest.

    The request counters are this process's. Tokens and cost are the whole run's: they start at what the journal
    says the run paid before it was interrupted, and answers from the cache add nothing.

    Attributes:
        sent: Attempts sent, retries included.
        answered: Requests that a provider answered.
        from_cache: Requests answered by the response cache.
        from_journal: Requests answered by the journal of this run.
        shared: Requests answered by an identical one that was in flight.
        retries: Attempts after the first.
        rate_limited: Answers 429.
        failed: Requests given up.
        tokens_in: Prompt tokens paid.
        tokens_out: Completion tokens paid.
        cost: US dollars paid, as far as prices are known.
        unpriced: Answers of a model whose price is unknown.
    """

    sent: int = 0
    answered: int = 0
    from_cache: int = 0
    from_journal: int = 0
    shared: int = 0
    retries: int = 0
    rate_limited: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    unpriced: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the counters by name, for a manifest."""
        return asdict(self)
