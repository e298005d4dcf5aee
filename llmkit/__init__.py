"""llmkit: measure a product built on LLMs, then improve it.

The Python API, small on purpose::

    from llmkit import run_eval, score

    run = run_eval("configs/quickstart.yaml")
    run.summary["scores"]["token_f1"]["value"]

    score(["Paris"], ["paris"], metrics=["exact_match", "token_f1"])

Names are imported when they are first used, so ``import llmkit`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmkit._version import __version__

if TYPE_CHECKING:
    from llmkit.flows.audit.story import run_audit
    from llmkit.flows.compare import compare_runs
    from llmkit.flows.eval import run_eval
    from llmkit.flows.options import Options
    from llmkit.flows.score import Scored, score
    from llmkit.registry import judge, metric, provider
    from llmkit.types import Comparison, Estimate, Judgment, Output, Request, Response, Run, Sample, Score, Skipped

_HOMES = {
    "Comparison": "llmkit.types",
    "Estimate": "llmkit.types",
    "Judgment": "llmkit.types",
    "Options": "llmkit.flows.options",
    "Output": "llmkit.types",
    "Request": "llmkit.types",
    "Response": "llmkit.types",
    "Run": "llmkit.types",
    "Sample": "llmkit.types",
    "Score": "llmkit.types",
    "Scored": "llmkit.flows.score",
    "Skipped": "llmkit.types",
    "compare_runs": "llmkit.flows.compare",
    "judge": "llmkit.registry",
    "metric": "llmkit.registry",
    "provider": "llmkit.registry",
    "run_audit": "llmkit.flows.audit.story",
    "run_eval": "llmkit.flows.eval",
    "score": "llmkit.flows.score",
}

__all__ = [
    "Comparison",
    "Estimate",
    "Judgment",
    "Options",
    "Output",
    "Request",
    "Response",
    "Run",
    "Sample",
    "Score",
    "Scored",
    "Skipped",
    "__version__",
    "compare_runs",
    "judge",
    "metric",
    "provider",
    "run_audit",
    "run_eval",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'llmkit' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
