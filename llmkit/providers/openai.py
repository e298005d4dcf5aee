"""Models behind an OpenAI-compatible endpoint: OpenAI, Azure, vLLM, Ollama, llama.cpp and many more.

What it sends and how it reads answers is `llmkit.providers._openai_wire`; how bytes travel is one of two transports.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, Literal, Protocol
from urllib.parse import urlsplit

from llmkit.errors import ConfigError, Problem
from llmkit.hashing import canonical_json, digest
from llmkit.model_server import DEFAULT_KEY, address_problem, given_address
from llmkit.providers._openai_endpoint import Endpoint, resolve
from llmkit.providers._openai_failures import Reply
from llmkit.providers._openai_read import Reader
from llmkit.providers._openai_wire import Dialect, build
from llmkit.registry import provider
from llmkit.types import Request, Response

_SAMPLING = (
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "top_p",
    "seed",
    "stop",
    "n",
    "logprobs",
    "top_logprobs",
    "response_format",
    "tools",
    "tool_choice",
    "reasoning_effort",
)


class _Transport(Protocol):
    endpoint: Endpoint

    async def send(self, path: str, body: Mapping[str, Any]) -> Reply: ...

    async def aclose(self) -> None: ...


@dataclass(slots=True)
class _State:
    """What a provider learns after it was made: its endpoint and its open connections."""

    endpoint: Endpoint | None = None
    reader: Reader | None = None
    dialect: Dialect | None = None
    transport: _Transport | None = None
    loop: asyncio.AbstractEventLoop | None = None


@provider("openai")
@dataclass(frozen=True)
class Openai:
    """A model behind an OpenAI-compatible endpoint (OpenAI, Azure, vLLM, Ollama, llama.cpp...).

    ``Request.params`` override the fields of the same name. A request of kind ``loglikelihood`` needs a server that
    echoes prompts with log-probabilities (vLLM does, OpenAI's chat models do not).

    Attributes:
        model: The model, or on Azure whatever the deployment expects.
        temperature: Sampling temperature; the server's default where absent, as for all that follow.
        max_tokens: Longest answer. OpenAI's own API has retired the name for chats, so there it is sent as
            ``max_completion_tokens``; every other server gets ``max_tokens``, which is what it knows.
        max_completion_tokens: The same under its new name, for other servers that want it (Azure).
        top_p: Nucleus sampling.
        seed: Sampling seed; the repeat number is added to it, so that repeats differ and each is reproducible.
        stop: Where to stop.
        n: Answers a request; the first is scored, all are kept.
        logprobs: Ask for log-probabilities: true, or how many alternatives a token.
        top_logprobs: How many alternatives a token.
        response_format: Passed through: ``{type: json_object}``, or a JSON Schema.
        tools: Passed through.
        tool_choice: Passed through.
        reasoning_effort: Passed through.
        api: ``chat``, or ``completions`` for base models: the messages are joined by blank lines.
        system: A system message for requests that have none.
        base_url: The endpoint; else the variable OPENAI_BASE_URL, else OpenAI's. Where there is no path, ``/v1``
            is added.
        api_version: Azure's ``api-version``; the key then travels in the header ``api-key``.
        api_key_env: The variable that holds the key; null sends none. Loopback and private addresses are sent a key
            only when this names another variable than the default, or OPENAI_BASE_URL is in use.
        organization: Sent as ``OpenAI-Organization``.
        project: Sent as ``OpenAI-Project``.
        headers: Further headers; ``${VARIABLE}`` in a value is read from the environment.
        extra: Any other body field, passed through: ``{top_k: 40}``.
        transport: ``lean``, or ``sdk`` for the official client.
        client: ``module:function`` that returns a configured ``AsyncOpenAI`` or ``AsyncAzureOpenAI`` (implies ``sdk``).
        allow_empty: Take an answer without text as an answer; else it is asked again, and in the end an error. One that
            the token limit left empty is an error at once.
    """

    cacheable: ClassVar[bool] = True
    journaled: ClassVar[bool] = True

    model: str
    temperature: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    logprobs: bool | int | None = None
    top_logprobs: int | None = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    reasoning_effort: str | None = None
    api: Literal["chat", "completions"] = "chat"
    system: str = ""
    base_url: str = ""
    api_version: str | None = None
    api_key_env: str | None = field(default=DEFAULT_KEY, metadata={"identity": False})
    organization: str | None = field(default=None, metadata={"identity": False})
    project: str | None = field(default=None, metadata={"identity": False})
    headers: dict[str, str] = field(default_factory=dict, metadata={"identity": False}, repr=False)
    extra: dict[str, Any] = field(default_factory=dict)
    transport: Literal["lean", "sdk"] = field(default="lean", metadata={"identity": False})
    client: str | None = None
    allow_empty: bool = False
    _state: _State = field(default_factory=_State, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse settings that cannot work, all at once.

        Raises:
            ConfigError: one problem for each.
        """
        problems = [Problem(message) for message in self._problems()]
        if problems:
            raise ConfigError(problems=problems)

    def _problems(self) -> list[str]:
        found = []
        if not self.model:
            found.append("'model' is empty; name the model to ask")
        if self.base_url and (wrong := address_problem(self.base_url)):
            found.append(wrong)
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            found.append("'max_tokens' and 'max_completion_tokens' are two names of one limit; give one of them")
        for name in ("max_tokens", "max_completion_tokens", "n"):
            value = getattr(self, name)
            if value is not None and value < 1:
                found.append(f"'{name}' must be at least 1, not {value}")
        for name in ("temperature", "top_p"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                found.append(f"'{name}' must be at least 0, not {value}")
        if self.api == "completions":
            given = [name for name in ("tools", "tool_choice", "reasoning_effort") if getattr(self, name) is not None]
            found += [f"'{name}' exists in chats only; leave it out or set api: chat" for name in given]
        if self.client is not None and self.client.count(":") != 1:
            found.append(f"'client' must be written module:function, not '{self.client}'")
        clash = sorted(set(self.extra) & {"model", "messages", "prompt", "input", *_SAMPLING})
        found += [f"'{name}' has a place of its own; move it out of 'extra'" for name in clash]
        return found

    @property
    def identity(self) -> str:
        """Return what makes the answers: name, resolved endpoint and every field that is not its default.

        Unlike the canonical spec it tells endpoints apart that come from ``OPENAI_BASE_URL``, so it is what
        request keys should be made with. It holds no secret.
        """
        address, _, query = given_address(self.base_url).partition("?")
        kept: dict[str, Any] = {"base_url": address.rstrip("/")}
        if query:  # some gateways take the key there
            kept["query"] = digest(query, 8)
        if self.headers:  # one can select a model, and one can hold a secret
            kept["headers"] = digest(dict(self.headers), 8)
        for f in dataclasses.fields(self):
            if f.init and f.metadata.get("identity", True) and f.name != "base_url":
                value = getattr(self, f.name)
                default = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
                if value != default:
                    kept[f.name] = value
        return f"openai:{canonical_json(kept)}"

    @property
    def enforces_schemas(self) -> bool:
        """Whether the endpoint is known to hold answers to a JSON Schema (``response_format``): OpenAI's own."""
        host = urlsplit(given_address(self.base_url)).hostname or ""
        return self.api == "chat" and (host == "api.openai.com" or host.endswith(".api.openai.com"))

    def check(self) -> None:
        """Resolve endpoint and key, so that a missing one is known before the first request. Sends nothing.

        Raises:
            MissingKeyError: names the variable to set.
            ConfigError: OPENAI_BASE_URL is not an address, or ``client`` cannot be imported.
        """
        wrong = address_problem(given_address(self.base_url))
        if wrong:
            raise ConfigError(problems=[Problem(f"{wrong} (from OPENAI_BASE_URL)")])
        endpoint = resolve(
            self.base_url,
            api_key_env=None if self.client else self.api_key_env,
            api_version=self.api_version,
            organization=self.organization,
            project=self.project,
            headers=self.headers,
        )
        if self.client:
            _client_function(self.client)
        self._transport_class()
        self._adopt(endpoint)

    def _adopt(self, endpoint: Endpoint) -> None:
        state = self._state
        params = {name: value for name in _SAMPLING if (value := getattr(self, name)) is not None}
        state.endpoint = endpoint
        state.reader = Reader(endpoint.name, endpoint.scrub, self.allow_empty)
        state.dialect = Dialect(
            model=self.model,
            params=params,
            extra=self.extra,
            system=self.system,
            completions=self.api == "completions",
            renames_max_tokens=endpoint.official,
        )

    async def complete(self, request: Request) -> Response:
        """Send one request, once, and return its answer; ``latency`` runs from sending to the parsed answer.

        Raises:
            RequestError: see `llmkit.errors`; the message holds the server's own words and never a key.
            MissingKeyError: the key is missing and `check` was not called before.
        """
        state = self._state
        transport = state.transport
        if transport is None or state.loop is not asyncio.get_running_loop():
            transport = self._connect()
        assert state.reader is not None
        assert state.dialect is not None
        call = build(state.dialect, request)
        started = perf_counter()
        reply = await transport.send(call.path, call.body)
        return state.reader.read(request, reply, started)

    def _transport_class(self) -> Callable[[Endpoint, Any], _Transport]:
        """Import the transport; `check` does so already, because it takes longer than many a request."""
        if self.client is not None or self.transport == "sdk":
            from llmkit.providers._openai_sdk import SdkTransport

            return SdkTransport
        from llmkit.providers._openai_http import HttpTransport

        return HttpTransport

    def _connect(self) -> _Transport:
        state = self._state
        if state.endpoint is None:
            self.check()
        assert state.endpoint is not None
        client = _client_function(self.client)() if self.client else None
        made = self._transport_class()(state.endpoint, client)
        if made.endpoint is not state.endpoint:
            self._adopt(made.endpoint)
        state.transport = made
        state.loop = asyncio.get_running_loop()
        return made

    async def aclose(self) -> None:
        """Close the connections; a later `complete` opens new ones."""
        transport, self._state.transport = self._state.transport, None
        if transport is not None:
            await transport.aclose()


def _client_function(written: str) -> Any:
    module_name, _, name = written.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        function = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, SyntaxError) as error:
        message = f"'client' {written} cannot be imported: {error}"
        raise ConfigError(problems=[Problem(message, hint="write module:function")]) from None
    if not callable(function):
        raise ConfigError(problems=[Problem(f"'client' {written} is not a function that returns a client")])
    return function
