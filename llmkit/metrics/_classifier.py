"""A classifier of the user's own: a Python function that rates texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llmkit.hashing import digest
from llmkit.registry.functions import code_of, load_function


class Classifier:
    """Rates texts by a function that is handed a list of them.

    Its fingerprint is that of the module's file: other code gives other numbers.

    Args:
        target: ``module:function`` or ``file.py:function``, with the folder that it is looked for in.

    Raises:
        ConfigError: there is no such function, or its module fails to import.
    """

    def __init__(self, target: Path) -> None:
        self.name = target.name
        self._function: Callable[[list[str]], Any] = load_function(target)
        code = code_of(self._function)
        file = code.co_filename if code is not None else None
        self.fingerprint = digest(Path(file).read_text(encoding="utf-8", errors="replace"), 4) if file else "builtin"

    def __call__(self, texts: Sequence[str]) -> list[float]:
        """Return a number for each text.

        Raises:
            TypeError: the function returned something else than one number for each text.
        """
        found = self._function(list(texts))
        wanted = f"it is handed a list of {len(texts)} texts and must return as many numbers"
        try:
            numbers = [float(one) for one in found]
        except (TypeError, ValueError):
            raise TypeError(f"{self.name} returned a value of type {type(found).__name__}: {wanted}") from None
        if isinstance(found, str) or len(numbers) != len(texts):
            raise TypeError(f"{self.name} returned {len(numbers)} values: {wanted}")
        return numbers
