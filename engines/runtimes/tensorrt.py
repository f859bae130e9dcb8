"""Builds engines with TensorRT, or with TensorRT-RTX, which has the same interface and needs no GPU to build one.

It does not run them yet: no machine that this was written on has a GPU.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from configs.build import InputError
from engines._cache import Recipe, keep
from engines._manifest import Manifest

INSTALL = {"tensorrt": "pip install tensorrt", "tensorrt_rtx": "pip install '.[tensorrt-rtx]'"}
BATCHES = 1, 16, 64  # the smallest, the usual one and the largest, where the batch is not fixed


def build(model: Path, manifest: Manifest, library: str = "tensorrt_rtx") -> Recipe:
    """Build the engine of an ONNX file at fp32, and keep it under the recipe that is returned.

    Raises InputError for a network that cannot be built, with what the parser says.
    """
    if not find_spec(library):
        raise InputError(f"runtime: {library} is not installed; {INSTALL[library]}")
    trt = import_module(library)
    recipe = Recipe(
        model=manifest.name,
        files={file.name: file.sha256 for file in manifest.files},
        runtime=library,
        version=trt.__version__,
        device="NVIDIA GPU",
        capability="all that it is built for",
        precision="fp32",
        shapes={},
        flags={"batches": str(BATCHES), "TF32": "off"},
    )
    keep(recipe, _built(trt, model, library))
    return recipe


def _built(trt: Any, model: Path, library: str) -> bytes:
    listener = _listener(trt)
    builder = trt.Builder(listener)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, listener)
    if not parser.parse_from_file(str(model)):
        raise InputError(f"{model}: is no network that {library} can build, {_reason(parser, listener)}")
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # it cuts factors to 10 bits
    _add_profile(builder, config, network)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise InputError(f"{model}: is no network that {library} can build, {_reason(parser, listener)}")
    return bytes(engine)


def _listener(trt: Any) -> Any:
    """Remembers the first error that a builder says, and says nothing itself."""

    class Listener(trt.ILogger):  # type: ignore[misc]  # the library is found when it is used
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.said = ""

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.said = self.said or message

    return Listener()


def _reason(parser: Any, listener: Any) -> str:
    said = parser.get_error(0).desc() if parser.num_errors else listener.said
    return said.splitlines()[0].rstrip(".") if said else "for a reason that it does not give"


def _add_profile(builder: Any, config: Any, network: Any) -> None:
    """How large the batch of each input may be whose batch is not fixed."""
    inputs = [network.get_input(number) for number in range(network.num_inputs)]
    open_ones = [one for one in inputs if len(one.shape) and one.shape[0] == -1]
    if not open_ones:
        return
    profile = builder.create_optimization_profile()
    for one in open_ones:
        profile.set_shape(one.name, *((size, *tuple(one.shape)[1:]) for size in BATCHES))
    config.add_optimization_profile(profile)
