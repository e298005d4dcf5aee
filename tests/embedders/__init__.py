"""Tests of `llmkit.embedders`."""
