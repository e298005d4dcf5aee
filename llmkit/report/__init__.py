"""Ways to show a run: terminal, Markdown, JSON."""
