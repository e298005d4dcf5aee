"""Write retrieval.json: what pytrec_eval and ir_measures say about made-up rankings, and DPR about passages and answers.

pip install pytrec-eval-terrier==0.5.11 ir-measures==0.4.3 regex
git clone https://github.com/facebookresearch/DPR  (at a31212dc0a54dfa85d8bfa01e1669f149ac832b7)
python tests/golden/make_retrieval.py DPR
"""

from __future__ import annotations

import json
import random
import sys
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ir_measures
import pytrec_eval

MEASURES = {
    "map", "map_cut.3,10", "ndcg", "ndcg_cut.1,3,10", "recip_rank", "Rprec", "P.1,3,10", "recall.1,3,10", "success.1,3,10"
}  # fmt: skip
MORE = ["nDCG(judged_only=True)@5", "AP(judged_only=True)", "nDCG(gains={0:0,1:1,2:3,3:7})@5", "RR@5", "RR(rel=2)@5"]
TEXTS = [
    "The Eiffel Tower was finished in 1889, in Paris (France).",
    "Caf\u00e9 au lait costs $3.50; the cafe\u0301s of the rue de Rivoli charge more.",
    "U.S. President Barack Obama's speech\u2014long, un-scripted\u2014ended at 10:30 p.m.",
    "\u039f\u0394\u039f\u03a3'\u0391 and \u039f\u0394\u039f\u03a3 \u0130stanbul STRASSE Stra\u00dfe",
    "\u6771\u4eac\u306f\u65e5\u672c\u306e\u9996\u90fd\u3067\u3059\u3002 \u0905\u0902\u0917\u094d\u0930\u0947\u091c\u093c\u0940 snake_case\u200bzero\u00adsoft\tTab\u2028line",
    "3.14 is pi \u00bd \u2167 x\u00b2 \U0001f600!",
    "",
    "...",
]
ANSWERS = [
    ["1889"], ["889"], ["eiffel tower"], ["tower was"], ["Paris(France)"], ["Paris France"],
    ["cafe"], ["caf\u00e9"], ["cafe\u0301s"], ["$3.50"], ["3.5"], ["3 . 50"],
    ["US"], ["u.s."], ["Obama's speech"], ["Obamas"], ["un scripted"], ["un-scripted"], ["10:30"],
    ["\u03bf\u03b4\u03bf\u03c2"], ["\u03bf\u03b4\u03bf\u03c3"], ["istanbul"], ["i\u0307stanbul"], ["strasse"], ["stra\u00dfe"],
    ["\u6771\u4eac"], ["\u6771\u4eac\u306f\u65e5\u672c\u306e\u9996\u90fd\u3067\u3059"], ["\u0905\u0902\u0917\u094d\u0930\u0947\u091c\u093c\u0940"], ["snake"],
    ["snake_case"], ["snake _ case"], ["case zero"], ["casezero"], ["zero soft"], ["tab line"],
    ["\u00bd"], ["x\u00b2"], ["x2"], ["\U0001f600"], ["nowhere", "pi"], ["."], [". . ."], [",", "in 1889 , in"],
]  # fmt: skip
PATTERNS = [
    [r"18\d\d"], [r"^the"], [r"paris.*france"], [r"caf\u00e9"], [r"obama.s\s+speech"], [r"\bpi\b"], ["nope", r"!$"]
]  # fmt: skip


def rankings() -> list[dict[str, Any]]:
    """Return made-up questions: graded and negative grades, ties, results nobody judged, none found, none relevant."""
    rng = random.Random(7)
    made: list[dict[str, Any]] = []
    for number in range(40):
        documents = [f"d{i}" for i in range(rng.choice([3, 8, 25]))]
        judged = rng.sample(documents, rng.randint(1, len(documents)))
        grades = {name: rng.choice([-1, 0, 0, 1, 1, 2, 3]) for name in judged}
        found = rng.sample(documents, rng.randint(0 if number % 9 == 0 else 1, len(documents)))
        steps = rng.choice([2, 5, 1000])
        made.append({"qrels": grades, "run": {name: rng.randint(1, steps) / 4 for name in found}})
    for question in made:
        # With no grade of 0 or more trec_eval's ndcg_cut reads memory that it never set.
        question["qrels"]["judged"] = 0
    made[5]["qrels"] = dict.fromkeys(made[5]["qrels"], 0)
    return made


def judged_by_pytrec_eval(questions: list[dict[str, Any]], level: int) -> list[dict[str, float]]:
    qrels = {f"q{i}": question["qrels"] for i, question in enumerate(questions)}
    run = {f"q{i}": question["run"] for i, question in enumerate(questions)}
    found = pytrec_eval.RelevanceEvaluator(qrels, MEASURES, relevance_level=level).evaluate(run)
    return [found.get(f"q{i}", {}) for i in range(len(questions))]


def judged_by_ir_measures(questions: list[dict[str, Any]]) -> list[dict[str, float]]:
    qrels = {f"q{i}": question["qrels"] for i, question in enumerate(questions)}
    run = {f"q{i}": question["run"] for i, question in enumerate(questions) if question["run"]}
    found: list[dict[str, float]] = [{} for _ in questions]
    for entry in ir_measures.iter_calc([ir_measures.parse_measure(name) for name in MORE], qrels, run):
        name = next(name for name in MORE if ir_measures.parse_measure(name) == entry.measure)
        found[int(entry.query_id[1:])][name] = entry.value
    return found


def judged_by_dpr(folder: Path) -> dict[str, Any]:
    # Only these two files of DPR are run; what they import for other purposes is left empty.
    for name in ("spacy", "dpr", "dpr.data", "dpr.utils", "dpr.data.retriever_data", "dpr.utils.tokenizers"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["dpr.data.retriever_data"].TableChunk = object  # type: ignore[attr-defined]
    for name in ("dpr.utils.tokenizers", "dpr.data.qa_validation"):
        source = folder / (name.replace(".", "/") + ".py")
        module = sys.modules.setdefault(name, types.ModuleType(name))
        exec(compile(source.read_text(encoding="utf-8"), str(source), "exec"), module.__dict__)
    validation, tokenizers = sys.modules["dpr.data.qa_validation"], sys.modules["dpr.utils.tokenizers"]
    tokenizer = tokenizers.SimpleTokenizer()
    return {
        "texts": TEXTS,
        "answers": ANSWERS,
        "words": [[validation.has_answer(a, text, tokenizer, "string") for text in TEXTS] for a in ANSWERS],
        "patterns": PATTERNS,
        "regex": [[validation.has_answer(a, text, tokenizer, "regex") for text in TEXTS] for a in PATTERNS],
        "tokens": [tokenizer.tokenize(validation._normalize(text)).words(uncased=True) for text in TEXTS],
    }


def main() -> None:
    questions = rankings()
    written = {
        "versions": {name: version(name) for name in ("pytrec-eval-terrier", "ir-measures", "regex")}
        | {"DPR": "a31212dc0a54dfa85d8bfa01e1669f149ac832b7"},
        "questions": questions,
        "pytrec_eval": {str(level): judged_by_pytrec_eval(questions, level) for level in (1, 2)},
        "ir_measures": judged_by_ir_measures(questions),
        "dpr": judged_by_dpr(Path(sys.argv[1])),
    }
    path = Path(__file__).with_name("retrieval.json")
    path.write_text(json.dumps(written, ensure_ascii=True, indent=0, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
