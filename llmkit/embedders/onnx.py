"""Models run by onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from llmkit.embedders._local import LocalEmbedder, Run
from llmkit.registry import embedder

_SLOWER = ["SkipLayerNormFusion"]
"""Fusions of onnxruntime whose result takes longer than its parts (1.31: 4.9 ns a number instead of 0.7)."""


@embedder("onnx")
@dataclass(frozen=True, kw_only=True)
class Onnx(LocalEmbedder):
    """A model of a folder, run on the CPU by onnxruntime in fp32; needs no PyTorch.

    The folder is one as sentence-transformers and the hub have them: tokenizer.json, config.json, and model.onnx (or
    onnx/model.onnx). Where a model of the BERT, RoBERTa or XLM-R family brings only model.safetensors, its graph is
    made once and kept in .llmkit/onnx. Pooling, layers behind it, prompts and the limit come from the folder's
    files. Vectors equal those of sentence-transformers; how texts are batched does not change them.

    Attributes:
        model: The model's folder, relative to the config.
        query_prefix: Put before each query (``"query: "`` for E5); the model's own prompt where absent.
        passage_prefix: Put before each passage (``"passage: "`` for E5), likewise.
        instruction: For Instructor: ``{domain: Wikipedia, objective: retrieval}`` makes "Represent the Wikipedia
            document for retrieval: "; ``query`` and ``passage`` name what the text is, ``template`` another sentence
            of {domain}, {task_type} and {objective}. In place of prefixes.
        max_tokens: The most tokens of a text, the rest is cut off; the model's own limit where absent.
        batch_tokens: Tokens computed at once by one thread, padding included.
        threads: Batches computed side by side; as many as there are processors where absent.
    """

    packages: ClassVar[tuple[str, ...]] = ("onnxruntime", "tokenizers")
    extra: ClassVar[str] = "local"

    def _load(self) -> Run:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            str(self.graph_file()), options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER
        )
        names = {one.name for one in session.get_inputs()}

        def run(ids: Any, mask: Any) -> Any:
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": ids * 0}
            return session.run(None, {name: value for name, value in given.items() if name in names})[0]

        return run
