"""Embedding over Ray: its workers embed, this process alone writes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from llmkit.errors import ConfigError, InfrastructureError, MissingExtraError, Problem
from llmkit.flows.embedding import Served
from llmkit.flows.index.embed import Embedded
from llmkit.flows.index.options import BuildOptions, Step
from llmkit.flows.index.parts import Parts
from llmkit.retrieval.store import IndexStore

AT_ONCE: Final = 65_536
"""Texts that are handed to Ray together; models are loaded once for them."""

BATCH: Final = 128


def embed_over_ray(store: IndexStore, parts: Parts, options: BuildOptions) -> Embedded:
    """Embed every staged text without a vector with Ray Data, and keep each block of vectors as it comes.

    Ray's own address variables choose the cluster; without them it starts one on this machine. What a build that was
    killed had kept is not embedded again: the vectors that are there are what is resumed from.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: the embedder asks a server, which one process does best.
        InfrastructureError: a worker failed for good.
    """
    done = Embedded()
    total = store.wanting()
    if not total:
        return done
    ray = _started(parts)
    options.tell(Step("embedding", 0, total))
    windows = store.missing(title_prefix=parts.title_prefix)
    for window in windows:
        began = time.monotonic()
        wanted = dict(window)
        # what further windows hold may repeat what is on its way, and is then asked for once
        for more in windows:
            wanted.update(more)
            if len(wanted) >= AT_ONCE:
                break
        for keys, vectors, tokens in _embedded(ray, parts, list(wanted.items())):
            store.append(keys, vectors, tokens)
            done.texts += len(keys)
            done.tokens += sum(tokens)
            options.tell(Step("embedding", done.texts, max(total, done.texts)))
        done.seconds += time.monotonic() - began
    return done


def _started(parts: Parts) -> Any:
    if isinstance(parts.embedder, Served):
        message = "'ray' shards an embedder that computes, and this one asks a server"
        raise ConfigError(problems=[Problem(message, key="engine", hint="write engine: local")])
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("'engine: ray'", "ray") from error
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    return ray


class Worker:
    """Holds the embedder in one of Ray's processes."""

    def __init__(self, spec: Any, base: str, plugins: Sequence[str]) -> None:
        from llmkit import registry

        registry.load_plugins([Path(file) for file in plugins])
        self.embedder = registry.build("embedders", spec, base=Path(base), key="embed").plugin

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Embed a block of texts."""
        import numpy as np

        texts = [str(text) for text in batch["text"]]
        counts = [len(spans) for spans in self.embedder.spans(texts)]
        vectors = np.asarray(self.embedder.embed(texts, "passage"), dtype=np.float32)
        return {"place": batch["place"], "vector": vectors, "tokens": np.array(counts, dtype=np.int64)}


def _embedded(ray: Any, parts: Parts, items: list[tuple[bytes, str]]) -> Iterator[tuple[list[bytes], Any, list[int]]]:
    """Yield keys, vectors and tokens, block by block, in whatever order they are ready."""
    items.sort(key=lambda item: len(item[1]))
    rows = ({"place": place, "text": text} for place, (_, text) in enumerate(items))
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    workers = gpus or max(1, int(resources.get("CPU", 1)))
    base = str(parts.base.absolute())
    plugins = [str((parts.base / Path(file).expanduser()).absolute()) for file in parts.config.get("plugins", ())]
    blocks = max(1, min(len(items) // BATCH, workers * 8))
    found = ray.data.from_items(list(chain(rows)), override_num_blocks=blocks).map_batches(
        Worker,
        fn_constructor_args=(parts.config["embed"], base, plugins),
        batch_size=BATCH,
        batch_format="numpy",
        concurrency=(1, min(workers, blocks)),
        **({"num_gpus": 1} if gpus else {"num_cpus": 1}),
    )
    try:
        for batch in found.iter_batches(batch_size=None, batch_format="numpy"):
            keys = [items[int(place)][0] for place in batch["place"]]
            yield keys, batch["vector"], [int(count) for count in batch["tokens"]]
    except ray.exceptions.RayError as error:
        said = str(error).strip().splitlines()[-1]
        raise InfrastructureError(
            f"a worker of Ray could not embed: {said}; run the same command again: what was embedded is kept"
        ) from error
