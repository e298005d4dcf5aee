"""Tests of `llmkit.vectors`."""
