"""The main graph on recordings of real places: python benchmarks/real_input.py DIR

DIR holds `realsense_bag/*.bag` (a RealSense recording) and `oak_overhead_stereo/` (an overhead stereo pair with its
factory calibration: one person walks through, right to left, among furniture, over shadows larger than themselves).
The pair is rectified and matched here and fed to the graph as depth; nothing else is set but its calibration.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from calibration.camera import Intrinsics, Mount, View  # noqa: E402
from calibration.floor import fit_plane, samples_of  # noqa: E402
from pipeline.executors import threads  # noqa: E402
from pipeline.graph import Graph, Node  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.messages import Event, Frame, decoded  # noqa: E402
from pipeline.report import Report  # noqa: E402
from pipeline.run import Run  # noqa: E402
from pipeline.stage import Source  # noqa: E402
from stages.source.recording import Recording  # noqa: E402

DISPARITIES, WIDTH, HEIGHT, FPS = 96, 640, 400, 30
PASSES_M = 1.0  # someone who gets this far, from one side to the other, has passed
VARIANTS = ("as it is", "mirrored", "time reversed", "turned by 180 degrees")


@dataclass
class Stereo:
    """Depth (frames, h, w) in millimetres, uint16, and its lens."""

    depth: NDArray[np.uint16]
    lens: Intrinsics

    def seen(self, variant: str) -> Stereo:
        """The same scene as another camera would have seen it, or backwards."""
        lens = self.lens
        across = replace(lens, cx_px=lens.width_px - 1 - lens.cx_px)
        if variant == "mirrored":
            return Stereo(np.ascontiguousarray(self.depth[:, :, ::-1]), across)
        if variant == "time reversed":
            return Stereo(self.depth[::-1], lens)
        if variant == "turned by 180 degrees":
            turned = replace(across, cy_px=lens.height_px - 1 - lens.cy_px)
            return Stereo(np.ascontiguousarray(self.depth[:, ::-1, ::-1]), turned)
        return self


@dataclass
class Played(Source[Frame]):
    """Depth from memory."""

    stereo: Stereo | None = None

    def produce(self, from_ns: int) -> Iterator[Frame]:
        if self.stereo is None:
            return
        view = View(self.stereo.lens, Mount())
        for index, depth in enumerate(self.stereo.depth):
            yield Frame(self.camera_id, index, int(index / FPS * 1e9), view, depth=depth)


def matched(folder: Path) -> Stereo:
    """The pair of a stereo camera, rectified and matched (semi-global matching) at half its size."""
    told = dict(json.loads((folder / "calib.json").read_text())["cameraData"])
    left, right = told[1], told[2]
    way = left["extrinsics"]["translation"]
    shift_m = np.array([[way["x"]], [way["y"]], [way["z"]]]) / 100
    lenses = [(np.array(eye["intrinsicMatrix"]), np.array(eye["distortionCoeff"])) for eye in (left, right)]
    turn, size = np.array(left["extrinsics"]["rotationMatrix"]), (left["width"], left["height"])
    given = (*lenses[0], *lenses[1], size, turn, shift_m)
    r1, r2, p1, p2, *_ = cv2.stereoRectify(*given, alpha=0, newImageSize=(WIDTH, HEIGHT))
    maps = [
        cv2.initUndistortRectifyMap(*lens, r, p, (WIDTH, HEIGHT), cv2.CV_32FC1)
        for lens, r, p in zip(lenses, (r1, r2), (p1, p2), strict=True)
    ]
    matcher = cv2.StereoSGBM_create(
        0, DISPARITIES, 5, 200, 800, 1, 31, 10, 100, 2, cv2.STEREO_SGBM_MODE_SGBM_3WAY
    )
    focal, baseline_m = p1[0, 0], -p2[0, 3] / p2[0, 0]
    depths = []
    for eyes in zip(
        *(_grey(folder / f"derived_visible_{side}_0_149.mp4") for side in ("left", "right")), strict=True
    ):
        one, other = (cv2.remap(eye, *m, cv2.INTER_LINEAR) for eye, m in zip(eyes, maps, strict=True))
        disparity = matcher.compute(one, other).astype(np.float32) / 16
        metres = np.where(disparity > 1, focal * baseline_m / np.maximum(disparity, 1), 0)
        depths.append((np.minimum(metres, 65) * 1000).astype(np.uint16))
    lens = Intrinsics(WIDTH, HEIGHT, focal, focal, p1[0, 2], p1[1, 2])
    return Stereo(np.stack(depths), lens)


def _grey(path: Path) -> Iterator[NDArray[np.uint8]]:
    video = cv2.VideoCapture(str(path))
    while (got := video.read())[0]:
        yield cv2.cvtColor(got[1], cv2.COLOR_BGR2GRAY)


def events_of(stereo: Stereo) -> list[Event]:
    """What the main graph says of it, with its own settings."""
    stages = [
        node for node in GraphFile.read(ROOT / "configs" / "topview_rgbd.yaml").graph().nodes if node.reads
    ]
    sources = {id for node in stages for id in node.reads if id.startswith("cameras.")}
    camera = Node("cameras.passage", Played(camera_id="passage", stereo=stereo))
    fed = [
        replace(node, reads=("cameras.passage",) if sources & set(node.reads) else node.reads)
        for node in stages
    ]
    events: list[Event] = []
    threads.run(Graph([camera, *fed]), Run(events.append))
    return events


def passages(events: list[Event]) -> list[str]:
    """Which way each identity passed that got from one side to the other."""
    report = Report(is_drawn=True)
    for event in events:
        report.add(event)
    ways = []
    for person in report.people():
        points = [point for path in person.paths for point in path.points_m]
        way_m = points[-1][0] - points[0][0] if points else 0.0
        if abs(way_m) >= PASSES_M:
            ways.append("right to left" if way_m < 0 else "left to right")
    return ways


def floors(events: list[Event]) -> list[str]:
    """What was said of the floor."""
    return [
        f"{event.kind}: {event.detail}" for event in events if getattr(event, "kind", "").startswith("floor")
    ]


def dominant_plane(path: Path) -> str:
    """Of the first depth picture of a recording."""
    source = Recording(camera_id=path.stem, path=str(path))
    source.open()
    try:
        frame = next(
            frame for frame in source.produce(0) if isinstance(frame, Frame) and frame.depth is not None
        )
    finally:
        source.close()
    plane = fit_plane(samples_of(decoded(frame.depth), frame.depth_scale_m, frame.view.intrinsics))
    where = f"{plane.height_m:.3f} m away, {plane.tilt_deg:.1f} degrees off the axis"
    return f"{where}, holds {plane.share:.0%} of the depth"


def main(folder: Path) -> None:
    """Print what the graph makes of each."""
    table = Table("recording", "floor", "identities", "passages", title="The main graph on real places")
    stereo = matched(folder / "oak_overhead_stereo")
    for variant in VARIANTS:
        events = events_of(stereo.seen(variant))
        kinds = Counter(getattr(event, "kind", "") for event in events)
        table.add_row(
            variant, "; ".join(floors(events)), str(kinds["appeared"]), ", ".join(passages(events)) or "none"
        )
    out = Console()
    out.print(table)
    for path in sorted((folder / "realsense_bag").glob("*.bag")):
        out.print(f"{path.name}: dominant plane {dominant_plane(path)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
