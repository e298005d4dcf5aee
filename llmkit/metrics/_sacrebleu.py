"""What BLEU, chrF and TER share: sacreBLEU's signature, and references that vary in number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import Any

from llmkit.metrics._base import TotalsMetric


class SacrebleuMetric(TotalsMetric):
    """A metric whose values and signature are sacreBLEU's."""

    needs = ("references",)

    @property
    @abstractmethod
    def conditions(self) -> Mapping[str, Any]:
        """What the signature prints between the number of references and the version."""

    @property
    def signature(self) -> str:
        """The signature for a number of references that varies or is not known; see `signature_for`."""
        return self.signature_for(None)

    def signature_for(self, nrefs: int | None) -> str:
        """Return sacreBLEU's signature for data with ``nrefs`` references a sample; None where that varies."""
        parts = {"nrefs": "var" if nrefs is None else nrefs, **self.conditions, "version": _version()}
        return "|".join(f"{key}:{_word(value)}" for key, value in parts.items())


def _word(value: Any) -> str:
    return str({True: "yes", False: "no"}[value] if isinstance(value, bool) else value)


@cache
def _version() -> str:
    from importlib.metadata import version

    return version("sacrebleu")
