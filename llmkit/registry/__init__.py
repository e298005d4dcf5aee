"""Name -> plug-in class, for every kind of plug-in. The file name is the name.

A plug-in is a frozen dataclass. Its fields are its YAML arguments, its docstring is its help, and its JSON
Schema comes free. Names are looked up in this order, and only what is looked up is imported:

1. classes registered by a decorator in a user file (``plugins:`` in the config);
2. the entry-point group ``llmkit.<kind>``;
3. the built-in module ``llmkit/<kind>/<name>.py``.

Two owners of one name are an error; an unknown name suggests near ones.
"""

from llmkit.registry.arguments import Built, build, canonical, check, explicit, fields
from llmkit.registry.description import Argument, Description, describe
from llmkit.registry.files import load_plugins
from llmkit.registry.hints import json_schema, limits, whole_as_text
from llmkit.registry.owners import (
    KINDS,
    builtin_names,
    chunker,
    did_you_mean,
    embedder,
    judge,
    lookup,
    metric,
    names,
    perturbation,
    provider,
    published_names,
    register,
    vector_index,
)
from llmkit.registry.sentences import sentence, shown

__all__ = [
    "KINDS",
    "Argument",
    "Built",
    "Description",
    "build",
    "builtin_names",
    "canonical",
    "check",
    "chunker",
    "describe",
    "did_you_mean",
    "embedder",
    "explicit",
    "fields",
    "json_schema",
    "judge",
    "limits",
    "load_plugins",
    "lookup",
    "metric",
    "names",
    "perturbation",
    "provider",
    "published_names",
    "register",
    "sentence",
    "shown",
    "vector_index",
    "whole_as_text",
]
