"""Hearing a publisher over real sockets, and filling from its log what was missed."""

import threading
import time

import pytest
import zmq
import zmq.auth
from published import append, seen, write
from sightline_client import Gap, SightlineError, subscribe
from zmq.auth.thread import ThreadAuthenticator


class Speaker:
    """A publisher that says what it is told to, and not what it is not."""

    def __init__(self, secret_key=None, context=None):
        self._socket = (context or zmq.Context.instance()).socket(zmq.XPUB)  # it hears when somebody has come
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # each one
        if secret_key:
            self._socket.curve_secretkey = secret_key
            self._socket.curve_server = True
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.url = f"zmq://localhost:{port}"

    def is_heard(self, within_s=30.0):
        """Whether somebody comes; that others have gone is passed over."""
        while self._socket.poll(int(within_s * 1000)):
            if self._socket.recv() == b"\x01identity/":
                return True
        return False

    def say(self, *of_lines):
        for line in of_lines:
            self._socket.send_multipart([b"identity/site", line])

    def close(self):
        self._socket.close(linger=0)


@pytest.fixture
def speaker():
    made = Speaker()
    yield made
    made.close()


def hearing(loop, count):
    """The numbers of what is heard, by a thread that ends after so many."""
    numbers = []

    def hear():
        with loop:
            for event in loop:
                numbers.append(event.sequence)
                if len(numbers) == count:
                    return

    thread = threading.Thread(target=hear)
    thread.start()
    return thread, numbers


def ended(thread):
    thread.join(60)
    assert not thread.is_alive()


def test_gives_what_is_said_each_once_and_says_what_was_missed(speaker):
    five, gaps = seen(5), []
    loop = subscribe(speaker.url, on_gap=gaps.append)
    thread, numbers = hearing(loop, 3)
    assert speaker.is_heard()
    speaker.say(five[0], five[1], five[1], five[4])
    ended(thread)
    assert numbers == [1, 2, 5]
    assert (gaps, loop.repeats) == ([Gap("identity.v1", "site", 3, 4)], 1)


def test_begins_with_the_log_and_fills_gaps_from_it(speaker, tmp_path):
    said = seen(9)
    path = write(tmp_path / "events.jsonl", *said[:3])
    loop = subscribe(speaker.url, backlog=path)
    thread, numbers = hearing(loop, 9)
    assert speaker.is_heard()
    append(path, said[3])
    speaker.say(said[3])
    speaker.say(said[6])  # before the log has it and what lies between
    time.sleep(0.2)
    append(path, *said[4:9])
    speaker.say(*said[7:9])
    ended(thread)
    assert numbers == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert (loop.missing, loop.gaps) == (0, [])


def test_a_gap_that_the_log_does_not_fill_is_said_in_the_end(speaker, tmp_path, monkeypatch):
    monkeypatch.setattr("sightline_client.subscription.FILLS_WITHIN_S", 0.3)
    said, gaps = seen(4), []
    loop = subscribe(speaker.url, backlog=write(tmp_path / "events.jsonl", said[0]), on_gap=gaps.append)
    thread, numbers = hearing(loop, 3)
    assert speaker.is_heard()
    speaker.say(said[1], said[3])
    ended(thread)
    assert (numbers, gaps) == ([1, 2, 4], [Gap("identity.v1", "site", 3, 3)])


def test_goes_on_where_it_stopped_by_the_log(speaker, tmp_path):
    said, kept = seen(6), tmp_path / "position"
    path = write(tmp_path / "events.jsonl", *said[:2])
    thread, numbers = hearing(subscribe(speaker.url, backlog=path, position=kept), 3)
    assert speaker.is_heard()
    append(path, said[2])
    speaker.say(said[2])
    ended(thread)
    append(path, *said[3:5])  # nobody listens
    loop = subscribe(speaker.url, backlog=path, position=kept)
    thread, more = hearing(loop, 3)
    assert speaker.is_heard()
    append(path, said[5])
    speaker.say(said[5])
    ended(thread)
    assert (numbers, more) == ([1, 2, 3], [4, 5, 6])
    assert (loop.restarts, loop.missing) == (0, 0)


def test_what_is_no_event_is_said(speaker):
    loop, caught = subscribe(speaker.url), []

    def hear():
        with pytest.raises(SightlineError, match="is no event") as error:
            next(loop)
        caught.append(str(error.value))

    thread = threading.Thread(target=hear)
    thread.start()
    assert speaker.is_heard()
    speaker.say(b"{damaged")
    ended(thread)
    assert caught[0].startswith(speaker.url)


@pytest.fixture
def secured(tmp_path):
    """A publisher that lets one key in, and that key's owner's file."""
    (tmp_path / "clients").mkdir()
    _, key_file = zmq.auth.create_certificates(tmp_path / "clients", "reader")
    public, secret = zmq.auth.load_certificate(key_file)
    context = zmq.Context()  # of its own: only one can say in each who may come
    zap = ThreadAuthenticator(context)
    zap.start()
    zap.configure_curve(location=str(tmp_path / "clients"))
    server_public, server_secret = zmq.curve_keypair()
    speaker = Speaker(server_secret, context)
    file = tmp_path / "secret"
    file.write_bytes(secret)
    file.chmod(0o600)
    yield speaker, server_public.decode(), file
    speaker.close()
    zap.stop()
    context.term()


def test_with_a_key_that_is_listed_it_is_let_in_and_with_another_it_hears_nothing(secured, monkeypatch):
    speaker, server_key, file = secured
    thread, numbers = hearing(subscribe(f"{speaker.url}?secret_key_file={file}", server_key=server_key), 2)
    assert speaker.is_heard()
    speaker.say(*seen(2))
    ended(thread)
    assert numbers == [1, 2]
    monkeypatch.setenv("SIGHTLINE_ZMQ_SECRET_KEY", zmq.curve_keypair()[1].decode())
    stranger = subscribe(speaker.url, server_key=server_key, idle_s=1.0)
    assert not speaker.is_heard(within_s=0.5)
    speaker.say(*seen(2))
    assert list(stranger) == []


WRONG_KEYS = {
    "short": ({"server_key": "abc"}, "server_key must have 40 characters"),
    "no secret": ({}, "needs a secret key; put it into SIGHTLINE_ZMQ_SECRET_KEY"),
    "no server": ({"server_key": None}, "a secret key needs the publisher's server_key too"),
    "open to all": ({"mode": 0o644}, "may be read by others; chmod 600"),
}


@pytest.mark.parametrize("case", WRONG_KEYS)
def test_a_mistake_with_keys_is_one_line_without_the_key(secured, case, monkeypatch):
    monkeypatch.delenv("SIGHTLINE_ZMQ_SECRET_KEY", raising=False)
    speaker, server_key, file = secured
    given, error = WRONG_KEYS[case]
    options = {"server_key": server_key, "secret_key_file": str(file)}
    if case == "no secret":
        del options["secret_key_file"]
    file.chmod(given.pop("mode", 0o600))
    options = {name: value for name, value in {**options, **given}.items() if value is not None}
    with pytest.raises(SightlineError, match=error) as caught:
        subscribe(speaker.url, **options)
    assert file.read_text() not in str(caught.value)
