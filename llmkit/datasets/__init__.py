"""Eval sets from JSONL, CSV, JSON, Parquet and `datasets`, streamed and checked before anything is asked."""
