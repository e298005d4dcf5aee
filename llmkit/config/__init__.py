"""Strict YAML configs: every problem at once, each with its place and a suggestion."""
