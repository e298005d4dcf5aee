"""Plug-ins from the user's own files."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from llmkit.errors import ConfigError, Problem
from llmkit.registry import owners


def load_plugins(files: Iterable[Path]) -> None:
    """Import user files so that their decorators register. A file that is loaded already is not run again.

    Raises:
        ConfigError: files that are missing or fail to import, all of them, each with its line.
    """
    problems: list[Problem] = []
    for file in files:
        try:
            _load(file)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems=problems)


def _load(file: Path) -> None:
    module_name = _module_name(file)
    if module_name in sys.modules:
        return
    if not file.is_file():
        raise ConfigError(problems=[_missing(file)])
    found = importlib.util.spec_from_file_location(module_name, file.resolve())
    if found is None or found.loader is None:
        raise ConfigError(problems=[Problem("a plug-in is a Python file: its name ends in .py", file=str(file))])
    module = importlib.util.module_from_spec(found)
    module.__dict__["llmkit_plugin_file"] = str(file)
    before = dict(owners.registered)
    sys.modules[module_name] = module
    try:
        found.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        owners.registered.clear()
        owners.registered.update(before)
        del sys.modules[module_name]
        raise ConfigError(problems=_problems(file, module, error)) from error


def _module_name(file: Path) -> str:
    from hashlib import blake2b

    return f"llmkit_plugin_{blake2b(str(file.resolve()).encode(), digest_size=6).hexdigest()}"


def _missing(file: Path) -> Problem:
    if file.is_dir():
        return Problem(f"a plug-in is a Python file, and '{file}' is a folder", key="plugins")
    near = sorted(path.name for path in file.parent.glob("*.py")) if file.parent.is_dir() else []
    hint = owners.did_you_mean(file.name, near) if near else "paths are relative to the config's folder"
    return Problem(f"no such plug-in file: '{file}'", key="plugins", hint=hint)


def _problems(file: Path, module: ModuleType, error: BaseException) -> list[Problem]:
    import traceback
    from dataclasses import replace

    own = module.__file__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    line = frames[-1].lineno or 0 if frames else 0
    if isinstance(error, SyntaxError) and error.filename == own:
        line = error.lineno or 0
        return [Problem(f"the plug-in is not valid Python: {error.msg}", file=str(file), line=line)]
    if isinstance(error, ConfigError):
        return [replace(problem, file=str(file), line=line) for problem in error.problems]
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return [Problem(f"the plug-in failed to import: {what}", file=str(file), line=line)]
