"""The documents say what is true: every code block runs."""
