"""A model's linear layers for the CPU: weights laid out once, activations in the same step.

PyTorch's linear layer lays its weights out for the processor again in every call. oneDNN, which comes with PyTorch,
takes weights that are laid out already, and applies the activation while it has the numbers at hand (PyTorch's own
compiler uses it so, but takes a minute to start). The operators belong to PyTorch's inside, so a model keeps its layers
unless the new ones give the same vectors.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.activations import GELUActivation

# PyTorch's own, and so not there in every version; None then.
_LAY_OUT: Any = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)
_MULTIPLY: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)

_ROWS = 512
"""Tokens that a layer mostly gets; the layout is chosen for it."""

_ACTIVATED = (("dense", "intermediate_act_fn"), ("lin1", "activation"))
"""Where models of BERT's kind keep the layer that an activation follows: BERT's own way, and DistilBERT's."""

_CLOSE = {torch.float32: 1e-5, torch.bfloat16: 5e-2}
_PROBE = 24  # tokens, in two texts


class PackedLinear(nn.Module):  # type: ignore[misc] # torch is not typed here
    """A linear layer whose weights are laid out for the processor.

    Args:
        linear: The layer whose weights are taken.
        activated: Whether GELU follows.
    """

    def __init__(self, linear: nn.Linear, *, activated: bool = False) -> None:
        super().__init__()
        self.weight = _LAY_OUT(linear.weight.detach(), _ROWS)
        self.bias = None if linear.bias is None else linear.bias.detach()
        self._then: tuple[str, list[float], str] = ("gelu", [], "none") if activated else ("none", [], "")

    def forward(self, states: Any) -> Any:
        """Return the layer's output, of shape (..., outputs), for states of shape (..., inputs)."""
        return _MULTIPLY(states, self.weight, self.bias, *self._then)

    def unpacked(self) -> nn.Linear:
        """Return the layer as it was."""
        weight = self.weight.to_dense()
        made = nn.Linear(weight.shape[1], weight.shape[0], bias=self.bias is not None, dtype=weight.dtype)
        made.weight = nn.Parameter(weight, requires_grad=False)
        made.bias = None if self.bias is None else nn.Parameter(self.bias, requires_grad=False)
        return made


def pack(model: Any) -> bool:
    """Swap a model's layers for quicker ones, in place; tell whether it was done.

    Nothing changes where PyTorch has no oneDNN, or where the model would then give other vectors.
    """
    if not torch.backends.mkldnn.is_available() or _LAY_OUT is None or _MULTIPLY is None:
        return False
    were: list[tuple[nn.Module, str, nn.Module]] = []
    try:
        before = _probed(model)
        _swap(model, were)
        same = _close(before, _probed(model))
    except Exception:  # noqa: BLE001 - whatever stops the quick way, the usual one is there
        same = False
    if not same:
        for parent, name, was in reversed(were):
            setattr(parent, name, was.unpacked() if isinstance(was, PackedLinear) else was)
    return same


def _swap(model: nn.Module, were: list[tuple[nn.Module, str, nn.Module]]) -> None:
    """Swap the layers one by one, so that only one is in memory twice, and note in ``were`` how to undo it."""

    def put(parent: nn.Module, name: str, made: nn.Module) -> None:
        were.append((parent, name, made if isinstance(made, PackedLinear) else getattr(parent, name)))
        setattr(parent, name, made)

    for parent in list(model.modules()):
        for layer, activation in _ACTIVATED:
            first, then = getattr(parent, layer, None), getattr(parent, activation, None)
            if isinstance(first, nn.Linear) and isinstance(then, GELUActivation):
                put(parent, layer, PackedLinear(first, activated=True))
                put(parent, activation, nn.Identity())
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                put(parent, name, PackedLinear(child))


def _probed(model: Any) -> Any:
    """Return the vectors of two short texts, the second of which is padded."""
    ids = (torch.arange(_PROBE).reshape(2, -1) * 7 + 3) % int(model.config.vocab_size)
    mask = torch.ones_like(ids)
    mask[1, -2:] = 0
    with torch.inference_mode():
        return model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]


def _close(before: Any, after: Any) -> bool:
    off = (after.float() - before.float()).norm() / before.float().norm()
    return bool(off <= _CLOSE[before.dtype])
