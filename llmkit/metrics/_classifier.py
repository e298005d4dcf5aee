"""A classifier of the user's own: a Python function that rates texts."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from llmkit.errors import ConfigError, Problem
from llmkit.hashing import digest

_FORM = "write module:function or path/to/file.py:function"


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
        module, colon, name = target.name.rpartition(":")
        if not (module and colon and name):
            raise _wrong(f"'{target.name}' names no function", _FORM)
        found = _module(module, target.parent)
        function = getattr(found, name, None)
        if not callable(function):
            raise _wrong(f"'{module}' has no function '{name}'", _FORM)
        self._function: Callable[[list[str]], Any] = function
        file = getattr(found, "__file__", None)
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


def _module(name: str, folder: Path) -> ModuleType:
    try:
        return _from_file(folder / name) if name.endswith(".py") else _by_name(name, folder)
    except ConfigError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            hint = "it is looked for in the working directory and beside the config"
            raise _wrong(f"no module named '{name}'", hint) from None
        raise _wrong(f"'{name}' failed to import: {error}") from error
    except (Exception, SystemExit) as error:
        raise _wrong(f"'{name}' failed to import: {type(error).__name__}: {error}") from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise _wrong(f"no such file: {path}", _FORM)
    name = f"llmkit_classifier_{path.resolve().as_posix()}"
    if name in sys.modules:
        return sys.modules[name]
    _on_path(path.parent)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _by_name(name: str, folder: Path) -> ModuleType:
    _on_path(folder)
    _on_path(Path.cwd())
    importlib.invalidate_caches()
    return importlib.import_module(name)


def _on_path(folder: Path) -> None:
    place = str(folder.resolve())
    if place not in sys.path:
        sys.path.insert(0, place)


def _wrong(message: str, hint: str = "") -> ConfigError:
    return ConfigError(problems=[Problem(f"classifier: {message}", hint=hint)])
