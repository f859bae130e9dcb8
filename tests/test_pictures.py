"""The graphs for colour and infrared video, as they ship, through the command line on real recordings: from pictures to
identities, the same bytes wherever the work is done, and films of it.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from hashlib import sha256
from itertools import islice

import av
import cv2
import numpy as np
import pytest
from command_line import ROOT, ledger, sightline
from lab import CAMERAS, write_lab
from manual import write_examples

from engines.evaluate.mot import read_mot
from engines.evaluate.run_folder import read_run

OBLIQUE, INFRARED = ROOT / "configs" / "oblique_rgb.yaml", ROOT / "configs" / "infrared.yaml"
PETS = "pets2009/S2L1_View001_480x360_vtest.mp4"


def graph_of(cameras, shipped, folder, *changes):
    """A graph as it ships, of other cameras."""
    head, _, rest = shipped.read_text().partition("\ncameras:")
    body = rest[rest.index("\ngraph:") :]
    shows = ", shows: infrared" if shipped is INFRARED else ""
    named = "".join(f"  {id}: {{stage: source/video, path: {id}.mp4{shows}}}\n" for id in cameras)
    text = head.replace("site: oblique_demo", "site: here") + f"\ncameras:\n{named}" + body
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "sites").mkdir(exist_ok=True)
    (folder / "sites" / "here.yaml").write_text("cameras:\n" + "".join(f"  {id}: {{}}\n" for id in cameras))
    (folder / "graph.yaml").write_text(text)
    return folder / "graph.yaml"


def run(graph, replay, out, recordings, *given):
    """A run with the models of the recordings; what it printed."""
    models = {"SIGHTLINE_MODELS": str(recordings / "models")}
    done = sightline("--graph", graph, "--replay", replay, "--out", out, "--positions", *given, **models)
    assert done.returncode == 0, done.stderr
    return done.stdout


def events(out, family):
    lines = map(json.loads, (out / "events.jsonl").read_text().splitlines())
    return [
        line["data"] | {"kind": line["type"].split(".")[2]}
        for line in lines
        if line["type"].split(".")[1] == family
    ]


def hashes(out):
    return [sha256((out / name).read_bytes()).hexdigest() for name in ("events.jsonl", "positions.jsonl")]


def frames_in(film):
    with av.open(str(film)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def picture(video, number):
    return next(islice(video.decode(video=0), number, None)).to_ndarray(format="rgb24").astype(int)


@pytest.fixture(scope="module")
def square(recordings, tmp_path_factory):
    """One camera that is not calibrated, before a square; the run, with a film, and what it printed."""
    folder = tmp_path_factory.mktemp("square")
    graph = graph_of(["square"], OBLIQUE, folder)
    (folder / "square.mp4").symlink_to(recordings / PETS)
    printed = run(graph, folder, folder / "run", recordings, "--video", folder / "film.mp4", "--picture")
    return folder, printed


def test_people_on_a_square_are_followed_and_get_identities_without_a_floor(square):
    folder, printed = square
    assert {
        processed for _, _, received, processed, dropped in ledger(printed) if received == 795 and not dropped
    } == {795}
    said = events(folder / "run", "identity")
    appeared = [one for one in said if one["kind"] == "appeared"]
    assert 8 <= len(appeared) <= 24
    assert {one["modality"] for one in said if "modality" in one} == {"rgb"}
    assert not any("floor" in one or "height_m" in one for one in said)
    long = [
        one for one in said if one["kind"] == "observed" and one["match"]["decision"] in ("match", "rematch")
    ]
    assert long, "somebody who comes back is recognised"
    assert (folder / "run" / "picture.png").exists()


def test_the_film_has_every_frame_of_the_recording_at_its_time(square, recordings):
    folder, printed = square
    assert f"video: {folder / 'film.mp4'}" in printed
    assert frames_in(folder / "film.mp4") == pytest.approx(frames_in(recordings / PETS), abs=0.001)
    with av.open(str(folder / "film.mp4")) as film, av.open(str(recordings / PETS)) as plain:
        seen, was = (picture(video, 100) for video in (film, plain))
    changed = np.abs(seen - was).max(axis=2) > 60
    assert 0.003 < changed.mean() < 0.25  # boxes are drawn, the rest is as it was


@pytest.mark.parametrize("executor", ["inline", "threads", "processes"])
def test_two_cameras_give_the_same_bytes_wherever_the_work_is_done(
    recordings, tmp_path, lab_in_threads, executor
):
    if executor == "processes" and len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core takes no processes")
    out = tmp_path / "run"
    run(lab_in_threads / "graph.yaml", lab_in_threads, out, recordings, "--executor", executor)
    assert hashes(out) == hashes(lab_in_threads / "run")


@pytest.fixture(scope="module")
def lab_in_threads(recordings, tmp_path_factory):
    """Five seconds of two calibrated cameras, whose run was left to itself."""
    folder = tmp_path_factory.mktemp("two")
    write_lab(folder, recordings, CAMERAS[:2], frames=50)
    run(graph_of(CAMERAS[:2], OBLIQUE, folder), folder, folder / "run", recordings)
    assert len(events(folder / "run", "identity")) > 4
    return folder


@pytest.mark.parametrize("name", ["unified", "saga", "dpm"])
def test_the_models_that_come_with_the_program_say_what_people_look_like(
    recordings, lab_in_threads, tmp_path, name
):
    changes = [("model: person_reidentification_retail_0248", f"model: {name}")]
    graph = graph_of(CAMERAS[:2], OBLIQUE, tmp_path, *changes)
    run(graph, lab_in_threads, tmp_path / "run", recordings)
    said = [one for one in events(tmp_path / "run", "identity") if "match" in one]
    assert said and {one["match"]["model_id"].split(".")[0] for one in said} == {name}


@pytest.fixture(scope="module")
def lab(recordings, tmp_path_factory):
    """Eighteen seconds of four calibrated cameras that see one room."""
    folder = tmp_path_factory.mktemp("lab")
    write_lab(folder / "videos", recordings, frames=180)
    graph = graph_of(CAMERAS, OBLIQUE, folder)
    run(graph, folder / "videos", folder / "run", recordings, "--video", folder / "film.mp4")
    return folder


def places(out):
    """By identity and time, where each camera says that they are."""
    said, who = read_run(out), defaultdict(lambda: defaultdict(dict))
    for camera_id, camera in said.cameras.items():
        for frame, tracklet, floor_m in zip(
            camera.row_frames, camera.tracklet_ids, camera.floor_m, strict=True
        ):
            identity = said.identity_of.get(tracklet)
            if identity and not np.isnan(floor_m).any():
                who[identity][frame][camera_id] = floor_m
    return who


def test_two_people_who_walk_in_a_room_are_two_identities_in_all_four_cameras(lab):
    cameras = {id: {name for at in rows.values() for name in at} for id, rows in places(lab / "run").items()}
    assert sorted(map(len, cameras.values()))[-2:] == [4, 4]
    assert sum(len(seen) == 4 for seen in cameras.values()) == 2


def test_calibrated_cameras_say_that_people_stand_in_one_place(lab):
    whole = [
        rows for rows in places(lab / "run").values() if len({n for at in rows.values() for n in at}) == 4
    ]
    for rows in whole:
        apart = [np.linalg.norm(at[a] - at[b]) for at in rows.values() for a in at for b in at if a < b]
        assert len(apart) > 500
        assert np.median(apart) < 0.45
    said = [one for one in events(lab / "run", "identity") if "floor" in one]
    assert {one["floor"]["frame_id"] for one in said} == {"site"}
    assert all(0 < one["floor"]["covariance_m2"][0] < 1 for one in said)


def test_somebody_whose_feet_are_below_the_picture_has_no_place(lab):
    run = read_run(lab / "run")
    cut = [rows.boxes[:, 3] > 728 - 2 for rows in run.cameras.values()]
    nowhere = [np.isnan(rows.floor_m).any(axis=1) for rows in run.cameras.values()]
    assert np.concatenate(cut).sum() > 100
    assert np.array_equal(np.concatenate(cut), np.concatenate(nowhere))


def test_each_camera_has_a_film(lab):
    assert sorted(path.name for path in lab.glob("film*")) == [f"film-{name}.mp4" for name in CAMERAS]
    assert {len(frames_in(path)) for path in lab.glob("film*")} == {180}


@pytest.fixture(scope="module")
def night(recordings, tmp_path_factory):
    """Streets at night in infrared: each picture stands for a second. Of 8 bits, and of 16 that use few of them."""
    folder = tmp_path_factory.mktemp("night")
    paths = sorted((recordings / "llvip_rgb_ir" / "infrared").glob("*.jpg"))
    shown = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    for name, deep in (("plain", False), ("deep", True)):
        (folder / name).mkdir()
        with av.open(str(folder / name / "yard.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=5)
            stream.height, stream.width = shown[0].shape
            stream.pix_fmt = "gray16le" if deep else "gray"
            for picture in (one for one in shown for _ in range(5)):
                made = picture.astype(np.uint16) * 11 + 700 if deep else picture
                container.mux(stream.encode(av.VideoFrame.from_ndarray(made, format=stream.pix_fmt)))
            container.mux(stream.encode())
        run(INFRARED, folder / name, folder / name / "run", recordings, "--video", folder / name / "film.mp4")
    return folder, len(shown)


def test_people_are_found_and_followed_in_infrared(night):
    folder, pictures = night
    opened = [one for one in events(folder / "plain" / "run", "tracklet") if one["kind"] == "opened"]
    assert {one["modality"] for one in opened} == {"infrared"}
    assert len(opened) > pictures  # most streets show several people
    said = [one for one in events(folder / "plain" / "run", "identity") if "match" in one]
    assert {one["match"]["model_id"].split("/")[1] for one in said} == {"infrared"}
    assert len(frames_in(folder / "plain" / "film.mp4")) == 5 * pictures


def test_infrared_of_16_bits_is_stretched_and_shows_the_same_people(night):
    folder, _ = night
    lines = [
        (folder / name / "run" / "positions.jsonl").read_text().splitlines() for name in ("plain", "deep")
    ]
    plain, deep = (sum(len(json.loads(line)["boxes_px"]) for line in told) for told in lines)
    assert plain > 60
    assert deep == pytest.approx(plain, rel=0.25)


@pytest.mark.parametrize("graph", [OBLIQUE, INFRARED])
def test_the_graphs_can_be_checked_and_shown_without_anything_there(graph):
    assert f"{graph}: good" in sightline("check", graph).stdout
    shown = sightline("show", graph).stdout
    assert "track/boxes" in shown
    assert "detect (yolox)" in shown


def test_missing_weights_are_one_line_that_says_what_to_fetch(recordings, tmp_path):
    (tmp_path / "yard.mp4").symlink_to(recordings / PETS)
    given = (
        "--graph",
        INFRARED,
        "--replay",
        tmp_path,
        "--out",
        tmp_path / "run",
        "--video",
        tmp_path / "film.mp4",
    )
    done = sightline(*given, SIGHTLINE_MODELS=str(tmp_path), XDG_DATA_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    name, said = line.split(": ", 1)  # of the two that are missing, whichever is opened first
    assert name in ("yolox_nano", "person_reidentification_retail_0248")
    assert " not found in " in said
    assert [path.name for path in tmp_path.iterdir()] == ["yard.mp4"]


def test_a_video_that_is_not_there_is_one_line(tmp_path):
    done = sightline("--graph", OBLIQUE, "--out", tmp_path / "run", SIGHTLINE_MODELS=str(tmp_path))
    assert done.returncode == 2
    assert "recordings/entrance.mp4: cannot be read as a video, no such file or directory" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("graph", [OBLIQUE, INFRARED])
def test_simulated_people_are_not_for_networks_and_that_is_one_line(graph, tmp_path):
    done = sightline("--graph", graph, "--simulate", "--out", tmp_path / "run")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("--simulate: graph.detect.detector finds people in ")
    assert line.endswith("run this graph with --replay DIR")


def test_the_example_of_the_manual_writes_tracks_of_every_sure_detection(recordings, tmp_path):
    write_examples(tmp_path, "tracking.md")
    found, said = recordings / "mot17/train/MOT17-09-FRCNN/det/det.txt", tmp_path / "tracks.txt"
    command = [sys.executable, tmp_path / "track_boxes.py", found, said]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    rows, given = read_mot(said), read_mot(found)
    assert (given.confidences >= 0.6).sum() <= len(rows) <= 1.2 * len(given)  # who is hidden for a moment too
    assert rows.frames.max() == 525
    assert 26 <= len(set(rows.ids.tolist())) < 120  # 26 people there are
