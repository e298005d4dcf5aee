"""An OpenAI-compatible ``/moderations`` endpoint, asked synchronously; standard library only."""

from __future__ import annotations

import ipaddress
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from llmkit.errors import (
    AuthenticationError,
    ConfigError,
    MissingKeyError,
    PermanentError,
    Problem,
    RequestError,
    TransientError,
)

OFFICIAL = "https://api.openai.com/v1"
DEFAULT_KEY = "OPENAI_API_KEY"
TRIES = 5
TIMEOUT = 60.0
LONGEST_WAIT = 60.0
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_REFUSED = frozenset({401, 403})


def address(base_url: str) -> str:
    """Return the endpoint that a config means: its own, that of ``OPENAI_BASE_URL``, or OpenAI's.

    Raises:
        ConfigError: it is no web address, or holds a password.
    """
    given = base_url or os.environ.get("OPENAI_BASE_URL", "").strip() or OFFICIAL
    try:
        parts = urlsplit(given)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        parts, fine = urlsplit(OFFICIAL), False
    if "@" in parts.netloc:
        message, hint = "base_url holds a user name or password", "name an environment variable in api_key_env instead"
        raise ConfigError(problems=[Problem(message, hint=hint)])
    if not fine or parts.query or parts.fragment:
        message = f"base_url '{given}' must be a web address such as http://localhost:8000/v1"
        raise ConfigError(problems=[Problem(message)])
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def key(base_url: str, variable: str | None) -> str:
    """Return the API key from the environment; empty where none is to be sent.

    No key is sent to a loopback or private address, unless the config names another variable than the default one, or
    the address itself comes from ``OPENAI_BASE_URL``.

    Raises:
        MissingKeyError: the variable is not set; the message names it.
    """
    host = urlsplit(address(base_url)).hostname or ""
    optional = variable == DEFAULT_KEY and _is_local(host)
    if variable is None or (optional and base_url):
        return ""
    found = os.environ.get(variable, "").strip()
    if not found and not optional:
        message = (
            f"the API key for the moderation endpoint {host} is missing: set the environment variable {variable}, "
            "or name another one in api_key_env (null when the endpoint needs no key)"
        )
        raise MissingKeyError(message)
    if not (found.isascii() and found.isprintable()):
        raise MissingKeyError(f"the environment variable {variable} holds characters that no API key has")
    return found


def _is_local(host: str) -> bool:
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan"))
    return found.is_loopback or found.is_private


@dataclass(frozen=True)
class Moderation:
    """Rates texts by the scores that a moderation model gives its categories: the greatest one counts.

    Attributes:
        base: Address without a trailing slash.
        model: The moderation model.
        categories: The categories that count; none means all.
        secret: The API key; empty sends none.
        per_request: How many texts are sent at once.
        sleep: Waits so many seconds between tries.
    """

    base: str
    model: str
    categories: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    per_request: int = 32
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False, compare=False)
    _gone: list[bool] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Host and port, as messages name the endpoint."""
        return urlsplit(self.base).netloc

    def __call__(self, texts: Sequence[str]) -> list[float]:
        """Return a number from 0 to 1 for each text.

        Raises:
            AuthenticationError: the endpoint refused the key.
            RequestError: it did not answer, or not in form.
        """
        starts = range(0, len(texts), self.per_request)
        return [score for start in starts for score in self._rate(texts[start : start + self.per_request])]

    def _rate(self, texts: Sequence[str]) -> list[float]:
        results = self._ask(texts).get("results")
        if not isinstance(results, list) or len(results) != len(texts):
            found = f"{len(results)} results" if isinstance(results, list) else "no list of results"
            raise self._garbled(f"{found} for {len(texts)} texts")
        return [self._score(result) for result in results]

    def _score(self, result: Any) -> float:
        scores = result.get("category_scores") if isinstance(result, Mapping) else None
        if not isinstance(scores, Mapping) or not scores:
            raise self._garbled("a result without category_scores")
        missing = [name for name in self.categories if name not in scores]
        if missing:
            known = ", ".join(map(str, scores))
            raise self._garbled(f"no score for the category '{missing[0]}'; it has: {known}")
        chosen = [scores[name] for name in self.categories or scores]
        numbers = [number for number in chosen if isinstance(number, (int, float)) and not isinstance(number, bool)]
        if not numbers:  # a category that does not apply to texts has no number
            raise self._garbled("category_scores without a number")
        return float(max(numbers))

    def _ask(self, texts: Sequence[str]) -> Mapping[str, Any]:
        tries = 1 if self._gone else TRIES  # who waited in vain for all texts before waits no more
        for number in range(1, tries + 1):
            try:
                found = self._send(texts)
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

    def _send(self, texts: Sequence[str]) -> Mapping[str, Any]:
        from http.client import HTTPException
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, build_opener

        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["Authorization"] = f"Bearer {self.secret}"
        body = json.dumps({"model": self.model, "input": list(texts)}).encode("ascii")
        request = Request(f"{self.base}/moderations", data=body, headers=headers)  # noqa: S310 - `address` allows http only
        try:
            with build_opener(_no_redirects()).open(request, timeout=TIMEOUT) as reply:
                text = reply.read()
        except HTTPError as error:
            with error:
                raise self._refused(error.code, error.headers.get("Retry-After"), error.read(2000)) from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise TransientError(f"the moderation endpoint {self.name} cannot be reached: {reason}") from None
        try:
            found = json.loads(text)
        except ValueError:
            raise self._garbled("something that is not JSON") from None
        if not isinstance(found, Mapping):
            raise self._garbled("something that is not a JSON object")
        return found

    def _refused(self, status: int, retry_after: str | None, body: bytes) -> RequestError | AuthenticationError:
        said = " ".join(body.decode("utf-8", "replace").split())[:300]
        if self.secret:
            said = said.replace(self.secret, "***")
        message = f"the moderation endpoint {self.name} answered {status}: {said}"
        if status in _REFUSED:
            return AuthenticationError(f"{message} (check the key in the environment)")
        if status in _AGAIN:
            return TransientError(message, status=status, retry_after=_seconds(retry_after))
        return PermanentError(message, status=status)

    def _garbled(self, what: str) -> PermanentError:
        return PermanentError(f"the moderation endpoint {self.name} gave {what}")


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
