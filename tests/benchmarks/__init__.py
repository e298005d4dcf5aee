"""Each benchmark runs, small."""
