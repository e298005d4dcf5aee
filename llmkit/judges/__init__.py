"""Judges: scorers that ask a model. One file each, the file name is the judge's name.

A judge of your own is one file, or YAML alone; see CONTRIBUTING.md. Importing this package imports no judge.
"""

from llmkit.judges._asking import Fault, asked, together
from llmkit.judges._base import ModelJudge
from llmkit.judges._blocks import GUARD, block, question
from llmkit.judges._reading import Reading, last_choice, last_number, said_json
from llmkit.registry import judge

__all__ = [
    "GUARD",
    "Fault",
    "ModelJudge",
    "Reading",
    "asked",
    "block",
    "judge",
    "last_choice",
    "last_number",
    "question",
    "said_json",
    "together",
]
