"""Tests of eval sets."""
