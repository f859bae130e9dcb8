"""The same tracks on a test in TVRID's layout that says how its cameras hang, such as people drawn by PyBullet:

    python benchmarks/pybullet_people.py tvrid DIR
    python benchmarks/claims/tvrid_folder.py DIR [DIR ...]

Where heads are is found by the detector of the main graph; nothing of the truth but who is who is looked at.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from tvrid import ASKED, KINDS, painted, pictured, scored, unit  # noqa: E402

from engines.evaluate.tvrid import SCENARIOS, passages_of  # noqa: E402
from engines.overhead_depth import OverheadDepth  # noqa: E402
from engines.overhead_descriptor import OverheadDescriptor  # noqa: E402
from engines.people.passages import Hung, Shot, points_of  # noqa: E402
from engines.people.setting import Camera  # noqa: E402
from engines.reid.data._folders import color, depth  # noqa: E402
from engines.reid.upright import Upright, head_px  # noqa: E402
from engines.tvrid_embedder import TvridEmbedder  # noqa: E402

SHOWN = 5


def main(folders: list[Path]) -> None:
    """A row for each folder, way and track."""
    print(f"| set | way | track | mAP | {' | '.join(SCENARIOS)} |\n|{'---|' * 7}")
    for folder in folders:
        told = passages_of(folder / "public_test_labels.csv")
        shown = [
            _shots(folder, str(path), str(name)) for path, name in zip(told.paths, told.cameras, strict=True)
        ]
        ways = {"recipe": _recipe(shown), "descriptor": _descriptor(shown)}
        random = np.random.default_rng(1)
        ways["chance"] = {kind: random.normal(size=(len(shown), 16)) for kind in KINDS}
        ways["colours of the picture"] = {"rgb": np.stack([painted(_upright(*one)) for one in shown])}
        for way, vectors in ways.items():
            for track, (asked, there) in ASKED.items():
                if asked in vectors and there in vectors:
                    found = scored(vectors[asked], vectors[there], told, 1)
                    cases = " | ".join(f"{value:.1f}" for value in found.scenarios)
                    print(f"| {folder.name} | {way} | {track} | {found.mean:.1f} | {cases} |", flush=True)


def _shots(folder: Path, path: str, camera_name: str) -> tuple[Camera, list[Shot]]:
    told: Any = json.loads((folder / "cameras.json").read_text())
    camera = Hung(**told["cameras"][camera_name], focal_px=told["lens"]["fx_px"]).camera()
    inside = folder / "test_public" / path
    cuts = [(frame, left, top) for of, frame, left, top in _cuts(folder) if of == f"test_public/{path}"]
    chosen = [cuts[int(at)] for at in np.linspace(0, len(cuts) - 1, SHOWN)]
    found = [_found(camera, inside, frame, (left, top)) for frame, left, top in chosen]
    return camera, [shot for shot in found if shot is not None]


def _cuts(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    with (folder / "cuts.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["path"], int(row["frame"]), int(row["left_px"]), int(row["top_px"])


def _found(camera: Camera, inside: Path, frame: int, corner_px: tuple[int, int]) -> Shot | None:
    """The frame, and who stands out most in it; none where nobody does."""
    seen, eye = depth(inside / f"{frame:03d}_depth.png"), camera.eye
    left, top = corner_px
    matrix = np.array(
        [[1 / eye.fx, 0, (left - eye.cx) / eye.fx], [0, 1 / eye.fy, (top - eye.cy) / eye.fy], [0, 0, 1]]
    )
    origin = -eye.camera_from_world.T @ eye.shift_m
    _, scores, floor_m, heights_m = OverheadDepth()(seen, 0.001, eye.camera_from_world.T @ matrix, origin)
    known = np.flatnonzero(~np.isnan(heights_m))
    if not len(known):
        return None
    best = known[scores[known].argmax()]
    picture = color(inside / f"{frame:03d}_RGB.png")
    return Shot(picture, seen, corner_px, floor_m[best].astype(float), float(heights_m[best]))


def _recipe(shown: list[tuple[Camera, list[Shot]]]) -> dict[str, np.ndarray]:
    engine = TvridEmbedder(with_color="network")
    made: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
    for camera, shots in shown:
        points, heights_m = _placed(camera, shots)
        said = pictured(_upright(camera, shots))
        made["rgb"].append(said[0])
        made["cross query"].append(said[1])
        made["depth"].append(engine([None] * len(shots), points, heights_m)[:, :-1])
        made["cross gallery"].append(made["depth"][-1])
        made["rgbd"].append(engine([one.color for one in shots], points, heights_m)[:, :-1])
    return {kind: np.stack([unit(some.sum(axis=0)) for some in every]) for kind, every in made.items()}


def _descriptor(shown: list[tuple[Camera, list[Shot]]]) -> dict[str, np.ndarray]:
    engine = OverheadDescriptor()
    made: dict[str, list[np.ndarray]] = {"depth": [], "rgbd": []}
    for camera, shots in shown:
        points, heights_m = _placed(camera, shots)
        made["depth"].append(engine([None] * len(shots), points, heights_m).sum(axis=0))
        made["rgbd"].append(engine([one.color for one in shots], points, heights_m).sum(axis=0))  # type: ignore[misc]
    return {kind: np.stack([unit(one) for one in every]) for kind, every in made.items()}


def _upright(camera: Camera, shots: list[Shot]) -> list[Upright]:
    """Turned about where the head was found: the picture's network is told its pixel, and no more."""
    eye = camera.eye
    return [
        Upright.of(one.color, one.corner_px, eye, head_px(eye, one.head_m, one.height_m)) for one in shots
    ]


def _placed(camera: Camera, shots: list[Shot]) -> tuple[list[Any], Any]:
    heights_m = np.array([one.height_m for one in shots], np.float32)
    return [points_of(one, camera, one.head_m) for one in shots], heights_m


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
