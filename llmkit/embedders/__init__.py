"""Ways to turn texts into vectors: one file each, the file name is the embedder's name.

One of your own is one file; see CONTRIBUTING.md. Importing this package imports none of them.
"""

from llmkit.registry import embedder

__all__ = ["embedder"]
