"""Write fasttext.json, and the tiny models that it tells of: the vectors that fastText itself gives to words.

    pip install fasttext-wheel "numpy<2" && python tests/golden/make_fasttext.py

Ran with fasttext-wheel 0.9.2 on one thread. Skip-gram and supervised models, with subwords and without, one of them
quantized (which is refused).
"""

from __future__ import annotations

import json
import random
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fasttext

HERE = Path(__file__).parent
TEXTS = [
    "the cat sat on the mat", "a cat chases a bird", "dogs and cats eat fish", "the bird sings in the tree",
    "née Dupont à l'Übung", "日本 の 猫 は 魚 を 食べる", "return the parcel within 30 days", "a parcel is returned .",
]  # fmt: skip
WORDS = [
    "the", "cat", "cats", "Cat", "xyzzy", "a", "b", "née", "Über", "日本", "日本語", "猫", "🐈", "parcels", "</s>", "<cat>",
    "30", ".", "e\u0301",
]  # fmt: skip
COMMON = {"dim": 6, "epoch": 3, "minCount": 1, "thread": 1, "verbose": 0, "bucket": 60}
MODELS: dict[str, dict[str, Any]] = {
    "skipgram": {"model": "skipgram", "minn": 2, "maxn": 4},
    "letters": {"model": "cbow", "minn": 1, "maxn": 3},
    "words": {"model": "skipgram", "minn": 0, "maxn": 0},
    "labels": {"minn": 2, "maxn": 3, "wordNgrams": 2},
    "plain_labels": {"minn": 0, "maxn": 0},
}


def main() -> None:
    rng = random.Random(0)
    made = {}
    with tempfile.TemporaryDirectory() as name:
        texts = Path(name) / "texts"
        for model, settings in MODELS.items():
            supervised = "labels" in model
            lines = [rng.choice(TEXTS) for _ in range(60)]
            texts.write_text(
                "".join(f"__label__{len(line) % 2} {line}\n" if supervised else f"{line}\n" for line in lines)
            )
            train = fasttext.train_supervised if supervised else fasttext.train_unsupervised
            trained = train(str(texts), **COMMON, **settings)
            trained.save_model(str(HERE / f"fasttext_{model}.bin"))
            made[model] = {word: [float(value) for value in trained.get_word_vector(word)] for word in WORDS}
        many = fasttext.train_supervised(str(texts), **{**COMMON, "bucket": 300}, minn=2, maxn=3)
        many.quantize(input=str(texts), dsub=2)
        many.save_model(str(HERE / "fasttext_quantized.bin"))
    said = {"made_with": f"fasttext-wheel {version('fasttext-wheel')}", "models": made}
    (HERE / "fasttext.json").write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
