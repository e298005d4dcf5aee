"""What stands on stdout: the choices of ``--format``."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What stands on stdout."""

    text = "text"
    json = "json"


class ReportFormat(StrEnum):
    """What stands on stdout, where there is a report."""

    text = "text"
    json = "json"
    md = "md"


class PageFormat(StrEnum):
    """What stands on stdout, where there is a report and a page."""

    text = "text"
    md = "md"
    html = "html"
    json = "json"
