"""How fast frames are recorded, and that none is lost: python benchmarks/recording.py [FRAMES]"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from rich.console import Console
from rich.table import Table

from calibration.camera import Intrinsics, Pose, Registration, View
from pipeline.messages import Frame
from stages._recorder import pictures_in
from stages.record import Record

WIDTH, HEIGHT = 640, 480
PERIOD_NS = 33_333_333
LEVELS = 12  # of noise in depth and colour, so that a packed frame takes the 0.8 to 0.9 MB of a real one
DIFFERENT = 8
VIEW = View(Intrinsics(WIDTH, HEIGHT, 390.0, 390.0, 320.0, 240.0))
BESIDE = Registration(
    Intrinsics(WIDTH, HEIGHT, 610.0, 610.0, 320.0, 240.0), Pose(np.eye(3), np.array([0.06, 0, 0]))
)


def main(count: int) -> None:
    """Print a row for each way to record: fed as fast as the recorder takes them, then as a camera does."""
    table = Table("cameras", "pictures", "pace", "frames/s", "frames/s a core", "MB a frame", "lost")
    for cameras, is_packed, rate_hz in (
        (1, True, 0),
        (4, True, 0),
        (1, False, 0),
        (4, False, 0),
        (1, True, 30),
    ):
        table.add_row(*measure(count // cameras, cameras, is_packed, rate_hz))
    Console().print(table)


def measure(count: int, cameras: int, is_packed: bool, rate_hz: int) -> list[str]:
    """One row: `count` frames of each camera, depth and colour."""
    depths, colors = pictures()
    with TemporaryDirectory() as folder:
        stage = Record(out=folder, packed=is_packed)
        stage.open()
        began_s, cpu_s = time.perf_counter(), time.process_time()
        for n in range(count):
            for camera in range(cameras):
                pixels = colors[n % DIFFERENT], depths[n % DIFFERENT]
                list(
                    stage.process(
                        Frame(f"camera{camera}", n, n * PERIOD_NS, VIEW, *pixels, registration=BESIDE)
                    )
                )
            if rate_hz:
                time.sleep(max(0.0, began_s + (n + 1) / rate_hz - time.perf_counter()))
        lost = sum(event.dropped or 0 for event in stage.finish())
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        stage.close()
        files = list(Path(folder).glob("*.db3"))
        held = sum(pictures_in(path)["depth"] for path in files)
        size_mb = sum(path.stat().st_size for path in files) / 1e6 / held
    assert held + lost == count * cameras
    kind, pace = "PNG" if is_packed else "raw", f"{rate_hz} fps" if rate_hz else "unpaced"
    return [
        str(cameras),
        kind,
        pace,
        f"{held / took_s:.0f}",
        f"{held / cpu_s:.0f}",
        f"{size_mb:.2f}",
        str(lost),
    ]


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """A sloping floor, and grey, with noise."""
    random = np.random.default_rng(0)
    slope = 3 * np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) + 1000
    depths = slope + random.integers(0, LEVELS, (DIFFERENT, HEIGHT, WIDTH))
    colors = 100 + random.integers(0, LEVELS, (DIFFERENT, HEIGHT, WIDTH, 3))
    return depths.astype(np.uint16), colors.astype(np.uint8)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 600)
