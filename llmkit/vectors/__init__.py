"""Ways to search vectors: one file each, the file name is the back-end's name.

One of your own is one file; see CONTRIBUTING.md. Importing this package imports none of them.
"""

from typing import Any

from llmkit.registry import vector_index

__all__ = ["Searched", "vector_index"]


def __getattr__(name: str) -> Any:
    if name != "Searched":  # NumPy is imported only with it
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from llmkit.vectors._base import Searched

    return Searched
