"""Write docs/metrics.md, docs/targets.md and docs/perturbations.md from what the plug-ins say about themselves.

Run it with `make docs`; a test checks that the committed pages are fresh.
"""

from __future__ import annotations

from pathlib import Path

from llmkit import registry

HERE = Path(__file__).parent

INTROS = {
    "metrics": """# Metrics

What scores an answer without asking anyone. Write a metric under `metrics:` in a config, with arguments in parentheses or as a
mapping: `rouge(variant='L')` and `{rouge: {variant: L}}` are the same. `llmkit list metrics` prints this list, and
`llmkit list metrics NAME` explains one.

Several references are scored by the rule that `refs` names: `max` takes the best, `mean` the average, `first` only the first reference. The
rule stands in the signature. A row without a reference is skipped with a reason, never scored 0. A metric of your own is one file; see
[CONTRIBUTING.md](../CONTRIBUTING.md).
""",
    "providers": """# Targets

What can be evaluated. Write one under `target:` in a config. `llmkit list providers` prints this list, and
`llmkit list providers NAME` explains one. A target of your own is one file; see [CONTRIBUTING.md](../CONTRIBUTING.md).

A target that is code sees the row's id, input, contexts, choices and meta fields. It never sees the references, the answer
or the relevance judgments (`qrels`).
""",
    "perturbations": """# Perturbations

Does the system still answer well when people write otherwise than the eval set does, or about other people? List perturbations under
`perturb:` in a config:

```yaml
perturb: [mild_mix, typos(rate=0.05), "gender_terms(to='female')"]
```

Every row is then asked as it is, and once more by each perturbation that changes it. What is drawn depends only on the `seed` of the config, the
perturbation and the row's id, so the same rows come out whatever their order. Scores, slices, coverage and the gate are those of the rows as they
are; the perturbed ones get a table of their own, and stand in `outputs.jsonl` and `scores.jsonl` under ids such as `q1~mild_mix`:

- **original**: the rows as they are. **perturbed**: the same rows perturbed; one that stayed as it was keeps its score and is not asked again.
- **drop**: how much worse the perturbed answers are, row by row, with an interval for the difference. Below 0 they are better. For a metric
  that has no better direction it is original less perturbed.
- **worst**: the mean of each row's worst score, its own included (the greatest where lower is better). The more perturbations, the lower it
  is by chance alone, so compare it only between runs with the same ones. Metrics of the whole set, such as BLEU or F1, have none.
- **changed**: how many rows differ. A perturbed answer that failed is counted and has no score; its row has no worst case.

The target does not learn that a row is perturbed: it sees the row's own id, and the same worked examples. A judge reads the question in the row's
own words, so that it does not stumble itself. Perturbations of *robustness* change the
input (of a chat its last user message). Those of *fairness* that change who is meant (`names`, `gender_terms`, `gender_pronouns`) rewrite the
whole row, with its contexts, choices and references, so that a right answer stays right; fields of your own, and `answer`, are left alone.

All are for English. `llmkit list perturbations NAME` explains one. A perturbation of your own is one file, as a metric is: a frozen dataclass
under `@perturbation("name")` with `perturb(text, rng) -> str`.
""",
}
INTROS["judges"] = """# Judges

What scores an answer by asking a model. Write a judge under `judges:` in a config, and the model under `judge_model:`, or as `model:` in the
judge itself. `llmkit list judges` prints this list, and `llmkit list judges NAME` explains one.

A verdict that is not in form is asked for once more, naming the fault; where that fails too, the row is an error with the raw text
kept, never a score. What was asked and answered is in `judgments.jsonl` of the run folder. Texts of a row stand in the prompt between
fences that they cannot close. A judge of your own is one file, or YAML alone; see [CONTRIBUTING.md](../CONTRIBUTING.md).
"""
PAGES = {"judges": "judges.md", "metrics": "metrics.md", "perturbations": "perturbations.md", "providers": "targets.md"}


def page(kind: str) -> str:
    """Return one page of reference."""
    found = [registry.describe(kind, name) for name in registry.builtin_names(kind)]
    lines = [INTROS[kind], "| name | what it is |", "|---|---|"]
    lines += [f"| [`{one.name}`](#{one.name}) | {one.summary.replace('|', chr(92) + '|')} |" for one in found]
    for one in found:
        lines += ["", f"## {one.name}", "", one.doc.strip()]
        if one.arguments:
            lines += ["", "| argument | type | default | meaning |", "|---|---|---|---|"]
            lines += [
                f"| `{a.name}` | {_cell(a.type)} | {'required' if a.required else _code(a.default)} | {_cell(a.help)} |"
                for a in one.arguments
            ]
    return "\n".join(lines).replace("``", "`") + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def main() -> None:
    """Write the pages."""
    for kind, name in PAGES.items():
        (HERE / name).write_text(page(kind), encoding="utf-8")


if __name__ == "__main__":
    main()
