"""People drawn by PyBullet: what is written of them is what is in their pictures, and our own readers take it."""

import csv
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.camera import Mount
from calibration.manifest import read as read_manifest
from calibration.manifest import verify
from engines.evaluate.truth import read_truth
from engines.reid.data.tvrid import Tvrid

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from pybullet_bodies import crowd_of  # noqa: E402
from pybullet_views import LINK, Light, Place, World, camera_of  # noqa: E402


def drawn(what, folder, *options):
    command = [sys.executable, "benchmarks/pybullet_people.py", what, str(folder), *map(str, options)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def passages(tmp_path_factory):
    return drawn(
        "tvrid", tmp_path_factory.mktemp("pybullet") / "set", "--people", 3, "--train", 2, "--frames", 3
    )


def test_passages_lie_as_those_of_tvrid(passages):
    train, test = Tvrid(passages).train(), Tvrid(passages).trial("cross")
    assert Counter(one.person for one in train) == {0: 8, 1: 8}
    assert Counter(one.view for one in test.query) == dict.fromkeys(
        ("flat", "upward", "downward", "upsideDown"), 2
    )
    learnt = csv.DictReader((passages / "train_labels.csv").read_text().splitlines())
    assert {one.person for one in test.query}.isdisjoint(int(row["person_id"]) for row in learnt)


def test_in_the_middle_of_a_passage_is_a_person_above_the_floor(passages):
    for path in sorted(passages.glob("train/*_flat_IN/001_depth.png")):
        depth = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        near = depth[120:180, 120:180]
        assert depth.dtype == np.uint16 and depth.shape == (300, 300)
        floor, top = 3600, np.percentile(near[near > 0], 2)
        assert abs(np.median(depth[depth > 0]) - floor) < 60  # millimetres
        assert 1200 < floor - top < 2100


def test_the_same_seed_gives_the_same_passages(passages, tmp_path):
    again = drawn("tvrid", tmp_path / "set", "--people", 3, "--train", 2, "--frames", 3)
    written = sorted(path.relative_to(passages) for path in passages.rglob("*") if path.is_file())
    assert len(written) == 3 * 8 * 3 * 2 + 5
    assert [path for path in written if (again / path).read_bytes() != (passages / path).read_bytes()] == []


@pytest.mark.parametrize(("pitch", "roll"), [(0.0, 0.0), (28.0, 0.0), (0.0, 34.0)])
def test_a_head_is_drawn_where_the_camera_would_see_it(pitch, roll):
    camera = camera_of(Mount(2.0, 3.0, 40.0, 3.2, pitch, roll, is_placed=True))
    person, light = crowd_of(1, seed=3, twins=0)[0], Light.of(0, "test")
    world = World([replace(person, hat=False)])
    there = {1: Place(2.3, 3.4, 0.7, 0.2)}
    world.stand(there)
    drawn = world.draw(camera, light)
    (seen,) = world.presences(there, camera, drawn, light)
    middle = np.array([seen.x_m, seen.y_m, seen.height_m - person.radius_m])
    x, y, far_m = camera.eye.camera_from_world @ middle + camera.eye.shift_m
    rows, columns = np.nonzero((drawn.parts >= 0) & np.isin(drawn.parts // LINK - 1, world.heads(1)))
    v, u = camera.eye.fy * y / far_m + camera.eye.cy, camera.eye.fx * x / far_m + camera.eye.cx
    radius_px = camera.eye.fx * person.radius_m / far_m
    assert abs(rows.mean() - v) < 0.25 * radius_px and abs(columns.mean() - u) < 0.25 * radius_px
    assert abs(len(rows) - np.pi * radius_px**2) < 0.4 * np.pi * radius_px**2
    nearest = drawn.depth_m[rows, columns].min()
    assert abs(nearest - (far_m - person.radius_m)) < 0.03
    assert seen.ignored == "" and seen.visibility > 0.9
    world.close()


def test_a_recording_says_who_is_where(tmp_path):
    folder = drawn("site", tmp_path / "site", "--seconds", 3, "--fps", 5, "--people", 30)
    manifest = read_manifest(folder)
    verify(folder, manifest)
    assert manifest.kind == "simulated"
    assert {camera.frames for camera in manifest.cameras.values()} == {15}
    assert all(camera.mount.height_m is None for camera in manifest.cameras.values())
    truth = read_truth(folder)
    rows = [(camera, row) for camera in truth for row in np.flatnonzero(camera.counts)]
    assert len(rows) > 20
    for camera, row in rows:
        left, top, width, height = camera.boxes[row]
        assert 0 <= left < left + width <= 640 and 0 <= top < top + height <= 480
        assert 1.3 < camera.heights_m[row] < 2.1 and 0 < camera.visibilities[row] <= 1
