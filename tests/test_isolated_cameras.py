"""Cameras whose process is stopped, killed or crashes while the main graph runs on them: with the RealSense SDK and its
device, and with the decoder of a video.
"""

import json
import os
import signal
import time
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path

import pytest
from command_line import WITH_MORE, begun, ledger, sightline, write_graph
from lab import write_lab
from sdk_files import HEIGHT, WIDTH, shots, write

MODULE = "pipeline.executors._source_process"
VIDEO = """
version: 1
site: oblique_demo
cameras:
  entrance: {stage: source/video, path: x.mp4}
  hall: {stage: source/video, path: x.mp4, isolated: true}
graph:
  digest: {stage: digest, from: cameras}
publish: {log: {}}
"""
DIGEST = '''
"""Tells of every frame what it shows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from pipeline.messages import Frame, SystemEvent
from pipeline.stage import Stage


@dataclass
class Digest(Stage[Frame, SystemEvent]):
    def process(self, frame: Frame) -> Iterator[SystemEvent]:
        time.sleep(0.01)
        seen = sha256(frame.color.tobytes()).hexdigest()
        yield SystemEvent("floor_found", frame.camera_id, frame.captured_ns, seen)
'''


@pytest.fixture
def begin():
    """Starts the command line, and leaves nothing running."""
    with ExitStack() as ending:

        def start(*given, **more):
            run = ending.enter_context(begun(*given, **more))
            ending.callback(run.kill)
            return run

        yield start


def system_events(out):
    path = out / "system.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    told = [json.loads(line) for line in lines if line.endswith("\n")]
    return [{"kind": one["type"].split(".")[2], **one["data"]} for one in told]


def wait_for(is_there, run, out, most_s=90.0):
    """Return when the run, which lives, has said something."""
    until_s = time.monotonic() + most_s
    while not is_there(system_events(out)):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < until_s, system_events(out)
        time.sleep(0.02)


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """Some seconds of a RealSense device."""
    return write(tmp_path_factory.mktemp("device") / "device.db3", shots(200), pace_s=0.01)


def source_processes(run):
    """Of this run, or of any of its processes."""
    found, waiting = [], [run.pid]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            for pid in map(int, task.read_text().split()):
                waiting.append(pid)
                found += [pid] if MODULE in Path(f"/proc/{pid}/cmdline").read_text() else []
    return found


@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [
        (
            signal.SIGSTOP,
            "source_stalled",
            "its process is stopped (SIGSTOP): it gave no frame and no word for 2 s",
        ),
        (signal.SIGSEGV, "source_down", "its process crashed (SIGSEGV)"),
    ],
)
def test_a_camera_comes_back_whatever_becomes_of_the_process_of_its_sdk(
    begin, device, tmp_path, number, kind, said
):
    settings = f"serial: auto, width: {WIDTH}, height: {HEIGHT}, silent_s: 2.0"
    graph = write_graph(tmp_path, cameras=["flat"], changes=[("serial: auto", settings)])
    out = tmp_path / "run"
    run = begin("--graph", graph, "--out", out, DEVICES=str(device))
    wait_for(lambda told: [one for one in told if one["kind"] == "source_up"], run, out)
    (process,) = source_processes(run)

    def is_back(told):
        with suppress(ProcessLookupError):
            os.kill(
                process, number
            )  # again and again: whoever else is stopped on this machine is let go, too
        return [one for one in told if "process" in one.get("counts", {})]

    wait_for(is_back, run, out)
    assert not Path(f"/proc/{process}").exists()
    run.send_signal(signal.SIGINT)
    printed, warned = run.communicate(timeout=60)
    assert run.returncode == 0, warned
    told = system_events(out)
    assert [one["camera_id"] for one in told if one["kind"] == kind and said in one["detail"]] == ["flat"]
    assert said in warned
    row = next(row for row in ledger(printed) if row[0] == "cameras.flat")
    assert row[2] == row[3] + row[4]
    assert 0 < sum(one.get("counts", {}).get("process", 0) for one in told) <= row[4]


@pytest.fixture(scope="module")
def videos(recordings, tmp_path_factory):
    """Two short films, a graph that digests them, and what it makes of them without processes."""
    folder = tmp_path_factory.mktemp("videos")
    lab = write_lab(folder / "lab", recordings, cameras=("cam0", "cam1"), frames=60)
    (lab / "cam0.mp4").rename(lab / "entrance.mp4")
    (lab / "cam1.mp4").rename(lab / "hall.mp4")
    (lab / "manifest.json").unlink(missing_ok=True)
    graph = write_graph(folder)
    graph.write_text(VIDEO)
    (folder / "digest.py").write_text(DIGEST)
    return folder


def digests(out):
    """What was seen, when, by whom."""
    told = [one for one in system_events(out) if one["kind"] == "floor_found"]
    found = [(one["camera_id"], one["captured_ns"], one["detail"]) for one in told]
    return sha256(json.dumps(found).encode()).hexdigest(), len(found)


@pytest.fixture(scope="module")
def expected(videos, tmp_path_factory):
    graph, out = videos / "two.yaml", tmp_path_factory.mktemp("expected") / "run"
    plain = videos / "plain.yaml"
    plain.write_text(
        graph.read_text()
        .replace("isolated: true", "isolated: false")
        .replace("x.mp4}", "x.mp4, isolated: false}")
    )
    done = replay(plain, videos, out, "--executor", "inline")
    assert done.returncode == 0, done.stderr
    assert digests(out)[1] == 120
    return digests(out)


def replay(graph, videos, out, *more, before=()):
    given = ("--graph", graph, "--replay", videos / "lab", "--out", out, *more)
    return sightline(*given, before=before, script=WITH_MORE, STAGES=str(videos))


@pytest.mark.parametrize("executor", ["inline", "threads", "processes"])
def test_a_video_is_the_same_with_and_without_a_process(videos, expected, tmp_path, executor):
    done = replay(videos / "two.yaml", videos, tmp_path / "run", "--executor", executor)
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "run") == expected


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_video_whose_decoder_dies_in_the_middle_is_read_on_and_loses_nothing(
    begin, videos, expected, tmp_path, number
):
    graph, out = tmp_path / "two.yaml", tmp_path / "run"
    graph.write_text((videos / "two.yaml").read_text().replace("x.mp4}", "x.mp4, silent_s: 1.0}"))
    (tmp_path / "sites").symlink_to(videos / "sites")
    given = (
        "--graph",
        graph,
        "--replay",
        videos / "lab",
        "--out",
        out,
        "--executor",
        "threads",
        "--speed",
        "1",
    )
    run = begin(*given, script=WITH_MORE, STAGES=str(videos))
    wait_for(lambda told: len(told) > 10, run, out)
    os.kill(source_processes(run)[0], number)
    _, warned = run.communicate(timeout=120)
    assert run.returncode == 0, warned
    is_silent = number == signal.SIGSTOP
    kinds = [one["kind"] for one in system_events(out) if one["kind"].startswith("source")]
    assert kinds == ["source_stalled" if is_silent else "source_down", "source_up"]
    assert digests(out) == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small /dev/shm")
def test_too_little_shared_memory_is_found_out_before_the_run_begins(videos, tmp_path):
    small = 'mount -t tmpfs -o size=8m tmpfs /dev/shm && exec "$@"'
    before = ("unshare", "--mount", "--propagation", "unchanged", "sh", "-c", small, "sh")
    done = replay(videos / "two.yaml", videos, tmp_path / "run", before=before)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("/dev/shm: has 8.0 MiB left, and the frames of one camera need ")
    assert line.endswith("or set isolated: false for this camera")
    assert not (tmp_path / "run" / "events.jsonl").exists()
