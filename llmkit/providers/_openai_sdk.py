"""The SDK transport: the official client, for what it adds (Azure sign-in, a client the user configured).

It costs several times the CPU of the lean transport; wire format and failures are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import openai

from llmkit.errors import PermanentError, RequestError, TransientError
from llmkit.model_server import is_local
from llmkit.providers._openai_endpoint import Endpoint
from llmkit.providers._openai_failures import Reply

_REQUIRED = {
    "/chat/completions": ("model", "messages"),
    "/completions": ("model", "prompt"),
    "/embeddings": ("model", "input"),
}
_BROKEN_OFF = ("incomplete", "without sending complete", "contentlength", "decod", "payload")


class SdkTransport:
    """Sends calls through one `openai.AsyncOpenAI`, its retries switched off because the engine has its own."""

    def __init__(self, endpoint: Endpoint, client: Any = None) -> None:
        self.endpoint = endpoint if client is None else endpoint_of(client)
        self._client = made(endpoint) if client is None else client.with_options(max_retries=0)
        # The client refuses to send without a key unless told so with each request.
        keyless = client is None and "Authorization" not in endpoint.headers
        self._headers = {"Authorization": openai.Omit()} if keyless else {}
        self._create = {
            "/chat/completions": self._client.chat.completions.with_raw_response.create,
            "/completions": self._client.completions.with_raw_response.create,
            "/embeddings": self._client.embeddings.with_raw_response.create,
        }

    async def send(self, path: str, body: Mapping[str, Any]) -> Reply:
        """Return what the endpoint answers to ``body``, whatever its status.

        Raises:
            TransientError: ``connection``, ``timeout``, or ``malformed`` where the answer broke off.
            PermanentError: ``tls``, or ``sdk`` where the client itself refuses to send.
        """
        named = {name: body[name] for name in _REQUIRED[path]}
        others = {name: value for name, value in body.items() if name not in named}
        try:
            raw = await self._create[path](**named, extra_headers=self._headers, extra_body=others)
        except openai.APIStatusError as error:
            response = error.response
            return Reply(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)
        except (openai.OpenAIError, TypeError, ValueError) as error:
            # The causes hold the request's headers, key included: they end here.
            raise self._failure(error) from None
        return Reply(raw.status_code, {}, raw.content)

    def _failure(self, error: Exception) -> RequestError:
        name = self.endpoint.name
        cause = error.__cause__ or error
        said = self.endpoint.scrub(f"{type(cause).__name__}: {cause}")
        if isinstance(error, openai.APITimeoutError):
            return TransientError(f"{name} did not answer in time", kind="timeout")
        if not isinstance(error, openai.APIConnectionError):
            return PermanentError(f"the openai client could not send to {name}: {said}", kind="sdk")
        if "CERTIFICATE_VERIFY_FAILED" in said:
            return PermanentError(f"{name} has no certificate that this machine trusts: {said}", kind="tls")
        if any(word in said.lower() for word in _BROKEN_OFF):
            return TransientError(f"{name} broke its answer off", kind="malformed")
        if "disconnected" in said.lower():
            return TransientError(f"{name} closed the connection before it answered", kind="connection")
        return TransientError(f"cannot connect to {name}: {said}", kind="connection")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


def made(endpoint: Endpoint) -> openai.AsyncOpenAI:
    """Return a client for an endpoint; Azure's keys travel in our own headers, so one class serves both."""
    return openai.AsyncOpenAI(
        api_key="sent-in-the-headers",
        base_url=endpoint.base,
        default_headers=endpoint.headers,
        default_query=dict(parse_qsl(endpoint.query)),
        max_retries=0,
        timeout=None,
        # A redirect to another host would be sent Azure's key too.
        http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
    )


def endpoint_of(client: Any) -> Endpoint:
    """Return the endpoint of a client that the user configured: its name for messages, and the key to keep out."""
    url = client.base_url
    key = getattr(client, "api_key", None)
    return Endpoint(
        base=str(url).rstrip("/"),
        query="",
        name=url.netloc.decode() if isinstance(url.netloc, bytes) else str(url.netloc),
        official=url.host == "api.openai.com",
        local=is_local(url.host),
        headers={},
        secrets=(key,) if isinstance(key, str) and key else (),
    )
