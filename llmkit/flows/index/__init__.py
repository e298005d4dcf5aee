"""Indexing: what changed since the last time, what that costs, and one transaction that publishes it."""
