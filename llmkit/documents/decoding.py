"""Bytes into text: byte order marks, encodings that a file or the config declares, and no guessing.

A file that is not the UTF-8 it should be is a recorded failure. It is never read as Latin-1 in silence: every file can
be read so, and wrong letters in an index are found by nobody. A config that knows better says ``encoding: latin-1``.
"""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HTML = re.compile(
    rb"""<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([\w.:-]+)|<\?xml\b[^>]*?\bencoding=["']([\w.:-]+)""", re.IGNORECASE
)
_CODING = re.compile(rb"^[^\n]{0,3}[^\n]*?-\*-[^\n]*?\bcoding[:=]\s*([-\w.]+)")
_HEAD = 4096


class DecodingError(ValueError):
    """The bytes are not text in the encoding that they should have; the message is a plain sentence."""


def decode(data: bytes, *, encoding: str | None = None, html: bool = False) -> str:
    """Return the text of a file, line ends as they are, a byte order mark taken off.

    Args:
        data: The file.
        encoding: What the config says, for files that are not UTF-8 and declare nothing themselves.
        html: Look for ``<meta charset>`` or an XML declaration too; else only for Emacs' ``-*- coding: ... -*-``.

    Raises:
        DecodingError: bytes that are no text, or an encoding that nobody knows.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _strict(data[len(mark) :], name, "as its byte order mark says it is")
    declared = (_HTML.search(data[:_HEAD]) if html else None) or _CODING.match(data[:_HEAD])
    if declared is not None:
        name = next(group for group in declared.groups() if group).decode("ascii")
        if codec := _known(name):
            return _strict(data, "cp1252" if codec == "iso8859-1" and html else codec, "as the file itself declares")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if encoding is not None:
            return _strict(data, encoding, "as the config says")
        place = f"byte 0x{data[error.start]:02X} at offset {error.start:,} is not UTF-8"
        raise DecodingError(
            f"{place}; save the file as UTF-8, or say which encoding it has under source: encoding"
        ) from None
    if "\0" in text:
        raise DecodingError("it holds NUL bytes, so it is no text; exclude it")
    return text


def _known(name: str) -> str | None:
    """Return the codec that a file declares; None where Python has none or the file contradicts it."""
    try:
        " ".encode(name)  # a codec that makes no text of bytes, such as base64, is refused here
        codec = codecs.lookup(name).name
    except (LookupError, UnicodeError):
        return None
    return None if codec.startswith(("utf-16", "utf-32")) else codec


def _strict(data: bytes, encoding: str, why: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeError as error:
        place = f"the bytes at offset {error.start:,}" if isinstance(error, UnicodeDecodeError) else "its bytes"
        raise DecodingError(f"{place} are not {encoding}, {why}") from None
