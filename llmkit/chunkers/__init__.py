"""Ways to cut a document into chunks: one file each, the file name is the chunker's name.

One of your own is one file; see CONTRIBUTING.md. Importing this package imports none of them.
"""

from llmkit.registry import chunker

__all__ = ["chunker"]
