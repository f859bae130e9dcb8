"""--video on the command line: a film of each camera of any graph, and one line for whatever stands in its way."""

import signal
import time

import av
import numpy as np
import pytest
from command_line import MAIN, begun, ledger, sightline, write_graph

from pipeline.choices import Choices
from pipeline.graphfile import GraphFile
from pipeline.session import Session

SIMULATED = ("--graph", MAIN, "--simulate", "--people", 4, "--seconds", 3)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def film_of(path):
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [float(one.pts * one.time_base) for one in frames], frames[-1].to_ndarray(format="rgb24")


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filmed")
    done = sightline(*SIMULATED, "--out", folder / "run", "--video", folder / "films" / "a.mkv")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_each_camera_of_the_main_graph_has_a_film_of_all_its_frames(filmed):
    folder, printed = filmed
    assert names_in(folder / "films") == [
        f"a-{camera}.mkv" for camera in ("ascent", "descent", "flat", "oblique")
    ]
    for path in (folder / "films").iterdir():
        times, last = film_of(path)
        assert times == pytest.approx(np.arange(30) / 10, abs=0.0006)
        assert last.shape == (480, 640, 3)
        assert f"video: {path}" in printed
    rows = [row for row in ledger(printed[: printed.index("Counted in the truth")]) if row[0] == "film"]
    assert rows == [("film", camera, 30, 30, 0) for camera in ("ascent", "descent", "flat", "oblique")]


def test_a_film_changes_nothing_of_what_is_logged(filmed, tmp_path):
    done = sightline(*SIMULATED, "--out", tmp_path / "run")
    assert done.returncode == 0
    for name in ("events.jsonl", "positions.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (filmed[0] / "run" / name).read_bytes()


@pytest.mark.parametrize("name", ["film.avi", "film", ".mp4"])
def test_a_file_of_another_kind_is_one_line_and_nothing_is_made(tmp_path, name):
    done = sightline(*SIMULATED, "--out", tmp_path / "run", "--video", tmp_path / name)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line == f"graph.film: {tmp_path / name}: must end in .mp4 or .mkv; name another file for the video"
    assert names_in(tmp_path) == []


def test_a_film_that_is_there_is_not_touched(tmp_path):
    (tmp_path / "film-flat.mp4").write_bytes(b"mine")
    done = sightline(*SIMULATED, "--out", tmp_path / "run", "--video", tmp_path / "film.mp4")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line == f"{tmp_path / 'film-flat.mp4'}: is there already; choose another name for the video"
    assert names_in(tmp_path) == ["film-flat.mp4"]


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    done = sightline(*SIMULATED, "--out", tmp_path / "run", "--video", tmp_path / "file" / "film.mp4")
    assert (done.returncode, done.stdout) == (2, "")
    assert "file is not a folder; choose another folder" in done.stderr
    assert names_in(tmp_path) == ["file"]


def test_a_graph_that_follows_nobody_has_no_film(tmp_path):
    lines = MAIN.read_text().splitlines(keepends=True)
    text = "".join(
        line
        for line in lines
        if line.split(":")[0].strip() not in ("detect", "track", "tracklets", "embed", "match")
    )
    graph = write_graph(tmp_path)
    graph.write_text(
        text.replace(
            "  floor:     {stage: floor, from: cameras}\n", "  seen: {stage: record, from: cameras}\n"
        )
    )
    done = sightline(
        "--graph", graph, "--simulate", "--out", tmp_path / "run", "--video", tmp_path / "film.mp4"
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "--video: this graph follows nobody; leave it out, or let the graph track people"
    ]


def test_frames_are_not_carried_between_processes_for_a_film(tmp_path):
    done = sightline(
        *SIMULATED, "--out", tmp_path / "run", "--video", tmp_path / "film.mp4", "--executor", "processes"
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "graph.film: would get frames from other processes; use --executor threads"
    ]
    choices = Choices(
        simulate={"people": 1, "seconds": 1.0, "fps": 10.0, "seed": 1}, video=tmp_path / "film.mp4"
    )
    session = Session(GraphFile.read(MAIN), choices, tmp_path)
    assert session.executor == "threads"
    assert session.graph.nodes[-1].reads == (
        "match",
        "tracklets",
        "track",
    )  # in this order it is told who they are


def test_a_name_that_the_film_needs_is_said(tmp_path):
    graph = write_graph(tmp_path, changes=[("  track: ", "  film: "), ("from: track}", "from: film}")])
    done = sightline(
        "--graph", graph, "--simulate", "--out", tmp_path / "run", "--video", tmp_path / "film.mp4"
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"{graph}: graph.film: --picture and --video need this name; choose another"
    ]


def test_a_run_that_is_asked_to_stop_leaves_a_whole_film(tmp_path):
    given = ("--graph", MAIN, "--simulate", "--people", 2, "--seconds", 60, "--speed", 1)
    running = begun(*given, "--out", tmp_path / "run", "--video", tmp_path / "film.mp4")
    for _ in range(600):
        if list(tmp_path.glob(".*film-flat.mp4")):
            break
        time.sleep(0.1)
    assert not (tmp_path / "film-flat.mp4").exists()
    time.sleep(1.0)
    running.send_signal(signal.SIGINT)
    printed, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert names_in(tmp_path) == [
        *(f"film-{camera}.mp4" for camera in ("ascent", "descent", "flat", "oblique")),
        "run",
    ]
    filmed = {camera: processed for node, camera, _, processed, _ in ledger(printed) if node == "film"}
    assert {camera: len(film_of(tmp_path / f"film-{camera}.mp4")[0]) for camera in filmed} == filmed
    assert min(filmed.values()) > 0


def test_a_run_that_fails_leaves_no_film(tmp_path):
    graph = write_graph(tmp_path, cameras=("flat",))
    (tmp_path / "flat.mp4").write_bytes(b"no video")
    done = sightline(
        "--graph", graph, "--replay", tmp_path, "--out", tmp_path / "run", "--video", tmp_path / "film.mp4"
    )
    assert done.returncode == 2
    assert [name for name in names_in(tmp_path) if "film" in name] == []
