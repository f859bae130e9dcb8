"""Events on a real broker, whatever is killed, frozen, cut off or full meanwhile: kcat finds there what a run that nobody
disturbed says, each key without a gap, and what came twice has the id that it had.
"""

import gc
import os
import random
import signal
import subprocess
import time
from contextlib import closing, contextmanager

import pytest
from confluent_kafka import Producer
from crowded import kill
from kcat import seen
from on_a_broker import Arriving, Crowd, write_video
from proxy import Proxy
from sightline_client import Site, state, subscribe
from test_isolated_cameras import source_processes

pytest_plugins = ["fragile"]
AWAY_S = 60.0
MOST_REPEATS = 1000  # a start: what a drain sends at once


@pytest.fixture(autouse=True)
def collected():
    """What is left to the collector is collected within the test that left it."""
    yield
    gc.collect()


@contextmanager
def under_way(crowd, servers, count, mutant=""):
    """Its run, of which so many identity events have arrived."""
    with closing(Arriving(servers, crowd.site)) as arriving:
        run = crowd.start(mutant)
        try:
            assert arriving.wait_for(count, run), run.stderr.read().decode()
            yield run
        finally:
            kill(run)


def same(judgement, whole, most_repeats):
    """Nothing is missing, changed or out of order; what came twice is counted."""
    assert judgement[:2] == whole[:2]
    assert whole[1:] == ([], 0)
    return 0 <= judgement[2] <= most_repeats


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_killed_while_it_publishes(fragile, tmp_path, client):
    """And who comes then is told by the compacted topic what somebody knows who has heard everything."""
    random_ = random.Random(client)
    crowd = Crowd(tmp_path, fragile.servers, f"killed-{client}", client=client)
    whole = crowd.whole()
    for count in (1, 300, 700):
        with under_way(crowd, fragile.servers, count + random_.randrange(200)):
            time.sleep(random_.random() * 0.02)
    crowd.finish()
    assert same(crowd.judged(), whole, 3 * MOST_REPEATS)
    everything, url = Site(), f"kafka://{fragile.servers}/{crowd.site}"
    for event in subscribe(url, families="identity", follow=False):
        everything.apply(event)
    compacted(fragile.servers, crowd.site)
    newcomer = state(url)
    assert newcomer.people == everything.people == state(tmp_path / "whole").people
    assert len(newcomer.people) > 10


def compacted(servers, site):
    """Returns when most of what was sent for each identity is no longer in the topic. Kafka leaves alone what is still
    written to, and writes elsewhere once something comes: a tombstone of nobody's.
    """
    topic, until_s = f"{site}.identity-state.v1", time.monotonic() + 120
    producer = Producer({"bootstrap.servers": servers})
    while len(rows := seen(servers, topic)) > rows[-1].offset / 2:
        assert time.monotonic() < until_s
        producer.produce(topic, None, "P-nobody")
        producer.flush()
        time.sleep(0.5)


def killed(broker, _):
    broker.kill()
    time.sleep(AWAY_S)
    broker.start()


def frozen(broker, _):
    broker.freeze()
    time.sleep(AWAY_S)
    broker.thaw()


def cut(_, proxy):
    proxy.cut()
    time.sleep(AWAY_S)
    proxy.mend()


@pytest.mark.parametrize("trouble", [killed, frozen, cut])
def test_a_broker_that_is_away_for_a_while(fragile, tmp_path, trouble):
    crowd = Crowd(tmp_path, fragile.at("CUT"), f"away-{trouble.__name__}")
    whole = crowd.whole()
    with closing(Proxy(fragile.advertised["CUT"], fragile.listeners["CUT"])) as proxy:
        with under_way(crowd, fragile.servers, 200) as run:
            trouble(fragile, proxy)
            _, said = run.communicate(timeout=300)
        assert run.returncode == 0, said.decode()
        crowd.finish()
    assert same(crowd.judged(fragile.servers), whole, 2 * MOST_REPEATS)


def test_a_full_disk(fragile, tmp_path, small_disk):
    disk = small_disk("size=1200k")
    crowd = Crowd(disk, fragile.servers, "full-disk")
    run = crowd.start()
    _, said = run.communicate(timeout=300)
    kill(run)
    assert run.returncode == 1
    assert b"make room and run again" in said
    subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
    crowd.finish()
    assert same(crowd.judged(), crowd.whole(), MOST_REPEATS)


def test_one_process_of_a_source_killed_while_it_publishes(fragile, tmp_path):
    video = write_video(tmp_path / "east.avi", 3000)
    crowd = Crowd(
        tmp_path, fragile.servers, "source", east=f"stage: source/video, path: {video}, isolated: true"
    )
    with under_way(crowd, fragile.servers, 5) as run:
        (process,) = source_processes(run)
        os.kill(process, signal.SIGKILL)
        _, said = run.communicate(timeout=300)
    assert run.returncode == 0, said.decode()
    assert "its process was killed (SIGKILL)" in (crowd.out / "system.jsonl").read_text()
    crowd.finish()
    assert same(crowd.judged(), crowd.whole(), 0)


def test_an_outbox_that_is_emptied_too_early_is_caught(fragile, tmp_path):
    """Its rows are deleted before the broker has acknowledged them."""
    mutant = "deletes before the acknowledgement"
    crowd = Crowd(tmp_path, fragile.servers, "early", frames=200)
    with under_way(crowd, fragile.servers, 1, mutant):
        pass
    crowd.finish(mutant)
    data, gaps, _ = crowd.judged()
    assert gaps
    assert data != crowd.whole()[0]
