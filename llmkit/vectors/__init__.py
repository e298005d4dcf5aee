"""Ways to search vectors: one file each, the file name is the back-end's name.

One of your own is one file; see CONTRIBUTING.md. Importing this package imports none of them.
"""

from llmkit.registry import vector_index

__all__ = ["vector_index"]
