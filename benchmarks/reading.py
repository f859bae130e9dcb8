"""How fast a recording is read, beside the RealSense SDK and OpenCV: python benchmarks/reading.py [FRAMES | FILE]"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from calibration.camera import Intrinsics, Pose, Registration, View
from pipeline.messages import Encoded, Frame
from stages._recorder import Recorder
from stages.source._sdk import Playback
from stages.source.recording import Recording

WIDTH, HEIGHT = 640, 480
LEVELS = 12  # of noise in depth and colour, so that a frame takes the 0.8 to 0.9 MB of a real one
DIFFERENT = 8
ROUNDS = 5
FRAMES = 200
VIEW = View(Intrinsics(WIDTH, HEIGHT, 390.0, 390.0, 320.0, 240.0))
BESIDE = Registration(
    Intrinsics(WIDTH, HEIGHT, 610.0, 610.0, 320.0, 240.0), Pose(np.eye(3), np.array([0.06, 0, 0]))
)


def main(given: str) -> None:
    """Print what each way takes for a frame, as the median of rounds in which all take turns."""
    with TemporaryDirectory() as folder:
        path = Path(given) if not given.isdecimal() else record(Path(folder) / "flat.db3", int(given))
        frames = replayed(path)
        count, mb = len(frames), path.stat().st_size / 1e6
        ways = {
            "frames, not decoded": lambda: sum(1 for _ in reading(path)),
            "frames, depth decoded": lambda: decoded(reading(path), ("depth",)),
            "frames, depth and colour decoded": lambda: decoded(reading(path), ("depth", "color")),
            "the SDK's playback": lambda: played(path),
            "depth alone": lambda: decoded(iter(frames), ("depth",)),
            "depth alone, OpenCV": lambda: by_opencv(frames, "depth"),
            "colour alone": lambda: decoded(iter(frames), ("color",)),
            "colour alone, OpenCV": lambda: by_opencv(frames, "color"),
        }
        Console().print(f"{path.name}: {count} frames, {mb / count:.2f} MB a frame")
        Console().print(table(measured(ways, count)))


def measured(ways: dict[str, Callable[[], object]], count: int) -> dict[str, tuple[float, float]]:
    """Milliseconds a frame of each way, by the clock and of all cores."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for round in range(ROUNDS + 1):
        for name, run in ways.items():
            began_s, cpu_s = time.perf_counter(), time.process_time()
            run()
            if round:  # the first one compiles, and fills caches
                took[name].append((time.perf_counter() - began_s, time.process_time() - cpu_s))
    return {
        name: (1e3 * median(s for s, _ in times) / count, 1e3 * median(s for _, s in times) / count)
        for name, times in took.items()
    }


def table(times: dict[str, tuple[float, float]]) -> Table:
    """Each way, and how much more work its peer makes of the same."""
    made = Table("way", "ms a frame", "CPU ms a frame", "CPU of its peer / its own")
    for name, (wall_ms, cpu_ms) in times.items():
        peer = "the SDK's playback" if name.startswith("frames") else f"{name}, OpenCV"
        ratio = f"{times[peer][1] / cpu_ms:.1f}" if peer in times and peer != name else ""
        made.add_row(name, f"{wall_ms:.2f}", f"{cpu_ms:.2f}", ratio)
    return made


def reading(path: Path) -> Iterator[Frame]:
    """The frames of a recording, one at a time."""
    recording = Recording(camera_id="flat", path=str(path))
    recording.open()
    return (message for message in recording.produce(0) if isinstance(message, Frame))


def replayed(path: Path) -> list[Frame]:
    """As many frames as memory should hold."""
    return list(islice(reading(path), 600))


def decoded(frames: Iterator[Frame], streams: tuple[str, ...]) -> None:
    """Decode these pictures of each frame."""
    for frame in frames:
        for stream in streams:
            picture = getattr(frame, stream)
            if isinstance(picture, Encoded):
                picture.pixels()


def by_opencv(frames: list[Frame], stream: str) -> None:
    """The same by OpenCV alone."""
    for frame in frames:
        picture = getattr(frame, stream)
        if isinstance(picture, Encoded):
            cv2.imdecode(np.frombuffer(picture.encoded, np.uint8), cv2.IMREAD_UNCHANGED)


def played(path: Path) -> None:
    """Through the SDK, as fast as it goes; it decodes every picture."""
    playback = Playback(path)
    playback.open()
    for _ in playback.shots():
        pass
    playback.close()


def record(path: Path, count: int) -> Path:
    """A recording of noisy pictures."""
    random = np.random.default_rng(0)
    floor = (1000 + 3 * np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))).astype(np.uint16)
    depths = [floor + random.integers(0, LEVELS, floor.shape).astype(np.uint16) for _ in range(DIFFERENT)]
    colors = [100 + random.integers(0, LEVELS, (HEIGHT, WIDTH, 3)).astype(np.uint8) for _ in range(DIFFERENT)]
    frames = [
        Frame(
            "flat", n, 33_333_333 * n, VIEW, colors[n % DIFFERENT], depths[n % DIFFERENT], registration=BESIDE
        )
        for n in range(count)
    ]
    recorder = Recorder(path, frames[:10], "Sightline", "flat")
    for frame in frames:
        recorder.write(frame)
    recorder.close()
    return path


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    main(sys.argv[1] if len(sys.argv) > 1 else str(FRAMES))
