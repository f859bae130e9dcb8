"""Two people on the floor before SceneScape's two rendered cameras, from the boxes that come with them: how far off
each camera is by itself, by a plain homography, and both fused; and by how many ids people go.

    python benchmarks/scenescape.py DIR
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from calibration.camera import Intrinsics, Mount, Pose, View  # noqa: E402
from engines.evaluate.evaluate_run import sequence_on_floor  # noqa: E402
from engines.evaluate.lives import lives_of  # noqa: E402
from engines.evaluate.moments import run_of_rows  # noqa: E402
from engines.evaluate.run_scores import Rules  # noqa: E402
from engines.evaluate.scenescape import read_scenescape  # noqa: E402
from engines.evaluate.scores import scored  # noqa: E402
from engines.evaluate.truth import CameraTruth  # noqa: E402
from pipeline.messages import Detections, Frame  # noqa: E402
from stages._feet import feet_of  # noqa: E402
from stages.track.zone import Zones  # noqa: E402

Array = NDArray[np.float64]
NEAR_M = 1.5  # of a true place: whose a detection is
FPS = 30


def view_of(name: str, told: dict[str, Any]) -> View:
    """A camera by the points of its picture and of the map that its configuration has."""
    fx, fy, cx, cy = told["intrinsics"]
    lens = Intrinsics(int(told["width"]), int(told["height"]), fx, fy, cx, cy)
    world, pixels = (np.array(told[key], float) for key in ("map points", "camera points"))
    _, turn, shift = cv2.solvePnP(world, pixels[:, None], lens.matrix, None, flags=cv2.SOLVEPNP_ITERATIVE)
    pose = Pose(np.asarray(cv2.Rodrigues(turn)[0], np.float64), np.asarray(shift, np.float64).ravel())
    return View(lens, Mount(is_placed=True), pose.inverse(), name)


def detections_of(file: Path, view: View) -> list[Detections]:
    """What one camera detected, frame by frame: people, whatever their category is written like."""
    made = []
    for index, line in enumerate(file.read_text("utf-8").splitlines()):
        objects = json.loads(line)["objects"]
        people = [one for kind, some in objects.items() if kind.casefold() == "person" for one in some]
        edges = [[one["bounding_box_px"][key] for key in ("x", "y", "width", "height")] for one in people]
        boxes = np.array(edges, np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        frame = Frame(file.stem, index, round(index * 1e9 / FPS), view)
        scores = np.array([one["confidence"] for one in people], np.float32)
        unknown = np.full(len(boxes), np.nan, np.float32)
        made.append(Detections(frame, boxes, scores, feet_of(frame, boxes), unknown))
    return made


def plain_errors(told: dict[str, Any], found: list[Detections], truth: dict[int, Array]) -> list[float]:
    """How far off a homography from the four points of the configuration is."""
    world, pixels = (np.array(told[key], float)[:, :2] for key in ("map points", "camera points"))
    homography, _ = cv2.findHomography(pixels, world)
    errors: list[float] = []
    for one in found:
        feet = np.column_stack([one.boxes[:, [0, 2]].mean(axis=1), one.boxes[:, 3]]).astype(float)
        if len(feet):
            errors += near_errors(cv2.perspectiveTransform(feet[:, None], homography)[:, 0], truth, one)
    return errors


def near_errors(places: Array, truth: dict[int, Array], one: Detections) -> list[float]:
    """The distance of each place to the nearest true one, of those that are near one."""
    there = truth.get(one.frame.index, np.empty((0, 2)))
    if not len(there) or not len(places):
        return []
    nearest = np.linalg.norm(places[:, None] - there[None], axis=2).min(axis=1)
    return [float(value) for value in nearest if value < NEAR_M]


def main() -> None:
    """Run it."""
    place = Path(sys.argv[1])
    sensors = json.loads((place / "config.json").read_text("utf-8"))["sensors"]
    there = read_scenescape(place)
    truth = {int(i): there.floor_m[there.frame_indices == i] for i in np.unique(there.frame_indices)}
    found = {
        name: detections_of(place / f"{name}.json", view_of(name, told)) for name, told in sensors.items()
    }
    for name, told in sensors.items():
        plain = np.median(plain_errors(told, found[name], truth))
        posed = [e for one in found[name] for e in near_errors(one.floor_m.astype(float), truth, one)]
        print(
            f"{name}: plain homography {plain:.3f} m, posed {np.median(posed):.3f} m (median of {len(posed)})"
        )
    for label, cameras in {**{name: [name] for name in found}, "both fused": list(found)}.items():
        followed(label, [found[name] for name in cameras], there, truth)


def followed(label: str, found: list[list[Detections]], there: CameraTruth, truth: dict[int, Array]) -> None:
    """Follow people before these cameras, and print how well."""
    tracker, rows, places, errors = Zones(), [], [], []
    for moment in zip(*found, strict=False):
        said: dict[int, list[float]] = {}
        for tracks in tracker.update(moment):
            said |= dict(zip(tracks.track_ids.tolist(), tracks.floor_m.tolist(), strict=True))
        rows += [(moment[0].frame.index, str(id)) for id in said]
        places += list(said.values())
        errors += near_errors(np.array(list(said.values())).reshape(-1, 2), truth, moment[0])
    times = np.arange(int(there.frame_indices.max()) + 1) * round(1e9 / FPS)
    run = run_of_rows(rows, np.array(places).reshape(-1, 2), times)
    sequence = sequence_on_floor(there, run, Rules())
    scores, lives = scored(sequence), lives_of(sequence)
    print(
        f"{label}: floor error {np.median(errors):.3f} m, IDF1 {scores.identity.idf1:.3f}, HOTA "
        f"{scores.hota.score:.3f}, switches {scores.clear.switches}, recall {scores.clear.recall:.3f}, "
        + ", ".join(f"person {life.person} by {life.ids} ids" for life in lives)
    )


if __name__ == "__main__":
    main()
