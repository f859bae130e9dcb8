"""kill -9 at any moment: the run that goes on writes what an undisturbed one does, byte for byte. The events are read as
anybody's program would read them, without our own consumer.
"""

import json
import os
import random
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
from crowded import MUTANTS, judged, kill, kinds, restart, started

FRAMES = 1300
FEW = 100  # frames of a run of eight cuts
LIMIT_S = 300.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    restart(out, FRAMES)
    return out


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """The folder of a short one."""
    out = tmp_path_factory.mktemp("few") / "run"
    restart(out, FEW)
    return out


def same(out, whole):
    return (out / "events.jsonl").read_bytes() == (whole / "events.jsonl").read_bytes()


def wait_for(run, size, events):
    """Until the log has so many bytes; or the run has ended."""
    until_s = time.monotonic() + LIMIT_S
    while run.poll() is None and not (events.exists() and events.stat().st_size >= size):
        assert time.monotonic() < until_s
        time.sleep(0.001)


def test_there_is_enough_to_be_lost(whole):
    counted = kinds(whole)
    assert sum(counted.values()) >= 5000
    assert counted["merged"] + counted["split"] + counted["expired"] >= 50
    assert judged(whole)[1:] == ([], 0)


@pytest.mark.parametrize("number", range(20))
def test_killed_once_at_a_random_moment(whole, tmp_path, number):
    random_ = random.Random(number)
    size = int(random_.random() * (whole / "events.jsonl").stat().st_size)
    out = tmp_path / "run"
    run = started(out, FRAMES, ("inline", "threads", "processes")[number % 3])
    wait_for(run, size, out / "events.jsonl")
    time.sleep(random_.random() * 0.02)
    kill(run)
    restart(out, FRAMES)
    assert same(out, whole)
    assert judged(out) == judged(whole)


def test_killed_again_and_again(whole, tmp_path):
    out, size = tmp_path / "run", (whole / "events.jsonl").stat().st_size
    for share in (0.1, 0.3, 0.3, 0.6, 0.9):
        run = started(out, FRAMES)
        wait_for(run, share * size, out / "events.jsonl")
        kill(run)
    restart(out, FRAMES)
    assert same(out, whole)


def test_one_process_of_several_killed_ends_the_run_and_it_goes_on(whole, tmp_path):
    out = tmp_path / "run"
    run = started(out, FRAMES, "processes")
    wait_for(run, 500_000, out / "events.jsonl")
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    _, said = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 1
    assert b"its process has died" in said
    restart(out, FRAMES)
    assert same(out, whole)


SETS = {  # where a process may be killed: the system calls of the store and of the log
    "store": ("pwrite64,fdatasync,ftruncate,unlink", "site.db-wal site.db site.db-journal site.db-shm"),
    "log": ("write,fdatasync,ftruncate", "events.jsonl system.jsonl"),
}


def strace(out, of, more=()):
    calls, names = SETS[of]
    paths = [word for name in names.split() for word in ("-P", out / name)]
    return ["strace", "-f", "-qq", "-o", out.parent / f"calls {of}", *paths, "-e", f"trace={calls}", *more]


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    """How many system calls of each kind a whole short run makes, and its store's before each of its commits."""
    return {of: counted(tmp_path_factory.mktemp("windows") / "run", of) for of in SETS}


def counted(out, of):
    """How many such calls a run in this folder makes, and which of them are syncs."""
    run = started(out, FEW, before=strace(out, of))
    run.communicate(timeout=LIMIT_S)
    assert run.returncode == 0
    calls = re.findall(r"^\d+ +(\w+)\(", (out.parent / f"calls {of}").read_text(), re.M)
    return len(calls), [n for n, call in enumerate(calls) if call == "fdatasync"]


def killed_at(out, of, number, mutant=""):
    """A run that is killed when it makes its `number`-th such call; whether it got there."""
    inject = ("-e", f"inject={SETS[of][0]}:signal=SIGKILL:when={number}")
    run = started(out, FEW, mutant=mutant, before=strace(out, of, inject))
    try:
        run.communicate(timeout=LIMIT_S)
    finally:
        kill(run)
    return run.returncode != 0


def in_two_cuts(windows, of, every):
    """Windows of two cuts in the middle of a run, each sync among them."""
    total, syncs = windows[of]
    first, last = syncs[len(syncs) // 2 - 2], syncs[len(syncs) // 2]
    return sorted({*range(first, last + 1, every), *(n for n in syncs if first <= n <= last)})


@pytest.mark.parametrize(("of", "every"), [("store", 8), ("log", 1)])
def test_killed_inside_every_window(few, windows, tmp_path, of, every):
    killed = 0
    for number in in_two_cuts(windows, of, every):
        out = tmp_path / str(number) / "run"
        out.parent.mkdir()
        killed += killed_at(out, of, number + 1)
        restart(out, FEW)
        assert same(out, few), number
        shutil.rmtree(out.parent)
    assert killed >= 3  # how often the log is written depends on who is quicker


@pytest.mark.parametrize("mutant", [name for name in MUTANTS if name])
def test_a_store_that_is_wrong_is_caught(few, windows, tmp_path, mutant):
    """By one of those windows at least; and not because it could not run at all."""
    tried = [("log", number) for number in range(2, 8)]
    tried += [("store", number) for number in in_two_cuts(windows, "store", 5)]
    for of, number in tried:
        out = tmp_path / f"{of} {number}" / "run"
        out.parent.mkdir()
        killed_at(out, of, number + 1, mutant)
        restart(out, FEW, mutant)
        if judged(out) != judged(few):
            break
    else:
        pytest.fail("nobody noticed")
    restart(tmp_path / "undisturbed", FEW, mutant)
    assert same(tmp_path / "undisturbed", few)


def test_the_judge_counts_repeats_and_finds_gaps(few, tmp_path):
    lines = (few / "events.jsonl").read_text().splitlines(keepends=True)
    first = json.loads(lines[0])
    (tmp_path / "events.jsonl").write_text("".join([*lines, lines[-1]]))
    assert judged(tmp_path) == (*judged(few)[:2], 1)
    (tmp_path / "events.jsonl").write_text("".join(lines[1:]))
    assert judged(tmp_path)[1] == [(first["type"].split(".")[1], first["partitionkey"])]
