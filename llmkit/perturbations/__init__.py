"""Ways to reword what a system is asked: one file each, the file name is the perturbation's name.

A perturbation of your own is one file; see CONTRIBUTING.md. Importing this package imports no perturbation.
"""

from llmkit.registry import perturbation

__all__ = ["perturbation"]
