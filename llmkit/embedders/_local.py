"""What the embedders that run a model of a folder share: reading, batching, pooling, the fingerprint."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from llmkit.embedders._fingerprint import file_digest, files_digest
from llmkit.embedders._folder import ModelFolder, read_folder
from llmkit.embedders._graph_families import GRAPH_VERSION, problem
from llmkit.embedders._prefixes import check_instruction, prefix_of
from llmkit.errors import ConfigError, MissingExtraError, Problem
from llmkit.hashing import digest
from llmkit.protocols import Role
from llmkit.text.packing import packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llmkit.embedders._tokens import Tokens

Run = Callable[[Any, Any], Any]
"""From token numbers and mask, (texts, tokens) int64, to states (texts, tokens, d) float32; threads may share it."""

_LEAST = 3  # tokens of a text: one between the marks of its start and its end

GRAPHS = Path(".llmkit") / "onnx"
"""Where graphs made of weights are kept, seen from the working directory."""


@dataclass(frozen=True, kw_only=True)
class LocalEmbedder:
    """A model of a folder; see the subclasses for the arguments."""

    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""

    model: Path = field(kw_only=False)
    query_prefix: str | None = None
    passage_prefix: str | None = None
    instruction: dict[str, str] | None = None
    max_tokens: int | None = None
    batch_tokens: int = field(default=1024, metadata={"identity": False})
    threads: int | None = field(default=None, metadata={"identity": False})

    _known: dict[str, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check the arguments and the folder; loads nothing."""
        if any(find_spec(package) is None for package in self.packages):
            raise MissingExtraError(f"the embedder '{type(self).__name__.lower()}'", self.extra)
        check_instruction(self.instruction)
        described = read_folder(self.model)
        self._known["folder"] = described
        problems = []
        if self.max_tokens is not None and not _LEAST <= self.max_tokens <= described.limit:
            message = f"the model takes {_LEAST} to {described.limit} tokens, got {self.max_tokens}"
            problems.append(Problem(message, key="max_tokens"))
        problems += [
            Problem(f"must be at least 1, got {value}", key=name)
            for name, value in (("batch_tokens", self.batch_tokens), ("threads", self.threads))
            if value is not None and value < 1
        ]
        if described.weights() is None and (why := _no_graph(described)):
            hint = "export it, for example with optimum-cli, or use the embedder sentence_transformers"
            problems.append(Problem(f"{self.model} has no model.onnx: {why}", key="model", hint=hint))
        if problems:
            raise ConfigError(problems=problems)
        object.__setattr__(self, "max_tokens", self.max_tokens or described.limit)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs; it loads the model itself."""
        return self.__dict__ | {"_known": {"folder": self.folder}}

    @property
    def folder(self) -> ModelFolder:
        """What the model's folder says."""
        found: ModelFolder = self._known["folder"]
        return found

    @property
    def dimensions(self) -> int | None:
        """How long a vector is."""
        return self.folder.dimensions or None

    @property
    def precision_class(self) -> str:
        """Numbers that the vectors are computed in."""
        return "fp32"

    @property
    def fingerprint(self) -> str:
        """Weights, tokenizer, pooling, prefix of passages, greatest number of tokens, precision."""
        if "fingerprint" not in self._known:
            weights = self.folder.weights() or self.folder.path / "model.safetensors"
            layers = [at / "model.safetensors" for at in self.folder.dense]
            files = [weights, self.folder.path / "tokenizer.json", *(at for at in layers if at.is_file())]
            prefix = self.prefix("passage")
            made = [files_digest(files), self.folder.pooling, self.folder.prompt_counts, self.max_tokens, prefix]
            self._known["fingerprint"] = digest([*made, self.folder.lower, self.precision_class])
        return str(self._known["fingerprint"])

    def prefix(self, role: Role) -> str:
        """Return what is put before a text."""
        given = self.query_prefix if role == "query" else self.passage_prefix
        return prefix_of(role, given, self.instruction, self.folder.prompts)

    def spans(self, texts: Sequence[str]) -> Sequence[NDArray[Any]]:
        """Return for each text an int64 array of shape (tokens, 2): where each token starts and ends, in characters."""
        return self._tokens.spans(texts)

    def embed(self, texts: Sequence[str], role: Role) -> NDArray[Any]:
        """Return an array of shape (len(texts), dimensions), float32, rows of length 1."""
        import numpy as np

        prefix = self.prefix(role)
        numbers = self._tokens.numbers([prefix + text for text in texts] if prefix else texts)
        if not numbers:
            return np.empty((0, self.folder.dimensions), np.float32)
        skipped = 0
        if prefix and not self.folder.prompt_counts:
            skipped = len(self._tokens.numbers([prefix])[0]) - 1  # the mark of the end comes behind the text
        order = sorted(range(len(numbers)), key=lambda i: len(numbers[i]), reverse=True)
        batches = list(packed(order, [len(one) for one in numbers], self.batch_tokens))
        found = np.empty((len(numbers), self.folder.dimensions), np.float32)

        def work(batch: list[int]) -> None:
            found[batch] = self._vectors([numbers[i] for i in batch], skipped)

        self._ready()
        streams = min(self.streams, len(batches))
        if streams == 1:
            for batch in batches:
                work(batch)
        else:
            with ThreadPoolExecutor(streams) as pool:
                list(pool.map(work, batches))
        return found

    @property
    def streams(self) -> int:
        """Batches computed at once, each by one thread: threads that share a batch wait for one another."""
        return self.threads or processors()

    def _vectors(self, numbers: Sequence[Sequence[int]], skipped: int) -> NDArray[Any]:
        import numpy as np

        from llmkit.embedders._pooling import normalised, pooled

        width = max(map(len, numbers))
        ids = np.full((len(numbers), width), int(self.folder.config.get("pad_token_id") or 0), np.int64)
        mask = np.zeros((len(numbers), width), np.int64)
        for i, one in enumerate(numbers):
            ids[i, : len(one)] = one
            mask[i, : len(one)] = 1
        run: Run = self._known["run"]
        states = run(ids, mask)
        if skipped:
            mask[:, :skipped] = 0
        vectors = pooled(states, mask, self.folder.pooling)
        for layer in self._known["dense"]:
            vectors = layer(vectors)
        return normalised(vectors)

    def graph_file(self) -> Path:
        """Return the model as an ONNX file: its own, or one that is made of its weights, once."""
        own = self.folder.weights()
        if own is not None:
            return own
        name = digest([file_digest(self.folder.path / "model.safetensors"), GRAPH_VERSION])
        path = GRAPHS / f"{name}.onnx"
        if not path.is_file():
            from llmkit.embedders import _bert_graph

            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}")
            with part.open("wb") as file:
                _bert_graph.encoder(self.folder.path).write(file)
            part.replace(path)
        return path

    def _load(self) -> Run:
        raise TypeError(f"{type(self).__name__} runs nothing")

    def _ready(self) -> None:
        """Load the model before threads share it."""
        from llmkit.embedders._pooling import Dense

        if "run" not in self._known:
            self._known["dense"] = [Dense(at) for at in self.folder.dense]
            self._known["run"] = self._load()

    @property
    def _tokens(self) -> Tokens:
        from llmkit.embedders._tokens import Tokens

        if "tokens" not in self._known:
            assert self.max_tokens is not None
            self._known["tokens"] = Tokens(self.folder.path, limit=self.max_tokens, lower=self.folder.lower)
        found: Tokens = self._known["tokens"]
        return found


def processors() -> int:
    """Return how many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _no_graph(folder: ModelFolder) -> str:
    if not (folder.path / "model.safetensors").is_file():
        return "and no model.safetensors that one could be made of"
    return problem(folder.config)
