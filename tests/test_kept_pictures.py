"""Pictures that a site keeps of people: sealed wherever they lie, gone with whoever is erased, and the same after a kill
and on a disk that was full.
"""

import sqlite3
import subprocess
import time
from contextlib import closing

import cv2
import numpy as np
import pytest
from byte_search import copies, places
from command_line import begun, sightline, write_graph
from test_erasure import key, rows
from test_erasure_running import LEFT, SLOWER, WAITS_S, within

from pipeline._gallery_file import GalleryFile
from pipeline._store_file import StoreError
from pipeline.erasure import erase

pytest_plugins = ["simulated_people"]
MATCH = "  match:     {stage: match, from: embed}\n"
KEEP = f"{MATCH}  pictures:  {{stage: keep, from: [tracklets, match]}}\n"


@pytest.fixture(scope="module")
def keeping(tmp_path_factory):
    """The graph, with pictures kept."""
    return write_graph(tmp_path_factory.mktemp("keeping"), changes=[(MATCH, KEEP)])


@pytest.fixture(scope="module")
def whole(people, keeping, tmp_path_factory):
    """A run that nothing has disturbed."""
    return conducted(people, keeping, tmp_path_factory.mktemp("whole") / "run")


def conducted(people, graph, out, *more):
    done = sightline("--graph", graph, "--replay", people, "--out", out, *more)
    assert done.returncode == 0, done.stderr
    return out


def pictures(out):
    """By identity, each as JPEG."""
    found = {}
    for (identity,) in rows(out, "SELECT DISTINCT identity FROM crops WHERE identity LIKE 'P-%'"):
        with closing(GalleryFile(out)) as gallery:
            if shots := [jpeg.tobytes() for _, jpeg in gallery.pictures(identity)]:
                found[identity] = shots
    return found


def parts(shots):
    """What of pictures is in no other picture."""
    return [shot[-200:-40] for shot in shots]


def sealed(out, identity):
    return [blob for (blob,) in rows(out, "SELECT sealed FROM crops WHERE identity = ?", identity)]


def test_everybody_has_pictures_and_they_lie_nowhere_but_sealed(whole):
    kept = pictures(whole)
    known = {one for (one,) in rows(whole, "SELECT DISTINCT identity FROM vectors") if one.startswith("P-")}
    assert kept.keys() == known and len(known) >= 5
    every = [shot for shots in kept.values() for shot in shots]
    assert places(parts(every), whole) == []
    shown = cv2.imdecode(np.frombuffer(every[0], np.uint8), cv2.IMREAD_COLOR)
    assert shown.std() > 10 and max(shown.shape[:2]) <= 192
    others = rows(whole, "SELECT count(*) FROM crops WHERE identity NOT LIKE 'P-%'")
    assert others == [(0,)]  # of nobody


def test_who_is_erased_from_a_run_that_has_ended_has_no_picture_any_more(whole, tmp_path):
    out = tmp_path / "copy"
    subprocess.run(["cp", "-r", whole, out], check=True)
    before = pictures(out)
    gone = sorted(before)[0]
    blobs, secrets = sealed(out, gone), key(out, gone)
    assert places(blobs, out) == [str(out / "site.db")]
    assert erase(out, gone, 10) == (gone,)
    assert places([*blobs, *secrets], out) == []
    assert pictures(out) == {one: shots for one, shots in before.items() if one != gone}


def test_who_is_erased_from_a_run_at_work_has_no_picture_in_its_memory_or_its_files(
    people, keeping, tmp_path
):
    out = tmp_path / "run"
    how = ("--speed", SLOWER, "--executor", "threads", "--out", out)
    process = begun("--graph", keeping, "--replay", people, *how)
    try:
        gone, blobs, own = shown_of_a_run(out)
        secrets = key(out, gone)
        assert copies(process.pid, own) > 0
        assert erase(out, gone, WAITS_S)[0] == gone
        assert places([*blobs, *secrets], out) == []
        assert within(20, lambda: copies(process.pid, own) <= LEFT)
    finally:
        process.kill()
        process.communicate()
    conducted(people, keeping, out)  # it goes on from where it was killed
    assert gone not in pictures(out) and not {*own} & {*parts(sum(pictures(out).values(), []))}
    assert places([*blobs, *secrets, *own], out) == []


def shown_of_a_run(out):
    """Somebody of whom a run at work has pictures: their name, those as they lie there, and a part of each."""
    until_s = time.monotonic() + WAITS_S
    while time.monotonic() < until_s:
        try:
            for who, shots in pictures(out).items():
                if blobs := sealed(out, who):
                    return who, blobs, parts(shots)
        except (sqlite3.OperationalError, StoreError):  # it has only begun
            pass
        time.sleep(0.1)
    raise TimeoutError


def test_a_run_that_is_killed_again_and_again_keeps_the_same_pictures(people, keeping, whole, tmp_path):
    out, before = tmp_path / "run", {}
    for _ in range(2):
        process = begun("--graph", keeping, "--replay", people, "--speed", 1, "--out", out)
        assert within(WAITS_S, lambda: has_others(out, before))
        process.kill()
        process.communicate()
        before = pictures(out)
    assert before != pictures(whole)
    assert pictures(conducted(people, keeping, out)) == pictures(whole)


def has_others(out, before):
    try:
        return pictures(out) != before
    except (sqlite3.OperationalError, StoreError):  # it has only begun
        return False


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_pictures_are_the_same_whatever_runs_it(people, keeping, whole, tmp_path, executor):
    out = conducted(people, keeping, tmp_path / "run", "--executor", executor)
    assert pictures(out) == pictures(whole)


def test_a_disk_that_fills_is_one_line_and_the_run_goes_on_with_room(people, keeping, whole, small_disk):
    disk = small_disk("size=600k")
    given = ("--graph", keeping, "--replay", people, "--out", disk / "run")
    done = sightline(*given)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "make room and run again" in done.stderr
    subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
    assert sightline(*given).returncode == 0
    assert pictures(disk / "run") == pictures(whole)
