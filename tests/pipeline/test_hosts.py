"""A graph on several hosts: the same events, and whatever becomes of a host is said by its name. Hosts are processes,
or network namespaces of their own.
"""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from contextlib import ExitStack, closing
from hashlib import sha256

import pytest
import zmq
from command_line import ROOT, WITH_MORE, command, environment, ledger, sightline, write_graph
from test_erasure import MARKED
from test_erasure import events as of
from test_erasure_running import longest

from configs.build import ConfigError
from pipeline._store_commands import audit
from pipeline.executors._plan import Plan

SIMULATED = ("--simulate", "--people", "3", "--seconds", "4", "--fps", "10")
EDGE = "{cameras: edge, floor: edge, detect: edge, track: edge, tracklets: edge}"
BREAKS = """
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.messages import Frame
from pipeline.stage import Stage


@dataclass
class Breaks(Stage[Frame, Frame]):
    def process(self, frame: Frame) -> Iterator[Frame]:
        if frame.index == 12:
            raise RuntimeError("out of memory")
        yield frame
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def place(folder, nodes=EDGE, hosts="edge: {}", address=None, more=""):
    """A placement `test` beside the graph in this folder."""
    (folder / "placements").mkdir(exist_ok=True)
    where = address or f"tcp://127.0.0.1:{free_port()}"
    first = f"centre: {where}" if where.startswith("{") else f'centre: {{address: "{where}"}}'
    text = f"version: 1\nhosts: {{{first}, {hosts}}}\nnodes: {nodes}\n{more}"
    (folder / "placements" / "test.yaml").write_text(text)
    return folder / "placements" / "test.yaml"


@pytest.fixture
def graph(tmp_path):
    return write_graph(tmp_path)


@pytest.fixture
def begin():
    with ExitStack() as ending:

        def start(*given, before=(), script=ROOT / "run.py", **more):
            line = command(*given, before=before, script=script)
            pipe = subprocess.PIPE
            run = subprocess.Popen(line, env=environment(**more), stdout=pipe, stderr=pipe, text=True)
            ending.callback(run.communicate)
            ending.callback(run.kill)
            return run

        yield start


def worker(begin, graph, host="edge", **more):
    return begin("worker", "--graph", graph, "--placement", "test", "--host", host, **more)


def first(begin, graph, out, *given, **more):
    return begin("--graph", graph, "--placement", "test", "--out", out, *(given or SIMULATED), **more)


def before_truth(printed):
    return printed.partition("Counted in the truth")[0]


def events(out):
    return sha256((out / "events.jsonl").read_bytes()).hexdigest(), sha256(
        (out / "positions.jsonl").read_bytes()
    ).hexdigest()


def wait_for(words, run, path, most_s=90.0):
    until_s = time.monotonic() + most_s
    while not path.exists() or words not in path.read_text():
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < until_s
        time.sleep(0.02)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    done = sightline(
        "--graph", write_graph(folder), "--out", folder / "run", *SIMULATED, "--executor", "inline"
    )
    assert done.returncode == 0, done.stderr
    return events(folder / "run")


@pytest.mark.parametrize(
    ("nodes", "others"),
    [
        (EDGE, ["edge"]),
        ("{cameras.flat: edge, match: edge}", ["edge"]),  # frames travel, and the last node is elsewhere
        (
            "{cameras: edge, floor: edge, detect: far, track: edge, embed: far}",
            ["edge", "far"],
        ),  # through the first
    ],
)
def test_a_graph_on_several_hosts_writes_what_one_thread_writes(
    begin, graph, expected, tmp_path, nodes, others
):
    place(tmp_path, nodes, ", ".join(f"{host}: {{}}" for host in others))
    workers = [worker(begin, graph, host) for host in others]
    run = first(begin, graph, tmp_path / "run")
    printed, warned = run.communicate(timeout=120)
    assert run.returncode == 0, warned
    assert events(tmp_path / "run") == expected
    rows = {
        (node, camera): (received, processed)
        for node, camera, received, processed, _ in ledger(before_truth(printed))
    }
    assert [rows[node, "flat"] for node in ("cameras.flat", "detect", "track")] == [(40, 40)] * 3
    for one in workers:
        _, warned = one.communicate(timeout=30)
        assert one.returncode == 0, warned


def test_who_is_erased_is_so_where_another_host_matches(begin, graph, tmp_path):
    place(tmp_path, "{embed: edge, match: edge}")
    gone, _, at_ns = longest(alone(graph, tmp_path / "whole"))
    erased = {"ERASED": gone, "ERASED_NS": str(at_ns)}
    there = worker(begin, graph, script=MARKED)
    run = first(begin, graph, tmp_path / "placed", script=MARKED, **erased)
    _, said = run.communicate(timeout=120)
    assert (run.returncode, there.wait(30)) == (0, 0), said
    (event,) = of(tmp_path / "placed", "identity.erased")
    assert (event["data"]["from"], event["data"]["captured_ns"]) == ([gone], at_ns)
    assert events(tmp_path / "placed") == events(alone(graph, tmp_path / "alone", **erased))
    with closing(sqlite3.connect(tmp_path / "placed" / "site.db")) as db:
        assert [(one.kind, one.subject) for one in audit(db)] == [("erased", gone)]


def alone(graph, out, **more):
    """A run in threads of one process."""
    done = sightline(
        "--graph", graph, "--out", out, "--executor", "threads", *SIMULATED, script=MARKED, **more
    )
    assert done.returncode == 0, done.stderr
    return out


def test_a_stage_that_fails_on_another_host_is_named_with_it(begin, graph, tmp_path):
    place(tmp_path, EDGE.replace("floor", "breaks: edge, floor"))
    (tmp_path / "breaks.py").write_text(BREAKS)
    changed = graph.read_text().replace("graph:\n", "graph:\n  breaks: {stage: breaks, from: cameras}\n", 1)
    graph.write_text(re.sub(r"(floor: *\{[^}]*from: )cameras", r"\1breaks", changed))
    given = {"script": WITH_MORE, "STAGES": str(tmp_path)}
    other, run = worker(begin, graph, **given), first(begin, graph, tmp_path / "run", **given)
    _, warned = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "host edge: breaks: RuntimeError('out of memory'), given Frame from" in warned
    _, warned = other.communicate(timeout=30)
    assert other.returncode == 1
    assert warned.splitlines()[-1].startswith("breaks: RuntimeError('out of memory'), given Frame from")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_host_that_goes_away_ends_the_run_and_is_named(begin, graph, tmp_path, number):
    place(tmp_path, more="silent_s: 2\n")
    other = worker(begin, graph)
    run = first(begin, graph, tmp_path / "run", *SIMULATED, "--speed", "0.2")
    wait_for("graph_started", run, tmp_path / "run" / "system.jsonl")
    other.send_signal(number)
    _, warned = run.communicate(timeout=60)
    assert run.returncode == 1
    assert warned.splitlines()[-1] == "host 'edge' has said nothing for 2 s; is it on, and its network?"


def test_without_its_first_host_a_worker_ends(begin, graph, tmp_path):
    place(tmp_path, more="silent_s: 2\n")
    other = worker(begin, graph)
    run = first(begin, graph, tmp_path / "run", *SIMULATED, "--speed", "0.2")
    wait_for("graph_started", run, tmp_path / "run" / "system.jsonl")
    run.kill()
    _, warned = other.communicate(timeout=60)
    assert other.returncode == 1
    assert warned.splitlines()[-1] == "host 'centre' has said nothing for 2 s; is it on, and its network?"


@pytest.mark.parametrize("where", ["first", "worker"])
def test_ctrl_c_on_either_host_lets_what_is_in_flight_through(begin, graph, tmp_path, where):
    place(tmp_path)
    other = worker(begin, graph)
    run = first(begin, graph, tmp_path / "run", *SIMULATED, "--speed", "0.5")
    wait_for("graph_started", run, tmp_path / "run" / "system.jsonl")
    time.sleep(1.0)
    (run if where == "first" else other).send_signal(signal.SIGINT)
    printed, warned = run.communicate(timeout=60)
    assert run.returncode == 130, warned
    rows = ledger(before_truth(printed))
    given = {camera: processed for node, camera, _, processed, _ in rows if node.startswith("cameras.")}
    assert all(received == processed == given[camera] for _, camera, received, processed, _ in rows)
    assert 0 < given["flat"] < 40
    _, warned = other.communicate(timeout=30)
    assert other.returncode == 0, warned


def test_another_graph_on_a_host_is_refused(begin, graph, tmp_path):
    place(tmp_path)
    other_graph = tmp_path / "other.yaml"
    other_graph.write_text(
        graph.read_text().replace("stage: tracklet,", "stage: tracklet, event_every_s: 2.0,")
    )
    other, run = worker(begin, other_graph), first(begin, graph, tmp_path / "run")
    _, warned = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "host 'edge' has another graph than host 'centre'; copy it there" in warned
    _, warned = other.communicate(timeout=30)
    assert other.returncode == 1
    assert "the first host has ended the run: " in warned


def test_a_host_that_does_not_come_is_said_with_what_to_do(begin, graph, tmp_path):
    place(tmp_path, more="starts_s: 1\n")
    run = first(begin, graph, tmp_path / "run")
    _, warned = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "host 'edge' has not come within 1 s; start it there: run.py worker" in warned
    assert not (tmp_path / "run" / "events.jsonl").exists()


KEY = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
OTHER = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hosts: {a: {address: 'tcp://127.0.0.1:1'}}", "hosts: must name two or more"),
        ("hosts: {a: {}, b: {}}", "hosts.a.address: must be like tcp://10.0.0.1:7600, got ''"),
        (
            "hosts: {a: {address: 'tcp://0.0.0.0:7600'}, b: {}}",
            "hosts.a.public_key: is missing, and its address is not",
        ),
        (
            "hosts: {a: {address: 'tcp://10.0.0.1:7600', public_key: '" + KEY + "'}, b: {}}",
            "hosts.b.public_key: is missing",
        ),
        (
            "hosts: {a: {address: 'tcp://127.0.0.1:1', public_key: abc}, b: {public_key: abc}}",
            "must be a CURVE key of 40",
        ),
        (
            "hosts: {a: {address: 'tcp://127.0.0.1:1', public_key: '"
            + KEY
            + "'}, b: {public_key: '"
            + KEY
            + "'}}",
            "has the same",
        ),
        (
            "hosts: {a: {address: 'tcp://127.0.0.1:1'}, b: {address: 'tcp://127.0.0.1:2'}}",
            "hosts.b.address: only the first",
        ),
        (
            "hosts: {a: {address: 'tcp://127.0.0.1:1'}, b: {}}\nnodes: {match: c}",
            "nodes.match: there is no host 'c'",
        ),
        (
            "hosts: {a: {address: 'tcp://127.0.0.1:1'}, b: {}}\nsilent_s: 0",
            "silent_s: must be above 0, got 0",
        ),
        (
            "hosts: {a: {address: 'tcp://127.0.0.1:1'}, b: {}}\nnode: {}",
            "node: a placement has no such key; did you mean",
        ),
        ("hosts: {a: {adress: x}, b: {}}", "hosts.a: must be "),
    ],
)
def test_a_placement_that_cannot_be_is_refused_with_its_place(tmp_path, text, why):
    (tmp_path / "shop.yaml").write_text(f"version: 1\n{text}\n")
    with pytest.raises(ConfigError) as refused:
        Plan.read(tmp_path / "shop.yaml")
    assert str(refused.value).startswith(f"{tmp_path / 'shop.yaml'}: ")
    assert why in str(refused.value)


def test_a_node_that_the_graph_does_not_have_is_refused(graph, tmp_path):
    place(tmp_path, "{trak: edge}")
    done = sightline("--graph", graph, "--placement", "test", "--out", tmp_path / "run", *SIMULATED)
    assert done.returncode == 2
    assert "nodes.trak: the graph has no such node; did you mean 'track'?" in done.stderr


def test_a_key_file_that_others_may_read_is_refused_and_never_overwritten(graph, tmp_path):
    secret = tmp_path / "keys" / "edge.key"
    made = sightline("keypair", secret)
    assert made.returncode == 0
    assert secret.stat().st_mode & 0o777 == 0o600
    assert zmq.curve_public(secret.read_text().strip().encode()).decode() == made.stdout.strip()
    again = sightline("keypair", secret)
    assert (again.returncode, again.stderr) == (
        2,
        f"{secret}: is there already; name a new file, or remove it yourself\n",
    )
    secret.chmod(0o644)
    hosts = f'edge: {{public_key: "{made.stdout.strip()}", secret_key: "{secret}"}}'
    place(
        tmp_path, hosts=hosts, address=f'{{address: "tcp://127.0.0.1:{free_port()}", public_key: "{OTHER}"}}'
    )
    done = sightline("worker", "--graph", graph, "--placement", "test", "--host", "edge")
    assert done.returncode == 2
    assert "may be read by others; chmod 600" in done.stderr


class Wire:
    """Two hosts, a network between them, and what goes over it."""

    def __init__(self):
        self.names = [f"sl{os.getpid()}{letter}" for letter in "ab"]

    def up(self):
        one, two = self.names
        lines = [f"netns add {name}" for name in self.names]
        lines += [f"link add {one} type veth peer name {two}"]
        lines += [f"link set {name} netns {name}" for name in self.names]
        for line in lines:
            subprocess.run(["ip", *line.split()], check=True)
        for number, name in enumerate(self.names):
            for line in (
                f"addr add 10.77.0.{number + 1}/24 dev {name}",
                f"link set {name} up",
                "link set lo up",
            ):
                subprocess.run([*self.on(number), "ip", *line.split()], check=True)

    def down(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False)

    def on(self, number):
        return ("nsenter", f"--net=/run/netns/{self.names[number]}")

    def cut(self, is_cut):
        state = "down" if is_cut else "up"
        subprocess.run([*self.on(1), "ip", "link", "set", self.names[1], state], check=True)


@pytest.fixture
def wire():
    if os.geteuid() != 0:
        pytest.skip("only root can make hosts of their own")
    wire = Wire()
    try:
        wire.up()
        yield wire
    finally:
        wire.down()


@pytest.fixture
def keyed(graph, tmp_path):
    """A placement on the addresses of `wire`, with keys."""
    public = {
        name: sightline("keypair", tmp_path / f"{name}.key").stdout.strip()
        for name in ("centre", "edge", "stranger")
    }
    told = {
        name: f'public_key: "{public[name]}", secret_key: "{tmp_path / name}.key"'
        for name in ("centre", "edge")
    }
    place(
        tmp_path,
        hosts=f"edge: {{{told['edge']}}}",
        address=f'{{address: "tcp://10.77.0.1:7600", {told["centre"]}}}',
        more="silent_s: 4\nstarts_s: 60\n",
    )
    return public


def test_hosts_of_their_own_write_the_same_and_nothing_readable_crosses_the_wire(
    begin, graph, wire, keyed, expected, tmp_path
):
    dump = tmp_path / "dump"
    listening = subprocess.Popen(
        [*wire.on(0), "tcpdump", "-i", wire.names[0], "-U", "-s", "0", "-w", dump],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "listening" in listening.stderr.readline()
    other = worker(begin, graph, before=wire.on(1))
    run = first(begin, graph, tmp_path / "run", before=wire.on(0))
    _, warned = run.communicate(timeout=120)
    listening.terminate()
    listening.communicate()
    assert run.returncode == 0, warned
    assert other.wait(30) == 0
    assert events(tmp_path / "run") == expected
    crossed = dump.read_bytes()
    assert len(crossed) > 20_000
    assert [word for word in (b"tracklet", b"camera_id", b"Step", b"flat", b"hello") if word in crossed] == []


def test_a_host_whose_key_is_not_listed_stays_outside(begin, graph, wire, keyed, tmp_path):
    secret = tmp_path / "edge.key"
    secret.write_text((tmp_path / "stranger.key").read_text())
    file = tmp_path / "placements" / "test.yaml"
    file.write_text(file.read_text().replace("starts_s: 60", "starts_s: 4"))
    stranger = tmp_path / "stranger"  # who has a placement of their own, in which their key stands
    stranger.mkdir()
    copied = write_graph(stranger)
    (stranger / "placements").mkdir()
    listed = (tmp_path / "placements" / "test.yaml").read_text().replace(keyed["edge"], keyed["stranger"])
    (stranger / "placements" / "test.yaml").write_text(listed)
    other = worker(begin, copied, before=wire.on(1))
    run = first(begin, graph, tmp_path / "run", before=wire.on(0))
    _, warned = run.communicate(timeout=90)
    assert run.returncode == 2
    assert "host 'edge' has not come within 4 s" in warned
    assert other.poll() is None
    assert (tmp_path / "run" / "events.jsonl").exists() is False


@pytest.mark.parametrize(("seconds", "status"), [(1.5, 0), (None, 1)])
def test_a_network_that_is_cut_for_a_while_loses_nothing_and_for_long_ends_the_run(
    begin, graph, wire, keyed, expected, tmp_path, seconds, status
):
    other = worker(begin, graph, before=wire.on(1))
    run = first(begin, graph, tmp_path / "run", *SIMULATED, "--speed", "1", before=wire.on(0))
    wait_for("graph_started", run, tmp_path / "run" / "system.jsonl")
    time.sleep(0.5)
    wire.cut(True)
    if not status:
        time.sleep(seconds)
        wire.cut(False)
    _, warned = run.communicate(timeout=90)
    assert run.returncode == status, warned
    if status:
        assert warned.splitlines()[-1] == "host 'edge' has said nothing for 4 s; is it on, and its network?"
        assert other.wait(30) == 1
    else:
        assert events(tmp_path / "run") == expected
        assert other.wait(30) == 0
