"""One site has one writer on Kafka: a second one is refused, takes over when the lease of the first has run out, and the
broker itself takes nothing from the first one then.
"""

import itertools
import threading
import time

import pytest
from broker import free_ports
from kcat import ids, seen
from outbox_rows import event, id_of, rows
from proxy import Proxy

from configs.build import InputError
from pipeline.publish._kafka_lease import OtherWriterError
from pipeline.publish._publisher import Row, Unreachable
from pipeline.publish.kafka import Kafka

CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "confluent"])
SITES = (f"alone-{number}" for number in itertools.count())
LEASE_S, GIVES_UP_S = 3.0, 90


@pytest.fixture
def site():
    return next(SITES)


@pytest.fixture
def writer(broker, tmp_path):
    """Opens publishers of runs, each in a folder of its own, unless it is given the mark of one."""
    opened = []

    def begin(site, client="kafka-python", mark=None, **settings):
        settings = {"servers": (broker.servers,), "exclusive": True, "lease_s": LEASE_S, **settings}
        publisher = Kafka(client=client, **settings)
        opened.append(publisher)
        publisher.open(tmp_path, site)
        publisher.resume(mark)
        return publisher

    yield begin
    for publisher in opened:
        publisher.close()


def gone(publisher, within_s=GIVES_UP_S):
    """What it ends with when it goes on after somebody else has taken over."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        try:
            publisher.idle()
        except OtherWriterError as error:
            return str(error)
        time.sleep(0.1)
    raise TimeoutError


def beating(publisher, until):
    """It lives: as its drain, it renews its lease while `until` does something."""
    stopped = threading.Event()

    def work():
        while not stopped.wait(0.2):
            publisher.idle()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        return until()
    finally:
        stopped.set()
        thread.join()


@CLIENTS
def test_a_second_writer_is_refused_while_the_first_is_alive(writer, broker, site, client):
    first = writer(site, client)
    first.send(rows(3))

    def second():
        with pytest.raises(
            OtherWriterError, match=rf"site '{site}': is being written by process \d+ on \S+; stop"
        ):
            writer(site, client)

    beating(first, second)
    assert first.send(rows(3, first=4)) == 3
    assert ids(seen(broker.servers, f"{site}.identities.v1")) == [id_of(row) for row in rows(6)]


@CLIENTS
def test_the_first_is_refused_by_the_broker_when_another_has_taken_over(writer, broker, site, client):
    first = writer(site, client)
    assert first.send(rows(3)) == 3
    second = writer(site, client)  # the first one says nothing for as long as its lease
    assert second.send(rows(3, first=11)) == 3
    with pytest.raises((Unreachable, OtherWriterError)):
        first.send(rows(3, first=4))
    assert "has taken over; this run writes no more" in gone(first)
    assert second.send(rows(3, first=14)) == 3
    for isolation in ("read_committed", "read_uncommitted"):
        there = ids(seen(broker.servers, f"{site}.identities.v1", isolation=isolation))
        assert there == [id_of(row) for row in (*rows(3), *rows(6, first=11))]


@CLIENTS
def test_what_was_under_way_when_another_took_over_is_taken_back(writer, broker, site, client):
    first = writer(site, client)
    first.send(rows(3))
    delivery = first._delivery
    delivery._hand_over(rows(3, first=4))  # acknowledged, but its transaction is not over
    delivery._wait(delivery._handed[0][1], 30)
    second = writer(site, client)
    second.send(rows(3, first=11))
    with pytest.raises((Unreachable, OtherWriterError)):
        first.send(rows(3, first=4))
    assert "has taken over" in gone(first)
    committed = ids(seen(broker.servers, f"{site}.identities.v1", isolation="read_committed"))
    every = ids(seen(broker.servers, f"{site}.identities.v1", isolation="read_uncommitted"))
    assert committed == [id_of(row) for row in (*rows(3), *rows(3, first=11))]
    assert every == [id_of(row) for row in (*rows(6), *rows(3, first=11))]


@CLIENTS
def test_who_ends_leaves_the_site_to_the_next_at_once(writer, site, client):
    writer(site, client, lease_s=300).close()
    began = time.monotonic()
    second = writer(site, client)
    assert time.monotonic() - began < 60
    assert second.send(rows(1)) == 1


def test_a_run_that_is_started_again_does_not_wait_for_its_own_lease(writer, site):
    lease_s = 40
    first = writer(site, lease_s=lease_s)
    first.send(rows(2))
    mark = first.mark()
    assert mark
    began_s = time.monotonic()
    again = writer(site, mark=mark, lease_s=lease_s)
    assert again.send(rows(2, first=3)) == 2
    assert time.monotonic() - began_s < lease_s
    with pytest.raises((Unreachable, OtherWriterError)):
        first.send(rows(1, first=9))
    assert "has taken over" in gone(first)  # were it not dead, it would end


@CLIENTS
def test_what_the_broker_never_takes_is_put_aside_all_the_same(writer, broker, site, client):
    publisher = writer(site, client, topics={"identities": {"max.message.bytes": 20_000}})
    sent = rows(8)
    sent[3] = Row(4, "identity", "lobby", event(4, more=',"note":"' + "x" * 100_000 + '"'))
    left = sent
    while left:
        left = left[publisher.send(left) :]
    assert ids(seen(broker.servers, f"{site}.identities.v1")) == [
        id_of(row) for row in sent if row is not sent[3]
    ]
    (aside,) = seen(broker.servers, f"{site}.rejected.v1")
    assert aside.headers["rejected_topic"] == f"{site}.identities.v1"


def test_who_found_nobody_there_ends_if_another_run_has_written_the_gallery_since(
    writer, broker, site, tmp_path
):
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text("5a" * 32)
    (port,) = free_ports(1)
    settings = {"exclusive": False, "gallery_key_file": str(tmp_path / "key"), "acknowledged_within_s": 60}
    early = writer(site, servers=(f"localhost:{port}",), **settings)
    with pytest.raises(
        InputError, match="whom replicas know must be seen before the gallery is shared from here"
    ):
        early.sharing(is_first=True)
    assert early.sharing(is_first=False).known is None
    other = writer(site, **settings)
    assert other.sharing(is_first=True).known == []
    other.send(
        [
            Row(1, "gallery", "P-1", b"sealed"),
            Row(2, "gallery", "P-2", b"sealed"),
            Row(3, "gallery", "P-1", b""),
        ]
    )
    other.close()
    proxy = Proxy(port, broker.listeners["PLAIN"])
    try:
        with pytest.raises(
            OtherWriterError, match="another run has written the gallery; start this one again"
        ):
            early.send([Row(1, "gallery", "P-3", b"sealed")])
        early.close()
    finally:
        proxy.close()
    again = writer(site, mark=early.mark(), **settings)
    assert again.sharing(is_first=False).known is None  # it was the last one to come
    third = writer(site, **settings)
    assert third.sharing(is_first=False).known == ["P-2"]
