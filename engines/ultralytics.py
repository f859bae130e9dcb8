"""Finds people with a checkpoint of Ultralytics as it is, run by their package and PyTorch. A plug-in: nothing else
here needs them, and their licence, AGPL-3.0, is yours to accept.

A checkpoint is a pickle, which can hold code. Only their own networks are taken out of one, and nothing of it is run,
unless its user trusts it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._network import Outputs, Port
from engines._weights import weights
from engines.runtimes._parallel import Ready, warmed_up
from engines.yolo import Yolo

QUIET = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
}  # neither asks the net, nor installs what a file names
DAMAGED = "is no checkpoint that Ultralytics can read; fetch it again"


@dataclass
class Ultralytics(Yolo):
    """As `yolo`, from the `.pt` instead of an ONNX."""

    engine: ClassVar[str] = "ultralytics"
    trust: bool = False  # run whatever code a checkpoint holds

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.runtime, self.precision) not in (("auto", "fp32"), ("torch", "fp32")):
            raise ValueError(f"runtime must be torch at fp32, got {self.runtime} at {self.precision}")

    def open(self) -> None:
        """Read the checkpoint and make ready; raises InputError where that cannot be."""
        self.close()
        path = weights(self.manifest)
        if not find_spec("ultralytics"):
            raise InputError(
                "ultralytics is not installed; it needs the 'ultralytics' extra: pip install '.[ultralytics]'"
            )
        os.environ.update(QUIET)  # read once, when it is first imported
        network = self._checked(_network_in(_checkpoint(path, self.trust)), path)
        asked = self.manifest.input
        taken = {asked.name: Port((1, *asked.shape), np.dtype(np.float32))}
        given = {"output0": Port((1, None, None), np.dtype(np.float32))}
        self._network = warmed_up(path, self.manifest, Ready("torch", "CPU", taken, given, _runner(network)))

    def _checked(self, network: Any, path: Path) -> Any:
        if network is None:
            raise InputError(f"{path}: holds no network that detects; name another file")
        if len(network.names) != self._output.classes:
            said = f"knows {len(network.names)} classes, but {self.model} says {self._output.classes}"
            raise InputError(f"{path}: {said}; mend its manifest")
        network.end2end = self._output.is_end_to_end  # 26 has both heads, and fusing leaves the one asked for
        return network.float().eval().fuse(verbose=False)


def _checkpoint(path: Path, is_trusted: bool) -> Any:
    from ultralytics.nn.tasks import torch_safe_load

    try:
        return torch_safe_load(path, safe_only=not is_trusted)[0]
    except TypeError as error:  # what it makes of a file that it refuses, and of one that is damaged
        if named := re.search(r"GLOBAL (\S+)", str(error.__cause__)):
            said = f"holds {named[1]}, which is code and no part of a network of Ultralytics"
            raise InputError(f"{path}: {said}; if you trust it, write trust: true") from error
        raise InputError(f"{path}: {DAMAGED}") from error
    except Exception as error:  # unpickling can fail in any way
        raise InputError(f"{path}: {DAMAGED} ({type(error).__name__})") from error


def _network_in(checkpoint: Any) -> Any:
    """The network, its weights averaged over training where it has such; none where there is none."""
    from ultralytics.nn.tasks import DetectionModel

    found = checkpoint.get("ema") or checkpoint.get("model")
    return found if type(found) is DetectionModel else None


def _runner(network: Any) -> Any:
    import torch

    torch.set_num_threads(1)  # of this process: as many pictures run side by side as there are cores

    def run(part: NDArray[Any]) -> Outputs:
        with torch.inference_mode():
            found, _ = network(torch.from_numpy(part))  # and what led to it
            return {"output0": found.numpy()}

    return run
