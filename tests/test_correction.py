"""An operator's corrections, from the command line: of a run that has ended, and of one that is at work."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from byte_search import places
from command_line import sightline
from marked import marks
from test_erasure import conducted, events, rows, sealed
from test_erasure_running import SLOWER, in_view, running

from pipeline._store_commands import add_command
from pipeline._store_file import StoreError
from pipeline.commands import request
from pipeline.correction import correct
from pipeline.vault import Vault

pytest_plugins = ["simulated_people"]
WAITS_S = 100


@pytest.fixture(scope="module")
def run(people, graph, tmp_path_factory):
    return conducted(people, graph, tmp_path_factory.mktemp("corrected") / "run")


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


def asked(out, *how, **settings):
    return sightline("correct", "--out", out, *how, **settings)


def tracklets(out):
    """Of whom there are several tracklets, those that the store knows."""
    return {who: [tracklet for tracklet, _ in some] for who, some in sealed(out).items()}


def test_two_of_a_run_that_has_ended_are_one(copy):
    first, second, *others = sorted(tracklets(copy))
    looks = sum(map(len, (tracklets(copy)[first], tracklets(copy)[second])))
    done = asked(copy, "--merge", second, first)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{second}: is {first} from now on\n", "")
    assert sorted(tracklets(copy)) == [first, *others]
    assert len(tracklets(copy)[first]) == looks
    with closing(Vault(copy)) as vault:
        assert vault._db.execute("SELECT count(*) FROM keys WHERE identity = ?", (second,)).fetchone() == (0,)
    assert places(marks(), copy) == []
    entries = rows(copy, "SELECT kind, subject, detail FROM audit ORDER BY number")
    assert entries == [("merged", second, "command 1"), ("merged", first, "command 1")]


def test_what_was_corrected_is_published_once_when_the_run_is_started_again(copy, people, graph):
    first, second, *_ = sorted(tracklets(copy))
    assert asked(copy, "--merge", first, second).returncode == 0
    one = tracklets(copy)[first][-1]
    done = asked(copy, "--split", first, one)
    new = done.stdout.split()[-1]
    assert (done.returncode, done.stdout) == (0, f"{one}: is of somebody new from now on, {new}\n")
    assert tracklets(copy)[new] == [one]
    conducted(people, graph, copy)
    merged, split = events(copy, "identity.merged")[-1], events(copy, "identity.split")[-1]
    assert (merged["data"]["from"], merged["data"]["to"]) == ([second], [first])
    assert merged["data"]["evidence"] == "on request, command 1"
    assert (split["data"]["to"], split["data"]["tracklet_ids"]) == ([first, new], [one])
    numbers = [int(event["sequence"]) for event in events(copy) if ".identity." in event["type"]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_cannot_be_corrected_is_one_line_and_nothing_is_written(copy):
    first, second, *_ = sorted(tracklets(copy))
    there = (copy / "site.db").read_bytes()
    for how, text in (
        (("--merge", first, "P-0"), "knows nobody called P-0; take the names from events"),
        (("--merge", first, first), f"{first} and {first} are one person already; name two"),
        (("--split", "P-0", "T-0"), "knows nobody called P-0; "),
        (
            ("--split", first, "T-0"),
            f"has not split {first}: nobody called so is known of whom T-0 is one of",
        ),
    ):
        done = asked(copy, *how)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith(f"{copy / 'site.db'}: {text}")
    for how in ((), ("--merge", first, second, "--split", first, "T-0")):
        done = asked(copy, *how)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith("correct: give either --merge ONE OTHER or --split IDENTITY TRACKLET")
    assert (copy / "site.db").read_bytes() == there
    done = asked(copy / "nowhere", "--merge", first, second)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{copy / 'nowhere' / 'site.db'}: is not there; name the folder of a run")


def test_a_run_at_work_is_corrected_at_its_next_cut_and_that_outlives_it(people, graph, tmp_path):
    out = tmp_path / "run"
    with running(people, graph, out, SLOWER):
        first, second = sorted({*in_view(out).values(), *sealed(out)})[:2]
        assert correct(out, "merge", second, first, WAITS_S) == (second, first)
        with pytest.raises(StoreError, match="who are one already, or not both known; take the names"):
            correct(out, "merge", first, second, WAITS_S)
        with pytest.raises(StoreError, match=f"has not split {first}: nobody called so is known of whom T-0"):
            correct(out, "split", first, "T-0", WAITS_S)
    conducted(people, graph, out)  # it goes on from where it was killed
    asked_for = [event for event in events(out) if event["data"].get("evidence", "").startswith("on request")]
    assert [(event["data"]["from"], event["data"]["to"]) for event in asked_for] == [([second], [first])]
    later = events(out)[events(out).index(asked_for[0]) + 1 :]
    undone = [event for event in later if event["type"].endswith("identity.split.v1")]
    assert not [one for one in undone if first in one["data"]["from"]]
    assert second not in [event["data"].get("identity_id") for event in later]


def test_what_is_asked_of_a_run_that_is_killed_then_is_done_once_when_it_goes_on(people, graph, tmp_path):
    out = tmp_path / "run"
    with running(people, graph, out, SLOWER):
        first, second = sorted({*in_view(out).values(), *sealed(out)})[:2]
    with closing(sqlite3.connect(out / "site.db")) as db, db:
        add_command(db, "merge", request(first, second))
    conducted(people, graph, out)
    asked_for = [
        event for event in events(out) if event["data"].get("evidence", "") == "on request, command 1"
    ]
    assert json.dumps([event["data"]["to"] for event in asked_for]) == json.dumps([[first]])
