"""A Python function as the system under test."""

from __future__ import annotations

import dataclasses
import inspect
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from llmkit.errors import ConfigError, PermanentError, Problem, RequestError
from llmkit.providers._answers import plain, question, response_of
from llmkit.providers._threads import Threads
from llmkit.registry import provider
from llmkit.registry.functions import code_of, load_function
from llmkit.types import Request, Response

_BY_NAME = ("sample", "messages", "params")


@dataclass(frozen=True, slots=True)
class _Call:
    """The function, and which of its parameters it is given."""

    function: Callable[..., Any]
    asynchronous: bool
    first: bool
    by_name: tuple[str, ...]


@provider("python")
@dataclass(frozen=True)
class Python:
    """Calls your function: the last user text in, a text (or a mapping with ``text`` and more) out.

    A function with a parameter named ``sample`` is given the eval row, ``messages`` the whole chat, ``params``
    the sampling parameters. It may be ``async``. It may return a mapping with ``text`` and any of ``retrieved``
    (passages with ``id``, ``text``, ``score``), ``tokens_in``, ``tokens_out``, ``cost``, or a `Response`. What it
    raises is an error of that row; raise `llmkit.errors.TransientError` to be asked again.

    Attributes:
        target: ``module:function`` or ``path/to/file.py:function``; modules are looked for in the working
            directory and in the config's folder, files in the config's folder.
        threads: How many calls of a function that is not ``async`` may run at the same time.
    """

    target: Path
    threads: int = dataclasses.field(default=32, metadata={"identity": False})
    _call: _Call = dataclasses.field(init=False, repr=False, compare=False)
    _pool: Threads = dataclasses.field(init=False, repr=False, compare=False)

    cacheable: ClassVar[bool] = False
    journaled: ClassVar[bool] = True
    wants_sample: ClassVar[bool] = True
    answers_messages: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Import the function, so that what is wrong with it is said before anything is asked."""
        if self.threads < 1:
            raise ConfigError(problems=[Problem(f"threads is {self.threads}", hint="at least 1")])
        object.__setattr__(self, "_call", _signature(load_function(Path(self.target)), Path(self.target).name))
        object.__setattr__(self, "_pool", Threads(self.threads, "llmkit-python"))

    @property
    def name(self) -> str:
        """The target as the user knows it: without the folder."""
        return Path(self.target).name

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of the function: a run that was interrupted is not continued with other code."""
        code = code_of(self._call.function)
        file = None if code is None else inspect.getsourcefile(code)
        return (Path(file),) if file else ()

    async def complete(self, request: Request) -> Response:
        """Return what the function answered; kind ``exception`` where it raised."""
        call = self._call
        args = (question(request),) if call.first else ()
        kwargs = {name: _argument(request, name) for name in call.by_name}
        started = time.perf_counter()
        try:
            if call.asynchronous:
                value = await call.function(*args, **kwargs)
            else:
                value = await self._pool.run(lambda: call.function(*args, **kwargs))
                if inspect.isawaitable(value):
                    value = await value
        except RequestError:
            raise
        except Exception as error:
            raise PermanentError(_told(error, call.function), kind="exception") from error
        return response_of(value, self.name, time.perf_counter() - started)

    async def aclose(self) -> None:
        """Let the threads end."""
        self._pool.close()


def _argument(request: Request, name: str) -> Any:
    if name == "sample":
        return plain(request.sample) if request.sample is not None else {"id": "", "input": question(request)}
    return [plain(message) for message in request.messages] if name == "messages" else dict(request.params)


def _told(error: BaseException, function: Callable[..., Any]) -> str:
    """Return type, message and the place in the user's own file, for a person who has to mend it."""
    code = code_of(function)
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not frame.filename.startswith(str(Path(__file__).parent))]
    own = [frame for frame in outside if code is not None and frame.filename == code.co_filename] or outside
    place = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    message = str(error)
    return f"{type(error).__name__}: {message}{place}" if message else f"{type(error).__name__}{place}"


def _signature(function: Callable[..., Any], name: str) -> _Call:
    asynchronous = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  # an object whose __call__ is async
    )
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # builtins may have none
        return _Call(function, asynchronous, first=True, by_name=())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    by_name = tuple(p.name for p in parameters if p.name in _BY_NAME and p.kind is not p.POSITIONAL_ONLY)
    others = [p for p in parameters if p.name not in by_name]
    first = bool(others) and (others[0].kind in positional or others[0].kind is inspect.Parameter.VAR_POSITIONAL)
    needed = [
        p.name
        for p in others[1 if first else 0 :]
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if needed:
        given = "the user's text, and 'sample', 'messages' or 'params' by name"
        raise _config(f"'{name}' wants '{needed[0]}', which nothing can fill", hint=f"a target is given {given}")
    if not first and not by_name:
        raise _config(f"'{name}' takes no argument", hint="give it one for the user's text")
    if first and by_name and list(parameters)[0].name in by_name:  # noqa: RUF015  # parameters is a view
        return _Call(_text_last(function, others[0].name), asynchronous, first=True, by_name=by_name)
    return _Call(function, asynchronous, first, by_name)


def _text_last(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return ``function`` with its text given by name: ``def answer(sample, text)``."""

    def call(text: str, **by_name: Any) -> Any:
        return function(**{name: text}, **by_name)

    call.__wrapped__ = function  # type: ignore[attr-defined]
    return call


def _config(message: str, hint: str = "") -> ConfigError:
    return ConfigError(problems=[Problem(message, hint=hint)])
