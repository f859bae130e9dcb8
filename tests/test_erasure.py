"""Proof by bytes: after a run no vector lies anywhere but sealed, and after an erasure neither a vector nor its key do.
Vectors bear marks, and each thing that this rests on is broken once, to see that the search finds what is left.
"""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from byte_search import places
from command_line import sightline
from marked import marks
from outbox_rows import waiting

from pipeline.vault import Vault

pytest_plugins = ["simulated_people"]
MARKED = Path(__file__).parent / "marked.py"
WAITS_S = 60


@pytest.fixture(scope="module")
def run(people, graph, tmp_path_factory):
    """A run that has ended, of people whose vectors bear marks."""
    return conducted(people, graph, tmp_path_factory.mktemp("marked") / "run")


def conducted(people, graph, out, *more, **settings):
    done = sightline("--graph", graph, "--replay", people, "--out", out, *more, script=MARKED, **settings)
    assert done.returncode == 0, done.stderr
    return out


def events(out, kind=""):
    lines = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    return [line for line in lines if line["type"].endswith(f"{kind}.v1")]


def rows(out, query, *given):
    with closing(sqlite3.connect(out / "site.db")) as db:
        return db.execute(query, given).fetchall()


def sealed(out):
    """What is sealed, by identity: tracklet and bytes."""
    found = {}
    for identity, tracklet, blob in rows(out, "SELECT identity, tracklet, sealed FROM vectors"):
        if identity.startswith("P-"):
            found.setdefault(identity, []).append((tracklet, blob))
    return found


def key(out, identity):
    """As it is on the disk, without its nonce, and as it is in memory."""
    with closing(Vault(out)) as vault:
        (wrapped,) = vault._db.execute("SELECT wrapped FROM keys WHERE identity = ?", (identity,)).fetchone()
        return wrapped[12:], bytes(vault._key(identity))


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


def erase(out, identity, **settings):
    return sightline("erase", identity, "--out", out, script=MARKED, **settings)


def test_a_run_leaves_no_vector_anywhere_but_sealed(run):
    assert len(sealed(run)) >= 5
    assert places(marks(), run) == []


@pytest.mark.parametrize("broken", ["sealing", "states"])
def test_the_search_finds_vectors_that_were_not_sealed(people, graph, tmp_path, broken):
    out = conducted(people, graph, tmp_path / "run", BROKEN=broken)
    assert str(out / "site.db") in places(marks(), out)


@pytest.mark.parametrize("name", ["site.db", "keys.db", "events.jsonl", "site.db-wal", "new"])
def test_the_search_finds_what_is_planted(copy, name):
    mark = sorted(marks())[5]
    with (copy / name).open("ab") as file:
        file.write(b"before" + mark + b"behind")
    assert places(marks(), copy) == [str(copy / name)]


def test_who_is_erased_from_a_run_that_has_ended_is_in_no_file_any_more(copy):
    gone, *others = sorted(sealed(copy))
    blobs = [blob for _, blob in sealed(copy)[gone]]
    wrapped, plain = key(copy, gone)
    assert places([wrapped], copy) == [str(copy / "keys.db")]
    assert places(blobs, copy) == [str(copy / "site.db")]
    done = erase(copy, gone)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{gone}: erased\n", "")
    assert places([wrapped, plain, *blobs, *marks()], copy) == []
    assert sorted(sealed(copy)) == others
    assert rows(
        copy, "SELECT count(*) FROM states WHERE key = ? OR instr(value, ?)", gone, gone.encode()
    ) == [(0,)]


def test_what_was_erased_is_published_when_the_run_is_started_again(copy, people, graph):
    gone = sorted(sealed(copy))[0]
    assert erase(copy, gone).returncode == 0
    assert [(row.family, row.key, bool(row.body)) for row in waiting(copy / "site.db")] == [
        ("identity", "topview_demo", True),
        ("state", gone, False),
    ]
    conducted(people, graph, copy)
    (event,) = events(copy, "identity.erased")
    numbers = [int(one["sequence"]) for one in events(copy) if ".identity." in one["type"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert (event["data"]["from"], event["data"]["to"], event["source"].split("/")[-1]) == (
        [gone],
        [],
        "match",
    )
    assert event["time"] >= max(one["time"] for one in events(copy, "observed"))


def test_what_cannot_be_erased_is_one_line_and_nothing_is_written(copy):
    gone = sorted(sealed(copy))[0]
    assert erase(copy, gone).returncode == 0
    there = (copy / "site.db").read_bytes()
    for name, text in (
        (gone, f"{gone} was erased on "),
        ("P-0", "knows nobody called P-0; take the name from"),
    ):
        done = erase(copy, name)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"{copy / 'site.db'}: {text}")
    assert (copy / "site.db").read_bytes() == there
    done = erase(copy / "nowhere", gone)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"{copy / 'nowhere' / 'site.db'}: is not there; name the folder of a run")
    assert not (copy / "nowhere").exists()


def test_a_key_that_is_left_is_found(copy):
    gone = sorted(sealed(copy))[0]
    wrapped, _ = key(copy, gone)
    assert erase(copy, gone, BROKEN="keys").returncode == 0
    assert places([wrapped], copy) == [str(copy / "keys.db")]
