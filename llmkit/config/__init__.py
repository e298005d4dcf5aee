"""Strict YAML configs: every problem at once, each with its place and a suggestion.

Importing this package imports neither pydantic nor yaml; `load_eval_config` and `EvalConfig` do when used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmkit.config.load import load_audit_config, load_eval_config, make_audit_config, make_eval_config

if TYPE_CHECKING:
    from llmkit.config.audit_config import AuditConfig
    from llmkit.config.eval_config import EvalConfig
    from llmkit.config.schema import eval_schema

__all__ = [
    "AuditConfig",
    "EvalConfig",
    "eval_schema",
    "load_audit_config",
    "load_eval_config",
    "make_audit_config",
    "make_eval_config",
]


def __getattr__(name: str) -> Any:
    if name == "AuditConfig":
        from llmkit.config.audit_config import AuditConfig

        return AuditConfig
    if name == "EvalConfig":
        from llmkit.config.eval_config import EvalConfig

        return EvalConfig
    if name == "eval_schema":
        from llmkit.config.schema import eval_schema

        return eval_schema
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
