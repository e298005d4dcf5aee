"""Failures, as one tree.

::

    LlmkitError                    what a user can be told in a sentence; carries the exit code
    ├── UsageError            (2)  config, data or command line is wrong
    │   ├── ConfigError            one or many problems, each with its place
    │   ├── DataError              rows that are wrong, each with file and line
    │   ├── MissingExtraError      an optional package is not installed; names the pip command
    │   └── MissingKeyError        an API key is not in the environment; names the variable
    ├── GateFailedError       (1)  quality is below the gate
    ├── InfrastructureError   (3)  the endpoint, the disk, too many errors
    │   └── AuthenticationError    the endpoint refused the key; the run stops at once
    ├── NotComparableError    (4)  the runs' conditions differ
    ├── InconclusiveError     (5)  the gate asks for a certainty the data cannot give
    ├── BudgetError           (6)  the budget stop was reached
    └── Interrupted         (130)  the user stopped the run; what is finished is kept

    RequestError                   one request failed; the engine decides what follows
    ├── TransientError             worth asking again (429, 408, 409, 5xx, timeouts, dropped or garbled answers)
    │   └── RateLimitedError       429: also slows the engine down
    └── PermanentError             asking again would not help (400, 401, 403, 404, 422)
        └── UnauthorizedError      401: the run stops at once
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it stands, what it is, and what to do about it.

    Attributes:
        message: A sentence: what is wrong.
        file: The file it stands in, as the user named it.
        line: Its line, counted from 1; 0 where unknown.
        key: The key path in a config, ``target.openai.model``.
        hint: What would mend it: ``did you mean 'metrics'?``
    """

    message: str
    file: str = ""
    line: int = 0
    key: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = self.file + (f":{self.line}" if self.line else "")
        head = ": ".join(part for part in (place, self.key) if part)
        body = f"{head}: {self.message}" if head else self.message
        return f"{body} ({self.hint})" if self.hint else body


class LlmkitError(Exception):
    """A failure with a sentence for the user and an exit code for the shell.

    Attributes:
        run_path: The run folder that was open when it happened; empty where there was none.
        done: Answers that the run had recorded by then; failures that stand in their place are not counted.
        total: Outputs that the run was to record.
    """

    exit_code = 3
    run_path = ""
    done = 0
    total = 0


class UsageError(LlmkitError):
    """The command line, the config or the data is wrong; nothing was done."""

    exit_code = 2

    def __init__(self, message: str = "", problems: Sequence[Problem] = ()) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(message or "\n".join(str(problem) for problem in self.problems))


class ConfigError(UsageError):
    """The config is wrong; every problem found is listed."""


class DataError(UsageError):
    """Rows of an eval set are wrong; every bad row is listed, up to a limit that the message states."""


class MissingExtraError(UsageError):
    """An optional package is needed. The message names the exact pip command."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional package. Install it with: pip install 'llmkit[{extra}]'")
        self.extra = extra


class MissingKeyError(UsageError):
    """An API key is missing from the environment. The message names the variable, never its value."""


class GateFailedError(LlmkitError):
    """A quality gate failed."""

    exit_code = 1


class InfrastructureError(LlmkitError):
    """The endpoint, the disk or the network failed, or too many rows have errors."""

    exit_code = 3


class AuthenticationError(InfrastructureError):
    """The endpoint refused the key. Nothing more is asked."""


class NotComparableError(LlmkitError):
    """The conditions of two runs differ; the message names what."""

    exit_code = 4


class InconclusiveError(LlmkitError):
    """The gate asks for a certainty that the data cannot give."""

    exit_code = 5


class BudgetError(LlmkitError):
    """The budget stop was reached; what is finished is kept."""

    exit_code = 6


class Interrupted(LlmkitError):  # noqa: N818 - a stop that was asked for is no error
    """The user stopped the run; what is finished is kept, and the same command resumes."""

    exit_code = 130


class RequestError(Exception):
    """One request failed. Providers raise it; the engine retries, records or stops.

    Attributes:
        kind: A short class for counting: ``timeout``, ``http_500``, ``malformed``, ``empty``, ``connection``...
        status: The HTTP status, where there was one.
        attempts: How often the request was sent; the engine sets it.
        tokens: What the attempt took although it gave no answer, as ``(in, out, cached)``; None where nothing was said.
    """

    def __init__(self, message: str, *, kind: str = "error", status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.attempts = 0
        self.tokens: tuple[int | None, int | None, int | None] | None = None


class TransientError(RequestError):
    """Worth asking again. ``retry_after`` is the server's own wish in seconds, where it gave one."""

    def __init__(
        self,
        message: str,
        *,
        kind: str = "transient",
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, kind=kind, status=status)
        self.retry_after = retry_after


class RateLimitedError(TransientError):
    """429: the server asks to slow down."""


class PermanentError(RequestError):
    """Asking again would not help."""


class UnauthorizedError(PermanentError):
    """401: the key is wrong; the run stops at once."""
