"""Small networks written as ONNX, and manifests for them and for the real ones among the recordings."""

from hashlib import sha256

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines._manifest import File, Input, Manifest

REAL = {  # file: what goes in
    "yolox_nano_416x416.onnx": Input("images", "NCHW", (416, 416), "bgr", letterbox=114),
    "person-reidentification-retail-0248.onnx": Input("inputs:0", "NHWC", (256, 128), "bgr"),
    "person-detection-retail-0013_fp16.xml": Input("data", "NCHW", (320, 544), "bgr"),
}
BIN = "person-detection-retail-0013_fp16.bin"
WEIGHTS = np.linspace(-1, 1, 4 * 3 * 3 * 3, dtype=np.float32).reshape(4, 3, 3, 3)
INPUT = Input("picture", "NCHW", (8, 8), "rgb")


def network(rows="n", weights=WEIGHTS, size=8):
    """A convolution of 3 into 4 channels: its features, and the mean of each. `rows` is the batch."""
    channels, out = weights.shape[1], weights.shape[0]
    nodes = [
        helper.make_node("Conv", ["picture", "weights"], ["sums"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["sums"], ["features"]),
        helper.make_node("ReduceMean", ["sums"], ["means"], axes=[2, 3], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [rows, channels, size, size])]
    outputs = [
        helper.make_tensor_value_info("features", TensorProto.FLOAT, [rows, out, size, size]),
        helper.make_tensor_value_info("means", TensorProto.FLOAT, [rows, out]),
    ]
    graph = helper.make_graph(nodes, "small", inputs, outputs, [numpy_helper.from_array(weights, "weights")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def written(folder, model=None, name="small.onnx"):
    """The file of a model, made where none is given."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model or network(), folder / name)
    return folder / name


def means(batch, weights=WEIGHTS):
    """What `network` gives as means, by hand: a padded convolution sums each weight over all but a border."""
    padded = np.pad(batch.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    size = batch.shape[-1]
    sums = np.zeros((len(batch), len(weights)))
    for row in range(3):
        for column in range(3):
            window = padded[:, :, row : row + size, column : column + size]
            sums += window.sum(axis=(2, 3)) @ weights[:, :, row, column].T.astype(np.float64)
    return sums / size**2


def manifest_of(path, input=INPUT, more=(), **changes):
    """A manifest that fits the files as they are now."""
    files = tuple(File(one.name, sha256(one.read_bytes()).hexdigest()) for one in (path, *more))
    told = {"name": path.stem, "task": "embed", "engine": "embedder", "source": "made by a test"}
    told |= {"licence": "Apache-2.0", "download": "make it again", "files": files, "input": input}
    return Manifest(**{**told, **changes})


def real(recordings, name):
    """The manifest of a real network among the recordings."""
    folder = recordings / "models"
    return manifest_of(folder / name, REAL[name], [folder / BIN] if name.endswith(".xml") else [])
