"""How a multiple-choice row is asked by the rules of several programs, in one dialogue with one output."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from llmkit.errors import DataError, PermanentError, Problem
from llmkit.flows.ask import row_for_target, unanswered, whole
from llmkit.hashing import digest
from llmkit.prompts import letter
from llmkit.prompts.choice import RULES, UNCONDITIONAL, Question, choice_prompt, continuations
from llmkit.protocols import Dialogue
from llmkit.types import Output, Request, Response, Sample

GENERATION: Mapping[str, Any] = {"temperature": 0, "max_tokens": 5, "stop": ["\n"]}
"""How a letter is generated: HELM's settings for multiple choice."""

_SPARE = 1
"""A row can displace one example: itself."""

_NO_SUCH_ENDPOINT = (404, 405, 501)
"""Statuses by which a server says that it has no completions, and so does not score texts."""

_BAD_REQUEST = 400
_NO_ECHO = re.compile(r"\becho\b|logprobs", re.IGNORECASE)
"""What a refused request names where the server cannot score texts; a prompt too long is refused in other words."""


@dataclass(frozen=True, slots=True)
class ChoiceShots:
    """Worked examples by subject: the first of each, in the order of their set."""

    n: int
    pools: Mapping[str, tuple[Sample, ...]]

    def of(self, sample: Sample, subject: str) -> tuple[Question, ...]:
        """Return the examples to show before a sample, itself never among them; fewer where there are no more."""
        pool = self.pools.get(subject, ())
        others = (shot for shot in pool if shot.id != sample.id and shot.input != sample.input)
        return tuple(Question(str(shot.input), shot.choices, _gold(shot)) for shot in islice(others, self.n))

    @property
    def digest(self) -> str:
        """Return the hex digest of all examples and their number."""
        content = {
            name: [[shot.id, shot.input, list(shot.choices), shot.answer] for shot in pool]
            for name, pool in sorted(self.pools.items())
        }
        return digest([self.n, content])


def choice_shots(samples: Iterable[Sample], *, n: int, field: str, source: str) -> ChoiceShots:
    """Return the first ``n`` examples of each subject (and one to spare).

    Raises:
        DataError: a row that would be shown has no choices, or no answer that is one of them.
    """
    pools: dict[str, list[Sample]] = {}
    for sample in samples:
        pool = pools.setdefault(subject_of(sample, field), [])
        if len(pool) == n + _SPARE:
            continue
        if not isinstance(sample.input, str) or _gold(sample) < 0:
            message = "a worked example of multiple choice needs a text, choices, and an answer that is one of them"
            raise DataError(problems=[Problem(message, file=source, line=sample.line)])
        pool.append(sample)
    return ChoiceShots(n, {name: tuple(pool) for name, pool in pools.items()})


def subject_of(sample: Sample, field: str) -> str:
    """Return what a question is about; empty where the row does not say."""
    return str(sample.meta.get(field) or "")


def _gold(sample: Sample) -> int:
    answer = sample.answer
    if isinstance(answer, int):
        return answer if answer < len(sample.choices) else -1
    for names in (RULES["harness"].answers(sample.choices), sample.choices):
        if answer in names:
            return names.index(answer)
    return -1


@dataclass(frozen=True, slots=True)
class ChoiceAsker:
    """Makes the dialogue of a multiple-choice sample.

    Attributes:
        rules: Names of `llmkit.prompts.choice.RULES`; the first that the target can be asked by gives the answer.
        shots: Worked examples.
        subject: The meta field with the subject.
        unconditional: Whether the likelihood of each answer without the question is asked too.
        give_sample: Whether the target is code that sees the row; it can only be asked by rules that generate.
        give_output: Whether the row's recorded output goes along.
    """

    rules: tuple[str, ...]
    shots: ChoiceShots
    subject: str = "subject"
    unconditional: bool = False
    give_sample: bool = False
    give_output: bool = False

    def dialogue(self, sample: Sample, repeat: int) -> Dialogue[Output]:
        """Ask by each rule in turn; what each gave is kept in the response's ``extra["choice"]``.

        Where the target cannot be asked by a rule, that is kept in place of its answer; where by none, the request's
        error is raised, as is every other error.
        """
        problem = self._unfit(sample)
        if problem:
            return unanswered(sample, repeat, *problem)
        kept: dict[str, dict[str, Any]] = {}
        responses: list[Response] = []
        refusal: PermanentError | None = None
        for rule in self.rules:
            if self.give_sample and not RULES[rule].generates:
                kept[rule] = {"unsupported": _cannot(rule, "it is code, which gives no log-probabilities")}
                continue
            try:
                answers = yield self.requests(rule, sample, repeat)
            except PermanentError as error:
                if RULES[rule].generates or not _gives_no_likelihoods(error):
                    raise
                kept[rule], refusal = {"unsupported": _cannot(rule, str(error))}, error
                continue
            kept[rule] = _kept(rule, answers)
            wanted = 0 if RULES[rule].generates else len(sample.choices)
            if len(kept[rule].get("logprobs", ())) != wanted:
                return unanswered(sample, repeat, "no_loglikelihoods", f"the rule '{rule}' got too few of them")
            responses += answers
        if not responses:
            if refusal is not None:
                raise refusal
            return unanswered(sample, repeat, "unsupported", "the target gives no log-probabilities")
        text = next(_answer(found) for found in kept.values() if "unsupported" not in found)
        response = replace(whole(responses), text=text, extra={"choice": kept}, loglikelihoods=(), logprobs=())
        return Output(sample.id, text, repeat, response)

    def every_request(self, sample: Sample, repeat: int) -> list[Request]:
        """Return all that a row asks for, as a dry run counts it."""
        if self._unfit(sample):
            return []
        rules = [rule for rule in self.rules if RULES[rule].generates or not self.give_sample]
        return [request for rule in rules for request in self.requests(rule, sample, repeat)]

    def requests(self, rule: str, sample: Sample, repeat: int) -> list[Request]:
        """Return the requests of one rule: a letter to generate, or the answers to score after the prompt."""
        subject = subject_of(sample, self.subject)
        asked = Question(str(sample.input), sample.choices)
        prompt = choice_prompt(rule, asked, self.shots.of(sample.original or sample, subject), subject=subject)
        if RULES[rule].generates:
            row = row_for_target(sample, with_output=self.give_output) if self.give_sample else None
            return [Request(messages=_user(prompt), params=GENERATION, sample=row, repeat=repeat)]
        texts = continuations(rule, sample.choices)
        prompts = (prompt, UNCONDITIONAL) if self.unconditional else (prompt,)
        return [Request(messages=_user(text), kind="loglikelihood", texts=texts, repeat=repeat) for text in prompts]

    def _unfit(self, sample: Sample) -> tuple[str, str] | None:
        """Return why a row cannot be asked: the kind of the failure and a sentence."""
        if not sample.choices:
            return "no_choices", "the row has no choices to ask for"
        if not isinstance(sample.input, str):
            return "no_text", "the row's input is a chat, and a multiple-choice question is a text"
        subject = subject_of(sample, self.subject)
        found = len(self.shots.of(sample.original or sample, subject))
        if found < self.shots.n:
            about = f" of the subject '{subject}'" if subject else ""
            return "too_few_examples", f"choice.shots asks for {self.shots.n} examples{about}, and there are {found}"
        return None


def _user(text: str) -> tuple[Mapping[str, Any], ...]:
    return ({"role": "user", "content": text},)


def _gives_no_likelihoods(error: PermanentError) -> bool:
    if error.status == _BAD_REQUEST:
        return _NO_ECHO.search(str(error)) is not None
    return error.kind == "unsupported" or error.status in _NO_SUCH_ENDPOINT


def _cannot(rule: str, why: str) -> str:
    return f"the target cannot be asked by the rule '{rule}': {why}"


def _kept(rule: str, answers: Sequence[Response]) -> dict[str, Any]:
    """Return what a run keeps of a rule's responses, as plain JSON."""
    if RULES[rule].generates:
        return {"text": answers[0].text}
    found, *before = [answer.loglikelihoods for answer in answers]
    kept: dict[str, Any] = {
        "logprobs": [item.logprob for item in found],
        "tokens": [item.tokens for item in found],
        "greedy": [item.greedy for item in found],
    }
    return kept | ({"unconditional": [item.logprob for item in before[0]]} if before else {})


def _answer(found: Mapping[str, Any]) -> str:
    """Return the letter that a rule chose, or the text that was generated."""
    if "text" in found:
        return str(found["text"]).strip()
    logprobs = found["logprobs"]
    return letter(logprobs.index(max(logprobs)))
