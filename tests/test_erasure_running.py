"""Somebody is erased while a run is at work: from its memory, its files and its write-ahead log; exactly once, also if it
is killed then; and whoever is in view goes on as somebody new. Whatever runs it, it is the same.
"""

import json
import sqlite3
import time
from contextlib import closing, contextmanager
from hashlib import sha256

import msgspec
import pytest
from byte_search import copies, places
from command_line import begun
from marked import marks
from test_erasure import MARKED, conducted, events, key, rows, sealed

from pipeline._store_commands import add_command, audit
from pipeline._store_file import StoreError
from pipeline.commands import request
from pipeline.erasure import erase

pytest_plugins = ["simulated_people"]
WAITS_S, CUT_NS = 100, 1_000_000_000
SLOWLY, SLOWER = "0.4", "0.2"  # times real time: what is asked of a run must be done before its 8 s are over


@contextmanager
def running(people, graph, out, speed=SLOWLY, **settings):
    """A run that is at work, killed in the end."""
    how = ("--speed", speed, "--executor", "threads")
    process = begun("--graph", graph, "--replay", people, "--out", out, *how, script=MARKED, **settings)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def in_view(out):
    """Identities by tracklet, of those who are in view and whose looks are known, once there are some."""
    until_s = time.monotonic() + WAITS_S
    while time.monotonic() < until_s:
        try:
            known = {tracklet for found in sealed(out).values() for tracklet, _ in found}
            whose = dict(rows(out, "SELECT key, value FROM states WHERE field = '_whose'"))
        except sqlite3.OperationalError:  # it is not there yet
            known, whose = set(), {}
        if found := {id: msgspec.msgpack.decode(who) for id, who in whose.items() if id in known}:
            return found
        time.sleep(0.1)
    raise TimeoutError


def within(seconds, is_so):
    until_s = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < until_s:
        time.sleep(0.2)
    return found


LEFT = 3  # as many looks as a decision waits for: each came in a message of its own, which is freed as it is


def test_who_is_erased_from_a_run_at_work_is_gone_from_its_memory_and_its_files(people, graph, tmp_path):
    out = tmp_path / "run"
    with running(people, graph, out, SLOWER) as process:
        (gone, *_) = in_view(out).values()
        own = marks(*(tracklet for tracklet, _ in sealed(out)[gone]))
        blobs, secrets = [blob for _, blob in sealed(out)[gone]], key(out, gone)
        assert copies(process.pid, own) > 0
        assert erase(out, gone, WAITS_S) == (gone,)
        assert (out / "site.db-wal").exists()
        assert places([*secrets, *blobs, *marks()], out) == []
        # what was freed is overwritten where it is used again, which nobody can promise of the last copy
        assert within(20, lambda: copies(process.pid, own) <= LEFT)
        with pytest.raises(StoreError, match=f"{gone} was erased on "):
            erase(out, gone, WAITS_S)
        with pytest.raises(StoreError, match="knows nobody called P-0"):
            erase(out, "P-0", WAITS_S)
    conducted(people, graph, out)  # it goes on from where it was killed
    (event,) = events(out, "identity.erased")
    about = [one for one in events(out) if ".identity." in one["type"]]
    assert [int(one["sequence"]) for one in about] == list(range(1, len(about) + 1))
    assert gone not in json.dumps(about[about.index(event) + 1 :])
    assert places([*secrets, *blobs, *marks()], out) == []


@pytest.mark.parametrize(("broken", "is_left"), [("", False), ("truncation", True)])
def test_the_write_ahead_log_is_truncated_by_the_run_itself(people, graph, tmp_path, broken, is_left):
    out = tmp_path / "run"
    with running(people, graph, out, BROKEN=broken):
        (gone, *_) = in_view(out).values()
        blobs = [blob for _, blob in sealed(out)[gone]]
        with closing(sqlite3.connect(out / "site.db", isolation_level=None)) as db:
            add_command(db, "erase", request(gone))
            assert within(WAITS_S, lambda: [entry.subject for entry in audit(db)] == [gone])
        left = not within(3, lambda: places(blobs, out) == [])
    assert left == is_left


def test_a_run_that_is_killed_before_its_cut_is_asked_again(people, graph, tmp_path):
    out = tmp_path / "run"
    with running(people, graph, out):
        (gone, *_) = in_view(out).values()
        with closing(sqlite3.connect(out / "site.db", isolation_level=None)) as db:
            add_command(db, "erase", request(gone))
    conducted(people, graph, out)
    assert [event["data"]["from"] for event in events(out, "identity.erased")] == [[gone]]
    assert rows(out, "SELECT kind, subject FROM audit") == [("erased", gone)]
    assert gone not in sealed(out)


def test_a_run_that_ends_while_it_is_waited_for_leaves_the_erasure_to_who_waits(people, graph, tmp_path):
    out = tmp_path / "run"
    with running(people, graph, out) as process:
        (gone, *_) = in_view(out).values()
        process.send_signal(19)  # it stands still, so that it cannot do it
        with pytest.raises(
            StoreError, match=r"has not erased P-\w+ within 0.5 s; it does so with its next frames"
        ):
            erase(out, gone, 0.5)
    assert erase(out, gone, 0) == (gone,)
    assert [row[0] for row in rows(out, "SELECT taken_ns IS NULL FROM commands ORDER BY number")] == [1, 0]
    conducted(people, graph, out)
    assert [event["data"]["from"] for event in events(out, "identity.erased")] == [[gone]]


def test_an_erasure_at_one_moment_gives_the_same_bytes_whatever_runs_it(people, graph, tmp_path):
    gone, tracklet, at_ns = longest(conducted(people, graph, tmp_path / "plain", "--executor", "inline"))
    seen = set()
    for executor in ("inline", "threads", "processes"):
        settings = {"ERASED": gone, "ERASED_NS": str(at_ns)}
        out = conducted(people, graph, tmp_path / executor, "--executor", executor, **settings)
        seen.add(sha256((out / "events.jsonl").read_bytes()).hexdigest())
    assert len(seen) == 1
    about = [one for one in events(out) if ".identity." in one["type"]]
    (event,) = events(out, "identity.erased")
    assert (event["data"]["captured_ns"], event["data"]["from"]) == (at_ns, [gone])
    later = about[about.index(event) + 1 :]
    first, *_ = [one for one in later if one["data"].get("tracklet_id") == tracklet]
    assert (first["type"], first["data"]["identity_id"] != gone) == ("sightline.identity.appeared.v1", True)
    assert gone not in json.dumps(later)


def longest(out):
    """Who is seen for longest by one camera, in which tracklet, and a moment amid that at which there is a cut."""
    spans = {}
    for event in events(out, "tracklet.closed"):
        spans[event["subject"]] = event["data"]["captured_ns"] - event["data"]["opened_ns"]
    tracklet = max(spans, key=spans.get)
    (closed,) = [one["data"] for one in events(out, "tracklet.closed") if one["subject"] == tracklet]
    told = next(one for one in events(out, "identity.appeared") if one["data"]["tracklet_id"] == tracklet)
    middle_ns = (told["data"]["captured_ns"] + closed["captured_ns"]) // 2
    return told["subject"], tracklet, middle_ns // CUT_NS * CUT_NS
