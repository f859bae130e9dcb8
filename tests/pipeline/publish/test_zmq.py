"""Events over real ZeroMQ sockets: numbers that show a gap, and keys without which nobody hears a word."""

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq
from broker import free_ports
from namespaces import two_hosts
from outbox_rows import rows

from configs.build import InputError
from pipeline.publish.zmq import Zmq
from pipeline.zmq_key import make

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("zmq_hosts.py")
COUNT = 50


@pytest.fixture
def address():
    return f"tcp://127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture
def context():
    with zmq.Context() as made:
        yield made


def subscribed(context, address, prefix=b"", most=1000):
    """A subscriber of the publisher there, whose subscription has arrived."""
    hearing = context.socket(zmq.SUB)
    hearing.setsockopt(zmq.RCVHWM, most)
    hearing.setsockopt(zmq.LINGER, 0)
    hearing.setsockopt(zmq.SUBSCRIBE, prefix)
    hearing.connect(address)
    return hearing


def heard(hearing, within_s=2.0):
    """What comes until nothing more does."""
    came = []
    while hearing.poll(int(within_s * 1000)):
        came.append(hearing.recv_multipart())
    return came


def until_heard(publisher, hearing, row):
    """A subscription takes a moment: something is said until it is heard."""
    end = time.monotonic() + 60
    while not hearing.poll(50):
        assert time.monotonic() < end
        publisher.send([row])
    heard(hearing, 0.3)


def test_says_family_and_key_in_front_and_the_whole_event_behind(address, context, tmp_path):
    publisher = Zmq(bind=address)
    publisher.open(tmp_path, "lobby")
    with subscribed(context, address, b"identity/hall") as hearing:
        until_heard(publisher, hearing, rows(1, ["hall"])[0])
        sent = rows(6, ["lobby", "hall"])
        assert publisher.send(sent) == 6
        assert heard(hearing) == [[b"identity/hall", row.body] for row in sent if row.key == "hall"]
    publisher.close()


def test_who_is_too_slow_sees_what_is_missing_and_finds_it_in_the_log(address, context, tmp_path):
    publisher, sent = Zmq(bind=address, most_waiting=50), rows(20_000)
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(row.body for row in sent) + b"\n")
    publisher.open(tmp_path, "lobby")
    with subscribed(context, address, most=50) as hearing:
        until_heard(publisher, hearing, rows(1)[0])
        publisher.send(sent)
        publisher.send(rows(1, first=20_001))
        numbers = [int(json.loads(body)["sequence"]) for _, body in heard(hearing)]
    publisher.close()
    missing = set(range(1, 20_001)) - set(numbers)
    assert missing
    assert numbers == sorted(numbers)
    logged = {int(json.loads(line)["sequence"]) for line in log.read_text().splitlines()}
    assert missing <= logged


def test_an_address_that_is_taken_is_said(address, tmp_path):
    first, second = Zmq(bind=address), Zmq(bind=address)
    first.open(tmp_path, "lobby")
    with pytest.raises(
        InputError, match=f"publish.zmq.bind: {address} cannot be had, address already in use; "
    ):
        second.open(tmp_path, "lobby")
    second.close()
    first.close()


BEYOND = "is more than loopback, where nothing goes unencrypted; name secret_key_file and clients_file"


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"bind": "tcp://0.0.0.0:5556"}, BEYOND),
        ({"bind": "tcp://*:5556"}, BEYOND),
        ({"bind": "tcp://10.0.0.1:5556"}, BEYOND),
        ({"bind": "tcp://[::]:5556"}, BEYOND),
        ({"bind": "tcp://eth0:5556"}, BEYOND),
        ({"secret_key_file": "key"}, "with a key and no list, anybody may listen"),
        (
            {"bind": "tcp://0.0.0.0:5556", "secret_key_file": "key"},
            "with a key and no list, anybody may listen",
        ),
        ({"bind": "localhost:5556"}, "bind: must be like tcp://127.0.0.1:5556"),
        ({"bind": "tcp://127.0.0.1:99999"}, "bind: must be like tcp://127.0.0.1:5556"),
        ({"most_waiting": 0}, "most_waiting must be above 0"),
    ],
)
def test_what_would_let_anybody_listen_is_refused(settings, text):
    with pytest.raises(ValueError, match=text):
        Zmq(**settings)


def test_keys_are_made_for_their_owner_only_and_checked(address, tmp_path):
    secret, clients = tmp_path / "keys" / "publisher", tmp_path / "clients"
    command = [sys.executable, "-m", "pipeline.zmq_key", secret]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(done.stdout.strip()) == 40
    assert zmq.curve_public(secret.read_bytes().strip()).decode() == done.stdout.strip()
    assert secret.stat().st_mode & 0o777 == 0o600
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (2, f"{secret}: is there already; choose another name\n")
    publisher = Zmq(bind=address, secret_key_file=str(secret), clients_file=str(clients))

    def said():
        with pytest.raises(InputError) as caught:
            publisher.open(tmp_path, "lobby")
        return str(caught.value)

    assert said() == (
        f"publish.zmq.clients_file: {clients}: no such file or directory; list the public keys in it"
    )
    clients.write_text("# who may listen\n\n")
    assert "lists nobody" in said()
    clients.write_text(f"{make(tmp_path / 'reader')} the reader\nshort me\n")
    assert "line 2: must begin with a public key of 40 characters" in said()
    secret.chmod(0o640)
    assert said() == f"{secret}: others may read it; chmod 600 {secret}"
    secret.chmod(0o600)
    secret.write_text("nothing")
    assert "holds no secret key" in said()


class Actor:
    """A script on one of the hosts, that says a word when it has done something."""

    def __init__(self, host, *arguments):
        path = f"{ROOT}:{ROOT / 'tests'}"
        self._process = host.starts(
            [sys.executable, SCRIPT, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def says(self, word):
        assert self._process.stdout.readline() == f"{word}\n"

    def told_to_go_on(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def says_at_last(self):
        self.told_to_go_on()
        return self._process.communicate(timeout=120)[0].splitlines()

    def end(self):
        self._process.kill()
        self._process.communicate()


class Wire:
    """Everything that goes over a host's cable, into a file."""

    def __init__(self, host, file):
        command = ["tcpdump", "-i", host.cable, "-U", "-w", file]
        self._file = file
        self._process = host.starts(command, stderr=subprocess.PIPE, text=True)
        assert any("listening on" in line for line in iter(self._process.stderr.readline, ""))

    def read(self):
        time.sleep(1)
        self.end()
        return self._file.read_bytes()

    def end(self):
        self._process.terminate()
        self._process.communicate(timeout=60)


def wired(tmp_path, name, sender, listeners):
    """What each listener heard, and what went over the wire."""
    with two_hosts() as (here, there), ExitStack() as ending:

        def acting(host, parts):
            actor = Actor(host, *(part.replace("ADDRESS", f"tcp://{here.address}:5556") for part in parts))
            ending.callback(actor.end)
            return actor

        wire = Wire(there, tmp_path / name)
        ending.callback(wire.end)
        sending = acting(here, sender)
        sending.says("open")
        hearing = [acting(there, one) for one in listeners]
        for one in hearing:
            one.says("listening")
        time.sleep(3)  # a handshake, which says nothing to whoever may not come in
        sending.told_to_go_on()
        sending.says("sent")
        came = [one.says_at_last() for one in hearing]
        sending.says_at_last()
        return came, wire.read()


READABLE = (b"sightline", b"P-01KDVQBRC0C9TD6J8KQ0FQX2N4", b"identity", b"captured_ns", b"traceparent")


def test_beyond_this_machine_only_listed_keys_hear_and_nobody_can_read_along(tmp_path):
    secret, clients = tmp_path / "publisher", tmp_path / "clients"
    server_key = make(secret)
    clients.write_text(f"{make(tmp_path / 'listed')} reader\n")
    make(tmp_path / "unlisted")
    sender = ("publish", "ADDRESS", str(secret), str(clients), str(COUNT))
    listed = ("listen", "ADDRESS", server_key, str(tmp_path / "listed"))
    unlisted = ("listen", "ADDRESS", server_key, str(tmp_path / "unlisted"))
    without = ("listen", "ADDRESS", "", "")
    came, crossed = wired(tmp_path, "curve.pcap", sender, [listed, unlisted, without])
    assert came == [["identity/lobby"] * COUNT, [], []]
    assert len(crossed) > COUNT * len(rows(1)[0].body)
    assert [word for word in READABLE if word in crossed] == []


def test_without_keys_everything_could_be_read(tmp_path):
    """So the test above looks at the right wire, for the right words."""
    plain = ("listen", "ADDRESS", "", "")
    came, crossed = wired(tmp_path, "plain.pcap", ("bare", "ADDRESS", str(COUNT)), [plain])
    assert came == [["identity"] * COUNT]
    assert [word for word in READABLE if word not in crossed] == []
