"""Prompts: templates that turn a row into the chat that is sent, and keep gold answers out of it."""

from __future__ import annotations

from llmkit.prompts.compiler import letter, lettered
from llmkit.prompts.template import Template, answer_text

__all__ = ["Template", "answer_text", "letter", "lettered"]
