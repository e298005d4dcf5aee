"""PDF: the text of each page, by PDFium; where each page starts is kept."""

from __future__ import annotations

import re
from typing import Any

from llmkit.document import Block
from llmkit.documents.parsed import FormatError, Parsed, paragraphs
from llmkit.errors import MissingExtraError

_HYPHEN = re.compile("(?:\ufffe|\x02)(?:\r?\n)?")
_ENDS = re.compile(r"[ \t]*\r?\n")


def parse(data: bytes) -> Parsed:
    """Return the text of a PDF: pages parted by blank lines, words that a line end parted made whole.

    Raises:
        FormatError: encrypted, broken, or without text, as a scan is.
        MissingExtraError: pypdfium2 is not installed.
    """
    try:
        import pypdfium2
    except ImportError:
        raise MissingExtraError("reading PDF files", "docs") from None
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise FormatError("it is encrypted and needs a password; save it without one") from None
        raise FormatError(f"it is no PDF that can be read: {_reason(error)}") from None
    try:
        return _read(document)
    except pypdfium2.PdfiumError as error:
        raise FormatError(f"it is damaged: {_reason(error)}") from None
    finally:
        document.close()


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _read(document: Any) -> Parsed:
    made: list[str] = []
    length, starts = 0, []
    blocks: list[Block] = []
    for number in range(len(document)):
        page = document[number]
        sheet = page.get_textpage()
        text = _ENDS.sub("\n", _HYPHEN.sub("", sheet.get_text_range())).replace("\0", "").strip()
        sheet.close()
        page.close()
        parted = "\n\n" if made and text else ""
        starts.append(length + len(parted))
        blocks += [Block(b.start + starts[-1], b.end + starts[-1], b.kind) for b in paragraphs(text, 0, len(text))]
        made += [parted, text]
        length = starts[-1] + len(text)
    if not blocks:
        raise FormatError(f"none of its {len(starts)} pages holds text; if they are scans, run OCR over them first")
    return Parsed("".join(made), tuple(blocks), _properties(document), tuple(starts))


def _properties(document: Any) -> dict[str, Any]:
    found = document.get_metadata_dict(skip_empty=True)
    known = {"Title": "title", "Author": "author", "CreationDate": "date", "Keywords": "tags"}
    values: dict[str, Any] = {field: found[key].strip() for key, field in known.items() if found.get(key)}
    values["pages"] = len(document)
    return values
