"""Kafka killed, frozen and cut off while events go to it: nothing is lost, and what comes twice has the same id."""

import gc
import threading
import time

import pytest
from kcat import ids, once, seen
from outbox_rows import id_of, rows
from proxy import Proxy

from pipeline.publish import _kafka_delivery
from pipeline.publish._publisher import Unreachable
from pipeline.publish.kafka import Kafka

pytest_plugins = ["fragile"]
CLIENTS = pytest.mark.parametrize("client", ["kafka-python", "confluent"])
pytestmark = [  # kafka-python leaves sockets to the collector that could not connect
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]
EVENTS, AT_ONCE = 6000, 300
KEYS = ("lobby", "hall")
GIVES_UP_S = 240


@pytest.fixture(autouse=True)
def collected():
    """What is left to the collector is collected within the test that left it."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def grouped(monkeypatch):
    """Some are on their way while others are waited for."""
    monkeypatch.setattr(_kafka_delivery, "TOGETHER", AT_ONCE // 3)


class Sending:
    """A drain with rows to send: it goes on after whatever was acknowledged, and waits where nobody is there."""

    def __init__(self, publisher, sent):
        self.acknowledged, self.away = 0, 0
        self._publisher, self._rows = publisher, sent
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def until(self, condition):
        end = time.monotonic() + GIVES_UP_S
        while not condition(self):
            assert time.monotonic() < end
            assert self._thread.is_alive() or condition(self)
            time.sleep(0.01)

    def join(self):
        self._thread.join(GIVES_UP_S)
        assert not self._thread.is_alive()
        return self.acknowledged

    def _send(self):
        while self.acknowledged < len(self._rows):
            batch = self._rows[self.acknowledged : self.acknowledged + AT_ONCE]
            try:
                self.acknowledged += self._publisher.send(batch)
            except Unreachable:
                self.away += 1
                time.sleep(0.2)


def undisturbed(arrived, sent):
    """Everything is there, in the order of its key, once repeats are dropped by id."""
    for key in KEYS:
        came = once([one.headers["ce_id"] for one in arrived if one.key == key])
        assert came == [id_of(row) for row in sent if row.key == key]
    return len(arrived) - len(sent)


def begun(publisher, tmp_path, site, sent):
    publisher.open(tmp_path, site)
    sending = Sending(publisher, sent)
    sending.until(lambda one: one.acknowledged >= 3 * AT_ONCE)
    return sending


@CLIENTS
def test_a_broker_that_is_killed_and_comes_back_misses_nothing(fragile, tmp_path, client):
    sent, site = rows(EVENTS, KEYS), f"killed-{client}"
    publisher = Kafka(servers=(fragile.servers,), client=client, acknowledged_within_s=1)
    sending = begun(publisher, tmp_path, site, sent)
    fragile.kill()
    sending.until(lambda one: one.away)
    fragile.start()
    assert sending.join() == EVENTS
    publisher.close()
    assert undisturbed(seen(fragile.servers, f"{site}.identities.v1"), sent) >= 0


@CLIENTS
def test_a_broker_that_is_frozen_for_a_while_gets_everything_once(fragile, tmp_path, client):
    """The client library goes on trying with the same numbers, so that the broker knows what it has already."""
    sent, site = rows(EVENTS, KEYS), f"frozen-{client}"
    publisher = Kafka(servers=(fragile.servers,), client=client, acknowledged_within_s=1)
    sending = begun(publisher, tmp_path, site, sent)
    fragile.freeze()
    sending.until(lambda one: one.away)
    fragile.thaw()
    assert sending.join() == EVENTS
    publisher.close()
    assert undisturbed(seen(fragile.servers, f"{site}.identities.v1"), sent) == 0


@CLIENTS
def test_a_connection_that_is_cut_loses_nothing(fragile, tmp_path, client):
    sent, site = rows(EVENTS, KEYS), f"cut-{client}"
    proxy = Proxy(fragile.advertised["CUT"], fragile.listeners["CUT"])
    publisher = Kafka(servers=(fragile.at("CUT"),), client=client, acknowledged_within_s=1)
    sending = begun(publisher, tmp_path, site, sent)
    proxy.cut()
    sending.until(lambda one: one.away)
    proxy.mend()
    assert sending.join() == EVENTS
    publisher.close()
    proxy.close()
    assert undisturbed(seen(fragile.servers, f"{site}.identities.v1"), sent) == 0


def test_a_publisher_that_begins_again_repeats_only_what_was_not_acknowledged(fragile, tmp_path):
    """As after a crash: another process, which knows what was acknowledged and nothing of what else was sent."""
    sent, site = rows(EVENTS, KEYS), "again"
    first = Kafka(servers=(fragile.servers,))
    sending = begun(first, tmp_path, site, sent)
    first.close()
    sending.until(lambda one: one.away)
    acknowledged = sending.acknowledged
    second = Kafka(servers=(fragile.servers,))
    second.open(tmp_path, site)
    assert Sending(second, sent[acknowledged:]).join() == EVENTS - acknowledged
    second.close()
    arrived = seen(fragile.servers, f"{site}.identities.v1")
    assert 0 <= undisturbed(arrived, sent) <= AT_ONCE
    repeated = [name for name in once(ids(arrived)) if ids(arrived).count(name) > 1]
    assert set(repeated) <= {id_of(row) for row in sent[acknowledged : acknowledged + AT_ONCE]}
