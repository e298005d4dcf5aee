"""Where an OpenAI-compatible server is, and which key it may be sent. No I/O."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from llmkit.errors import MissingKeyError

OFFICIAL = "https://api.openai.com/v1"
DEFAULT_KEY = "OPENAI_API_KEY"
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".lan")


def address_problem(base_url: str) -> str:
    """Return what is wrong with an address, as a sentence; empty when nothing is."""
    try:
        parts = urlsplit(base_url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return f"base_url '{base_url}' is not a web address"
    if "@" in parts.netloc or "@" in base_url.partition("?")[0]:
        return "base_url holds a user name or password; name an environment variable in api_key_env instead"
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        return f"base_url '{base_url}' must be a web address such as http://localhost:8000/v1"
    return ""


def given_address(base_url: str) -> str:
    """Return the address a config means: its own, that of ``OPENAI_BASE_URL``, or OpenAI's."""
    return base_url or os.environ.get("OPENAI_BASE_URL", "").strip() or OFFICIAL


def is_local(host: str) -> bool:
    """Return whether a host is this machine or on a private network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_LOCAL_NAMES)
    return address.is_loopback or address.is_private


def key_for(base_url: str, variable: str | None, *, what: str = "") -> str:
    """Return the API key from the environment; empty where none is to be sent.

    No key is sent to a loopback or private address, unless the config names another variable than the default one, or
    the address itself comes from ``OPENAI_BASE_URL``.

    Args:
        base_url: The address that the config gives; empty where it gives none.
        variable: The variable that the config names; None where no key is to be sent.
        what: What the host is called in a message, with a space behind.

    Raises:
        MissingKeyError: the variable is not set, or holds no key; the message names it.
    """
    if variable is None:
        return ""
    host = urlsplit(given_address(base_url)).hostname or ""
    optional = variable == DEFAULT_KEY and is_local(host)
    if optional and base_url:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key and not optional:
        message = (
            f"the API key for {what}{host} is missing: set the environment variable {variable}, "
            "or name another one in api_key_env (null when the endpoint needs no key)"
        )
        raise MissingKeyError(message)
    if not (key.isascii() and key.isprintable()):
        raise MissingKeyError(
            f"the environment variable {variable} holds characters that no API key has; set it to the key alone"
        )
    return key
