"""The doors: parse, load, call, render, exit code. A command is a few lines; the story is in `llmkit.flows`."""

from __future__ import annotations

import gc
import sys
from typing import Any

EXIT_INTERRUPTED = 130
_NEW_OBJECTS, _YOUNG, _OLD = 200_000, 20, 100
"""How seldom this process looks for garbage: nearly all that imports make stays, and rows leave no circles behind."""


def main() -> None:
    """Run the command line and exit with the code that `llmkit --help` promises."""
    from llmkit.cli._streams import prepare_streams, say, silence
    from llmkit.errors import LlmkitError

    gc.set_threshold(_NEW_OBJECTS, _YOUNG, _OLD)
    prepare_streams()
    try:
        code = _run()
    except LlmkitError as error:
        from llmkit.cli._talk import explain

        explain(error)
        code = error.exit_code
    except BrokenPipeError:
        # The reader of our pipe has gone (`llmkit ... | head`): nobody is left to talk to, nothing went wrong.
        silence(sys.stdout)
        code = 0
    except OSError as error:
        # What the rooms write is refused in their own words; this is standard output, or a file nobody foresaw.
        where = error.filename or "standard output"
        say(f"error: {where}: cannot be written or read: {(error.strerror or str(error)).lower()}")
        silence(sys.stdout)
        code = LlmkitError.exit_code
    except KeyboardInterrupt:
        from llmkit.cli._talk import command_line

        say(f"interrupted\nto continue, run the same command again: {command_line()}")
        code = EXIT_INTERRUPTED
    sys.exit(code)


def _run() -> int:
    import typer

    from llmkit.cli._app import app, called

    try:
        with called(sys.argv[1:]):
            result = app(standalone_mode=False)
    except typer.Abort:  # Typer makes this of a Ctrl-C that comes before the command's own care for it
        raise KeyboardInterrupt from None
    except SystemExit as stop:
        # Typer makes exit code 1 of a broken pipe; to us nothing went wrong.
        if isinstance(stop.__context__, BrokenPipeError):
            raise stop.__context__ from None
        raise
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
