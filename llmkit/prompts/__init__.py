"""Prompts: templates that turn a row into the chat that is sent, and keep gold answers out of it."""

from __future__ import annotations

from llmkit.prompts.compiler import letter, lettered
from llmkit.prompts.template import Template, answer_text
from llmkit.prompts.words import Texts, Words

__all__ = ["Template", "Texts", "Words", "answer_text", "letter", "lettered"]
