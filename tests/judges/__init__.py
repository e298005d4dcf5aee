"""Judges, fed by hand and over HTTP."""
