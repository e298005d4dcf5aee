"""Writes ONNX files: the few messages of its protocol buffers that a graph of an encoder needs.

The format is that of onnx.proto (ONNX IR version 8): a message is a list of fields, each a tag, then a number or bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_IR_VERSION = 8
_TYPES = {np.dtype(np.float32): 1, np.dtype(np.int32): 6, np.dtype(np.int64): 7}
_FLOAT, _INT, _INTS = 1, 2, 7  # AttributeProto.AttributeType
OPSETS = {"": 17, "com.microsoft": 1}
"""Versions of the operators: of ONNX itself, and of onnxruntime's fused ones, which OpenVINO reads too."""


@dataclass
class Graph:
    """A graph that grows node by node; every value has a name.

    Attributes:
        inputs: Name -> (type, dimensions); a dimension with a name is any number.
        outputs: The same.
        constants: Name -> array.
        nodes: Encoded, in order.
    """

    inputs: Mapping[str, tuple[Any, Sequence[int | str]]]
    outputs: Mapping[str, tuple[Any, Sequence[int | str]]]
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    nodes: list[bytes] = field(default_factory=list)

    def constant(self, name: str, value: Any) -> str:
        """Add a constant and return its name."""
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def node(self, operator: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        parts = [_text(1, name) for name in inputs] + [_text(2, output), _text(3, output), _text(4, operator)]
        parts += [_bytes(5, _attribute(name, value)) for name, value in attributes.items()]
        self.nodes.append(b"".join(parts) + (_text(7, domain) if domain else b""))
        return output

    def write(self, file: IO[bytes]) -> None:
        """Write the model, constants one after the other, so that they are never in memory twice."""
        head = _number(1, _IR_VERSION) + _text(2, "llmkit")
        nodes = b"".join(_bytes(1, node) for node in self.nodes) + _text(2, "encoder")
        ends = b"".join(_bytes(11, _value(name, *what)) for name, what in self.inputs.items())
        ends += b"".join(_bytes(12, _value(name, *what)) for name, what in self.outputs.items())
        heads = {name: _tensor_head(name, array) for name, array in self.constants.items()}
        sizes = {
            name: len(heads[name]) + len(_tag(9, 2) + _varint(a.nbytes)) + a.nbytes
            for name, a in self.constants.items()
        }
        body = sum(len(_tag(5, 2) + _varint(size)) + size for size in sizes.values())
        file.write(head + _tag(7, 2) + _varint(len(nodes) + body + len(ends)) + nodes)
        for name, array in self.constants.items():
            file.write(_tag(5, 2) + _varint(sizes[name]) + heads[name] + _tag(9, 2) + _varint(array.nbytes))
            file.write(array.reshape(-1).view(np.uint8).data)
        file.write(ends)
        for domain, version in OPSETS.items():
            file.write(_bytes(8, _text(1, domain) + _number(2, version)))


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value >> 7:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _tag(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _number(number: int, value: int) -> bytes:
    return _tag(number, 0) + _varint(value & (1 << 64) - 1)


def _bytes(number: int, value: bytes) -> bytes:
    return _tag(number, 2) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _attribute(name: str, value: Any) -> bytes:
    if isinstance(value, float):
        return _text(1, name) + _tag(2, 5) + np.float32(value).tobytes() + _number(20, _FLOAT)
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, _INT)
    return _text(1, name) + b"".join(_number(8, item) for item in value) + _number(20, _INTS)


def _tensor_head(name: str, array: NDArray[Any]) -> bytes:
    return b"".join(_number(1, size) for size in array.shape) + _number(2, _TYPES[array.dtype]) + _text(8, name)


def _value(name: str, kind: Any, shape: Sequence[int | str]) -> bytes:
    dims = [_bytes(1, _number(1, size) if isinstance(size, int) else _text(2, size)) for size in shape]
    tensor = _number(1, _TYPES[np.dtype(kind)]) + _bytes(2, b"".join(dims))
    return _text(1, name) + _bytes(2, _bytes(1, tensor))
