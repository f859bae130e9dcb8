"""One log, whatever the executor, the cores, the hash seed, the shards, the channels and the weather."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jittery import APART, RUNS, log, sha256

from pipeline.messages import SystemEvent

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def expected():
    events = log("inline")
    assert len(events) > 15
    assert [event.kind for event in events if isinstance(event, SystemEvent)] == ["clock_changed"]
    return sha256(events)


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("name", ["threads", "tight"])
def test_thirty_threaded_runs_give_one_log(expected, name, cores):
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:cores])
    try:
        assert {sha256(log(name)) for _ in range(15)} == {expected}
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_executor_gives_that_log_for_every_hash_seed(expected, name, seed):
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, str(ROOT / "tests" / "jittery.py"), name]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == expected


@pytest.mark.parametrize("shards", [1, 3, 4])
@pytest.mark.parametrize("name", ["inline", "threads"])
def test_the_number_of_shards_does_not_show(expected, name, shards):
    assert sha256(log(name, shards)) == expected


def test_cameras_that_are_apart_give_one_log_in_any_number_of_processes():
    expected = log("inline", together=False)
    assert len(expected) > 15
    assert {sha256(log(name, together=False)) for name in [*APART] * 3} == {sha256(expected)}
