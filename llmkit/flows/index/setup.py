"""From a config to the parts of an index; nothing that a lexical or unchanged index does without is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmkit import registry
from llmkit.config.index_config import IndexConfig
from llmkit.documents.opening import open_source
from llmkit.errors import ConfigError, Problem
from llmkit.flows.index.parts import Parts, Safety
from llmkit.hashing import canonical_json
from llmkit.retrieval.tantivy import ENGINE, require_tantivy


@contextmanager
def prepared(config: IndexConfig) -> Iterator[Parts]:
    """Yield what a config names, as objects; an embedder that asks a server has its connections until the end.

    Raises:
        ConfigError: a source, chunker or embedder that cannot be made, or a search that cannot work, with its place in
            the file.
    """
    with ExitStack() as stack:
        with placing(config):
            if problems := list(_unsearchable(config)):
                raise ConfigError(problems=problems)
            if config.lexical.engine == ENGINE:
                require_tantivy()
            source = open_source(config.opening(), config.base)
            chunker = registry.build("chunkers", config.chunk, base=config.base, key="chunk").plugin
            embedder = None if config.embed is None else stack.enter_context(_embedding(config))
        tokenizer: Any = embedder
        if tokenizer is None:
            from llmkit.text.words import Words

            tokenizer = Words()
        plain = config.resolved()
        lexical = config.lexical.tokenizer
        yield Parts(
            name=config.name,
            folder=config.folder,
            source=source,
            chunker=chunker,
            tokenizer=tokenizer,
            embedder=embedder,
            chunker_spec=canonical_json(plain["chunk"]),
            title_prefix=config.title_prefix,
            lexical=None if lexical == "none" else lexical,
            lexical_engine=config.lexical.engine,
            vector=config.vector,
            fields=config.metadata.fields,
            safety=Safety(config.safety.max_delete_ratio, config.safety.max_failures),
            config=plain,
            config_file=str(Path(config.file).absolute()) if config.file else "",
            source_words=_words(config),
            shards=config.engine.run,
            base=config.base,
        )


def _unsearchable(config: IndexConfig) -> Iterator[Problem]:
    """Yield what is wrong with ``retrieve``, with which every search of the index would fail."""
    said, fields = config.retrieve, config.metadata.fields
    if said.filter is not None:
        from llmkit.retrieval.filters import FilterError, compile_filter

        try:
            compile_filter(said.filter, fields)
        except FilterError as error:
            yield Problem(str(error), key="retrieve.filter")
    if said.boost is not None:
        from llmkit.retrieval.boost import days

        name = said.boost.field
        if fields.get(name) != "date":
            hint = f"declare it under metadata: {{fields: {{{name}: date}}}}"
            yield Problem(f"there is no field '{name}' of type date", key="retrieve.boost.field", hint=hint)
        try:
            days(said.boost.half_life)
        except ValueError as error:
            yield Problem(str(error), key="retrieve.boost.half_life")
    vectors = said.mode == "dense" or (said.mode == "hybrid" and (not said.weights or said.weights.get("dense", 0) > 0))
    if vectors and config.embed is None:
        yield Problem(f"the mode {said.mode} needs vectors, and without 'embed' there are none", key="retrieve.mode")
    if said.mode == "lexical" and config.lexical.tokenizer == "none":
        yield Problem("the mode lexical needs another 'lexical' than none", key="retrieve.mode")


@contextmanager
def placing(config: IndexConfig) -> Iterator[None]:
    """Give problems that are found while building the file and line of their keys."""
    try:
        yield
    except ConfigError as error:
        problems = error.problems or (Problem(str(error)),)
        raise ConfigError(problems=[config.placed(problem) for problem in problems]) from error


@contextmanager
def _embedding(config: IndexConfig) -> Iterator[Any]:
    assert config.embed is not None
    plugin = registry.build("embedders", config.embed, base=config.base, key="embed").plugin
    if hasattr(plugin, "embed"):  # it computes: neither prices nor an engine
        yield plugin
        return
    from llmkit.engine import PriceBook
    from llmkit.flows.embedding import embedding
    from llmkit.flows.engine_settings import engine_settings

    prices = PriceBook.load(*config.paths(config.prices))
    cache = config.engine.cache_file(config.base)
    settings = engine_settings(config.engine)
    try:
        with embedding(plugin, base=config.base, settings=settings, cache=cache, prices=prices) as embedder:
            yield embedder
    except ConfigError as error:
        problems = error.problems or (Problem(str(error)),)
        raise ConfigError(problems=[replace(p, key=p.key or "embed") for p in problems]) from error


def _words(config: IndexConfig) -> str:
    source = config.source
    if source.root is not None:
        return f"the folder {config.base / Path(source.root).expanduser()}"
    name = next(name for name in ("jsonl", "csv", "tsv", "parquet", "hf") if getattr(source, name) is not None)
    return f"the {name} source {getattr(source, name)}"
