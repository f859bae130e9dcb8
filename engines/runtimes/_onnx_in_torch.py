"""An ONNX graph as a PyTorch module: each node is looked up in one table of what its operator means.

It is the reference that engines are compared with. No converter that we found is kept up with PyTorch.
"""

from __future__ import annotations

from typing import Any

import onnx
import torch
from onnx import numpy_helper

from engines.runtimes._onnx_operators import OPERATORS, UnknownOperator

Tensor = torch.Tensor
SETTINGS = ("Clip", "Resize")  # whose inputs but the first are numbers, not pictures


class OnnxModule(torch.nn.Module):
    """The network of a model: inputs in their order in, outputs in their order out."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        graph = model.graph
        self._nodes = [
            (node.op_type, list(node.input), list(node.output), _attributes(node)) for node in graph.node
        ]
        constants = {
            given[0]: told["value"] for kind, _, given, told in self._nodes if _is_weight(kind, told)
        }
        self._nodes = [node for node in self._nodes if node[2][0] not in constants]
        if unknown := sorted({kind for kind, *_ in self._nodes if kind not in OPERATORS}):
            raise UnknownOperator(f"it has operators that are not known here: {', '.join(unknown)}")
        self._places: dict[str, str] = {}  # of weights, by their name in the graph
        self._numbers: dict[str, Tensor] = {}  # shapes, axes and the like: they stay beside the processor
        settings = {name for node in graph.node if node.op_type in SETTINGS for name in node.input[1:]}
        weights = {one.name: _tensor(one) for one in graph.initializer} | constants
        for number, (name, value) in enumerate(weights.items()):
            self._place(name, value, "" if name in settings else f"weights{number}")
        self._inputs = [port.name for port in graph.input if port.name not in weights]
        self._outputs = [port.name for port in graph.output]

    def _place(self, name: str, value: Tensor, place: str) -> None:
        if place and value.is_floating_point():
            self.register_buffer(place, value)
            self._places[name] = place
        else:
            self._numbers[name] = value

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        known: dict[str, Tensor | None] = {"": None, **self._numbers}
        known |= {name: getattr(self, place) for name, place in self._places.items()}
        known |= dict(zip(self._inputs, inputs, strict=True))
        for kind, taken, given, attributes in self._nodes:
            made = OPERATORS[kind]([known[name] for name in taken], attributes)
            known |= zip(given, made if isinstance(made, list | tuple) else [made], strict=False)
        return tuple(known[name] for name in self._outputs)  # type: ignore[misc]  # none of them is ""


def _is_weight(kind: str, told: dict[str, Any]) -> bool:
    """Whether a node only holds a tensor: it moves to another device, and to fewer bits, with the network."""
    return kind == "Constant" and "value" in told


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    told: dict[str, Any] = {"outputs": len(node.output)}
    for one in node.attribute:
        value = onnx.helper.get_attribute_value(one)
        if isinstance(value, bytes):
            value = value.decode()
        told[one.name] = _tensor(value) if isinstance(value, onnx.TensorProto) else value
    return told


def _tensor(weights: onnx.TensorProto) -> Tensor:
    return torch.from_numpy(numpy_helper.to_array(weights).copy())
