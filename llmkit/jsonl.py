"""JSON Lines: every line that cannot be read is named, with its reason."""

from __future__ import annotations

import errno
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmkit.errors import DataError, Problem

MAX_DEPTH = 100
"""Objects and lists nested deeper than this are refused, so that no later step runs out of stack on them."""

_JSON_SPACE = " \t\r\n"
_BOM = b"\xef\xbb\xbf"
_BUFFER = 1 << 20


class _WrongValueError(ValueError):
    """JSON by its grammar, but not a value that can be used."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise _WrongValueError(f"the key '{twice}' is given twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _WrongValueError(f"the number {text[:40]} is too large")
    return number


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _WrongValueError(f"a number of {len(text)} digits is too long") from None


def _no_constant(name: str) -> Any:
    raise _WrongValueError(f"{name} is not a JSON value (write null where there is no number)")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_int=_integer, parse_constant=_no_constant
)
_raw_decode = _DECODER.raw_decode


def decode_at(text: str, start: int) -> tuple[Any, int]:
    """Return the JSON value that begins at ``text[start]`` and the index after it.

    Raises:
        ValueError: not JSON, a duplicate key, NaN or Infinity, a number too large, nested deeper than `MAX_DEPTH`.
    """
    try:
        value, end = _raw_decode(text, start)
    except RecursionError:
        raise _WrongValueError(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        if _open_at(text, start, error.pos) > MAX_DEPTH:  # what breaks first depends on the Python version
            raise _WrongValueError(_TOO_DEEP) from None
        raise
    if end - start > 2 * MAX_DEPTH and text.count("[", start, end) + text.count("{", start, end) > MAX_DEPTH:
        _refuse_deep(value)
    return value, end


_TOO_DEEP = f"objects and lists are nested more than {MAX_DEPTH} deep"


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def _open_at(text: str, start: int, end: int) -> int:
    """Return how many objects and lists are open before ``text[end]``."""
    bare = _STRING.sub("", text[start:end])
    return sum(bare.count(mark) for mark in "[{") - sum(bare.count(mark) for mark in "]}")


def _refuse_deep(value: Any) -> None:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return
    raise _WrongValueError(_TOO_DEEP)


def loads(text: str) -> Any:
    """Return the value of one JSON text, by the rules of `read_rows`.

    Raises:
        ValueError: with the reason as a clause: ``not JSON: expecting value at column 1``.
    """
    text = text.strip(_JSON_SPACE)
    try:
        value, end = decode_at(text, 0)
    except json.JSONDecodeError as error:
        raise ValueError(syntax_reason(error)) from None
    if end != len(text):
        raise ValueError(f"not JSON: there is more text after the value, at column {end + 1}")
    return value


def syntax_reason(error: json.JSONDecodeError) -> str:
    """Return what the decoder found wrong, as a clause with the column."""
    reason = error.msg[:1].lower() + error.msg[1:].removesuffix(": ").removesuffix(" at")
    if reason == "expecting property name enclosed in double quotes":
        reason = "expecting a property name in double quotes"
    return f"not JSON: {reason} at column {error.colno}"


def open_bytes(path: Path) -> io.BufferedReader:
    """Open a file to read bytes; gzip is recognised by its content, whatever the name.

    Raises:
        DataError: the file is missing, is a folder, may not be read, or is UTF-16.
    """
    try:
        raw: io.BufferedReader = io.BufferedReader(io.FileIO(path), _BUFFER)
        head = raw.peek(2)[:2]
    except IsADirectoryError:
        raise DataError(problems=[Problem("this is a folder, not a file", file=str(path))]) from None
    except OSError as error:
        raise DataError(problems=[Problem(f"cannot be read: {os_reason(error)}", file=str(path))]) from None
    if head == b"\x1f\x8b":
        raw.close()
        return io.BufferedReader(gzip.GzipFile(path), _BUFFER)
    if head in (b"\xff\xfe", b"\xfe\xff"):
        raw.close()
        raise DataError(problems=[Problem("the text is UTF-16", file=str(path), hint="save it as UTF-8")])
    return raw


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a plain or gzip file with their numbers from 1; a byte order mark is taken off.

    Lines end at a line feed only: other separators, such as U+2028, may stand inside a JSON text.

    Raises:
        DataError: the file cannot be opened, or it is a damaged gzip file.
    """
    number = 0
    with open_bytes(path) as file:
        try:
            for number, line in enumerate(file, 1):
                yield number, line.removeprefix(_BOM) if number == 1 else line
        except (EOFError, OSError, zlib.error) as error:
            raise _broken_off(path, number, error) from None


def read_blocks(path: Path, size: int = 1 << 18) -> Iterator[bytes]:
    """Yield a plain or gzip file in blocks of whole lines, about ``size`` bytes each; a byte order mark is taken off.

    Raises:
        DataError: as `read_lines`.
    """
    lines = 0
    with open_bytes(path) as file:
        try:
            while block := file.read(size):
                block += file.readline()
                yield block if lines else block.removeprefix(_BOM)
                lines += block.count(b"\n")
        except (EOFError, OSError, zlib.error) as error:
            raise _broken_off(path, lines, error) from None


def _broken_off(path: Path, number: int, error: Exception) -> DataError:
    what = os_reason(error) if isinstance(error, OSError) else "ends too early or is damaged"
    message = f"the file cannot be read past this line: it {what}"
    return DataError(problems=[Problem(message, file=str(path), line=number)])


def read_rows(path: Path) -> Iterator[tuple[int, Any | Problem]]:
    """Yield each line's number (from 1) and its value, or a `Problem` where the line cannot be read.

    Streams; blank lines are passed over; a byte order mark, CRLF and gzip are understood. A line is a problem
    when it is not UTF-8, not JSON, or holds a duplicate key, NaN, Infinity or very deep nesting.

    Raises:
        DataError: the file cannot be opened, or it is a damaged gzip file.
    """
    decode = _raw_decode
    for number, line in read_lines(path):
        value: Any
        try:
            text = line.decode().strip(_JSON_SPACE)
            if not text:
                continue
            if len(text) > 2 * MAX_DEPTH:
                value, end = decode_at(text, 0)
            else:
                value, end = decode(text)
            if end != len(text):
                value = loads_problem(text, path, number)
        except UnicodeDecodeError as error:
            value = Problem(invalid_text(line, error), file=str(path), line=number)
        except (ValueError, RecursionError):
            value = loads_problem(line.decode(), path, number)
        yield number, value


def invalid_text(line: bytes, error: UnicodeDecodeError) -> str:
    """Return the sentence about bytes of a line that are not UTF-8; the offset counts from 1."""
    return f"not UTF-8: byte {error.start + 1} of the line is 0x{line[error.start]:02x}"


def loads_problem(text: str, path: Path, number: int) -> Problem:
    """Return the problem of a line that is known not to be readable."""
    try:
        loads(text)
    except ValueError as error:
        hint = "JSON wants double quotes" if text.lstrip()[:2] in ("{'", "['") else ""
        return Problem(str(error), file=str(path), line=number, hint=hint)
    raise AssertionError("the line is readable")


_CAUSES = {
    errno.ENOENT: "there is no such file",
    errno.EACCES: "permission is missing",
    errno.EPERM: "permission is missing",
    errno.EROFS: "the disk is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EISDIR: "there is a folder of that name",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a part of the path is a file, not a folder",
    errno.ENAMETOOLONG: "the name is too long",
}


def os_reason(error: OSError) -> str:
    """Return why the system refused, in words: ``the disk is full``."""
    return _CAUSES.get(error.errno or 0) or (error.strerror or str(error)).lower()
