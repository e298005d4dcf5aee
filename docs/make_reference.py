"""Write the pages of reference (`PAGES`) from what the plug-ins say about themselves.

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
- **changed**: how many rows differ. A perturbed answer that failed is counted and has no score; its row has no worst case. What is left may be the
  easier rows, so the drop beside **worst** is taken over the same rows as they are, and is never below 0.

The target does not learn that a row is perturbed: it sees the row's own id, and the same worked examples. A judge reads the question in the row's
own words, so that it does not stumble itself. Perturbations of *robustness* change the
input (of a chat its last user message). Those of *fairness* that change who is meant (`names`, `gender_terms`, `gender_pronouns`) rewrite the
whole row, with its contexts, choices and references, so that a right answer stays right; fields of your own, and `answer`, are left alone.

All are for English. `llmkit list perturbations NAME` explains one. A perturbation of your own is one file, as a metric is: a frozen dataclass
under `@perturbation("name")` with `perturb(text, rng) -> str`.
""",
}
INTROS["chunkers"] = """# Chunkers

What cuts documents into the pieces that are searched. Write one under `chunk:` in an index config, with arguments in parentheses or as a mapping:
`structural(size=200)` and `{structural: {size: 200}}` are the same. What all of them promise is in
[documents and chunks](documents.md#chunkers). A chunker of your own is one file; see [CONTRIBUTING.md](../CONTRIBUTING.md).
"""
INTROS["judges"] = """# Judges

What scores an answer by asking a model. Write a judge under `judges:` in a config, and the model under `judge_model:`, or as `model:` in the
judge itself. `llmkit list judges` prints this list, and `llmkit list judges NAME` explains one.

A verdict that is not in form is asked for once more, naming the fault; where that fails too, the row is an error with the raw text
kept, never a score. What was asked and answered is in `judgments.jsonl` of the run folder. Texts of a row stand in the prompt between
fences that they cannot close. A judge of your own is one file, or YAML alone; see [CONTRIBUTING.md](../CONTRIBUTING.md).
"""
INTROS["embedders"] = """# Embedders

What turns texts into vectors for an index. Write one under `embed:` in an index's config; without one an index is lexical only, and needs no
model. `llmkit list embedders` prints this list, and `llmkit list embedders NAME` explains one.

```yaml
embed: {onnx: {model: models/e5-small, query_prefix: "query: ", passage_prefix: "passage: "}}
```

Vectors have length 1, so an inner product is a cosine. An index remembers its embedder's fingerprint: the weights, the tokenizer, pooling,
the prefix of passages, the greatest number of tokens, the precision. Questions embedded by another one are refused, and after a change everything is
embedded anew, beside the old vectors, which serve until the new ones are complete. Batch sizes, threads, devices and the prefix of questions change no
vector of a passage, so they are no part of it; `onnx` and `openvino` in fp32 make the same vectors of the same weights, and either reads the other's index.

| extra | for |
|---|---|
| `llmkit[local]` | `onnx`: onnxruntime and tokenizers, no PyTorch |
| `llmkit[openvino]` | `openvino`; `precision: bf16` where the processor has it |
| `llmkit[st]` | `sentence_transformers` |
| none | `openai`, `fasttext` |

An embedder of your own is one file, as a metric is: a frozen dataclass under `@embedder("name")` with `fingerprint`, `dimensions`, `max_tokens`,
`spans(texts)` and `embed(texts, role)`; the protocol `Embedder` says what each must do. One that asks a server has `target` and `asks(texts, role)` in
place of `embed`, and the engine does the rest.
"""
INTROS["vectors"] = """# Vector back-ends

What searches the vectors of an index. Write one under `vector:` in an index's config. `llmkit list vectors` prints this list, and
`llmkit list vectors NAME` explains one.

```yaml
vector: exact
```

A back-end only proposes candidates: each is scored again with its own vector, so scores mean the same whichever back-end found it, equal ones come
in a fixed order, and a quantised index loses candidates, never digits. A filter comes first. Where it lets less than a fifth of the vectors
through, all of those are scored; an approximate search that filters afterwards would come back with too little. A back-end is derived from the
vectors in the index's folder and can always be built anew; a lost or damaged one loses nothing.

## Which one

`llmkit index tune INDEX --queries questions.jsonl` tries every back-end that is installed, in several settings, on the index's own vectors. Half of the
questions choose: the quickest that finds at least `--target` (0.95) of the ten nearest. The other half gives the recall that is shown, so that the
choice does not flatter itself. The table holds recall@10, the median and 99th percentile of a search, recall under filters that let 1, 10 and 50 %
through, nDCG@10 and its change from exact search where the questions have judgments, CPU seconds to build and to add 1,000 vectors, and megabytes; what
no other beats in both recall and time has a star. `--svg FILE` draws it. Give real questions: settings chosen on vectors of the index itself, which
stand in where there are none, find less for real ones than they promise.

The choice is kept in the index, and `vector: auto` follows it at the next build from 200,000 vectors on. Below, exact search takes milliseconds and
misses nothing, so it is kept.

A back-end of your own is one file: subclass `llmkit.vectors.Searched`, and write `_build`, `_near`, `_save` and `_load`. So a service such as
Weaviate or Pinecone is one too; this sketch shows the shape, and is not run in this project's tests:

```python
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from llmkit.vectors import Searched, vector_index


@vector_index("pinecone")
@dataclass(frozen=True)
class PineconeIndex(Searched):
    \"\"\"A Pinecone index.

    Attributes:
        name: The index's name at Pinecone; its metric is dotproduct.
    \"\"\"

    name: str

    def _build(self, vectors):
        from pinecone import Pinecone

        index = Pinecone().Index(self.name)
        index.delete(delete_all=True)
        return self._sent(index, vectors, 0)

    def _sent(self, index, vectors, start):
        for first in range(0, len(vectors), 200):
            part = vectors[first : first + 200]
            index.upsert([(str(start + first + i), row.tolist()) for i, row in enumerate(part)])
        return index

    def _add(self, vectors, start):
        return self._sent(self._held.native, vectors, start)

    def _near(self, queries, count):
        found = np.full((len(queries), count), -1, np.int64)
        for row, query in enumerate(queries):
            matches = self._held.native.query(vector=query.tolist(), top_k=count)["matches"]
            found[row, : len(matches)] = [int(one["id"]) for one in matches]
        return found

    def _load(self, folder: Path):
        from pinecone import Pinecone

        return Pinecone().Index(self.name)
```

Weaviate takes the same four methods: `collection.data.insert_many` with `DataObject(properties={"place": n}, vector=row)`, and
`collection.query.near_vector(query, limit=count)`.
"""
PAGES = {
    "chunkers": "chunkers.md",
    "embedders": "embedders.md",
    "vectors": "vectors.md",
    "judges": "judges.md",
    "metrics": "metrics.md",
    "perturbations": "perturbations.md",
    "providers": "targets.md",
}


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
    return lines[0] + "\n" + "\n".join(lines[1:]).replace("``", "`") + "\n"


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
