"""The simulated camera: what it gives, what it keeps to itself, and what is written as the truth of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulation import SITE

from calibration.site import Site, SiteCamera
from configs.read import read
from engines.evaluate.truth import read_truth
from pipeline.messages import Frame
from pipeline.stage import InputError
from stages.source.simulated import EPOCH_NS, Simulated, write_truth

DEMO = Site("demo", {id: SiteCamera(**place) for id, place in read(SITE)["cameras"].items()})
SMALL = {"people": 3, "seconds": 2.0, "fps": 5.0, "seed": 7}


def camera(camera_id="ascent", site=DEMO, **given):
    return Simulated(camera_id, site, **{**SMALL, **given})


def frames(source, from_ns=0):
    source.open()
    try:
        return list(source.produce(from_ns))
    finally:
        source.close()


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("people", -1, "people must be from 0 to 100, got -1"),
        ("people", 101, "people must be from 0 to 100, got 101"),
        ("seconds", 0.0, "seconds must be above 0, got 0.0"),
        ("seconds", float("nan"), "seconds must be above 0, got nan"),
        ("fps", float("inf"), "fps must be above 0, got inf"),
        ("seed", -3, "seed must be 0 or more, got -3"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(setting, value, said):
    with pytest.raises(ValueError) as refused:
        camera(**{setting: value})
    assert str(refused.value) == said


def test_a_camera_that_is_not_wholly_placed_cannot_be_simulated():
    bare = replace(DEMO.cameras["flat"], height_m=None, pitch_deg=None, roll_deg=None)
    for place in (bare, SiteCamera(), SiteCamera(height_m=3.0, pitch_deg=0.0, roll_deg=0.0)):
        with pytest.raises(
            InputError, match="^demo.yaml: cameras.flat: is not wholly placed, .* give it height_m"
        ):
            camera("flat", Site("demo", {**DEMO.cameras, "flat": place})).open()


def test_a_camera_that_sees_no_floor_cannot_be_simulated():
    up = replace(DEMO.cameras["flat"], pitch_deg=120.0)
    with pytest.raises(InputError, match="^demo.yaml: cameras.flat: .*sees too little of the floor"):
        camera("flat", Site("demo", {"flat": up})).open()


def test_frames_are_counted_from_zero_and_stamped_from_a_fixed_moment():
    made = frames(camera())
    assert [frame.index for frame in made] == list(range(10))
    assert [frame.captured_ns - EPOCH_NS for frame in made] == [200_000_000 * i for i in range(10)]
    assert all(isinstance(frame, Frame) and frame.camera_id == "ascent" for frame in made)
    assert made[0].color.shape == (480, 640, 3) and made[0].depth.dtype == np.uint16
    assert made[0].depth_scale_m == 0.001


def test_all_cameras_are_triggered_together():
    assert (camera("flat").captured_ns == camera("oblique").captured_ns).all()


def test_it_can_begin_anywhere_with_the_frames_it_would_have_given():
    made = frames(camera())
    for from_ns, first in ((0, 0), (EPOCH_NS + 1, 1), (EPOCH_NS + 1_400_000_000, 7), (EPOCH_NS + 10**12, 10)):
        again = frames(camera(), from_ns)
        assert [frame.index for frame in again] == list(range(first, 10))
        for one, other in zip(made[first:], again, strict=True):
            assert (one.color == other.color).all() and (one.depth == other.depth).all()


def test_the_graph_is_told_where_it_hangs_and_not_how_high_or_tilted():
    view = frames(camera(seconds=0.2))[0].view
    assert (view.mount.x_m, view.mount.y_m, view.mount.yaw_deg) == (13.0, 2.0, 0.0)
    assert (view.mount.height_m, view.mount.pitch_deg, view.mount.roll_deg) == (None, None, None)
    assert view.world_from_camera is None and view.frame_id("ascent") == "site"
    assert view.calibration_id == frames(camera(seconds=0.2, seed=8))[0].view.calibration_id


def test_people_do_not_depend_on_how_often_they_are_looked_at():
    slow, quick = frames(camera(fps=5.0, seconds=1.0)), frames(camera(fps=10.0, seconds=1.0))
    near = np.abs(slow[1].depth.astype(int) - quick[2].depth) < 0.05 * slow[1].depth + 1
    assert near.mean() > 0.98


@pytest.mark.parametrize(("people", "seconds"), [(0, 1.0), (1, 0.01), (3, 1.0)])
def test_nobody_and_a_moment_work(people, seconds, tmp_path):
    settings = {**SMALL, "people": people, "seconds": seconds}
    assert len(frames(camera(people=people, seconds=seconds))) == max(1, round(5 * seconds))
    assert write_truth(tmp_path, settings, DEMO, ["flat"]).people <= people


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    write_truth(folder, {**SMALL, "people": 8, "seconds": 12.0}, DEMO, list(DEMO.cameras))
    return folder / "truth"


def test_the_truth_has_two_files_for_each_camera_that_can_be_read(truth):
    assert {path.name for path in truth.iterdir()} == {
        *(f"{id}{end}" for id in DEMO.cameras for end in (".txt", ".floor.csv")),
        "people.csv",
        "things.csv",
    }
    cameras = read_truth(truth)
    assert sum(map(len, cameras)) > 50
    assert set(np.concatenate([camera.people for camera in cameras]).tolist()) <= set(range(1, 9))


def test_the_truth_is_written_as_its_format_says(truth):
    first = (truth / "flat.floor.csv").read_text().splitlines()
    assert first[0] == "frame_index,captured_ns,person,x_m,y_m,height_m,visibility,ignored"
    boxes = (truth / "flat.txt").read_text().splitlines()
    assert len(boxes) == len(first) - 1
    for row, box in zip(first[1:], boxes, strict=True):
        index, stamp, person, *_, ignored = row.split(",")
        frame, same, left, top, width, height, conf, kind, _ = box.split(",")
        assert int(stamp) == EPOCH_NS + 200_000_000 * int(index)
        assert (int(frame), same, kind) == (int(index) + 1, person, "1")
        assert float(conf) == (0 if ignored else 1)
        assert 0 <= float(left) < float(left) + float(width) <= 640
        assert 0 <= float(top) < float(top) + float(height) <= 480
    people = (truth / "people.csv").read_text().splitlines()
    assert people[0] == "person,height_m,special,look_alike_of" and len(people) == 9


def test_the_truth_fits_the_frames_that_the_cameras_give(truth):
    source = camera("flat", people=8, seconds=12.0)
    made = frames(source)
    rows = next(camera for camera in read_truth(truth) if camera.camera_id == "flat")
    empty = frames(camera("flat", people=0, seconds=0.2))[0].depth
    checked = 0
    for row in np.flatnonzero(rows.counts & (rows.visibilities > 0.9)):
        left, top, width, height = rows.boxes[row].astype(int)
        inside = made[rows.frame_indices[row]].depth[top : top + height, left : left + width]
        nearest_m = np.percentile(inside[inside > 0], 2) / 1000
        assert 3.6 - nearest_m == pytest.approx(rows.heights_m[row], abs=0.12)
        assert (inside < empty[top : top + height, left : left + width] - 200).mean() > 0.3
        checked += 1
    assert checked > 5


@pytest.mark.parametrize("seed", [41])
def test_a_default_run_is_as_hard_as_is_promised(seed, tmp_path):
    settings = {"people": 12, "seconds": 120.0, "fps": 10.0, "seed": seed}
    got = write_truth(Path(tmp_path), settings, DEMO, list(DEMO.cameras))
    assert got.people == 12
    assert got.look_alike_pairs >= 4 and got.passes >= 10 and got.fewest_views >= 3 and got.returns >= 6
    assert got.children >= 1 and got.hats >= 1 and got.people_standing >= 1 and got.turns_back >= 1
    assert min(got.trolley_views, got.wheelchair_views, got.table_views, got.hard_shadow_views) >= 1
    assert 1.0 <= got.people_per_view <= 3.0
    assert got.share_ignored <= 0.05
