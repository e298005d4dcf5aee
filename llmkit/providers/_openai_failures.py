"""Which failure an answer is: worth asking again or not, and when. No I/O."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import time
from typing import Any

from llmkit.errors import PermanentError, RateLimitedError, RequestError, TransientError, UnauthorizedError

_LONGEST = 400
_TRANSIENT = frozenset({408, 409, 425, 429})
_UNPAID = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_EPOCH, _EPOCH_MS = 1e9, 1e12


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. Header names are looked up in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ServerError:
    """What the server says about its error, in its own words."""

    message: str = ""
    code: str = ""
    kind: str = ""


def server_error(data: Any) -> ServerError:
    """Return the error that a body holds, in whichever of the usual forms.

    OpenAI sends ``{"error": {"message", "type", "code"}}``, Ollama ``{"error": "..."}``, older vLLM
    ``{"object": "error", "message", ...}``, FastAPI ``{"detail": ...}``.
    """
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, Mapping):
        return ServerError(str(data) if data is not None else "")
    error = data.get("error")
    if isinstance(error, str):
        return ServerError(error, str(data.get("code") or ""))
    if not isinstance(error, Mapping):
        error = data
    message = error.get("message") or error.get("detail") or ""
    if not isinstance(message, str):
        message = json.dumps(message, ensure_ascii=False)
    return ServerError(message, _word(error.get("code")), _word(error.get("type")))


def _word(value: Any) -> str:
    return str(value)[:80] if isinstance(value, (str, int)) else ""


def failure(reply: Reply, *, name: str, scrub: Callable[[str], str]) -> RequestError:
    """Return the error to raise for an answer whose status is not a success."""
    text = reply.body.decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        page = "<html" in text[:1000].lower() or "<!doctype" in text[:1000].lower()
        data = {"message": "a web page instead of an answer" if page else text}
    error = server_error(data)
    if 300 <= reply.status < 400:  # noqa: PLR2004 - the redirection statuses
        target = reply.headers.get("location", "elsewhere").split("?")[0]
        error = ServerError(f"it redirects to {target}; set base_url to the address that answers")
    return classify(reply.status, error, reply.headers, name=name, scrub=scrub)


def failure_in_success(data: Any, *, name: str, scrub: Callable[[str], str]) -> RequestError:
    """Return the error to raise for a body that came with status 200 and yet holds an error, as routers send."""
    error = server_error(data)
    if error.code.isdecimal() and 400 <= int(error.code) < 600:  # noqa: PLR2004 - the error statuses
        return classify(int(error.code), error, {}, name=name, scrub=scrub)
    words = f"{error.code} {error.kind}".lower()
    guesses = (("insufficient_quota", 429), ("rate_limit", 429), ("invalid_request", 400), ("content_filter", 400))
    status = next((status for word, status in guesses if word in words), 500)
    return classify(status, error, {}, name=name, scrub=scrub)


def classify(  # noqa: PLR0911 - one return a class of failure
    status: int, error: ServerError, headers: Mapping[str, str], *, name: str, scrub: Callable[[str], str]
) -> RequestError:
    """Return the error for a status: 408, 409, 425, 429 and 5xx are worth asking again, the others are not."""
    said = short(scrub(error.message)) or "no reason given"
    message = f"{name} answered {status}: {said}"
    words = {error.code, error.kind}
    if status == 401:  # noqa: PLR2004
        return UnauthorizedError(f"{name} refused the API key (401): {said}", kind="http_401", status=status)
    if words & _UNPAID:
        return PermanentError(f"{name} has no credit left: {said}", kind="insufficient_quota", status=status)
    if "content_filter" in words:
        return PermanentError(
            f"{name} refused the prompt by its content filter: {said}", kind="content_filter", status=status
        )
    if status == 429:  # noqa: PLR2004
        wait = retry_after(headers)
        wait = reset_after(headers) if wait is None else wait
        return RateLimitedError(message, kind="http_429", status=status, retry_after=wait)
    if status in _TRANSIENT or status >= 500:  # noqa: PLR2004
        return TransientError(message, kind=f"http_{status}", status=status, retry_after=retry_after(headers))
    if "context_length_exceeded" in words:
        return PermanentError(message, kind="context_length", status=status)
    if status == 404:  # noqa: PLR2004
        message += " (is base_url right, and does the model exist there?)"
    return PermanentError(message, kind=f"http_{status}", status=status)


def short(text: str) -> str:
    """Return ``text`` on one line and not too long."""
    line = " ".join(text[: 4 * _LONGEST].split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = time) -> float | None:
    """Return the seconds that the server asks to wait, or None.

    ``retry-after-ms`` (Azure), or ``Retry-After`` in seconds or as an HTTP date (taken against the server's own
    ``Date`` where it sends one, so that a wrong clock here does no harm).
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    written = headers.get("retry-after")
    if written is not None:
        seconds = _number(written)
        if seconds is None:
            date = _date(written)
            here = _date(headers.get("date", ""))
            seconds = None if date is None else max(0.0, date - (now() if here is None else here))
        return seconds
    return None


def reset_after(headers: Mapping[str, str], now: Callable[[], float] = time) -> float | None:
    """Return the seconds until a rate limit is reset, or None: what a 429 without ``Retry-After`` means.

    Of the ``x-ratelimit-*`` limits those that are used up count; all, where it does not say which. Servers send them
    with every answer, so they say nothing about an error 500.
    """
    waits: dict[bool, list[float]] = {True: [], False: []}
    for what in ("requests", "tokens"):
        wait = _reset(headers.get(f"x-ratelimit-reset-{what}"), now)
        if wait is not None:
            waits[_number(headers.get(f"x-ratelimit-remaining-{what}")) == 0].append(wait)
    return max(waits[True], default=min(waits[False], default=None))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return value if value >= 0 and math.isfinite(value) else None


def _date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _reset(text: str | None, now: Callable[[], float]) -> float | None:
    """Read ``6m0s``, ``20ms``, ``1.5`` (seconds) or a Unix time in seconds or milliseconds."""
    if text is None:
        return None
    value = _number(text)
    if value is not None:
        if value >= _EPOCH_MS:
            value /= 1000
        return max(0.0, value - now()) if value >= _EPOCH else value
    match = _DURATION.fullmatch(text.strip())
    if not match or not any(match.groups()):
        return None
    days, hours, minutes, seconds, ms = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds + ms / 1000
