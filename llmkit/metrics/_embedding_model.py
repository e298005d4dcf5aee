"""A language model of the transformers library that gives each token its vectors.

Imports torch and transformers, so it is only imported when a model is really used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
import transformers

from llmkit.errors import ConfigError, Problem
from llmkit.metrics._embedding_layers import pack
from llmkit.metrics._embedding_threads import side_by_side
from llmkit.text.packing import packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOKEN_BUDGET = {"fp32": 512, "bf16": 1024}
"""Tokens of one forward pass, padding included, by precision: so few that a CPU's cache holds most of it.

A GPU takes `GPU_TOKEN_BUDGET`."""

GPU_TOKEN_BUDGET = 32_768
_UNLIMITED = 1_000_000  # tokenizers without a limit name a number far above this
_WITH_PADDING_OFFSET = frozenset(["roberta", "xlm-roberta", "camembert", "longformer", "mpnet", "xlm-roberta-xl"])
_SPACE_FIRST = ("GPT2Tokenizer", "RobertaTokenizer")

Reduce = Callable[[Any, Any], Any]
"""Makes vectors of a forward pass: (hidden states, each (texts, tokens, dimensions), mask) to (texts, rows, d)."""


@dataclass(frozen=True, slots=True)
class Source:
    """Which weights, cut off after which layer, and in which numbers they are computed."""

    name: str
    revision: str | None = None
    layer: int | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as a model reads it, special tokens included.

    Attributes:
        ids: Token numbers.
        first: For each token, whether a word begins with it; special tokens are words.
        pieces: The tokens as texts.
        special: For each token, whether the model's own format put it there.
    """

    ids: tuple[int, ...]
    first: tuple[bool, ...]
    pieces: tuple[str, ...]
    special: tuple[bool, ...]

    @property
    def empty(self) -> bool:
        """Whether the text has no token of its own."""
        return all(self.special)


@lru_cache(maxsize=2)
def load(source: Source) -> TokenModel:
    """Return a model, loaded; the last two stay in memory, as several metrics of one config share them.

    Raises:
        ConfigError: there is no such model, or it has no such layer.
    """
    return TokenModel(source)


class TokenModel:
    """Tokenizer and model, loaded."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._tokenizer, model = _loaded(source)
        if source.layer is not None:
            _cut(model, source)
        self._device = _device(source.device)
        self._model = model.to(self._device).eval()
        if self._device.type == "cpu":
            pack(self._model)
        self.dimensions = int(model.config.hidden_size)
        self.limit = _limit(self._tokenizer, model.config)
        pad = self._tokenizer.pad_token_id
        self._pad = 0 if pad is None else int(pad)
        ends = (self._tokenizer.cls_token_id, self._tokenizer.sep_token_id)
        self.ends = frozenset(number for number in ends if number is not None)

    @property
    def budget(self) -> int:
        """Tokens of one forward pass."""
        return TOKEN_BUDGET[self.source.precision] if self._device.type == "cpu" else GPU_TOKEN_BUDGET

    def fingerprint(self) -> str:
        """Return what stands for the weights: the hub's commit, or a digest of the folder's files."""
        commit = getattr(self._model.config, "_commit_hash", None)
        return str(commit) if commit else folder_digest(Path(self.source.name))

    def read(self, texts: Sequence[str], limit: int | None = None) -> list[Tokens]:
        """Return the tokens of each text, cut to as many as the model takes (or ``limit``)."""
        if not texts:
            return []
        most = min(self.limit, limit or self.limit)
        found = self._tokenizer(
            list(texts), truncation=True, max_length=most, return_special_tokens_mask=True, return_attention_mask=False
        )
        return [self._tokens(found, i) for i in range(len(texts))]

    def _tokens(self, found: Any, i: int) -> Tokens:
        ids = found["input_ids"][i]
        words = found.word_ids(i)
        first = tuple([word is None or not k or word != words[k - 1] for k, word in enumerate(words)])
        special = tuple([bool(mark) for mark in found["special_tokens_mask"][i]])
        return Tokens(tuple(ids), first, tuple(found.tokens(i)), special)

    def vectors(self, texts: Sequence[Tokens], reduce: Reduce, *, states: bool = False) -> list[NDArray[Any]]:
        """Return an array of shape (rows, d), float32, for each text: a row a token, or one row a text.

        Texts of about the same length share a forward pass, so that little is spent on padding.

        Args:
            texts: What to embed.
            reduce: Makes the rows; it gets all hidden states where ``states``, else the last one alone.
            states: Whether all hidden states are wanted.
        """
        order = sorted(range(len(texts)), key=lambda i: len(texts[i].ids), reverse=True)
        batches = list(packed(order, [len(text.ids) for text in texts], self.budget))

        def work(batch: list[int]) -> list[NDArray[Any]]:
            with torch.inference_mode():
                return list(self._forward([texts[i] for i in batch], reduce, states))

        found: list[Any] = [None] * len(texts)
        each = side_by_side(work, batches) if self._device.type == "cpu" else map(work, batches)
        for batch, made in zip(batches, each, strict=True):
            for i, rows in zip(batch, made, strict=True):
                found[i] = rows
        return found

    def _forward(self, texts: Sequence[Tokens], reduce: Reduce, states: bool) -> Iterator[NDArray[Any]]:  # noqa: FBT001
        try:
            rows = self._rows(texts, reduce, states)
        except torch.OutOfMemoryError:
            if len(texts) == 1:
                raise
            torch.cuda.empty_cache()
            half = len(texts) // 2
            yield from self._forward(texts[:half], reduce, states)
            yield from self._forward(texts[half:], reduce, states)
            return
        by_token = rows.ndim == 3 and rows.shape[1] > 1  # noqa: PLR2004 - texts, tokens, dimensions
        for i, text in enumerate(texts):
            # A copy, for a view would keep the whole batch in memory.
            yield (rows[i, : len(text.ids)] if by_token else rows[i]).copy()

    def _rows(self, texts: Sequence[Tokens], reduce: Reduce, states: bool) -> NDArray[Any]:  # noqa: FBT001
        width = max(len(text.ids) for text in texts)
        ids = torch.full((len(texts), width), self._pad, dtype=torch.long)
        mask = torch.zeros((len(texts), width), dtype=torch.long)
        for i, text in enumerate(texts):
            ids[i, : len(text.ids)] = torch.tensor(text.ids, dtype=torch.long)
            mask[i, : len(text.ids)] = 1
        ids, mask = ids.to(self._device), mask.to(self._device)
        found = self._model(input_ids=ids, attention_mask=mask, output_hidden_states=states)
        layers = found.hidden_states if states else (found.last_hidden_state,)
        array: NDArray[Any] = reduce(layers, mask).float().cpu().numpy()
        return array


def _loaded(source: Source) -> tuple[Any, Any]:
    log = transformers.utils.logging
    log.disable_progress_bar()
    before = log.get_verbosity()
    log.set_verbosity_error()  # weights that have no use here (a pooler's) are no news
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source.name, revision=source.revision)
        if type(tokenizer).__name__.removesuffix("Fast") in _SPACE_FIRST:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                source.name, revision=source.revision, add_prefix_space=True
            )
        dtype = torch.bfloat16 if source.precision == "bf16" else torch.float32
        model = transformers.AutoModel.from_pretrained(source.name, revision=source.revision, dtype=dtype)
    except (OSError, ValueError, ImportError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(problems=[Problem(f"the model '{source.name}' cannot be loaded: {first}")]) from error
    finally:
        log.set_verbosity(before)
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    return tokenizer, model


def _cut(model: Any, source: Source) -> None:
    """Leave out the layers above ``source.layer``, as bert-score does: what follows the last layer still follows."""
    config, layer = model.config, source.layer
    count = int(config.num_hidden_layers)
    if layer is None or layer > count:
        message = f"the model '{source.name}' has {count} layers and no layer {layer}"
        raise ConfigError(problems=[Problem(message, key="layer")])
    stacks = [
        (parent, name)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, torch.nn.ModuleList) and len(child) == count
    ]
    if hasattr(model, "n_layers"):  # XLM counts its layers in several lists
        model.n_layers = layer
    elif len(stacks) == 1:
        parent, name = stacks[0]
        setattr(parent, name, getattr(parent, name)[:layer])
    config.num_hidden_layers = layer  # ALBERT runs one layer so many times


def _limit(tokenizer: Any, config: Any) -> int:
    """Return the most tokens a text may have, special ones included."""
    places = getattr(config, "max_position_embeddings", None) or _UNLIMITED
    if config.model_type in _WITH_PADDING_OFFSET:
        places -= 2
    named = int(min(tokenizer.model_max_length, _UNLIMITED))
    return min(named, int(places))


def _device(wanted: str) -> Any:
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@lru_cache(maxsize=8)
def folder_digest(folder: Path) -> str:
    """Return a digest of everything in a model's folder that decides its vectors."""
    found = blake2b(digest_size=16)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in {".json", ".safetensors", ".bin", ".model", ".txt"}:
            found.update(str(path.relative_to(folder)).encode())
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    found.update(block)
    return found.hexdigest()


def place(name: str, revision: str | None) -> Path:
    """Return the folder a model's files lie in: the folder named, or the hub's snapshot of them, fetched if need be.

    Raises:
        ConfigError: there is no such model.
    """
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=["*.json", "*/config.json"]))
    except (OSError, ValueError) as error:
        raise ConfigError(problems=[Problem(f"the model '{name}' cannot be loaded: {error}", key="model")]) from error
