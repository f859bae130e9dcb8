"""What a broker's disk holds of somebody once its topics are compacted: nothing that they look like, sealed or not, when
they were erased or have expired; and no key, ever.
"""

import sqlite3
import time
from contextlib import closing

import pytest
from byte_search import places
from command_line import begun, sightline, write_graph
from confluent_kafka import Consumer, Producer, TopicPartition
from kcat import seen
from marked import marks
from test_erasure import MARKED, events, key, sealed
from test_erasure_running import within

from pipeline.erasure import erase

pytest_plugins = ["fragile", "simulated_people"]
WAITS_S = 120
SOON = "{segment.ms: 1000, max.compaction.lag.ms: 1000, min.cleanable.dirty.ratio: 0.01, file.delete.delay.ms: 0}"
KAFKA = """  kafka:
    servers: ["{servers}"]
    gallery_key_file: {folder}/gallery.key
    topics: {{gallery: {soon}, identity-state: {soon}}}
"""
MATCH = "match:     {stage: match, from: embed"


@pytest.fixture
def graph_of(fragile, tmp_path):
    """Makes a graph that shares its gallery, of a site of this test's own, with these settings of `match`."""
    (tmp_path / "gallery.key").touch(mode=0o600)
    (tmp_path / "gallery.key").write_text("5a" * 32)

    def make(site, settings=""):
        kafka = KAFKA.format(servers=fragile.servers, folder=tmp_path, soon=SOON)
        changes = [("site: topview_demo", f"site: {site}"), ("retention:\n", f"{kafka}\nretention:\n")]
        path = write_graph(tmp_path, changes=[*changes, (MATCH, MATCH + settings)])
        (tmp_path / "sites" / "topview_demo.yaml").rename(tmp_path / "sites" / f"{site}.yaml")
        return path

    return make


def conducted(graph, people, out):
    given = ("--graph", graph, "--replay", people, "--out", out, "--executor", "threads")
    done = sightline(*given, script=MARKED)
    assert done.returncode == 0, done.stderr


def told(servers, topic):
    """The ends of everything that a gallery's topic says of people now, as bytes, by identity."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "bytes", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = {}
    try:
        while (one := consumer.poll(60)) is not None and one.error() is None:
            if one.value():
                found.setdefault(one.key().decode(), set()).add(one.value()[-64:])
    finally:
        consumer.close()
    return found


def compacted(servers, topic, needles, folder):
    """Whether the broker's files hold none of these any more, which takes until it has written elsewhere and cleaned."""
    producer, until_s = Producer({"bootstrap.servers": servers}), time.monotonic() + WAITS_S
    while left := places(needles, folder):
        if time.monotonic() > until_s:
            return left
        producer.produce(topic, None, "P-nobody")
        producer.flush()
        time.sleep(0.5)
    return []


def test_of_who_is_erased_the_broker_keeps_nothing_once_it_has_compacted(people, graph_of, fragile, tmp_path):
    out, topic = tmp_path / "run", "erased.gallery.v1"
    graph = graph_of("erased")
    conducted(graph, people, out)
    gone, stays, *_ = sealed(out)
    records = told(fragile.servers, topic)
    secrets = [*key(out, gone), *(blob for _, blob in sealed(out)[gone]), bytes.fromhex("5a" * 32)]
    assert places(records[gone], fragile.folder)  # they can be found, if they are there
    assert erase(out, gone, 0) == (gone,)
    conducted(graph, people, out)  # what has been done without a run goes out
    assert {one.key: one.value for one in seen(fragile.servers, topic)}[gone] is None
    assert compacted(fragile.servers, topic, records[gone], fragile.folder) == []
    assert places(records[stays], fragile.folder)
    assert places([*secrets, *marks()], fragile.folder, out) == []


def test_of_who_has_expired_neither_the_run_nor_the_broker_keeps_anything(
    people, graph_of, fragile, tmp_path
):
    out, topic = tmp_path / "run", "expired.gallery.v1"
    graph = graph_of("expired", ", lost_after_s: 1.0, forget_after_s: 2.0")
    secrets, records, given = {}, {}, ("--graph", graph, "--replay", people, "--out", out, "--speed", 0.5)
    with begun(*given, script=MARKED) as run:
        while run.poll() is None:
            for who, blobs in _sealed(out).items():
                secrets.setdefault(who, set()).update(blob for _, blob in blobs)
            for who, ends in told(fragile.servers, topic).items():
                records.setdefault(who, set()).update(ends)
            time.sleep(0.2)
        assert run.returncode == 0, run.communicate()[1]
    expired = {one["subject"] for one in events(out, "identity.expired")} & secrets.keys()
    left = set(sealed(out))
    assert expired and not expired & left
    blobs = [blob for who in expired for blob in secrets[who]]
    needles = [end for who in expired for end in records.get(who, ())]
    assert within(10, lambda: places([*blobs, *marks()], out) == [])
    assert not expired & _keyed(out)
    newest = {one.key: one.value for one in seen(fragile.servers, topic)}
    assert [newest[who] for who in expired if who in newest] == [None] * len(expired & newest.keys())
    assert needles
    assert compacted(fragile.servers, topic, needles, fragile.folder) == []
    assert places([*blobs, *marks()], fragile.folder) == []


def _sealed(out):
    try:
        return sealed(out)
    except sqlite3.OperationalError:  # it is not there yet
        return {}


def _keyed(out):
    with closing(sqlite3.connect(out / "keys.db")) as db:
        return {who for (who,) in db.execute("SELECT identity FROM keys")}
