"""Where documents come from: folders and tables (sources), and files turned into text (loaders)."""

from llmkit.documents.fields import TYPES as FIELD_TYPES
from llmkit.documents.found import Found, LoadError, Source
from llmkit.documents.opening import open_source

__all__ = ["FIELD_TYPES", "Found", "LoadError", "Source", "open_source"]
