"""Where requests go and what proves who sends them: address, headers, secrets. No I/O."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from llmkit.errors import MissingKeyError
from llmkit.model_server import given_address, is_local, key_for

_AZURE = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TOKENS = re.compile(r"\b(sk-|Bearer\s+)[^\s\"',;]{6,}")
_SHORTEST_SECRET = 4


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A resolved endpoint. Neither ``repr`` nor a message made through `scrub` shows a secret.

    Attributes:
        base: Address without a trailing slash and without a query: ``https://api.openai.com/v1``.
        query: What follows ``?`` in every URL, without the mark.
        name: Host and port, as messages name the endpoint.
        official: True for OpenAI's own API, which has retired ``max_tokens``.
        local: True for loopback and private addresses.
        headers: What is sent with every request, key included.
        secrets: Texts that no message may hold.
    """

    base: str
    query: str = field(repr=False)
    name: str
    official: bool
    local: bool
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def url(self, path: str) -> str:
        """Return the address of an API path such as ``/chat/completions``."""
        return f"{self.base}{path}?{self.query}" if self.query else f"{self.base}{path}"

    def scrub(self, text: str) -> str:
        """Return ``text`` without the secrets, and without anything that looks like a key."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return _TOKENS.sub(r"\1***", text)


def resolve(
    base_url: str,
    *,
    api_key_env: str | None,
    api_version: str | None,
    organization: str | None,
    project: str | None,
    headers: Mapping[str, str],
) -> Endpoint:
    """Return the endpoint, with keys read from the environment.

    No key is sent to a loopback or private address, unless the config names another variable than the default
    one, or the address itself comes from ``OPENAI_BASE_URL``. Header values may hold ``${VARIABLE}``.

    Raises:
        MissingKeyError: a variable that is needed is not set; the message names it.
    """
    parts = urlsplit(given_address(base_url))
    host = parts.hostname or ""
    path = parts.path.rstrip("/")
    azure = host.endswith(_AZURE) or api_version is not None
    if not path:
        path = "/openai/v1" if host.endswith(_AZURE) else "/v1"
    query = "&".join(
        part for part in (parts.query, urlencode({"api-version": api_version}) if api_version else "") if part
    )
    local = is_local(host)
    secrets: list[str] = []
    sent = {name: _expand(name, value, secrets) for name, value in headers.items()}
    key = key_for(base_url, api_key_env)
    if key:
        secrets.append(key)
        sent = {"api-key": key} | sent if azure else {"Authorization": f"Bearer {key}"} | sent
    if organization:
        sent["OpenAI-Organization"] = organization
    if project:
        sent["OpenAI-Project"] = project
    return Endpoint(
        base=f"{parts.scheme}://{parts.netloc}{path}",
        query=query,
        name=parts.netloc,
        official=host == "api.openai.com" or host.endswith(".api.openai.com"),
        local=local,
        headers=sent,
        secrets=tuple(sorted((s for s in secrets if len(s) >= _SHORTEST_SECRET), key=len, reverse=True)),
    )


def _expand(name: str, value: str, secrets: list[str]) -> str:
    def read(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], "").strip()
        if not found:
            raise MissingKeyError(
                f"the header {name} needs the environment variable {match[1]}, which is not set; set it"
            )
        secrets.append(found)
        return found

    return _VARIABLE.sub(read, value)
