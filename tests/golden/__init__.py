"""Golden values, beside the scripts that made them by running the reference programs."""
