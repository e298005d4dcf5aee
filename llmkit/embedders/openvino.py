"""Models run by OpenVINO."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from llmkit.embedders._local import LocalEmbedder, Run
from llmkit.errors import ConfigError, Problem
from llmkit.registry import embedder


@embedder("openvino")
@dataclass(frozen=True, kw_only=True)
class Openvino(LocalEmbedder):
    """A model of a folder, run on the CPU by OpenVINO; in bf16 about twice as fast where the processor knows it.

    Takes the folders that the embedder `onnx` takes, and gives the same vectors in fp32. In bf16 they differ in the
    third digit, which changes rankings about as much as chance does; they are other vectors nevertheless, and an index
    is searched with the precision it was built with.

    Attributes:
        model: The model's folder, relative to the config.
        precision: fp32, or bf16.
        query_prefix: Put before each query (``"query: "`` for E5); the model's own prompt where absent.
        passage_prefix: Put before each passage (``"passage: "`` for E5), likewise.
        instruction: For Instructor, in place of prefixes; see the embedder `onnx`.
        max_tokens: The most tokens of a text, the rest is cut off; the model's own limit where absent.
        batch_tokens: Tokens computed at once by one thread, padding included.
        threads: Batches computed side by side; as many as there are processors where absent.
    """

    packages: ClassVar[tuple[str, ...]] = ("openvino", "tokenizers")
    extra: ClassVar[str] = "openvino"

    precision: Literal["fp32", "bf16"] = "fp32"

    @property
    def precision_class(self) -> str:
        """Numbers that the vectors are computed in."""
        return self.precision

    def _load(self) -> Run:
        import numpy as np
        import openvino

        core = openvino.Core()
        if self.precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            message = "this processor does not compute in bf16"
            raise ConfigError(problems=[Problem(message, key="embed.precision", hint="write precision: fp32")])
        settings = {
            "INFERENCE_NUM_THREADS": self.streams,
            "NUM_STREAMS": self.streams,
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bf16" else "f32",
        }
        compiled = core.compile_model(core.read_model(str(self.graph_file())), "CPU", settings)
        names = {name for one in compiled.inputs for name in one.get_names()}
        own = threading.local()

        def run(ids: Any, mask: Any) -> Any:
            if not hasattr(own, "request"):
                own.request = compiled.create_infer_request()
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": ids * 0}
            found = own.request.infer({name: value for name, value in given.items() if name in names})
            return np.asarray(found[compiled.output(0)], np.float32)

        # OpenVINO's binding makes some of its own statics on the first inference, and lets the interpreter's lock go in
        # the middle of it: two threads that come first together wait for each other for ever.
        run(np.zeros((1, 2), np.int64), np.ones((1, 2), np.int64))
        return run
