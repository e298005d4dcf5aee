"""Estimates and their intervals, usable alone."""
