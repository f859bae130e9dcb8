"""What has lain on the disk for longer than it may is deleted, and nothing else is."""

import os
import time
from contextlib import closing

import numpy as np
import pytest
from builders import crop
from byte_search import places
from marked import marks
from stored import cut, gallery, somebody, stored

from configs.build import InputError
from pipeline import retention
from pipeline.keyed import Changes
from pipeline.retention import Lives, recordings, register
from pipeline.vault import ErasedError, Vault
from stages.tracklet import Collect
from stages.view import View

DAY_S = 86_400


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def aged(path, days, content="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    then_s = time.time() - days * DAY_S
    os.utime(path, (then_s, then_s))
    return path


def test_logs_of_earlier_days_go_and_those_of_the_last_stay(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(retention, "SETTLED_S", -1.0)
    old = [
        aged(tmp_path / f"{name}-2026-01-0{day}.jsonl", 9)
        for name in ("events", "system", "positions")
        for day in (1, 2)
    ]
    kept = [
        aged(tmp_path / name, days)
        for name, days in (
            ("events-2026-01-03.jsonl", 3),
            ("events.jsonl", 9),
            ("events-mine.jsonl", 9),
            ("notes-2026-01-01.jsonl", 9),
        )
    ]
    Lives("hall", tmp_path, events=5).enforce(time.time())
    assert [path for path in old if path.exists()] == []
    assert all(path.exists() for path in kept)
    assert caplog.text.count("older than 5 days, and deleted: ") == 1 and str(old[0]) in caplog.text


def test_a_log_that_has_just_been_put_aside_stays_for_a_while(tmp_path):
    path = aged(tmp_path / "events-2026-01-01.jsonl", 9)
    Lives("hall", tmp_path, events=5).enforce(time.time())
    assert path.exists()


def test_pictures_and_films_go_with_the_life_of_crops(tmp_path):
    old = [aged(tmp_path / name, 2) for name in ("picture.png", "film-flat.mp4", "film.mkv")]
    kept = [
        aged(tmp_path / "plan.png", 2),
        aged(tmp_path / "truth" / "film.mp4", 2),
        aged(tmp_path / "new.mp4", 0.5),
    ]
    Lives("hall", tmp_path, crops=1).enforce(time.time())
    assert [path.exists() for path in (*old, *kept)] == [False] * 3 + [True] * 3


def test_nothing_goes_where_nothing_is_said(tmp_path):
    there = [
        aged(tmp_path / name, 999) for name in ("events-2020-01-01.jsonl", "picture.png", "rec/flat.db3")
    ]
    register("hall", tmp_path / "rec", ["flat.db3"])
    Lives("hall", tmp_path).enforce(time.time())
    assert all(path.exists() for path in there)


def test_recordings_go_all_at_once_when_the_last_picture_is_too_old(tmp_path):
    for folder, days in (("old", (9, 8)), ("new", (9, 2))):
        for name, age in zip(("flat.db3", "ascent.db3"), days, strict=True):
            aged(tmp_path / folder / name, age)
        register("hall", tmp_path / folder, ["flat.db3", "ascent.db3", "manifest.json"])
    aged(tmp_path / "new" / "mine.txt", 99)
    Lives("hall", tmp_path, recordings=10).enforce(time.time() + 5 * DAY_S)
    assert not (tmp_path / "old").exists()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "ascent.db3",
        "flat.db3",
        "mine.txt",
    ]
    assert [one.folder for one in recordings("hall")] == [str(tmp_path / "new")]
    Lives("hall", tmp_path, recordings=10).enforce(time.time() + 9 * DAY_S)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.txt"]
    assert recordings("hall") == []


def test_another_sites_recordings_are_not_its_to_delete(tmp_path):
    aged(tmp_path / "rec" / "flat.db3", 99)
    register("hall", tmp_path / "rec", ["flat.db3"])
    Lives("shop", tmp_path, recordings=1).enforce(time.time())
    assert (tmp_path / "rec" / "flat.db3").exists()


def test_a_recording_that_has_not_begun_stays_registered(tmp_path):
    register("hall", tmp_path / "rec", ["flat.db3"])
    Lives("hall", tmp_path, recordings=0.001).enforce(time.time())
    assert len(recordings("hall")) == 1


def test_a_damaged_register_is_one_line(tmp_path):
    aged(tmp_path / "var" / "hall" / "recordings.jsonl", 0, '{"folder": 3}\n')
    with pytest.raises(InputError, match=r"^var/hall/recordings.jsonl: is damaged, .*; delete the line"):
        Lives("hall", tmp_path, recordings=1).enforce(time.time())


def test_it_is_seen_to_while_a_run_lasts(tmp_path, monkeypatch):
    monkeypatch.setattr(retention, "EVERY_S", 0.02)
    with Lives("hall", tmp_path, crops=1).kept_to():
        path = aged(tmp_path / "picture.png", 2)
        until_s = time.monotonic() + 30
        while path.exists() and time.monotonic() < until_s:
            time.sleep(0.02)
    assert not path.exists()


def test_pictures_that_stages_hold_may_be_too_old_after_a_restart():
    red = crop(np.full((3, 4, 3), 99, np.uint8), captured_ns=0)
    for stage, held in ((Collect(crops_s=10.0), "_crop"), (View(crops_s=10.0), "_best")):
        getattr(stage, held).put("T-1", red)
        list(stage.advance(10 * 10**9))
        assert len(getattr(stage, held)) == 1
        list(stage.advance(10 * 10**9 + 1))
        assert len(getattr(stage, held)) == 0


def test_the_key_of_somebody_who_has_expired_is_gone_with_their_looks(tmp_path):
    """Proof by bytes; that stages let go of them is tested with the stages."""
    looks = np.frombuffer(sorted(marks("T-1"))[0], np.float32)
    with stored(tmp_path / "run") as (store, _):
        store.take(cut(5, _identities=gallery(somebody("P-1", "T-1", looks=looks), somebody("P-2", "T-2"))))
    with closing(Vault(tmp_path / "run")) as vault:
        (wrapped,) = vault._db.execute("SELECT wrapped FROM keys WHERE identity = 'P-1'").fetchone()
        secrets = [wrapped[12:], bytes(vault._key("P-1"))]
    assert places(secrets, tmp_path) == [str(tmp_path / "run" / "keys.db")]
    with stored(tmp_path / "run") as (store, _):
        store.take(cut(6, _identities=Changes({}, ("P-1",))))
        store.end()
        assert places([*secrets, *marks("T-1")], tmp_path) == []  # while it runs, with its log
    assert places([*secrets, *marks("T-1")], tmp_path) == []
    with closing(Vault(tmp_path / "run")) as vault, pytest.raises(ErasedError):
        vault.opened("P-1", b"\x01" + bytes(40))
