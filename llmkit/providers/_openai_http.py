"""The lean transport: one aiohttp session, kept alive, and nothing between it and the wire format.

The engine bounds concurrency and time, so the session does neither.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from llmkit._version import __version__
from llmkit.errors import PermanentError, RequestError, TransientError
from llmkit.providers._openai_endpoint import Endpoint
from llmkit.providers._openai_failures import Reply
from llmkit.providers._openai_wire import encode

_CONNECT_SECONDS = 30.0
_LARGE = 2**20
"""aiohttp warns about raw bodies above this size and wants a file instead."""


class HttpTransport:
    """Sends calls to one endpoint from one event loop."""

    def __init__(self, endpoint: Endpoint, client: None = None) -> None:
        self.endpoint = endpoint
        self._urls: dict[str, URL] = {}
        self._proxy = proxy_of(endpoint)
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": f"llmkit/{__version__}",
        }
        # Connection reuse is the point: no limit, no cookies, Nagle off (aiohttp's default), addresses remembered.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers | dict(endpoint.headers),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        )

    async def send(self, path: str, body: Mapping[str, Any]) -> Reply:
        """Return what the endpoint answers to ``body``, whatever its status.

        Raises:
            TransientError: ``connection``, ``timeout``, or ``malformed`` where the answer broke off.
            PermanentError: ``tls``, where the certificate is not trusted.
        """
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self.endpoint.url(path), encoded=True)
        raw = encode(body)
        data = raw if len(raw) < _LARGE else io.BytesIO(raw)
        try:
            async with self._session.post(url, data=data, proxy=self._proxy, allow_redirects=False) as response:
                answer = await response.read()
                headers = {} if response.status == 200 else {k.lower(): v for k, v in response.headers.items()}  # noqa: PLR2004
                return Reply(response.status, headers, answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The causes hold the request's headers, key included: they end here.
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> RequestError:  # noqa: PLR0911 - one return a class of failure
        name = self.endpoint.name
        if isinstance(error, TimeoutError):
            return TransientError(f"{name} did not answer in time", kind="timeout")
        if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)):
            return PermanentError(
                f"{name} has no certificate that this machine trusts: {self._said(error)}", kind="tls"
            )
        if isinstance(error, aiohttp.ClientConnectorError):
            return TransientError(f"cannot connect to {name}: {self._said(error)}", kind="connection")
        if isinstance(error, aiohttp.ClientPayloadError):
            return TransientError(f"{name} broke its answer off", kind="malformed")
        if isinstance(error, aiohttp.ClientResponseError):
            return TransientError(f"{name} sent a garbled answer: {self._said(error)}", kind="malformed")
        if isinstance(error, aiohttp.ServerDisconnectedError):
            return TransientError(f"{name} closed the connection before it answered", kind="connection")
        return TransientError(f"the connection to {name} failed: {self._said(error)}", kind="connection")

    def _said(self, error: Exception) -> str:
        cause = getattr(error, "os_error", error)
        said = getattr(cause, "strerror", None) or getattr(cause, "message", None) or type(cause).__name__
        return self.endpoint.scrub(str(said))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()
        await asyncio.sleep(0)


def proxy_of(endpoint: Endpoint) -> str | None:
    """Return the proxy that the environment names for an endpoint; none for loopback and private addresses.

    Read once: aiohttp's own ``trust_env`` would read the environment and ``.netrc`` again for each request.
    """
    parts = urlsplit(endpoint.base)
    if endpoint.local or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
