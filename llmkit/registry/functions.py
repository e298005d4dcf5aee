"""A function of the user's own, named in a config as ``module:function`` or ``path/to/file.py:function``."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from llmkit.errors import ConfigError, Problem

_EXAMPLE = "write module:function or path/to/file.py:function"


def load_function(target: Path) -> Callable[..., Any]:
    """Return the function that ``module:function`` or ``path/to/file.py:function`` names, its module imported.

    Modules are looked for in the working directory and in the target's folder, files in the target's folder.

    Raises:
        ConfigError: there is no such file, module or function (near names are suggested), or its import fails (with the
            line).
    """
    module_part, colon, name = target.name.rpartition(":")
    if not colon or not module_part or not name:
        raise _config(f"'{target.name}' names no function", hint=_EXAMPLE)
    if module_part.endswith(".py"):
        module = _from_file(target.parent / module_part)
    else:
        module = _from_path(module_part, target.parent)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise _config(f"'{module_part}' has no function '{name}'", hint=_near(part, found))
        found = getattr(found, part)
    if not callable(found):
        raise _config(f"'{target.name}' is not a function but a value of type {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return the user's own code behind a function, a partial one or an object that is called; None for a builtin."""
    inner = inspect.unwrap(function)
    while isinstance(inner, functools.partial):
        inner = inspect.unwrap(inner.func)
    for candidate in (inner, getattr(type(inner), "__call__", None)):  # noqa: B004  # its code is wanted
        code = getattr(inspect.unwrap(candidate) if callable(candidate) else None, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.py")], n=1)
        raise _config(f"no such file: {path}", hint=f"did you mean '{near[0]}'?" if near else _EXAMPLE)
    module_name = f"llmkit_target_{path.resolve().as_posix()}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    _on_path(path.parent)
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[module_name]
        if isinstance(error, (Exception, SystemExit)):
            raise _failed(path.name, error, path.parent) from error
        raise
    return module


def _from_path(name: str, folder: Path) -> ModuleType:
    _on_path(folder)
    _on_path(Path.cwd())
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or (name != error.name and not name.startswith(f"{error.name}.")):
            raise _failed(name, error, folder) from error
        here = [p.stem for place in (Path.cwd(), folder) for p in place.glob("*.py")]
        near = difflib.get_close_matches(name, here, n=1)
        hint = (
            f"did you mean '{near[0]}'?" if near else "it is looked for in the working directory and beside the config"
        )
        raise _config(f"no module named '{name}'", hint=hint) from None
    except (Exception, SystemExit) as error:
        raise _failed(name, error, folder) from error


def _on_path(folder: Path) -> None:
    place = str(folder.resolve())
    if place not in sys.path:
        sys.path.insert(0, place)


def _near(name: str, found: Any) -> str:
    functions = [key for key, value in vars(found).items() if callable(value) and not key.startswith("_")]
    near = difflib.get_close_matches(name, functions, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"it has: {', '.join(sorted(functions)[:8])}" if functions else "it has no function at all"


def _failed(name: str, error: BaseException, folder: Path) -> ConfigError:
    if isinstance(error, SyntaxError):
        file, line, message = Path(error.filename or name).name, error.lineno, error.msg
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _within(frame.filename, folder)]
        file, line, message = (
            (Path(frames[-1].filename).name, frames[-1].lineno, str(error)) if frames else (name, 0, str(error))
        )
    place = f" ({file}:{line})" if line else ""
    return _config(f"'{name}' failed to import: {type(error).__name__}: {message}{place}")


def _within(filename: str, folder: Path) -> bool:
    path = Path(filename)
    if "site-packages" in path.parts or path.parent == Path(__file__).parent or not path.is_file():
        return False
    return any(path.is_relative_to(place) for place in (folder.resolve(), Path.cwd()))


def _config(message: str, hint: str = "") -> ConfigError:
    return ConfigError(problems=[Problem(message, hint=hint)])
