"""What a run says of itself while it runs, whatever runs it, and how `top` shows it."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
from urllib.error import URLError
from urllib.request import urlopen

import jittery
import pytest
from command_line import MAIN, begun, command, environment, sightline
from prometheus_client import CollectorRegistry, generate_latest
from published import correction, person
from rich.console import Console

from pipeline._presence import Presence
from pipeline.executors import inline, processes, threads
from pipeline.metrics import Metrics, served
from pipeline.publish.log import EVENTS
from pipeline.run import Run
from pipeline.stage import InputError
from pipeline.top import look_in, shown

EXECUTORS = {"inline": inline.run, "threads": threads.run, "processes": processes.run}


def present(*events):
    presence = Presence()
    for event in events:
        presence.add(event)
    return presence


def text_of(metrics):
    registry = CollectorRegistry()
    registry.register(metrics)
    return generate_latest(registry).decode()


def measured(name):
    """The first and last that a run says after an event has come out of it, and once it has ended."""
    said, graph = [], jittery.graph(together=False)

    def emit(_event):
        time.sleep(0.02)
        said.append(look_in(text_of(metrics), at_s=len(said)))

    run = Run(emit)
    metrics = Metrics(graph, lambda: run, lambda: present(person("observed", "P-1", 1, camera_id="south")))
    EXECUTORS[name](graph, run)
    return said[-2], look_in(text_of(metrics), at_s=100), run.watch.ledger(graph)


@pytest.mark.parametrize("name", EXECUTORS)
def test_every_executor_is_seen_while_it_runs(name, monkeypatch):
    monkeypatch.setattr(processes, "COUNTS_EVERY_S", 0.0)
    during, after, ledger = measured(name)
    frames = during.of("sightline_frames_received_total")
    assert frames["south", "south"] > 0
    assert during.of("sightline_step_seconds_count")["detect",] > 0
    assert during.of("sightline_people")["south",] == 1
    assert bool(during.of("sightline_queue_steps")) == (name != "inline")
    done = after.of("sightline_frames_processed_total")
    assert {(row.camera_id, row.node): row.processed for row in ledger} == done


def test_a_histogram_counts_every_step_once():
    _, after, _ = measured("inline")
    name = "sightline_step_seconds"
    counted = [count for (bound, node), count in after.of(f"{name}_bucket").items() if node == "detect"]
    assert counted == sorted(counted)
    assert counted[-1] == after.of(f"{name}_count")["detect",]
    assert 0 < after.of(f"{name}_sum")["detect",] < 60


def test_people_in_view_are_those_whom_events_say_are():
    came = person("appeared", "P-1", 1), person("appeared", "P-2", 2, camera_id="oblique")
    assert present(*came).by_camera() == {"flat": 1, "oblique": 1}
    assert present(*came, person("lost", "P-1", 1)).by_camera() == {"oblique": 1}
    merged = correction("merged", ("P-2",), ("P-1",), 3)
    assert present(*came, merged).by_camera() == {"flat": 1}
    assert present(*came, person("lost", "P-1", 1), merged).by_camera() == {"oblique": 1}
    assert present(*came, correction("erased", ("P-1",), (), 3)).by_camera() == {"oblique": 1}


PAGE = """\
sightline_frames_received_total{{camera="flat",node="cameras.flat"}} {frames}
sightline_frames_dropped_total{{camera="flat",node="cameras.flat",reason="queue_full"}} 3
sightline_people{{camera="flat"}} 2
sightline_behind_seconds{{camera="flat"}} 0.125
sightline_step_seconds_bucket{{le="0.001",node="detect"}} {quick}
sightline_step_seconds_bucket{{le="0.002",node="detect"}} {steps}
sightline_step_seconds_bucket{{le="+Inf",node="detect"}} {steps}
sightline_step_seconds_count{{node="detect"}} {steps}
sightline_step_seconds_sum{{node="detect"}} {spent}
sightline_queue_steps{{from="detect.0",to="track.0"}} 5
sightline_queue_size{{from="detect.0",to="track.0"}} 8
sightline_outbox_rows{{publisher="kafka"}} 40
"""


def test_top_shows_what_happened_between_two_looks():
    before = look_in(PAGE.format(frames=100, quick=100, steps=100, spent=0.1), at_s=10.0)
    now = look_in(PAGE.format(frames=160, quick=150, steps=200, spent=0.25), at_s=12.0)
    console = Console(width=100)
    with console.capture() as captured:
        console.print(shown(before, now))
    text = captured.get()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]
    assert ["flat", "30.0", "160", "3 queue_full", "2", "0.12 s"] in rows
    assert ["detect", "200", "1.50 ms", "2 ms"] in rows
    assert ["detect.0", "track.0", "5 of 8"] in rows
    assert "40 events wait for kafka" in text
    assert "2 people in view" in text


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def answers(url, process):
    while process.poll() is None:
        try:
            return urlopen(url, timeout=30).read().decode()
        except URLError:
            time.sleep(0.05)
    raise AssertionError(process.stderr.read())


def with_kafka_away(folder):
    """The main graph, with a broker that is not there."""
    (folder / "sites").symlink_to(MAIN.parent / "sites")
    kafka = f'  kafka: {{servers: ["localhost:{free_port()}"]}}'
    text = re.sub(r"^  # kafka: .*", kafka, MAIN.read_text(), flags=re.M)
    (folder / "graph.yaml").write_text(text)
    return folder / "graph.yaml"


def waiting(url, publisher):
    return look_in(urlopen(url, timeout=30).read().decode(), 0).of("sightline_outbox_rows").get((publisher,))


def test_a_run_answers_on_loopback_and_top_shows_it_in_a_terminal(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    crowd = "--simulate", "--people", "2", "--seconds", "600", "--out", tmp_path / "out"
    with begun("--graph", with_kafka_away(tmp_path), *crowd, "--metrics", port) as process:
        try:
            assert "sightline_frames_out_total" in answers(url, process)
            addresses = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=True).stdout
            assert [line.split()[3] for line in addresses.splitlines() if f":{port} " in line] == [
                f"127.0.0.1:{port}"
            ]
            assert "flat" in on_a_terminal(command("top", url, "--every", "0.2"), b"flat")
            while not waiting(url, "kafka"):
                assert process.poll() is None
                time.sleep(0.05)
            said = sightline("top", url, "--once").stdout
            assert "people in view" in said
            assert re.search(r"[1-9]\d* events wait for kafka", said)
            assert waiting(url, "kafka") > waiting(url, "log")
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)
    assert (tmp_path / "out" / EVENTS).exists()


def on_a_terminal(line, awaited):
    """What a command shows on a terminal until this is there; then Ctrl-C, which must end it well."""
    child, terminal = pty.fork()
    if not child:
        os.execve(line[0], line, environment(TERM="xterm", LINES="60"))
    shown_so_far = b""
    while awaited not in shown_so_far:
        assert select.select([terminal], [], [], 120)[0]
        shown_so_far += os.read(terminal, 65536)
    os.kill(child, signal.SIGINT)
    while select.select([terminal], [], [], 120)[0]:
        try:
            os.read(terminal, 65536)
        except OSError:
            break
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return shown_so_far.decode(errors="replace")


def test_a_port_that_is_taken_is_said():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(
            InputError, match=r"--metrics: nobody can listen on 127.0.0.1:\d+, Address already in use"
        ),
        served(Metrics(jittery.graph(), Run, Presence), taken.getsockname()[1]),
    ):
        pass


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "http://127.0.0.1:1/metrics",
            "nobody answers, .*Connection refused; start the run with --metrics PORT",
        ),
        ("ftp://127.0.0.1/metrics", "is no http://HOST:PORT/metrics"),
    ],
)
def test_top_says_where_nobody_answers(url, said):
    done = sightline("top", url, "--once")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert re.search(said, done.stderr)
