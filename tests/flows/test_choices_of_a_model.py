"""A local causal model asked by every rule equals a plain loop over its log-probabilities."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmkit import Options, run_eval
from llmkit.datasets import open_dataset
from tests.tiny_gpt2 import write_tiny_gpt2

torch = pytest.importorskip("torch", reason="needs the extra 'transformers'")
hf = pytest.importorskip("transformers", reason="needs the extra 'transformers'")

pytestmark = pytest.mark.slow

ROWS: list[dict[str, Any]] = [
    {"question": f"Which animal {verb}?", "choices": ["the fox", "a dog", "the läzy sun", "warm"], "answer": n % 4}
    for n, verb in enumerate(("jumps", "sleeps", "runs on", "is quick", "is brown", "is over the dog"))
]
NORMALISED = ("char", "byte", "token", "pmi")
TEXT = "Which animal jumps? A. the fox B. a dog C. the lazy sun D. warm Answer: Question: Choices: sleeps runs brown"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gpt2(tmp_path_factory.mktemp("tiny-gpt2"), TEXT, positions=512, seed=3)


def plain_loop(folder: Path) -> tuple[Callable[[str, str], float], Callable[[str], str], Callable[[str, str], int]]:
    """Return functions: a text's summed log-probability after a prompt, five greedy tokens, a text's number of tokens."""
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    model = hf.AutoModelForCausalLM.from_pretrained(folder).eval()

    def next_logprobs(tokens: list[int]) -> Any:
        with torch.no_grad():
            return torch.log_softmax(model(torch.tensor([tokens])).logits[0, -1], dim=-1)

    def likelihood(prompt: str, text: str) -> float:
        tokens, total = tokenizer(prompt)["input_ids"], 0.0
        for token in tokenizer(prompt + text)["input_ids"][len(tokens) :]:
            total += float(next_logprobs(tokens)[token])
            tokens = [*tokens, token]
        return total

    def generated(prompt: str) -> str:
        tokens = tokenizer(prompt)["input_ids"]
        new: list[int] = []
        for _ in range(5):
            new.append(int(next_logprobs(tokens + new).argmax()))
            if new[-1] == 0:
                break
        text: str = tokenizer.decode(new, skip_special_tokens=True)
        return text.partition("\n")[0]

    def tokens(prompt: str, text: str) -> int:
        return len(tokenizer(prompt + text)["input_ids"]) - len(tokenizer(prompt)["input_ids"])

    return likelihood, generated, tokens


def best(values: list[float]) -> int:
    return values.index(max(values))


def test_every_rule_equals_a_plain_loop(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    (tmp_path / "eval.yaml").write_text(
        "dataset: {path: rows.jsonl, format: mmlu}\n"
        "choice: {rules: [original, helm, harness, harness_continuation, harness_2023], unconditional: true}\n"
        f"target: {{transformers: {{folder: {json.dumps(str(folder))}, device: cpu}}}}\n"
        "metrics: [choice_accuracy, choice_accuracy(rule=helm), choice_accuracy(rule=harness),\n"
        "  choice_accuracy(rule=harness_2023), {choice_accuracy: {rule: harness_continuation, normalise: char}},\n"
        "  {choice_accuracy: {rule: harness_continuation, normalise: byte}},\n"
        "  {choice_accuracy: {rule: harness_continuation, normalise: token}},\n"
        "  {choice_accuracy: {rule: harness_continuation, normalise: pmi}}]\n"
        "engine: {cache: false}\n",
        "utf-8",
    )
    run = run_eval(tmp_path / "eval.yaml", options=Options(tmp_path / "run"))
    likelihood, generated, tokens = plain_loop(folder)
    right: dict[str, list[bool]] = {name: [] for name in ("letters", "helm", "2023", *NORMALISED)}
    for row in ROWS:
        choices, gold = row["choices"], row["answer"]
        listed = "".join(f"\n{name}. {choice}" for name, choice in zip("ABCD", choices, strict=True))
        letters = [likelihood(f"{row['question']}{listed}\nAnswer:", f" {name}") for name in "ABCD"]
        right["letters"].append(best(letters) == gold)
        right["helm"].append(generated(f"Question: {row['question']}{listed}\nAnswer:").strip() == "ABCD"[gold])
        shown = f"Question: {row['question']}\nChoices:{listed}\nAnswer:"
        right["2023"].append(best([likelihood(shown, f" {choice}") for choice in choices]) == gold)
        bare = [likelihood(f"Question: {row['question']}\nAnswer:", f" {choice}") for choice in choices]
        alone = [likelihood("Answer:", f" {choice}") for choice in choices]
        sizes = {
            "char": [len(choice) for choice in choices],
            "byte": [len(choice.encode()) for choice in choices],
            "token": [tokens(f"Question: {row['question']}\nAnswer:", f" {choice}") for choice in choices],
        }
        for name, lengths in sizes.items():
            right[name].append(best([value / length for value, length in zip(bare, lengths, strict=True)]) == gold)
        right["pmi"].append(best([value - own for value, own in zip(bare, alone, strict=True)]) == gold)
    expected = [right[name] for name in ("letters", "helm", "letters", "2023", *NORMALISED)]
    for name, rights in zip(run.summary["scores"], expected, strict=True):
        found = [score.value for score in run.scores if score.scorer == name]
        assert found == [float(item) for item in rights], name
    first = next(iter(run.outputs))
    assert first.response is not None
    kept = first.response.extra["choice"]["harness_continuation"]
    row = ROWS[0]
    for text, logprob, own in zip(row["choices"], kept["logprobs"], kept["unconditional"], strict=True):
        assert logprob == pytest.approx(likelihood(f"Question: {row['question']}\nAnswer:", f" {text}"), abs=1e-4)
        assert own == pytest.approx(likelihood("Answer:", f" {text}"), abs=1e-4)


@pytest.mark.parametrize(
    ("form", "name", "counts"),
    [
        ("mmlu", "mmlu_val.jsonl.gz", (381, 379, 387, 384)),
        ("commonsenseqa", "commonsenseqa_dev.jsonl.gz", (239, 255, 241, 251, 235)),
        ("aqua", "aqua_test.jsonl", (63, 58, 46, 53, 34)),
    ],
)
def test_always_one_letter_scores_that_letters_share(
    shared_data: Path, tmp_path: Path, form: str, name: str, counts: tuple[int, ...]
) -> None:
    path = shared_data / "multiple_choice" / name
    samples = list(open_dataset({"path": name, "format": form}, base=path.parent))
    assert tuple(sum(sample.answer == at for sample in samples) for at in range(len(counts))) == counts
    # HELM compares texts: a B that reads as the right choice does is right.
    same = sum(sample.choices[1].strip() == sample.choices[int(sample.answer or 0)].strip() for sample in samples)
    assert counts[1] <= same <= counts[1] + 5
    (tmp_path / "eval.yaml").write_text(
        f"dataset: {{path: {json.dumps(str(path))}, format: {form}}}\nchoice: {{rules: [helm]}}\n"
        "target: {echo: {text: ' B'}}\nmetrics: [choice_accuracy(rule=helm)]\n",
        "utf-8",
    )
    run = run_eval(tmp_path / "eval.yaml", options=Options(tmp_path / "run"))
    [entry] = run.summary["scores"].values()
    assert entry["value"] == pytest.approx(same / len(samples))
    assert [row[0] for row in entry["details"]["tables"][0]["rows"]][-1].startswith("always ")
