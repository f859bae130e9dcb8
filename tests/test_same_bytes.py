"""One recording, one configuration: the same bytes of events and positions, whatever the executor, the cores, the
hash seed and the weather. The main graph, through the command line.
"""

import os
import re
from hashlib import sha256

import pytest
from command_line import ROOT, sightline

pytest_plugins = ["simulated_people"]
PROGRESS = re.compile(
    r"starting; .*|[\d:]+, \d+ frames, \d+ identities"
)  # what a slow machine has time to say
WORKING = {"Recording", "Floor", "Detect", "Collect", "Embed", "Match"}  # track/floor is a Floor too


@pytest.fixture(scope="module")
def expected(people, graph, tmp_path_factory):
    """What a run by one thread, without a choice in the order of anything, writes."""
    return log(people, graph, tmp_path_factory.mktemp("expected") / "run", "--executor", "inline")


def log(people, graph, out, *more, **settings):
    """The hashes of what a run writes about people."""
    done = sightline("--graph", graph, "--replay", people, "--positions", "--out", out, *more, **settings)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if not PROGRESS.fullmatch(line)] == []
    return {
        name: sha256((out / name).read_bytes()).hexdigest() for name in ("events.jsonl", "positions.jsonl")
    }


def cores(count):
    """A process may use so many of those that this one may."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < count:
        pytest.skip(f"this machine has fewer than {count} cores")
    return ("taskset", "-c", ",".join(map(str, allowed[:count])))


def test_there_is_something_to_compare(expected, people, graph, tmp_path):
    log(people, graph, tmp_path / "run")
    kinds = re.findall(r'"type":"sightline\.([a-z.]+)\.v1"', (tmp_path / "run" / "events.jsonl").read_text())
    assert {"tracklet.opened", "tracklet.closed", "identity.appeared", "identity.observed"} <= set(kinds)
    assert kinds.count("identity.appeared") >= 5
    rows = (tmp_path / "run" / "positions.jsonl").read_text().splitlines()
    assert {camera for row in rows for camera in re.findall(r'"camera_id":"(\w+)"', row)} == {
        "flat",
        "ascent",
    }


@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize(("count", "seed"), [(1, "1"), (2, "2"), (2, "random")])
def test_any_executor_on_any_cores_with_any_hash_seed_writes_what_one_thread_writes(
    expected, people, graph, tmp_path, executor, count, seed
):
    given = ("--executor", executor)
    assert log(people, graph, tmp_path / "run", *given, before=cores(count), PYTHONHASHSEED=seed) == expected


def test_what_is_chosen_by_itself_writes_the_same(expected, people, graph, tmp_path):
    assert log(people, graph, tmp_path / "run") == expected


def test_one_thread_with_another_hash_seed_writes_the_same(expected, people, graph, tmp_path):
    assert log(people, graph, tmp_path / "run", "--executor", "inline", PYTHONHASHSEED="3") == expected


@pytest.mark.parametrize(("executor", "count"), [("threads", 1), ("threads", 2), ("processes", 2)])
def test_stages_that_sleep_as_they_like_write_the_same(expected, people, graph, tmp_path, executor, count):
    dozed, script = tmp_path / "dozed", ROOT / "tests" / "dozing.py"
    given = ("--executor", executor)
    told = log(people, graph, tmp_path / "run", *given, before=cores(count), script=script, DOZED=str(dozed))
    assert set(dozed.read_text().split()) == WORKING
    assert told == expected


def test_another_setting_is_another_configuration(expected, people, graph, tmp_path):
    changed = graph.with_name("changed.yaml")
    changed.write_text(graph.read_text().replace("stage: tracklet,", "stage: tracklet, event_every_s: 1.0,"))
    assert log(people, changed, tmp_path / "run") != expected
