"""Tests of `llmkit.chunkers`."""
