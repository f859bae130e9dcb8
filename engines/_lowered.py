"""Networks in ONNX and in OpenVINO's form at a lower precision than they come in. Knows no runtime.

Numbers of 8 bits are chosen after training, from what the network computes for samples, by NNCF.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray

from configs.build import InputError
from engines._plan import Plan

Samples = Iterable[NDArray[Any]]
PER_CHANNEL = 13  # from this opset on, each channel's weights may have a scale of their own
# of ONNX and of OpenVINO: they weigh little, and lose much where their inputs have 8 bits
LEFT = ["Add", "Div", "Divide", "Mul", "Multiply", "Pow", "Power", "ReduceMean", "Sqrt", "Sub", "Subtract"]
NO_ZERO_POINT = ("tensorrt", "tensorrt_rtx")  # take numbers whose 0 is 0


def lowered(model: Path, plan: Plan) -> bytes | None:
    """An ONNX file as ONNX at the precision of a plan; none where that is the file as it is."""
    if plan.precision == "fp32":
        return None
    if not find_spec("onnx"):
        raise InputError(f"{model}: {plan.precision} needs the 'quantize' extra: pip install '.[quantize]'")
    import onnx
    import onnx.version_converter

    network = onnx.load(model)
    if plan.precision == "int8":
        if any(one.domain == "" and one.version < PER_CHANNEL for one in network.opset_import):
            network = onnx.version_converter.convert_version(network, PER_CHANNEL)
        network = eight_bits(network, plan, network.graph.input[0].name)
    else:
        network = _halved(network)
    return bytes(network.SerializeToString())


def eight_bits(network: Any, plan: Plan, name: str) -> Any:
    """An ONNX or OpenVINO network, most of whose layers with weights compute with 8 bits; `name` is its input's."""
    if not find_spec("nncf"):
        raise InputError("precision: int8 needs the 'quantize' extra: pip install '.[quantize]'")
    quiet()
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)  # its own way to say that reaches into others' handlers
    presets = nncf.QuantizationPreset
    settings = {
        "subset_size": sum(1 for _ in plan.samples),
        "preset": presets.PERFORMANCE if plan.runtime in NO_ZERO_POINT else presets.MIXED,
        "ignored_scope": nncf.IgnoredScope(types=LEFT, validate=False),
    }
    with redirect_stdout(StringIO()):  # it draws bars of its own
        return nncf.quantize(network, nncf.Dataset(_Fed(plan.samples, name)), **settings)


def quiet() -> None:
    """Keep OpenVINO and ONNX Runtime, whoever imports them, from reporting their use: as they come, they write an id
    into the home and cache folders.
    """
    sys.modules.setdefault("openvino_telemetry", cast(Any, None))  # as if it were not installed
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read once, when it is first imported


class _Fed:
    """Samples by the name of the input, as often as they are asked for."""

    def __init__(self, samples: Samples, name: str) -> None:
        self._samples, self._name = samples, name

    def __iter__(self) -> Iterator[dict[str, NDArray[Any]]]:
        return ({self._name: sample} for sample in self._samples)


def _halved(network: Any) -> Any:
    """Weights and layers at fp16; what goes in and comes out stays as it is."""
    quiet()
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(network, keep_io_types=True)
