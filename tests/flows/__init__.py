"""The stories: eval, re-scoring, dry runs, scoring from Python."""
