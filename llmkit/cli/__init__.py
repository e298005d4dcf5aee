"""The doors: parse, load, call, render, exit code. A command is a few lines."""
