"""Tests of `llmkit.retrieval`."""
