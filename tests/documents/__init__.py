"""Tests of `llmkit.documents`."""
