"""A causal language model of the transformers library: prompts to tokens, batches to answers.

Imports torch and transformers, so it is only imported when a model is really used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from llmkit.errors import ConfigError, PermanentError, Problem
from llmkit.types import Loglikelihood, Message, Response, TokenLogprob


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one answer is generated; ``temperature`` 0 is greedy. ``logprobs`` is None, or the number of alternatives."""

    max_new_tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: tuple[str, ...]
    logprobs: int | None


@dataclass(frozen=True, slots=True)
class Generate:
    """One answer to generate after ``tokens``."""

    tokens: tuple[int, ...]
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Likelihood:
    """One continuation to score: the last ``count`` of ``tokens``, with ``parts`` each by itself too."""

    tokens: tuple[int, ...]
    count: int
    parts: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from and how it is held in memory."""

    name: str
    revision: str | None
    device: str
    dtype: str
    trust_remote_code: bool


class CausalModel:
    """Tokenizer and model, loaded; every method blocks and is called from one thread at a time."""

    def __init__(self, source: Source, *, add_bos: bool | None, max_length: int | None) -> None:
        transformers.utils.logging.disable_progress_bar()
        more = {"revision": source.revision, "trust_remote_code": source.trust_remote_code}
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(source.name, **more)
            model = transformers.AutoModelForCausalLM.from_pretrained(source.name, dtype=source.dtype, **more)
        except (OSError, ValueError, ImportError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ConfigError(problems=[Problem(f"the model '{source.name}' cannot be loaded: {first}")]) from error
        self.name = source.name
        self._device = _device(source.device)
        self._model = model.to(self._device).eval()
        self._limit = max_length or _limit(model.config, self._tokenizer)
        ends = model.generation_config.eos_token_id
        ends = self._tokenizer.eos_token_id if ends is None else ends
        self._ends = frozenset(ends if isinstance(ends, (list, tuple)) else [] if ends is None else [ends])
        pad = self._tokenizer.pad_token_id
        self._pad = pad if pad is not None else min(self._ends, default=0)
        bos = self._tokenizer.bos_token_id
        self._bos = bos if bos is not None else min(self._ends, default=None)
        by_itself = self._tokenizer("a")["input_ids"]
        self._add_bos = add_bos if add_bos is not None else bos is not None and by_itself[:1] == [bos]

    def encode(self, messages: Sequence[Message], *, chat: bool) -> tuple[int, ...]:
        """Return the prompt's tokens: by the chat template where there is one and ``chat`` asks for it."""
        if chat and self._tokenizer.chat_template:
            text = self._tokenizer.apply_chat_template(
                [dict(message) for message in messages], tokenize=False, add_generation_prompt=True
            )
            return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        return self._encode_text("\n\n".join(str(message.get("content") or "") for message in messages))

    def _encode_text(self, text: str) -> tuple[int, ...]:
        tokens = tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        if self._bos is not None and (self._add_bos or not tokens):
            return (self._bos, *tokens)
        return tokens

    def likelihood(self, prompt: str, continuation: str, *, parts: bool = False) -> Likelihood:
        """Return the job that scores ``continuation`` after ``prompt``.

        The two are tokenised together, and the prompt alone to know where it ends; white space at its end goes to the
        continuation, because tokens begin with their space (as EleutherAI's lm-evaluation-harness does).
        """
        kept = prompt.rstrip()
        whole = self._encode_text(kept + prompt[len(kept) :] + continuation)
        before = self._encode_text(kept)
        if not kept and not self._add_bos:  # the token that stands in for an empty prompt
            whole = (*before, *whole)
        start = min(len(before), len(whole) - 1)
        if start < 1:
            raise PermanentError("there is nothing to score: prompt and continuation are empty", kind="empty")
        if len(whole) - 1 > self._limit:
            raise self._too_long(len(whole))
        return Likelihood(whole, len(whole) - start, parts)

    def generation(self, tokens: tuple[int, ...], sampling: Sampling) -> Generate:
        """Return the job that answers a prompt, with room for at least one new token."""
        if not tokens:
            raise PermanentError("the prompt is empty, and the model has no token to begin with", kind="empty")
        room = self._limit - len(tokens)
        if room < 1:
            raise self._too_long(len(tokens))
        if sampling.max_new_tokens > room:
            sampling = Sampling(room, *(getattr(sampling, name) for name in Sampling.__slots__[1:]))
        return Generate(tokens, sampling)

    def _too_long(self, size: int) -> PermanentError:
        message = f"the prompt has {size} tokens and '{self.name}' takes {self._limit}; nothing is cut off silently"
        return PermanentError(message, kind="too_long")

    def run(self, jobs: Sequence[Generate] | Sequence[Likelihood]) -> list[Any]:
        """Return a `Response` (generation) or a `Loglikelihood` for each job; all jobs are of one kind.

        A batch that does not fit into the device's memory is halved; a single job that does not is an error.
        """
        try:
            with torch.inference_mode():
                if isinstance(jobs[0], Generate):
                    return self._generate([job for job in jobs if isinstance(job, Generate)])
                return self._score([job for job in jobs if isinstance(job, Likelihood)])
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            if len(jobs) == 1:
                return [PermanentError("the device's memory is too small for this request", kind="memory")]
        half = len(jobs) // 2
        return [*self.run(jobs[:half]), *self.run(jobs[half:])]

    def _score(self, jobs: Sequence[Likelihood]) -> list[Loglikelihood]:
        width = max(len(job.tokens) for job in jobs) - 1
        given = torch.full((len(jobs), width), self._pad, dtype=torch.long)
        mask = torch.zeros((len(jobs), width), dtype=torch.long)
        for row, job in enumerate(jobs):  # padded on the right: positions and causal attention stay as they are
            given[row, : len(job.tokens) - 1] = torch.tensor(job.tokens[:-1])
            mask[row, : len(job.tokens) - 1] = 1
        logits = self._model(input_ids=given.to(self._device), attention_mask=mask.to(self._device)).logits
        scores: list[Loglikelihood] = []
        for row, job in enumerate(jobs):
            end = len(job.tokens) - 1
            rows = torch.log_softmax(logits[row, end - job.count : end].float(), dim=-1)
            wanted = torch.tensor(job.tokens[-job.count :], device=rows.device)
            greedy = bool((rows.argmax(dim=-1) == wanted).all())
            found = rows.gather(1, wanted[:, None]).double()
            parts = tuple(found[:, 0].tolist()) if job.parts else ()
            scores.append(Loglikelihood(float(found.sum()), job.count, greedy, parts))
        return scores

    def _generate(self, jobs: Sequence[Generate]) -> list[Response]:
        width = max(len(job.tokens) for job in jobs)
        given = torch.full((len(jobs), width), self._pad, dtype=torch.long)
        mask = torch.zeros((len(jobs), width), dtype=torch.long)
        for row, job in enumerate(jobs):  # padded on the left: every row goes on from its last token
            given[row, width - len(job.tokens) :] = torch.tensor(job.tokens)
            mask[row, width - len(job.tokens) :] = 1
        writers = [_Writer(job, self._tokenizer, self._ends) for job in jobs]
        self._model.generate(
            given.to(self._device),
            attention_mask=mask.to(self._device),
            generation_config=transformers.GenerationConfig(
                do_sample=False,
                num_beams=1,
                repetition_penalty=1.0,
                max_new_tokens=max(job.sampling.max_new_tokens for job in jobs),
                pad_token_id=self._pad,
                eos_token_id=sorted(self._ends) or None,
            ),
            logits_processor=transformers.LogitsProcessorList([_Choice(writers, self._pad)]),
            stopping_criteria=transformers.StoppingCriteriaList([_Stop(writers)]),
        )
        return [writer.response(self.name) for writer in writers]


class _Writer:
    """One row of a batch while it is generated: chooses its tokens and knows when it is done.

    Every row has its own seeded generator, so that an answer does not depend on who shares the batch.
    """

    def __init__(self, job: Generate, tokenizer: Any, ends: frozenset[int]) -> None:
        self._job = job
        self._tokenizer = tokenizer
        self._ends = ends
        self._random = torch.Generator().manual_seed(job.sampling.seed)
        self._tokens: list[int] = []
        self._logprobs: list[TokenLogprob] = []
        self._text = ""
        self.finish = ""

    def choose(self, logits: Any, likeliest: int) -> int:
        """Return the next token from its logits, shape (vocabulary,), and the likeliest of them."""
        sampling = self._job.sampling
        token = likeliest
        if sampling.temperature > 0:
            shares = torch.softmax(logits.float().cpu() / sampling.temperature, dim=-1)
            token = int(torch.multinomial(_nucleus(shares, sampling.top_p), 1, generator=self._random))
        if token not in self._ends and sampling.logprobs is not None:
            self._logprobs.append(self._told(token, torch.log_softmax(logits.float(), dim=-1)))
        self._take(token)
        return token

    def _take(self, token: int) -> None:
        if token in self._ends:
            self.finish = "stop"
            return
        self._tokens.append(token)
        if self._job.sampling.stop:
            self._text = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
            if any(stop in self._text for stop in self._job.sampling.stop):
                self.finish = "stop"
                return
        if len(self._tokens) >= self._job.sampling.max_new_tokens:
            self.finish = "length"

    def _told(self, token: int, logprobs: Any) -> TokenLogprob:
        count = self._job.sampling.logprobs or 0
        values, places = logprobs.topk(min(count, logprobs.shape[-1])) if count else ((), ())
        top = tuple((self._tokenizer.decode([int(at)]), float(value)) for value, at in zip(values, places, strict=True))
        return TokenLogprob(self._tokenizer.decode([token]), float(logprobs[token]), top)

    def response(self, model: str) -> Response:
        """Return the answer, cut before the first stop string."""
        text = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        cuts = [at for at in (text.find(stop) for stop in self._job.sampling.stop) if at >= 0]
        return Response(
            text=text[: min(cuts)] if cuts else text,
            tokens_in=len(self._job.tokens),
            tokens_out=len(self._tokens),
            finish=self.finish,
            model=model,
            logprobs=tuple(self._logprobs),
        )


class _Choice:
    """Puts each row's own choice into the hands of the library's greedy loop."""

    def __init__(self, writers: Sequence[_Writer], pad: int) -> None:
        self._writers = writers
        self._pad = pad

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        likeliest = scores.argmax(dim=-1).tolist()
        chosen = [
            self._pad if writer.finish else writer.choose(scores[row], likeliest[row])
            for row, writer in enumerate(self._writers)
        ]
        forced = torch.full_like(scores, -torch.inf)
        forced[torch.arange(len(chosen)), torch.tensor(chosen)] = 0.0
        return forced


class _Stop:
    """Says which rows are done."""

    def __init__(self, writers: Sequence[_Writer]) -> None:
        self._writers = writers

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        return torch.tensor([bool(writer.finish) for writer in self._writers], device=input_ids.device)


def _nucleus(shares: Any, top_p: float) -> Any:
    if top_p >= 1:
        return shares
    ordered, places = shares.sort(descending=True)
    beyond = ordered.cumsum(0) - ordered >= top_p
    ordered[beyond] = 0.0
    return torch.zeros_like(shares).scatter_(0, places, ordered)


def _device(wanted: str) -> Any:
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _limit(config: Any, tokenizer: Any) -> int:
    for name in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return min(int(tokenizer.model_max_length), 1 << 20)
