"""A gallery that is shared, with everything in processes of its own and a real broker: who follows it knows what the run
knows, an erasure reaches them, and of two runs that write one site the one that was cut off is heard no more.
"""

import json
import re
import signal
import time
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from broker import free_ports
from byte_search import copies, places
from command_line import begun, sightline, write_graph
from kcat import seen
from marked import marks
from test_erasure import MARKED, key, rows, sealed
from test_erasure_running import in_view, within

from pipeline.erasure import erase

pytest_plugins = ["simulated_people"]
WAITS_S, LEASE_S = 120, 4
KAFKA = """  kafka:
    servers: ["{servers}"]
    client: {client}
    lease_s: {lease_s}
    gallery_key_file: {folder}/gallery.key
"""
SLOWLY = ("--speed", "0.2", "--executor", "threads")
TOPICS = ("identities", "tracklets", "system")


@pytest.fixture
def graph_of(broker, tmp_path):
    """Makes the graph of one writer of a site of this test's own, by its name."""
    (tmp_path / "gallery.key").touch(mode=0o600)
    (tmp_path / "gallery.key").write_text("5a" * 32)

    def make(name, client="kafka-python"):
        kafka = KAFKA.format(servers=broker.servers, client=client, lease_s=LEASE_S, folder=tmp_path)
        site = f"site-{tmp_path.name}"
        changes = [("site: topview_demo", f"site: {site}"), ("retention:\n", f"{kafka}\nretention:\n")]
        path = write_graph(tmp_path, changes=changes, name=f"{name}.yaml")
        (tmp_path / "sites" / "topview_demo.yaml").rename(tmp_path / "sites" / f"{site}.yaml")
        return path

    return make


@contextmanager
def running(*given, **settings):
    """A process, killed in the end if it has not ended by then."""
    process = begun(*given, **settings)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def writing(graph, people, out):
    return running("--graph", graph, "--replay", people, "--out", out, *SLOWLY, script=MARKED)


def following(graph, out, port):
    return running("follow", graph, "--out", out, "--port", port, script=MARKED)


def ask(port, path):
    """What the replica says, or nothing where it says that there is nothing, or is not there yet."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as answer:
            return json.loads(answer.read())
    except HTTPError as error:
        assert json.loads(error.read())["error"] == "unknown_identity"
    except OSError:
        pass
    return None


def known(port):
    return {one["identity_id"] for one in ask(port, "people?lost") or []}


def said(process):
    """What it has said when it has ended, and how."""
    _, text = process.communicate(timeout=WAITS_S)
    return process.returncode, text


def test_who_follows_knows_what_the_run_knows_and_nothing_of_who_is_erased(
    people, graph_of, broker, tmp_path
):
    graph, (port,) = graph_of("one"), free_ports(1)
    out, replica = tmp_path / "run", tmp_path / "replica"
    with following(graph, replica, port) as follower, writing(graph, people, out):
        assert within(WAITS_S, lambda: len(known(port)) >= 3)
        assert within(WAITS_S, lambda: set(sealed(out)) <= known(port))
        took, gone = [], []
        for who in list(dict.fromkeys(in_view(out).values()))[:3]:
            assert within(WAITS_S, lambda who=who: who in sealed(replica))
            own = marks(*(tracklet for tracklet, _ in sealed(replica)[who]))
            gone.append((who, own, [*key(replica, who), *(blob for _, blob in sealed(replica)[who])]))
            assert erase(out, who, WAITS_S) == (who,)
            acknowledged = time.monotonic()
            assert within(WAITS_S, lambda who=who: ask(port, f"people/{who}") is None)
            took.append(time.monotonic() - acknowledged)
        assert min(took) < 1  # of three: somebody may have stopped all of us during one
        for who, own, secrets in gone:
            assert within(20, lambda who=who: who not in sealed(replica))
            assert within(20, lambda secrets=secrets: places(secrets, replica) == [])
            assert within(20, lambda own=own: copies(follower.pid, own) == 0)
        assert places(marks(), replica, out, broker.folder) == []
        last = {one.key: one.value for one in seen(broker.servers, f"site-{tmp_path.name}.gallery.v1")}
        assert [last[who] for who, *_ in gone] == [None] * len(gone)
        follower.send_signal(signal.SIGTERM)
        status, text = said(follower)
        assert status == 0
        assert [line.rpartition(": ")[2] for line in text.splitlines()] in (
            [],  # else it was there before the run had made the topic
            ["is not there yet, or may not be read; it is tried again and again", "is there"],
        )


def test_a_replica_goes_on_where_it_stopped_or_begins_with_nothing(people, graph_of, tmp_path):
    graph, (port,) = graph_of("one"), free_ports(1)
    out = tmp_path / "run"
    with following(graph, tmp_path / "replica", port) as follower:
        assert within(WAITS_S, lambda: ask(port, "status"))
        follower.kill()
    done = sightline(
        "--graph", graph, "--replay", people, "--out", out, "--executor", "threads", script=MARKED
    )
    assert done.returncode == 0, done.stderr
    told = {id for (id,) in rows(out, "SELECT identity FROM shared WHERE identity != ''")}
    with following(graph, tmp_path / "replica", port) as follower:
        assert within(WAITS_S, lambda: (ask(port, "status") or {}).get("behind") == 0)
        assert known(port) == told != set()
        shown = sightline("who", "--url", f"http://127.0.0.1:{port}")
        assert (shown.returncode, shown.stdout.count("P-")) == (0, len(ask(port, "people"))), shown.stderr
        one, *_ = sorted(set(sealed(out)))
        shown = sightline("who", one, "--url", f"http://127.0.0.1:{port}")
        assert (shown.returncode, "likeness" in shown.stdout) == (0, True), shown.stderr
        shown = sightline("who", "P-0", "--url", f"http://127.0.0.1:{port}")
        assert (shown.returncode, shown.stderr) == (
            2,
            f"http://127.0.0.1:{port}: nobody here is called P-0\n",
        )
        follower.kill()
    (tmp_path / "gallery.key").write_text("6b" * 32)
    refused = sightline("follow", graph, "--out", tmp_path / "replica", "--port", port)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "was sealed with another gallery key, and so with all of them" in refused.stderr


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_nothing_comes_of_a_writer_that_stood_still_until_another_took_over(
    people, graph_of, broker, tmp_path, client
):
    site, first, second = f"site-{tmp_path.name}", graph_of("first", client), graph_of("second", client)

    def written(name, isolation="read_committed"):
        """Which writer's they are, by topic, in order."""
        return [
            one.headers["ce_source"].split("/")[2]
            for one in seen(broker.servers, f"{site}.{name}.v1", isolation)
        ]

    with writing(first, people, tmp_path / "a") as a:
        assert within(
            WAITS_S, lambda: (tmp_path / "a" / "site.db").exists() and len(written("tracklets")) > 3
        )
        refused = sightline("--graph", second, "--replay", people, "--out", tmp_path / "b")
        assert refused.returncode == 2
        assert re.fullmatch(
            rf"WARNING: publish.kafka: process {a.pid} on \S+ has written {site} last; if it does not go on within {LEASE_S} s it is over\n"
            rf"publish.kafka: site '{site}': is being written by process {a.pid} on \S+; stop that one, or give this site's file another name\n",
            refused.stderr,
        )
        assert not (tmp_path / "b" / "site.db").exists()
        assert a.poll() is None
        a.send_signal(signal.SIGSTOP)
        with writing(second, people, tmp_path / "b") as b:
            assert within(WAITS_S, lambda: "second" in written("identities"))
            a.send_signal(signal.SIGCONT)
            status, text = said(a)
            assert status == 2
            assert f"publish.kafka: site '{site}': process {b.pid} on " in text
            assert "has taken over; this run writes no more" in text and "Traceback" not in text
            count = len(written("identities"))
            assert within(WAITS_S, lambda: len(written("identities")) > count)
            assert b.poll() is None
    for name in TOPICS:
        for isolation in ("read_committed", "read_uncommitted"):
            order = written(name, isolation)
            assert "first" not in order[order.index("second") :], (name, isolation)
    writers = [json.loads(one.value)["process"] for one in seen(broker.servers, f"{site}.writer.v1")]
    assert list(dict.fromkeys(writers)) == [a.pid, b.pid] == sorted(set(writers), key=writers.index)
    assert a.pid not in writers[writers.index(b.pid) :]
