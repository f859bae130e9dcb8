"""ResNet-50 (He et al. 2016) with random weights that takes any batch, as ONNX: as large as embedders are."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines._manifest import File, Input, Manifest, Range

BLOCKS, WIDTHS, WIDER = (3, 4, 6, 3), (64, 128, 256, 512), 4
SIZE = (256, 128)
INPUT = Input("images", "NCHW", SIZE, "rgb", Range((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)))


def resnet50(folder: Path) -> tuple[Path, Manifest]:
    """The file, written into a folder, and its manifest."""
    graph = _Graph()
    x = graph.conv("images", 3, 64, 7, 2)
    x = graph.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, (blocks, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True)):
        for block in range(blocks):
            x = graph.bottleneck(x, channels, width, 2 if block == 0 and stage else 1)
            channels = WIDER * width
    x = graph.node("GlobalAveragePool", [x])
    graph.nodes.append(helper.make_node("Flatten", [x], ["vector"], axis=1))
    path = folder / "resnet50.onnx"
    onnx.save(graph.model(channels), path)
    files = (File(path.name, sha256(path.read_bytes()).hexdigest()),)
    told = {"source": "random weights", "licence": "none", "download": "made by the benchmark"}
    return path, Manifest(
        name="resnet50",
        task="embed",
        engine="embedder",
        files=files,
        input=INPUT,
        output={"length": channels},
        **told,
    )


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._generator = np.random.default_rng(1)

    def node(self, kind: str, inputs: list[str], **attributes: object) -> str:
        name = f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def conv(  # noqa: PLR0913
        self, x: str, channels: int, out: int, size: int, stride: int = 1, is_last: bool = False
    ) -> str:
        """With a bias, into which a batch norm would be folded; and a ReLU, but for the last of a block."""
        scale = (2 / (channels * size * size)) ** 0.5 * (
            0.3 if is_last else 1
        )  # so that blocks do not blow it up
        named = f"w{len(self.weights)}", f"b{len(self.weights)}"
        values = self._generator.normal(0, scale, (out, channels, size, size)), np.zeros(out)
        self.weights += [
            numpy_helper.from_array(value.astype(np.float32), name)
            for value, name in zip(values, named, strict=True)
        ]
        sums = self.node(
            "Conv", [x, *named], kernel_shape=[size, size], strides=[stride] * 2, pads=[size // 2] * 4
        )
        return sums if is_last else self.node("Relu", [sums])

    def bottleneck(self, x: str, channels: int, width: int, stride: int) -> str:
        inner = self.conv(self.conv(x, channels, width, 1), width, width, 3, stride)
        given = self.conv(inner, width, WIDER * width, 1, is_last=True)
        if channels != WIDER * width:
            x = self.conv(x, channels, WIDER * width, 1, stride, is_last=True)
        return self.node("Relu", [self.node("Add", [given, x])])

    def model(self, length: int) -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, *SIZE])]
        outputs = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", length])]
        graph = helper.make_graph(self.nodes, "resnet50", inputs, outputs, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
