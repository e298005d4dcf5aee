"""One dialogue, several models: requests that say whom they are for, and what sends them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from llmkit.engine import Engine, Lane, Settings
from llmkit.errors import InfrastructureError, RequestError
from llmkit.flows.loop import run_loop
from llmkit.flows.open_engine import open_cache
from llmkit.flows.relay import relayed
from llmkit.protocols import Dialogue, Provider
from llmkit.types import Request

T = TypeVar("T")

_FIELDS = tuple(field.name for field in fields(Request))


@dataclass(frozen=True, slots=True)
class Routed(Request):
    """A request that says which of several models it is for; its content key is that of the plain request."""

    to: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A model that may be asked: its provider, and what makes it answer as it does."""

    provider: Provider
    identity: str


def addressed(to: str, dialogue: Dialogue[T]) -> Dialogue[T]:
    """Return the dialogue with every request addressed to ``to``."""
    return relayed(dialogue, change=lambda requests: [_to(to, request) for request in requests])


def _to(to: str, request: Request) -> Routed:
    return Routed(**{name: getattr(request, name) for name in _FIELDS}, to=to)


def addressee(request: Request) -> str:
    """Return whom a request is for; empty where it does not say."""
    return request.to if isinstance(request, Routed) else ""


def held(
    dialogue: Dialogue[T],
    models: Mapping[str, Asked],
    *,
    settings: Settings | None = None,
    cache: Path | None = None,
) -> T:
    """Hold a dialogue to its end and return its result; an engine is started only if it asks anything.

    Args:
        dialogue: Its requests are addressed to keys of ``models``.
        models: Who answers.
        settings: Limits.
        cache: The response cache's file, for models that may be answered from it.

    Raises:
        InfrastructureError: a request failed for good and the dialogue could not go on without it.
    """
    try:
        first = next(dialogue)
    except StopIteration as end:
        result: T = end.value
        return result
    found: list[T] = []

    async def hold() -> None:
        with open_cache(cache) as memory:
            engine = Engine(settings or Settings(), cache=memory)
            lanes = {name: engine.lane(asked.provider, asked.identity) for name, asked in models.items()}
            try:
                found.append(await engine.converse(lane_of(lanes), relayed(dialogue, first=first)))
            except RequestError as error:
                raise InfrastructureError(f"the model could not be asked: {error}") from error
            finally:
                for asked in models.values():
                    await asked.provider.aclose()

    run_loop(hold())
    return found[0]


def lane_of(lanes: Mapping[str, Lane]) -> Callable[[Request], Lane]:
    """Return what tells the lane of a request."""

    def lane(request: Request) -> Lane:
        return lanes[addressee(request)]

    return lane
