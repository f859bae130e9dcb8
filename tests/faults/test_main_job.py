"""The main job with its real publishers, from the command line: what `tail` prints of it, and what kcat finds when it is
killed.
"""

import json
import re
import signal
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from broker import free_ports
from command_line import begun, sightline, write_graph
from crowded import judged, judgement
from kcat import seen
from on_a_broker import TOPICS, Arriving, event
from proxy import Proxy

pytest_plugins = ["fragile", "simulated_people"]
SITE = "topview_demo"
LIMIT_S = 300.0


@dataclass
class Heard:
    """A run in real time, and what those printed who heard it over ZeroMQ: through a connection that is cut for a while."""

    graph: Path
    out: Path
    printed: dict[str, list[str]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def heard(fragile, people, tmp_path_factory):
    folder = tmp_path_factory.mktemp("main job")
    port, front = free_ports(2)
    kafka = '# kafka: {servers: ["localhost:9092"]}', f'kafka: {{servers: ["{fragile.servers}"]}}'
    zmq = '# zmq: {bind: "tcp://127.0.0.1:5556"}', f'zmq: {{bind: "tcp://127.0.0.1:{port}"}}'
    made = Heard(write_graph(folder, changes=[kafka, zmq]), folder / "run")
    url, files = f"zmq://localhost:{front}", {name: folder / name for name in ("alone", "with the log")}
    with ExitStack() as ending:
        proxy = ending.enter_context(closing(Proxy(front, port)))

        def begin(*given):
            process = ending.enter_context(begun(*given))
            ending.callback(process.kill)
            return process

        tails = {"alone": begin("tail", url, "-f", "--out", files["alone"])}
        run = begin("--graph", made.graph, "--replay", people, "--speed", 1, "--out", made.out)
        wait_for(lambda: walks(made.out / "events.jsonl"), run)
        more = "--backlog", made.out, "--out", files["with the log"]
        tails["with the log"] = begin("tail", url, "-f", *more)
        wait_for(lambda: walks(files["alone"]), run)
        proxy.cut()
        wait_for(lambda: set(walks(made.out / "events.jsonl")) - set(walks(files["alone"])), run)
        proxy.mend()
        _, warned = run.communicate(timeout=LIMIT_S)
        assert run.returncode == 0, warned
        wait_for(lambda: len(lines(files["with the log"])) >= len(logged(made.out)), tails["with the log"])
        for name, process in tails.items():
            process.send_signal(signal.SIGINT)
            made.said[name] = process.communicate(timeout=LIMIT_S)[1]
            assert process.returncode == 0, made.said[name]
            made.printed[name] = lines(files[name])
    return made


def wait_for(is_there, process):
    """While a process lives."""
    until_s = time.monotonic() + LIMIT_S
    while not is_there():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until_s
        time.sleep(0.02)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def walks(path):
    """Events of tracklets before the camera that sees most."""
    return [line for line in lines(path) if ".tracklet." in line and '"partitionkey":"flat"' in line]


def logged(out):
    return [*lines(out / "events.jsonl"), *lines(out / "system.jsonl")]


def test_tail_prints_what_comes_over_zeromq_and_says_what_was_missed(heard):
    printed = heard.printed["alone"]
    assert set(printed) < set(logged(heard.out))
    assert len(set(printed)) == len(printed)
    assert re.search(r"^tracklet.v1 of flat: .* missing$", heard.said["alone"], re.M)


def test_with_the_log_tail_prints_everything_over_zeromq_once(heard):
    assert sorted(heard.printed["with the log"]) == sorted(logged(heard.out))
    assert heard.said["with the log"] == ""


def test_tail_prints_everything_from_kafka_once(heard, fragile):
    done = sightline("tail", f"kafka://{fragile.servers}/{SITE}")
    assert (done.returncode, done.stderr) == (0, "")
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(printed, key=by_id) == sorted(map(json.loads, logged(heard.out)), key=by_id)


def by_id(one):
    return one["id"]


def test_killed_while_it_publishes_the_main_job_goes_on_and_nothing_is_missing(
    heard, fragile, people, tmp_path
):
    before = {topic: len(seen(fragile.servers, f"{SITE}.{topic}.v1")) for topic in TOPICS}
    given = ("--graph", heard.graph, "--replay", people, "--speed", 4, "--out", tmp_path / "run")
    with closing(Arriving(fragile.servers, SITE)) as arriving, begun(*given) as run:
        try:
            assert arriving.wait_for(before["identities"] + 3, run), run.stderr.read()
        finally:
            run.kill()
    done = sightline(*given)
    assert done.returncode == 0, done.stderr
    rows = [row for topic in TOPICS for row in seen(fragile.servers, f"{SITE}.{topic}.v1", before[topic])]
    data, gaps, repeats = judgement(map(event, rows))
    assert (data, gaps) == judged(heard.out)[:2]
    assert gaps == []
    assert repeats < len(rows) / 2
