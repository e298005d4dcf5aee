"""Tests of JSON Lines."""
