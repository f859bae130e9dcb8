"""Network cameras under the command line: run on, recorded, refused; and no password anywhere in what that leaves behind."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from command_line import WITH_MORE, begun, ledger, sightline, write_graph
from network_camera import FPS, H264, NetworkCamera
from test_isolated_cameras import DIGEST, source_processes, system_events, wait_for

WORD = "s3cret/@%:word"
GRAPH = """
version: 1
site: oblique_demo
cameras:
  entrance: {{stage: source/rtsp, url: "{url}", login_file: "{login}", clock: arrival, silent_s: 2.0, stall_s: 1.0}}
graph:
  digest: {{stage: digest, from: cameras}}
publish: {{log: {{}}}}
"""


@pytest.fixture
def camera():
    one = NetworkCamera({"/hall": H264}, login="digest", user="viewer", password=WORD)
    yield one
    one.kill()


@pytest.fixture
def graph(camera, tmp_path):
    login, file = tmp_path / "login", write_graph(tmp_path)
    login.write_text(f"viewer:{WORD}\n")
    login.chmod(0o600)
    file.write_text(GRAPH.format(url=camera.url(), login=login))
    (tmp_path / "digest.py").write_text(DIGEST.replace("time.sleep(0.01)", "time.sleep(0)"))
    return file


def frames(told):
    return [one for one in told if one["kind"] == "floor_found"]


def of(told, kind, said=""):
    return [one for one in told if one["kind"] == kind and said in one["detail"]]


def test_a_camera_comes_back_from_whatever_befalls_it_and_its_process(camera, graph, tmp_path):
    out = tmp_path / "run"
    run = begun("--graph", graph, "--out", out, script=WITH_MORE, STAGES=str(tmp_path))
    try:
        wait_for(frames, run, out)
        camera.stop()
        wait_for(lambda told: of(told, "source_stalled", "gave nothing for 1 s"), run, out)
        camera.go_on()
        wait_for(lambda told: of(told, "gap", "not connected"), run, out)
        (process,) = source_processes(run)
        os.kill(process, signal.SIGSTOP)
        wait_for(lambda told: of(told, "source_stalled", "is stopped (SIGSTOP): it gave no frame"), run, out)
        wait_for(lambda told: of(told, "gap", "its process was away"), run, out)
        seen = len(frames(system_events(out)))
        wait_for(lambda told: len(frames(told)) > seen + FPS, run, out)
        run.send_signal(signal.SIGINT)
        printed, warned = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 0, warned
    told = system_events(out)
    times = [one["captured_ns"] for one in frames(told)]
    assert times == sorted(set(times))
    assert time.time_ns() - times[-1] < 60e9
    row = next(row for row in ledger(printed) if row[0] == "cameras.entrance")
    assert row[2] == row[3] + row[4] and row[4] > 0
    assert_nowhere(WORD, printed + warned, out)


def test_what_a_mistake_says_has_no_password_in_it(camera, graph, tmp_path):
    (tmp_path / "login").write_text("viewer:another-word\n")
    run = ("--graph", graph, "--out", tmp_path / "run")
    refused = sightline(*run, script=WITH_MORE, STAGES=str(tmp_path))
    shown = sightline("show", graph, script=WITH_MORE, STAGES=str(tmp_path))
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert line == (
        f"cameras.entrance: {camera.url()} refuses the user or the password; mend what login_file or login_variable holds"
    )
    assert shown.returncode == 0
    assert_nowhere("another-word", shown.stdout + shown.stderr, tmp_path / "run")


def assert_nowhere(word, text, folder):
    """Neither said nor written, also not as it stands in an address."""
    written = [path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()]
    for form in (
        word,
        word.replace("/", "%2F").replace("@", "%40").replace("%:", "%25%3A"),
        json.dumps(word),
    ):
        assert form not in text
        assert not [one for one in written if form.encode() in one]
