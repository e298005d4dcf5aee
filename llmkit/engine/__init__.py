"""One engine for every command that asks a model: concurrency, limits, retries, budget, resume."""
