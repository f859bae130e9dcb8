"""What it costs to hand a frame from one process to another: python benchmarks/executors.py [FRAMES]

Colour and depth of 640x480, from the moment when the source has it to the moment when the other process can read it: by
shared memory as isolated cameras do, by multiprocessing.Queue, and by pyzmq over ipc, in turns. Counts too what goes
through sockets or pipes for each frame.
"""

from __future__ import annotations

import multiprocessing
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from os import getloadavg
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402

from calibration.camera import Intrinsics, View  # noqa: E402
from pipeline.executors.isolated import Isolated  # noqa: E402
from pipeline.messages import Frame  # noqa: E402
from pipeline.stage import Source  # noqa: E402
from pipeline.wire import decode, encode  # noqa: E402

ROUNDS, FRAMES, FPS = 3, 200, 120.0  # what four cameras give together
WARM = 20  # frames that do not count
VIEW = View(Intrinsics(640, 480, 380.0, 380.0, 320.0, 240.0))


@dataclass
class Paced(Source[Frame]):
    """Frames whose time is when they were there, by the clock that all processes of a machine share."""

    frames: int = FRAMES

    def produce(self, from_ns: int) -> Iterator[Frame]:
        made = np.random.default_rng(1)
        colors = [made.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(4)]
        depths = [made.integers(0, 6000, (480, 640), np.uint16) for _ in range(4)]
        for index in range(self.frames):
            time.sleep(1 / FPS)
            color, depth = self._copied(colors[index % 4]), self._copied(depths[index % 4])
            yield Frame(self.camera_id, index, time.monotonic_ns(), VIEW, color=color, depth=depth)

    def _copied(self, picture: Any) -> Any:
        """As a camera's pictures are, out of the memory of what they come from."""
        copy = self.room(picture.shape, picture.dtype)
        np.copyto(copy, picture)
        return copy


def by_slots(frames: int) -> tuple[list[float], float]:
    """Microseconds of each frame, and bytes a frame through the socket."""
    read, asked = 0, socket.recv_fds
    spent: list[float] = []

    def counted(*given: Any) -> Any:
        nonlocal read
        heard = asked(*given)
        read += len(heard[0])
        return heard

    isolated = Isolated(Paced(camera_id="flat", frames=frames))
    socket.recv_fds = counted
    try:
        with closing(isolated):
            isolated.open()
            spent += [(time.monotonic_ns() - frame.captured_ns) / 1e3 for frame in isolated.produce(0)]
    finally:
        socket.recv_fds = asked
    return spent, read / frames


def by_queue(frames: int) -> tuple[list[float], float]:
    """The same of a queue, which pickles."""
    context = multiprocessing.get_context("spawn")
    waiting: Any = context.Queue(8)
    process = context.Process(target=_put, args=(waiting, frames))
    process.start()
    spent = []
    for _ in range(frames):
        _, captured_ns, color, depth = waiting.get()
        spent.append((time.monotonic_ns() - captured_ns) / 1e3)
    process.join()
    return spent, float(color.nbytes + depth.nbytes)


def by_zmq(frames: int) -> tuple[list[float], float]:
    """The same of a line of ZeroMQ."""
    import zmq

    with TemporaryDirectory() as folder:
        address = f"ipc://{folder}/line"
        line = zmq.Context.instance().socket(zmq.PULL)
        line.bind(address)
        process = multiprocessing.get_context("spawn").Process(target=_send, args=(address, frames))
        process.start()
        spent = []
        for _ in range(frames):
            data = line.recv()
            frame = decode(data)
            spent.append((time.monotonic_ns() - frame.captured_ns) / 1e3)
        process.join()
        line.close()
    return spent, float(len(data))


def _put(waiting: Any, frames: int) -> None:
    for one in Paced(camera_id="flat", frames=frames).produce(0):
        waiting.put((one.index, one.captured_ns, one.color, one.depth))


def _send(address: str, frames: int) -> None:
    import zmq

    line = zmq.Context.instance().socket(zmq.PUSH)
    line.connect(address)
    for one in Paced(camera_id="flat", frames=frames).produce(0):
        line.send(encode(one))
    line.close()
    zmq.Context.instance().term()


WAYS: dict[str, Callable[[int], tuple[list[float], float]]] = {
    "shared memory, isolated": by_slots,
    "multiprocessing.Queue": by_queue,
    "pyzmq over ipc, our wire": by_zmq,
}


def main() -> None:
    """Print the table."""
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    spent: dict[str, list[float]] = {name: [] for name in WAYS}
    sizes: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            found, sizes[name] = way(frames + WARM)
            spent[name] += found[WARM:]
    first = median(spent["shared memory, isolated"])
    print(f"{frames} frames at {FPS:g} a second, {ROUNDS} rounds, load {getloadavg()[0]:.1f}\n")
    print(
        "| way | us, best tenth | us, median | us, p99 | of ours | bytes a frame through sockets or pipes |"
        "\n| --- | --- | --- | --- | --- | --- |"
    )
    for name, found in spent.items():
        told = quantiles(found, n=100)
        times = f"{told[9]:.0f} | {median(found):.0f} | {told[98]:.0f} | {median(found) / first:.1f}"
        print(f"| {name} | {times} | {sizes[name]:,.0f} |")


if __name__ == "__main__":
    import executors  # under a name that other processes find

    executors.main()
