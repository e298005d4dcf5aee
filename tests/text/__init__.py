"""Tests of the text tools."""
