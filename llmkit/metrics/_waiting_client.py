"""An OpenAI-compatible server, asked by a program that waits, as metrics are synchronous; standard library only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from llmkit.errors import AuthenticationError, ConfigError, PermanentError, Problem, RequestError, TransientError
from llmkit.model_server import address_problem, given_address

TRIES = 5
LONGEST_WAIT = 60.0
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_REFUSED = frozenset({401, 403})


def address(base_url: str) -> str:
    """Return the server that a config means, up to ``/v1``: its own, that of ``OPENAI_BASE_URL``, or OpenAI's.

    Raises:
        ConfigError: it is no web address, or holds a password.
    """
    given = given_address(base_url)
    wrong = address_problem(given)
    parts = urlsplit(given if not wrong else "")
    if not wrong and (parts.query or parts.fragment):
        wrong = f"base_url '{given}' must be a web address such as http://localhost:8000/v1"
    if wrong:
        raise ConfigError(problems=[Problem(wrong)])
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


@dataclass(frozen=True)
class WaitingClient:
    """A server that is asked again where it is busy, and not for long where it is gone.

    Attributes:
        base: Address without a trailing slash.
        kind: What it is called in messages: ``the moderation endpoint``.
        secret: The API key; empty sends none.
        timeout: Seconds after which an answer is not waited for.
        sleep: Waits so many seconds between tries.
    """

    base: str
    kind: str
    secret: str = field(default="", repr=False)
    timeout: float = 60.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False, compare=False)
    _gone: list[bool] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What it is, with host and port, as messages name it."""
        return f"{self.kind} {urlsplit(self.base).netloc}"

    def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the JSON object that answers; ``path`` begins with a slash.

        Raises:
            AuthenticationError: the server refused the key.
            RequestError: it did not answer, or not with a JSON object.
        """
        tries = 1 if self._gone else TRIES  # who waited in vain before waits no more
        for number in range(1, tries + 1):
            try:
                found = self._send(path, body)
            except TransientError as error:
                if number == tries:
                    self._gone.append(True)
                    raise
                wait = 0.25 * 2**number if error.retry_after is None else error.retry_after
                self.sleep(min(wait, LONGEST_WAIT))
            else:
                self._gone.clear()
                return found
        raise AssertionError("unreachable")

    def garbled(self, what: str) -> PermanentError:
        """Return the error that says what came in the place of an answer."""
        return PermanentError(f"{self.name} gave {what}")

    def _send(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        from http.client import HTTPException
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, build_opener

        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["Authorization"] = f"Bearer {self.secret}"
        data = json.dumps(body).encode("ascii")
        request = Request(self.base + path, data=data, headers=headers)  # noqa: S310 - `address` allows http only
        try:
            with build_opener(_no_redirects()).open(request, timeout=self.timeout) as reply:
                text = reply.read()
        except HTTPError as error:
            with error:
                raise self._refused(error.code, error.headers.get("Retry-After"), error.read(2000)) from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise TransientError(f"{self.name} cannot be reached: {reason}") from None
        try:
            found = json.loads(text)
        except ValueError:
            raise self.garbled("something that is not JSON") from None
        if not isinstance(found, Mapping):
            raise self.garbled("something that is not a JSON object")
        return found

    def _refused(self, status: int, retry_after: str | None, body: bytes) -> RequestError | AuthenticationError:
        said = " ".join(body.decode("utf-8", "replace").split())[:300]
        if self.secret:
            said = said.replace(self.secret, "***")
        message = f"{self.name} answered {status}: {said}"
        if status in _REFUSED:
            hint = (
                "check the key in the environment"
                if self.secret
                else "no key was sent: name its variable in api_key_env"
            )
            return AuthenticationError(f"{message} ({hint})")
        if status in _AGAIN:
            return TransientError(message, status=status, retry_after=_seconds(retry_after))
        return PermanentError(message, status=status)


def _seconds(written: str | None) -> float | None:
    try:
        return None if written is None else max(0.0, float(written))
    except ValueError:
        return None


def _no_redirects() -> Any:
    """Return a handler that follows no redirect, for it would take the key to another host."""
    from urllib.request import HTTPRedirectHandler

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    return Stay
