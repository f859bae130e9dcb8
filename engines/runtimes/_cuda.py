"""The NVIDIA GPU of this machine, and memory on both sides of its bus. Knows nothing of networks."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Gpu:
    """What a GPU is called, and its compute capability, like 8.9."""

    name: str
    capability: str


@cache
def gpu() -> Gpu | None:
    """The first one; none where there is none, or no driver for it, or no `cuda-bindings` to ask."""
    if not (find_spec("cuda") and find_spec("cuda.bindings")):
        return None
    try:
        ctypes.CDLL("libcuda.so.1")  # sooner than to import what would ask it
    except OSError:
        return None
    runtime = _runtime()
    error, count = runtime.cudaGetDeviceCount()
    if error != runtime.cudaError_t.cudaSuccess or not count:
        return None
    found = called(runtime.cudaGetDeviceProperties(0))
    return Gpu(found.name.decode().rstrip("\0"), f"{found.major}.{found.minor}")


def called(given: tuple[Any, ...]) -> Any:
    """What a call of the CUDA runtime has given; raises RuntimeError where it failed."""
    error, *made = given
    if error != (runtime := _runtime()).cudaError_t.cudaSuccess:
        said = runtime.cudaGetErrorString(error)[1]
        raise RuntimeError(f"CUDA: {said.decode() if isinstance(said, bytes) else said}")
    return made[0] if made else None


class Lane:
    """What one batch at a time needs: a stream, and room for each port, on the GPU and here, where it can be copied
    from while the processor does something else.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes  # bytes
        self._there: dict[str, int] = {}
        self._here: dict[str, int] = {}
        self.stream = int(called(_runtime().cudaStreamCreate()))
        try:
            for name, size in sizes.items():
                self._there[name] = int(called(_runtime().cudaMalloc(size)))
                self._here[name] = int(called(_runtime().cudaHostAlloc(size, 0)))
        except BaseException:
            self.close()
            raise

    def address(self, name: str) -> int:
        """Of a port's room on the GPU."""
        return self._there[name]

    def send(self, name: str, array: NDArray[Any]) -> None:
        """Begin to copy an array to the GPU."""
        np.copyto(self._view(name, array.shape, array.dtype), array)
        self._copy(self._there[name], self._here[name], array.nbytes, "cudaMemcpyHostToDevice")

    def fetch(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Begin to copy from the GPU: the array is filled after `wait`, and until the next `fetch`."""
        array = self._view(name, shape, dtype)
        self._copy(self._here[name], self._there[name], array.nbytes, "cudaMemcpyDeviceToHost")
        return array

    def wait(self) -> None:
        """Until all that was begun has been done."""
        called(_runtime().cudaStreamSynchronize(self.stream))

    def close(self) -> None:
        """Give everything back."""
        for address in self._there.values():
            called(_runtime().cudaFree(address))
        for address in self._here.values():
            called(_runtime().cudaFreeHost(address))
        self._there, self._here = {}, {}
        called(_runtime().cudaStreamDestroy(self.stream))

    def _copy(self, to: int, origin: int, size: int, way: str) -> None:
        kind = getattr(_runtime().cudaMemcpyKind, way)
        called(_runtime().cudaMemcpyAsync(to, origin, size, kind, self.stream))

    def _view(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        room: Any = (ctypes.c_byte * self._sizes[name]).from_address(self._here[name])
        values: NDArray[Any] = np.frombuffer(room, dtype, int(np.prod(shape, dtype=np.int64)))
        return values.reshape(shape)


def _runtime() -> Any:
    from cuda.bindings import runtime

    return runtime
