"""Write overlap.json: what rouge-score, sacreBLEU and rapidfuzz say about a few texts.

pip install rouge-score==0.1.2 sacrebleu==2.6.0 nltk rapidfuzz
python tests/golden/make_overlap.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from nltk.stem.porter import PorterStemmer
from rapidfuzz.distance import Levenshtein
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF, TER

PAIRS = [
    ("The cats were running happily over the old bridges.", "A cat runs over the old bridge, happily!"),
    ("One line here.\nAnother line there.\n\nA last one.", "Another line here.\nThe last line is one."),
    (
        'It cost $1,000.50 (U.S.) on 3-4 May; "too much", he said...',
        'It cost 1,000.50 dollars on 3 - 4 May. He said "too much".',
    ),
    ("the the the the cat", "the cat the cat the cat"),
    ("Exactly the same sentence, word for word.", "Exactly the same sentence, word for word."),
    ("Nothing shared at all", "Quite different words instead"),
    ("Größe und Maß: 28-jähriger Koch", "28-jährige Köche, Groesse & Mass"),
    ("東京は日本の首都です。", "日本の首都は東京です。"),
    ("one", "one"),
    ("a reference", ""),
    ("Tom &amp; Jerry -\nsaid &quot;no&quot;", 'Tom & Jerry said "no"'),
]
ROWS = [
    ("The cat sat on the mat.", ["The cat is on the mat.", "There is a cat on the mat."]),
    ("It rained all day, and nobody came.", ["It rained the whole day and no one came."]),
    ("Prices rose by 3.5% in 2019.", ["In 2019, prices rose 3.5%.", "Prices went up by 3.5% in 2019.", "2019: +3.5%"]),
    ("the THE the", ["The the"]),
    ("", ["Silence is not an answer."]),
]
WORDS = [
    "skies",
    "dying",
    "news",
    "innings",
    "exceed",
    "flies",
    "died",
    "spied",
    "agreed",
    "feed",
    "plastered",
    "bled",
    "motoring",
    "sing",
    "conflated",
    "hopping",
    "fizzed",
    "filing",
    "happy",
    "enjoy",
    "spry",
    "relational",
    "rationally",
    "conditional",
    "valenci",
    "radically",
    "conformably",
    "analogously",
    "geologi",
    "archaeology",
    "hopefully",
    "triplicate",
    "formalize",
    "electrical",
    "goodness",
    "revival",
    "adoption",
    "communion",
    "replacement",
    "activate",
    "probate",
    "cease",
    "controll",
    "roll",
    "yyyyed",
    "2019s",
    "sayings",
    "oases",
    "caresses",
]


def main() -> None:
    streams = [[refs[i] if i < len(refs) else None for _, refs in ROWS] for i in range(3)]
    outputs = [output for output, _ in ROWS]
    golden: dict[str, object] = {
        "versions": {name: version(name) for name in ("rouge-score", "sacrebleu", "nltk", "rapidfuzz")},
        "pairs": PAIRS,
        "rows": ROWS,
        "stems": {word: PorterStemmer().stem(word) for word in WORDS},
    }
    names = ["rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"]
    for stemmer in (False, True):
        scorer = RougeScorer(names, use_stemmer=stemmer)
        golden["rouge, stemmer" if stemmer else "rouge"] = [
            {name: list(score) for name, score in scorer.score(reference, output).items()}
            for reference, output in PAIRS
        ]
    golden["edit similarity, chars"] = [Levenshtein.normalized_similarity(a, b) for a, b in PAIRS]
    golden["edit similarity, words"] = [Levenshtein.normalized_similarity(a.split(), b.split()) for a, b in PAIRS]
    cases = []
    for name, kind, settings in (
        [
            ("bleu", BLEU, {"tokenize": t, "lowercase": lc})
            for t in ("13a", "none", "char", "intl", "zh")
            for lc in (False, True)
        ]
        + [
            ("bleu", BLEU, {"smooth_method": m, "smooth_value": v})
            for m, v in (("floor", None), ("floor", 0.3), ("add-k", None), ("add-k", 2.0), ("none", None))
        ]
        + [
            ("chrf", CHRF, {"word_order": w, "lowercase": lc, "whitespace": ws, "eps_smoothing": eps})
            for w in (0, 2)
            for lc in (False, True)
            for ws in (False, True)
            for eps in (False, True)
        ]
        + [
            ("ter", TER, {"normalized": n, "no_punct": p, "asian_support": a, "case_sensitive": c})
            for n in (False, True)
            for p in (False, True)
            for a in (False, True)
            for c in (False, True)
        ]
    ):
        metric = kind(**settings)
        score = metric.corpus_score(outputs, streams).score
        signature = str(metric.get_signature())
        one = kind(**settings, effective_order=True) if kind is BLEU else metric
        sentences = [one.sentence_score(output, refs).score for output, refs in ROWS]
        cases.append(
            {"metric": name, "settings": settings, "corpus": score, "sentences": sentences, "signature": signature}
        )
    golden["sacrebleu"] = cases
    Path(__file__).with_name("overlap.json").write_text(
        json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
