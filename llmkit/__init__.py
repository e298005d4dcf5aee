"""llmkit: measure a product built on LLMs, then improve it."""

from llmkit._version import __version__

__all__ = ["__version__"]
