"""What runs on the hosts of test_zmq.py: `publish` sends rows when it is told to, `listen` prints what it hears."""

import sys
import time
from pathlib import Path

import zmq
from outbox_rows import rows

from pipeline.publish.zmq import Zmq

QUIET_S = 3.0  # after so long, nothing more is waited for


def publish(bind, secret_key_file, clients_file, count):
    publisher = Zmq(bind=bind, secret_key_file=secret_key_file, clients_file=clients_file)
    publisher.open(Path(), "lobby")
    told("open")
    sys.stdin.readline()
    publisher.send(rows(int(count)))
    told("sent")
    sys.stdin.readline()
    publisher.close()


def bare(bind, count):
    """A socket without keys, to show that what goes over the wire can be read."""
    sending = zmq.Context.instance().socket(zmq.PUB)
    sending.bind(bind)
    told("open")
    sys.stdin.readline()
    for row in rows(int(count)):
        sending.send_multipart((row.family.encode(), row.body))
    told("sent")
    sys.stdin.readline()


def listen(address, server_key, secret_key_file):
    hearing = zmq.Context.instance().socket(zmq.SUB)
    if server_key:
        hearing.curve_serverkey = server_key.encode()
        secret = Path(secret_key_file).read_bytes().strip()
        hearing.curve_secretkey, hearing.curve_publickey = secret, zmq.curve_public(secret)
    hearing.setsockopt(zmq.SUBSCRIBE, b"identity")
    hearing.connect(address)
    told("listening")
    sys.stdin.readline()
    until_s = time.monotonic() + QUIET_S
    while time.monotonic() < until_s:
        if hearing.poll(100):
            told(hearing.recv_multipart()[0].decode())
            until_s = time.monotonic() + QUIET_S


def told(word):
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    {"publish": publish, "bare": bare, "listen": listen}[sys.argv[1]](*sys.argv[2:])
