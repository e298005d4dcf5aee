"""What models cost: a dated list that users extend."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from llmkit.errors import ConfigError, Problem

_MILLION = 1_000_000
_SNAPSHOT = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{3,8}|latest|preview(-\d{2}-\d{2,4})?)")
_NUMBERS = ("input", "output", "cached")
_KEYS = (*_NUMBERS, "as_of")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens.

    Attributes:
        input: Prompt tokens.
        output: Completion tokens.
        cached: Prompt tokens read from the server's prompt cache; None costs as ``input``.
        as_of: The day this was the list price, ``YYYY-MM-DD``; empty in a user's own file.
    """

    input: float
    output: float
    cached: float | None = None
    as_of: str = ""


class PriceBook:
    """Prices by model name. A dated snapshot (``gpt-4o-mini-2024-07-18``) costs as the longest name it starts with.

    List prices of standard, synchronous use: no batch or priority tiers, and the lower tier where long prompts cost
    more. ``as_of`` says how old an entry is; put your own into a file.
    """

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = dict(prices)
        self._found: dict[str, Price | None] = {}

    @classmethod
    def load(cls, *extra: Path) -> PriceBook:
        """Return the packaged prices, with entries of JSON or YAML files added or replaced in the given order.

        A file maps model names to ``{input, output, cached?, as_of?}``, US dollars for a million tokens.

        Raises:
            ConfigError: every problem of all files, each with file and key.
        """
        prices = dict(_packaged())
        problems: list[Problem] = []
        for path in extra:
            found, wrong = _read(path)
            prices.update(found)
            problems.extend(wrong)
        if problems:
            raise ConfigError(problems=problems)
        return cls(prices)

    def price(self, model: str) -> Price | None:
        """Return the price of a model, or None."""
        if model not in self._found:
            self._found[model] = self._find(model)
        return self._found[model]

    def knows(self, model: str) -> bool:
        """Return whether the price of a model is known."""
        return self.price(model) is not None

    def cost(
        self, model: str, tokens_in: int | None, tokens_out: int | None, tokens_cached: int | None = None
    ) -> float | None:
        """Return US dollars; None where the price is unknown, or the count of tokens that cost something."""
        price = self.price(model)
        if price is None or (tokens_in is None and price.input) or (tokens_out is None and price.output):
            return None
        prompt, answer = tokens_in or 0, tokens_out or 0
        cached = min(tokens_cached or 0, prompt) if price.cached is not None else 0
        return ((prompt - cached) * price.input + cached * (price.cached or 0.0) + answer * price.output) / _MILLION

    def _find(self, model: str) -> Price | None:
        if model in self._prices:
            return self._prices[model]
        bases = [name for name in self._prices if model.startswith(name) and _SNAPSHOT.fullmatch(model[len(name) :])]
        return self._prices[max(bases, key=len)] if bases else None


@cache
def _packaged() -> Mapping[str, Price]:
    rows = json.loads(resources.files("llmkit.engine").joinpath("prices.json").read_text(encoding="utf-8"))
    return {model: Price(**row) for model, row in rows.items()}


def _read(path: Path) -> tuple[dict[str, Price], list[Problem]]:
    file = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return {}, [Problem(f"cannot read the price file: {reason}", file=file)]
    try:
        rows = _parse(text, path.suffix.lower())
    except ValueError as error:
        return {}, [Problem(f"the price file is not valid: {error}", file=file)]
    if not isinstance(rows, dict):
        return {}, [
            Problem("a price file maps model names to prices", file=file, hint="{my-model: {input: 1, output: 2}}")
        ]
    prices: dict[str, Price] = {}
    problems: list[Problem] = []
    for model, row in rows.items():
        wrong = _wrong(row)
        problems.extend(
            Problem(message, file=file, key=".".join(k for k in (str(model), key) if k)) for key, message in wrong
        )
        if not wrong:
            cached = row.get("cached")
            prices[str(model)] = Price(
                float(row["input"]),
                float(row["output"]),
                None if cached is None else float(cached),
                str(row.get("as_of", "")),
            )
    return prices, problems


def _parse(text: str, suffix: str) -> Any:
    if suffix == ".json":
        return json.loads(text)
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _wrong(row: Any) -> list[tuple[str, str]]:
    """Return ``(key, message)`` for everything wrong with one entry."""
    if not isinstance(row, dict):
        return [("", f"must be {{input: ..., output: ...}}, got {row!r}")]
    wrong = [(str(key), f"unknown key; known: {', '.join(_KEYS)}") for key in row if key not in _KEYS]
    for key in _NUMBERS:
        value = row.get(key)
        if value is None:
            if key != "cached":
                wrong.append((key, "is missing: US dollars for a million tokens"))
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            wrong.append((key, f"must be a number of US dollars for a million tokens, 0 or more, got {value!r}"))
    return wrong
