"""Tests of the eval config."""
