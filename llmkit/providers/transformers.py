"""A local Hugging Face model: generation, and the log-likelihood of given continuations."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from llmkit.errors import ConfigError, MissingExtraError, PermanentError, Problem
from llmkit.hashing import digest
from llmkit.providers._answers import content_text
from llmkit.providers._batches import Batches
from llmkit.registry import provider
from llmkit.types import EACH_LOGPROB, Loglikelihood, Message, Request, Response

if TYPE_CHECKING:
    from llmkit.providers._causal import CausalModel, Sampling

_PARAMS = frozenset(
    ["max_new_tokens", "max_tokens", "temperature", "top_p", "seed", "stop", "logprobs", "top_logprobs", "n"]
)


@provider("transformers")
@dataclass(frozen=True)
class Transformers:
    """Runs a causal language model on this machine, with the transformers library.

    Requests that arrive together are answered in batches. Chat requests go through the model's chat template where
    it has one. An answer does not depend on which others share its batch, up to floating point. Waiting for a place
    in a batch counts towards the engine's ``timeout``: on a slow machine, raise it or lower ``max_concurrency``.

    Attributes:
        model: A model's name on the Hugging Face hub, or a folder seen from the working directory.
        folder: A folder with a model, relative to the config; in place of ``model``.
        max_new_tokens: The most tokens of an answer.
        temperature: 0 takes the likeliest token; above, tokens are drawn.
        top_p: Draw from the likeliest tokens that hold this share of the probability.
        seed: Seed of the drawing; each request and repetition gets its own from it.
        stop: Texts that end an answer; they are not part of it.
        logprobs: Return the log-probability of each token of the answer.
        top_logprobs: And of so many alternatives.
        chat_template: Whether chat requests use the model's chat template.
        add_bos: Whether prompts begin with the beginning-of-text token; null means as the tokenizer does it.
        max_length: The most tokens of prompt and answer; null means as many as the model takes.
        dtype: The number format of the weights; ``auto`` takes the model's own.
        revision: The model's version on the hub.
        trust_remote_code: Run code that the model brings along.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``...
        batch_size: The most requests answered at a time.
    """

    model: str = ""
    folder: Path | None = None
    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0
    chat_template: bool = True
    add_bos: bool | None = None
    max_length: int | None = None
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    revision: str | None = None
    trust_remote_code: bool = False
    device: str = dataclasses.field(default="auto", metadata={"identity": False})
    batch_size: int = dataclasses.field(default=8, metadata={"identity": False})
    _batches: Batches[Any, Any] = dataclasses.field(init=False, repr=False, compare=False)
    _loading: asyncio.Task[Any] | None = dataclasses.field(init=False, default=None, repr=False, compare=False)
    _loaded: Any = dataclasses.field(init=False, default=None, repr=False, compare=False)

    cacheable: ClassVar[bool] = True
    journaled: ClassVar[bool] = True
    wants_sample: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check what can be checked without loading anything."""
        if find_spec("torch") is None or find_spec("transformers") is None:
            raise MissingExtraError("the provider 'transformers'", "transformers")
        problems = list(self._problems())
        if problems:
            raise ConfigError(problems=problems)
        object.__setattr__(self, "_batches", Batches(self._work, self.batch_size, "llmkit-transformers"))

    def _problems(self) -> Iterator[Problem]:
        if bool(self.model) == (self.folder is not None):
            yield Problem("name a model or a folder, one of the two", hint="{transformers: gpt2}")
        if self.folder is not None and not (self.folder / "config.json").is_file():
            yield Problem(f"no model in {self.folder}: it has no config.json", key="folder")
        for name in ("max_new_tokens", "batch_size"):
            if getattr(self, name) < 1:
                yield Problem(f"{name} is {getattr(self, name)}", hint="at least 1")
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            hint = "temperature is at least 0, top_p above 0 and at most 1"
            yield Problem(f"temperature is {self.temperature} and top_p {self.top_p}", hint=hint)

    async def complete(self, request: Request) -> Response:
        """Return the generated answer, or the log-likelihood of each of ``request.texts``.

        Raises:
            PermanentError: kind ``too_long`` (nothing is cut off silently), ``unsupported``, ``empty`` or ``memory``.
            ConfigError: the model cannot be loaded.
        """
        model = await self._model()
        started = time.perf_counter()
        if request.kind == "loglikelihood":
            response = await self._likelihoods(model, request)
        elif request.kind in ("chat", "completion"):
            response = await self._answer(model, request)
        else:
            message = f"'{model.name}' generates text and scores it; it cannot answer a request for an {request.kind}"
            raise PermanentError(message, kind="unsupported")
        return dataclasses.replace(response, latency=time.perf_counter() - started)

    async def aclose(self) -> None:
        """End the worker thread and let go of the model."""
        await self._batches.close()
        object.__setattr__(self, "_loaded", None)
        object.__setattr__(self, "_loading", None)

    async def _model(self) -> CausalModel:
        if self._loaded is None:
            if self._loading is None:
                object.__setattr__(self, "_loading", asyncio.create_task(self._batches.call(self._load)))
            assert self._loading is not None
            # A request that times out meanwhile is asked again, and then finds the model on its way.
            object.__setattr__(self, "_loaded", await asyncio.shield(self._loading))
        loaded: CausalModel = self._loaded
        return loaded

    def _load(self) -> CausalModel:
        from llmkit.providers._causal import CausalModel, Source

        name = self.model or str(self.folder)
        source = Source(name, self.revision, self.device, self.dtype, self.trust_remote_code)
        return CausalModel(source, add_bos=self.add_bos, max_length=self.max_length)

    def _work(self, jobs: Any) -> Any:
        return self._loaded.run(jobs)

    async def _likelihoods(self, model: CausalModel, request: Request) -> Response:
        prompt = _joined(request.messages)
        parts = bool(request.params.get(EACH_LOGPROB))
        jobs = [model.likelihood(prompt, text, parts=parts) for text in request.texts]
        found: list[Loglikelihood] = await asyncio.gather(
            *(self._batches.submit(job, "likelihood", len(job.tokens)) for job in jobs)
        )
        tokens_in = sum(len(job.tokens) for job in jobs)
        return Response(loglikelihoods=tuple(found), tokens_in=tokens_in, tokens_out=0, finish="stop", model=model.name)

    async def _answer(self, model: CausalModel, request: Request) -> Response:
        params = request.params
        unknown = sorted(set(params) - _PARAMS)
        if unknown:
            message = f"a local model does not take the parameter '{unknown[0]}'"
            raise PermanentError(message, kind="unsupported")
        texts = [{**message, "content": content_text(message.get("content"))} for message in request.messages]
        prompt = model.encode(texts, chat=self.chat_template and request.kind == "chat")
        samplings = [self._sampling(request, number) for number in range(int(params.get("n") or 1))]
        jobs = [model.generation(prompt, sampling) for sampling in samplings]
        answers: list[Response] = await asyncio.gather(
            *(self._batches.submit(job, "generate", len(job.tokens)) for job in jobs)
        )
        if len(answers) == 1:
            return answers[0]
        tokens_out = sum(answer.tokens_out or 0 for answer in answers)
        texts_out = tuple(answer.text for answer in answers)
        return dataclasses.replace(answers[0], alternatives=texts_out, tokens_out=tokens_out)

    def _sampling(self, request: Request, number: int) -> Sampling:
        from llmkit.providers._causal import Sampling

        params: Mapping[str, Any] = request.params
        stop = params.get("stop", self.stop) or ()
        most = params.get("max_new_tokens", params.get("max_tokens", self.max_new_tokens))
        seed = [params.get("seed", self.seed), request.messages, request.repeat, number]
        wanted = params.get("logprobs", self.logprobs)
        return Sampling(
            max_new_tokens=int(most),
            temperature=float(params.get("temperature", self.temperature)),
            top_p=float(params.get("top_p", self.top_p)),
            seed=int(digest(seed, 7), 16),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            logprobs=int(params.get("top_logprobs", self.top_logprobs)) if wanted else None,
        )


def _joined(messages: tuple[Message, ...]) -> str:
    return "\n\n".join(content_text(message.get("content")) for message in messages)
