"""Models run by the library sentence-transformers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from llmkit.embedders._fingerprint import files_digest
from llmkit.embedders._pooling import normalised
from llmkit.embedders._prefixes import check_instruction, prefix_of
from llmkit.errors import ConfigError, MissingExtraError, Problem
from llmkit.hashing import digest
from llmkit.protocols import Role
from llmkit.registry import embedder

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DECIDING = frozenset([".json", ".safetensors", ".bin", ".model", ".txt", ".onnx"])


@embedder("sentence_transformers")
@dataclass(frozen=True, kw_only=True)
class SentenceTransformers:
    """Any model that the library sentence-transformers loads, on a GPU where there is one.

    Use it for models that the embedder `onnx` does not take, and on a GPU. On a CPU `onnx` is quicker and starts in a
    fraction of the time.

    Attributes:
        model: A name on the Hugging Face hub, or a folder seen from the working directory.
        revision: The model's version on the hub: a commit, for vectors that stay the same.
        folder: A folder with a model, relative to the config; in place of ``model``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``...
        precision: fp32, or bf16.
        query_prefix: Put before each query (``"query: "`` for E5); the model's own prompt where absent.
        passage_prefix: Put before each passage (``"passage: "`` for E5), likewise.
        instruction: For Instructor, in place of prefixes; see the embedder `onnx`.
        max_tokens: The most tokens of a text, the rest is cut off; the model's own limit where absent.
        batch_size: Texts computed at once.
        trust_remote_code: Run code that the model brings.
    """

    model: str = field(default="sentence-transformers/all-MiniLM-L6-v2", kw_only=False)
    revision: str | None = None
    folder: Path | None = None
    device: str = field(default="auto", metadata={"identity": False})
    precision: Literal["fp32", "bf16"] = "fp32"
    query_prefix: str | None = None
    passage_prefix: str | None = None
    instruction: dict[str, str] | None = None
    max_tokens: int | None = None
    batch_size: int = field(default=32, metadata={"identity": False})
    trust_remote_code: bool = False

    _known: dict[str, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check the arguments; the model is loaded when it is first needed."""
        if any(find_spec(package) is None for package in ("sentence_transformers", "torch")):
            raise MissingExtraError("the embedder 'sentence_transformers'", "st")
        check_instruction(self.instruction)
        numbers = (("max_tokens", self.max_tokens), ("batch_size", self.batch_size))
        problems = [Problem(f"must be at least 1, got {value}", key=key) for key, value in numbers if (value or 1) < 1]
        if self.folder is not None and not self.folder.is_dir():
            problems.append(Problem(f"{self.folder} is no folder", key="folder"))
        if problems:
            raise ConfigError(problems=problems)
        if self.max_tokens is None:
            object.__setattr__(self, "max_tokens", self._own_limit())

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs; it loads the model itself."""
        return self.__dict__ | {"_known": {}}

    @property
    def dimensions(self) -> int | None:
        """How long a vector is."""
        ask = getattr(self._loaded, "get_embedding_dimension", None) or self._loaded.get_sentence_embedding_dimension
        return int(ask() or 0) or None

    @property
    def fingerprint(self) -> str:
        """Weights and tokenizer (the hub's commit, or the folder's files), prefix of passages, limit, precision."""
        if "fingerprint" not in self._known:
            made = [self._weights(), self.prefix("passage"), self.max_tokens, self.precision]
            self._known["fingerprint"] = digest(["sentence_transformers", *made])
        return str(self._known["fingerprint"])

    def prefix(self, role: Role) -> str:
        """Return what is put before a text."""
        given = self.query_prefix if role == "query" else self.passage_prefix
        if given is not None or self.instruction is not None:
            return prefix_of(role, given, self.instruction, {})
        own = getattr(self._loaded, "prompts", None) or {}
        names = ("query",) if role == "query" else ("document", "passage", "corpus")
        default = own.get(getattr(self._loaded, "default_prompt_name", None) or "", "")
        return next((str(own[name]) for name in names if own.get(name)), str(default or ""))

    def spans(self, texts: Sequence[str]) -> Sequence[NDArray[Any]]:
        """Return for each text an int64 array of shape (tokens, 2): where each token starts and ends, in characters."""
        import numpy as np

        found = self._loaded.tokenizer(
            list(texts), add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
        )
        return [np.array(one, np.int64).reshape(-1, 2) for one in found["offset_mapping"]] if texts else []

    def embed(self, texts: Sequence[str], role: Role) -> NDArray[Any]:
        """Return an array of shape (len(texts), dimensions), float32, rows of length 1."""
        import numpy as np

        if not texts:
            return np.empty((0, self.dimensions or 0), np.float32)
        found = self._loaded.encode(
            list(texts),
            prompt=self.prefix(role) or None,
            batch_size=self.batch_size,
            show_progress_bar=False,
            convert_to_numpy=False,
            convert_to_tensor=True,
        )
        return normalised(found.float().cpu().numpy())

    @property
    def _named(self) -> str:
        return os.fspath(self.folder) if self.folder is not None else self.model

    @property
    def _loaded(self) -> Any:
        if "model" not in self._known:
            self._known["model"] = self._load()
        return self._known["model"]

    def _load(self) -> Any:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        kind = {"dtype": torch.bfloat16} if self.precision == "bf16" else {}
        logging.disable_progress_bar()
        try:
            model = SentenceTransformer(
                self._named,
                revision=self.revision,
                device=None if self.device == "auto" else self.device,
                model_kwargs=kind,
                trust_remote_code=self.trust_remote_code,
            )
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            message = f"the model '{self._named}' cannot be loaded: {first}"
            raise ConfigError(problems=[Problem(message, key="embed.model")]) from error
        if self.max_tokens is not None:
            model.max_seq_length = min(self.max_tokens, model.max_seq_length or self.max_tokens)
        return model

    def _own_limit(self) -> int | None:
        return self._loaded.max_seq_length or None

    def _weights(self) -> str:
        place = Path(self._named)
        if place.is_dir():
            files = sorted(path for path in place.rglob("*") if path.is_file() and path.suffix in _DECIDING)
            return files_digest(files)
        module = self._loaded[0]
        config = getattr(getattr(module, "auto_model", None) or getattr(module, "model", None), "config", None)
        commit = getattr(config, "_commit_hash", None)
        return f"{self.model}@{commit or self.revision}"
