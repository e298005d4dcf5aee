"""A config file's text, or a sentence about why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmkit.errors import ConfigError, Problem
from llmkit.registry import did_you_mean

MAX_BYTES = 5_000_000


def read_text(path: Path) -> str:
    """Return the text of a config file.

    Raises:
        ConfigError: it is missing, a folder, too big, not UTF-8, or may not be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _error(path, "no such config", _near(path)) from None
    except IsADirectoryError:
        raise _error(path, "is a folder, not a config", _inside(path)) from None
    except OSError as error:
        raise _error(path, f"cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise _error(path, f"is larger than {MAX_BYTES // 1_000_000} MB, which no config is", "is it the eval set?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"is not UTF-8: byte {error.start} is 0x{raw[error.start]:02X}"
        raise _error(path, message, "save it as UTF-8", line) from None


def _error(path: Path, message: str, hint: str = "", line: int = 0) -> ConfigError:
    return ConfigError(problems=[Problem(message, file=str(path), line=line, hint=hint)])


def _configs(folder: Path) -> list[str]:
    try:
        return sorted(item.name for item in folder.iterdir() if item.suffix in (".yaml", ".yml"))
    except OSError:
        return []


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder '{path.parent}'"
    there = _configs(path.parent)
    return did_you_mean(path.name, there) if there else f"no config lies in '{path.parent}'"


def _inside(path: Path) -> str:
    there = _configs(path)
    return f"name one of its files: {', '.join(there[:5])}" if there else "name a .yaml file"


def without_secrets(data: Any, path: str, found: list[str]) -> Any:
    """Return ``data`` with everything that looks like a secret key replaced; their key paths are added to ``found``."""
    from llmkit.config.yaml_source import join

    if isinstance(data, dict):
        return {key: without_secrets(value, join(path, key), found) for key, value in data.items()}
    if isinstance(data, list):
        return [without_secrets(value, join(path, index), found) for index, value in enumerate(data)]
    if isinstance(data, str) and looks_secret(data):
        found.append(path)
        return "(secret)"
    return data


_SECRET_FORMS = {
    "sk-": r"\bsk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic, DeepSeek, OpenRouter
    "hf_": r"\bhf_[A-Za-z0-9]{20,}",  # Hugging Face
    "gsk_": r"\bgsk_[A-Za-z0-9]{20,}",  # Groq
    "xai-": r"\bxai-[A-Za-z0-9]{20,}",  # xAI
    "ghp_": r"\bghp_[A-Za-z0-9]{20,}",  # GitHub
    "AIza": r"\bAIza[0-9A-Za-z_-]{35}",  # Google
    "AKIA": r"\bAKIA[0-9A-Z]{16}\b",  # AWS
}


def looks_secret(text: str) -> bool:
    """Return whether a text holds something in the form of an API key."""
    import re

    return any(start in text and re.search(form, text) for start, form in _SECRET_FORMS.items())
