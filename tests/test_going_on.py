"""A run that is started again with its folder goes on: after Ctrl-C, at its end, with live cameras, with another graph."""

import json
import re
import signal
import time
from contextlib import ExitStack

import pytest
from command_line import CAMERAS, WITH_MORE, begun, ledger, sightline, write_graph

pytest_plugins = ["simulated_people"]


@pytest.fixture
def begin():
    """Starts the command line, and leaves nothing running."""
    with ExitStack() as ending:

        def start(*given, **more):
            run = ending.enter_context(begun(*given, **more))
            ending.callback(run.kill)
            return run

        yield start


def wait_for(words, run, path):
    until_s = time.monotonic() + 300
    while not path.exists() or words not in path.read_text():
        assert run.poll() is None, run.stderr.read()
        assert time.monotonic() < until_s
        time.sleep(0.01)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def frames(printed):
    return {camera: given for node, camera, given, *_ in ledger(printed) if node.startswith("cameras.")}


def test_after_ctrl_c_a_replay_goes_on_with_the_next_frame_of_each_camera(begin, people, graph, tmp_path):
    given = ("--graph", graph, "--replay", people, "--positions", "--out", tmp_path / "run")
    run = begin(*given, "--speed", 2)
    wait_for("tracklet.updated", run, tmp_path / "run" / "events.jsonl")
    run.send_signal(signal.SIGINT)
    before = frames(run.communicate(timeout=300)[0])
    assert run.returncode == 130
    done = sightline(*given)
    assert done.returncode == 0, done.stderr
    after = frames(done.stdout)
    assert {camera: before[camera] + after[camera] for camera in CAMERAS} == {
        camera: 80 for camera in CAMERAS
    }
    said = " ".join(done.stdout.split())
    assert re.search(r"Counted from 2026-01-01T\S+Z on, where the run went on; its log is whole", said)
    seen = [(row["camera_id"], row["frame_index"]) for row in lines(tmp_path / "run" / "positions.jsonl")]
    assert sorted(seen) == sorted((camera, index) for camera in CAMERAS for index in range(80))
    events = lines(tmp_path / "run" / "events.jsonl")
    for camera in CAMERAS:
        numbers = [int(event["sequence"]) for event in events if event["partitionkey"] == camera]
        assert numbers == [*range(1, len(numbers) + 1)]
    opened, closed = (
        sum(event["type"].endswith(f"{kind}.v1") for event in events) for kind in ("opened", "closed")
    )
    assert opened == closed


def test_a_run_at_its_end_is_said_to_be_and_nothing_is_written(people, graph, tmp_path):
    given = ("--graph", graph, "--replay", people, "--out", tmp_path / "run")
    assert sightline(*given).returncode == 0
    before = (tmp_path / "run" / "events.jsonl").read_bytes()
    done = sightline(*given)
    said = (
        f"{tmp_path / 'run'}: this run was at its end already; what still waited to be published has been\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", said)
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == before


def test_a_folder_of_another_graph_is_refused(people, graph, tmp_path):
    out = tmp_path / "run"
    assert sightline("--graph", graph, "--replay", people, "--out", out).returncode == 0
    other = graph.with_name("other.yaml")
    other.write_text(graph.read_text().replace("stage: match,", "stage: match, votes: 3,"))
    done = sightline("--graph", other, "--replay", people, "--out", out)
    assert (done.returncode, done.stderr) == (
        2,
        f"{out / 'site.db'}: holds a run of another graph; choose another --out, or go on with what it was\n",
    )


LIVE = """
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from builders import VIEW

from pipeline.messages import Frame
from pipeline.stage import Source


@dataclass
class Live(Source[Frame]):
    live: ClassVar[bool] = True

    def produce(self, from_ns: int) -> Iterator[Frame]:
        for number in range(100_000):
            yield Frame(self.camera_id, number, max(time.time_ns(), from_ns), VIEW)
            time.sleep(0.02)
"""
GRAPH = """
version: 1
site: hall
cameras: {east: {stage: live}, west: {stage: live}}
graph:
  looks: {stage: looks, from: cameras}
  who: {stage: who, from: looks}
publish: {log: {}}
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_live_cameras_go_on_with_a_gap_and_the_gallery(begin, tmp_path, number):
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "live.py").write_text(LIVE)
    for name in ("looks", "who"):
        (tmp_path / "stages" / f"{name}.py").symlink_to(WITH_MORE.parent / "faults" / "crowd" / f"{name}.py")
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "hall.yaml").write_text("cameras: {east: {}, west: {}}\n")
    (tmp_path / "graph.yaml").write_text(GRAPH)
    out = tmp_path / "var"
    given, more = ("--graph", tmp_path / "graph.yaml", "--out", out), {"STAGES": str(tmp_path / "stages")}
    first = begin(*given, script=WITH_MORE, **more)
    wait_for("observed", first, out / "events.jsonl")
    first.send_signal(number)
    first.communicate(timeout=300)
    before = lines(out / "events.jsonl")
    second = begin(*given, script=WITH_MORE, **more)
    wait_for('.gap.v1","subject":"west"', second, out / "system.jsonl")
    wait_for(f'"sequence":"{len(before) + 200}"', second, out / "events.jsonl")
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=300)
    assert second.returncode == 0
    gaps = [event for event in lines(out / "system.jsonl") if ".gap." in event["type"]]
    assert [gap["subject"] for gap in gaps] == ["east", "west"]
    assert all(gap["data"]["detail"].startswith("nothing was seen from here on until") for gap in gaps)
    assert all(abs(gap["data"]["captured_ns"] - before[-1]["data"]["captured_ns"]) < 10**9 for gap in gaps)
    events = lines(out / "events.jsonl")
    assert len({event["id"] for event in events}) == len(events)
    for key in ("east", "west", "hall"):
        numbers = [int(event["sequence"]) for event in events if event["partitionkey"] == key]
        assert numbers == [*range(1, len(numbers) + 1)]
    kinds = [event["type"].split(".")[2] for event in events[len(before) :]]
    assert "observed" in kinds  # by the gallery that was


def test_live_cameras_go_on_in_the_folder_of_their_site_by_themselves(tmp_path):
    done = sightline("--graph", write_graph(tmp_path), cwd=tmp_path)
    assert done.returncode == 2  # there is no camera
    assert not (tmp_path / "var").exists()
