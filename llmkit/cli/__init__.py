"""The doors: parse, load, call, render, exit code. A command is a few lines; the story is in `llmkit.flows`."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

EXIT_INTERRUPTED = 130
_NEW_OBJECTS, _YOUNG, _OLD = 50_000, 20, 100
"""How seldom this process looks for garbage: nearly all that imports make stays, and rows leave no circles behind."""


def main() -> None:
    """Run the command line and exit with the code that `llmkit --help` promises."""
    from llmkit.errors import LlmkitError

    gc.set_threshold(_NEW_OBJECTS, _YOUNG, _OLD)
    try:
        code = _run()
    except LlmkitError as error:
        from llmkit.cli._talk import explain

        explain(error)
        code = error.exit_code
    except BrokenPipeError:
        # The reader of our pipe has gone (`llmkit ... | head`): nobody is left to talk to, nothing went wrong.
        _silence_stdout()
        code = 0
    except OSError as error:
        # What the rooms write is refused in their own words; this is standard output, or a file nobody foresaw.
        where = f" {error.filename}" if error.filename else ""
        sys.stderr.write(f"error: cannot read or write{where or ' standard output'}: {error.strerror or error}\n")
        _silence_stdout()
        code = LlmkitError.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = EXIT_INTERRUPTED
    sys.exit(code)


def _open_closed_streams() -> None:
    """Give a process that was started with closed streams (``>&-``) others that lead nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))


def _silence_stdout() -> None:
    """Let what is still in the buffer go nowhere, or Python complains about it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run() -> int:
    import typer

    from llmkit.cli._app import app

    try:
        result = app(standalone_mode=False)
    except typer.Abort:
        return EXIT_INTERRUPTED
    except Exception as error:
        # Typer's own exceptions for a wrong command line know how to show themselves and which code they carry.
        if not isinstance(error, _command_line_error()):
            raise
        error.show()
        return int(error.exit_code)
    sys.stdout.flush()
    return result if isinstance(result, int) else 0


def _command_line_error() -> Any:
    import typer

    return next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "ClickException")
