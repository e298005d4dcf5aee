"""The index config as a model: which documents, cut how, embedded by whom, searched how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from llmkit import registry
from llmkit.config.config_file import ConfigFile, Name
from llmkit.config.engine_config import EngineConfig
from llmkit.config.retrieve import RetrieveConfig
from llmkit.config.section import FileName, Flag, Number, Raw, Section, Text, Whole, listed_text, wrong
from llmkit.config.yaml_source import Document
from llmkit.errors import Problem

FieldType = Literal["str", "int", "float", "bool", "date", "list[str]"]
LexicalTokenizer = Literal["porter", "unicode61", "trigram", "none"]
TABLES = ("jsonl", "csv", "tsv", "parquet", "hf")
HOME = Path(".llmkit")
"""Where indexes lie that say nothing else, below the working directory."""

Texts = Annotated[tuple[Text, ...], BeforeValidator(listed_text)]


class SourceConfig(Section):
    """Where the documents are: a folder, or a table with a document in each row."""

    root: FileName | None = Field(default=None, description="A folder, relative to this file's.")
    include: Texts = Field(
        default=(), description="Patterns of the files that are meant: docs/**/*.md; without, every format it reads."
    )
    exclude: Texts = Field(default=(), description="Patterns of files and folders that are not.")
    follow_symlinks: Flag = Field(default=False, description="Follow links to files and folders.")
    hidden: Flag = Field(default=False, description="Read files and folders whose names begin with a dot too.")
    encoding: Text | None = Field(
        default=None, description="What files are in that are not UTF-8 and say nothing themselves."
    )
    jsonl: FileName | None = Field(default=None, description="A JSONL file.")
    csv: FileName | None = Field(default=None, description="A CSV file.")
    tsv: FileName | None = Field(default=None, description="A file of tab-separated values.")
    parquet: FileName | None = Field(default=None, description="A Parquet file.")
    hf: FileName | None = Field(default=None, description="A data set of the hub, or a folder with one.")
    name: Text | None = Field(default=None, description="Of hf: the configuration.")
    split: Text | None = Field(default=None, description="Of hf: the split.")
    revision: Text | None = Field(default=None, description="Of hf: the revision.")
    id: Text | None = Field(default=None, description="Of a table: the column that names a document.")
    text: Texts = Field(default=(), description="Of a table: the columns of the text.")
    title: Text | None = Field(default=None, description="Of a table: the column of the title.")
    columns: Texts = Field(default=(), description="Of a table: the columns that are metadata; without, all others.")
    markup: Text | None = Field(
        default=None, description="Of a table: what its texts are written in: plain, markdown..."
    )
    max_bytes: Text | Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="A larger document is a failure: 20MB."
    )

    @model_validator(mode="after")
    def _one_place(self) -> SourceConfig:
        given = [name for name in ("root", *TABLES) if getattr(self, name) is not None]
        if len(given) != 1:
            several = f", not {' and '.join(given)}" if given else ""
            raise wrong(f"give root (a folder) or one of {', '.join(TABLES)}{several}")
        return self


class MetadataConfig(Section):
    """What is known of a document beside its text."""

    origins: Annotated[tuple[Literal["front_matter", "path"], ...], BeforeValidator(listed_text)] = Field(
        default=(), alias="from", description="Where fields come from; the first wins: [front_matter, path]."
    )
    path: Text | None = Field(default=None, description="Fields in the path: '{lang}/{year}/...'.")
    fields: dict[str, FieldType] = Field(
        default_factory=dict, description="The types of fields, to filter by: {date: date, tags: 'list[str]'}."
    )


class Lexical(Section):
    """The lexical index (BM25)."""

    engine: Literal["fts5", "tantivy"] = Field(
        default="fts5", description="Who finds words: fts5, SQLite's own, or tantivy, whose files are derived from it."
    )
    tokenizer: LexicalTokenizer = Field(
        default="porter",
        description="porter stems English; unicode61 takes words as they stand; trigram finds parts of words, and "
        "languages without spaces; none makes no lexical index.",
    )

    @model_validator(mode="after")
    def _of_one_engine(self) -> Lexical:
        if self.engine == "tantivy" and self.tokenizer in {"trigram", "none"}:
            raise wrong(f"the engine tantivy needs the tokenizer porter or unicode61, not {self.tokenizer}")
        return self


class SafetyConfig(Section):
    """What a build refuses to do unasked."""

    max_delete_ratio: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.3, description="Greatest share of the documents that may vanish at once (more than five of them)."
    )
    max_failures: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.02,
        description="Greatest share of the documents that may be unreadable (more than five of them, or all).",
    )


class IndexEngine(EngineConfig):
    """How the embedding is done."""

    run: Literal["local", "ray"] = Field(default="local", description="In this process, or sharded over Ray.")


def _of_text(key: str) -> Any:
    def made(value: Any) -> Any:
        return {key: value} if isinstance(value, str) else value

    return made


class IndexConfig(ConfigFile):
    """One index: which documents, cut how, embedded by whom."""

    name: Name = Field(description="Name of the index: letters, digits, '.', '_' and '-'. Without it, the file's name.")
    source: Annotated[SourceConfig, BeforeValidator(_of_text("root"))] = Field(
        description="The documents: a folder, or a mapping with more to say."
    )
    metadata: MetadataConfig = Field(default_factory=MetadataConfig, description="What is known of a document.")
    chunk: Raw = Field(default="structural", description="What cuts documents: a chunker and its arguments.")
    title_prefix: Flag = Field(
        default=True, description="Put a document's title and headings before each chunk for the embedder."
    )
    embed: Raw | None = Field(
        default=None, description="Who makes vectors: an embedder and its arguments. Without it the search is lexical."
    )
    lexical: Annotated[Lexical, BeforeValidator(_of_text("tokenizer"))] = Field(
        default_factory=Lexical, description="The lexical index: a tokenizer, or a mapping."
    )
    vector: Raw = Field(
        default="auto", description="What searches vectors: auto (exact until tuned), exact, or a vector index."
    )
    retrieve: RetrieveConfig = Field(default_factory=RetrieveConfig, description="How the index is searched.")
    safety: SafetyConfig = Field(default_factory=SafetyConfig, description="What a build refuses to do unasked.")
    store: FileName | None = Field(
        default=None, description="Folder of the index, relative to the working directory; without, .llmkit/NAME."
    )
    engine: Annotated[IndexEngine, BeforeValidator(_of_text("run"))] = Field(
        default_factory=IndexEngine, description="How the embedding is done: local, ray, or a mapping with limits."
    )
    prices: Annotated[tuple[Text, ...], BeforeValidator(listed_text)] = Field(
        default=(), description="Price files that add to the built-in prices, or replace them."
    )
    plugins: tuple[Text, ...] = Field(default=(), description="Python files with chunkers and embedders of your own.")

    @model_validator(mode="after")
    def _searchable(self) -> IndexConfig:
        if self.embed is None and self.lexical.tokenizer == "none":
            raise wrong("nothing could be searched: give 'embed', or another 'lexical' than none")
        if self.embed is None and self.vector not in ("auto", "exact"):
            raise wrong("'vector' searches vectors, and without 'embed' there are none")
        return self

    @property
    def folder(self) -> Path:
        """Where the index lies."""
        return HOME / self.name if self.store is None else Path(self.store).expanduser()

    def opening(self) -> dict[str, Any]:
        """Return ``source`` and ``metadata`` as they were written, for `llmkit.documents.opening.open_source`."""
        plain: dict[str, Any] = self.model_dump(
            mode="json", by_alias=True, include={"source", "metadata"}, exclude_unset=True
        )
        return {key: {k: v for k, v in part.items() if v is not None} for key, part in plain.items()}

    def resolved(self) -> dict[str, Any]:
        """Return the whole config as plain data, every default and every plug-in argument written out."""
        plain = super().resolved()
        plain["chunk"] = registry.explicit("chunkers", self.chunk)
        if self.embed is not None:
            plain["embed"] = registry.explicit("embedders", self.embed)
        return plain


def load_index_config(path: Path, overrides: Sequence[str] = ()) -> IndexConfig:
    """Return the index config that a YAML file holds, checked through and through; as `load_eval_config`.

    Raises:
        ConfigError: every problem of file and overrides, each with line, key path and, where one is near, a suggestion.
    """
    from llmkit.config.load import checked, read_document

    document = read_document(path, "it needs at least source: the folder with the documents")
    config: IndexConfig = checked(document, overrides, _problems, base=path.parent, source=str(path), name=path.stem)
    return config


def make_index_config(
    data: Mapping[str, Any], overrides: Sequence[str] = (), *, base: Path | None = None
) -> IndexConfig:
    """Return an index config made in Python from the same keys as a file has; as `make_eval_config`."""
    from llmkit.config.load import checked, listed

    document = Document(listed(data))
    config: IndexConfig = checked(document, overrides, _problems, base=base or Path(), source="", name="index")
    return config


def _problems(data: dict[str, Any], base: Path) -> tuple[IndexConfig | None, list[Problem]]:
    from llmkit.config.load import plugin_file_problems

    config, found = None, []
    try:
        config = IndexConfig.model_validate(data)
    except ValidationError as error:  # what makes sentences of it imports every other config
        from llmkit.config.problems import index_problems

        found = index_problems(data, error)
    broken = plugin_file_problems(data, base)
    if broken:
        return config, [*found, *broken]
    for key, kind, plain in (
        ("chunk", "chunkers", ()),
        ("embed", "embedders", ()),
        ("vector", "vectors", ("auto",)),
    ):
        written = data.get(key)
        if isinstance(written, (str, dict)) and written not in plain:
            found += registry.check(kind, written, key=key)
    return config, found
