"""The logs of a run: whole lines only, never over another run, taken back to where a run goes on, and a full disk is said."""

import json
import os
from contextlib import closing, contextmanager
from dataclasses import replace

import numpy as np
import pytest

from pipeline.messages import Positions
from pipeline.publish._lines import LogError
from pipeline.publish._positions import PositionLines
from pipeline.publish._publisher import Row
from pipeline.publish.log import Log

ROWS = Positions(
    "flat",
    3,
    40,
    "site",
    ("T-1",),
    np.ones((1, 4), np.float32),
    np.ones((1, 2), np.float32),
    np.ones(1, np.float32),
)
MORE = [
    Row(1, "tracklet", "flat", b"{1}"),
    Row(2, "system", "flat", b"{2}"),
    Row(3, "identity", "site", b"{3}"),
]


@contextmanager
def log(folder, mark=None):
    made = Log()
    with closing(made):
        made.open(folder, "site")
        made.resume(mark)
        yield made


def test_events_and_system_events_have_files_of_their_own(tmp_path):
    with log(tmp_path / "run") as files:
        assert files.send(MORE) == 3
    assert (tmp_path / "run/events.jsonl").read_text() == "{1}\n{3}\n"
    assert (tmp_path / "run/system.jsonl").read_text() == "{2}\n"


def test_goes_on_where_its_mark_was_and_takes_back_what_came_after(tmp_path):
    with log(tmp_path) as files:
        files.send(MORE[:1])
        mark = files.mark()
        files.send(MORE[1:])
    with log(tmp_path, mark) as files:
        files.send(MORE[1:])
    assert (tmp_path / "events.jsonl").read_text() == "{1}\n{3}\n"
    assert (tmp_path / "system.jsonl").read_text() == "{2}\n"


def test_refuses_to_write_over_another_run(tmp_path):
    with log(tmp_path) as files:
        files.send(MORE)
    with (
        pytest.raises(LogError, match=r"events.jsonl: holds a run already; choose another --out"),
        log(tmp_path),
    ):
        pass
    assert (tmp_path / "events.jsonl").read_text() == "{1}\n{3}\n"


def test_says_that_somebody_has_shortened_a_log(tmp_path):
    with log(tmp_path) as files:
        files.send(MORE)
        mark = files.mark()
    (tmp_path / "events.jsonl").write_text("")
    said = r"events.jsonl: has 0 bytes, and had 8 when its run stopped; put it back, or choose another --out"
    with pytest.raises(LogError, match=said), log(tmp_path, mark):
        pass


def test_says_which_folder_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(LogError, match="file/run: cannot be made, Not a directory"),
        log(tmp_path / "file" / "run"),
    ):
        pass


def test_a_full_disk_is_said_and_leaves_whole_lines(small_disk):
    disk = small_disk("size=200k")
    rows = [Row(number, "tracklet", "flat", b"x" * 700) for number in range(7)]
    with pytest.raises(LogError, match="No space left on device"), log(disk) as files:
        for _ in range(1000):
            files.send(rows)
    text = (disk / "events.jsonl").read_text()
    assert set(text.splitlines()) == {"x" * 700}
    assert text.endswith("\n")


def test_positions_have_the_digits_that_they_were_rounded_to(tmp_path):
    rows = replace(
        ROWS,
        boxes=np.float32([[10.123, 20.456, 30.1, 40.999]]),
        floor_m=np.float32([[1.23, -0.00456]]),
        scores=np.float32([0.87654]),
    )
    with closing(PositionLines(tmp_path / "positions.jsonl", {})) as file:
        file.write(rows)
        marks = file.flush()
    written = (tmp_path / "positions.jsonl").read_text()
    assert marks == {"positions.jsonl": len(written)}
    assert json.loads(written)["tracklet_ids"] == ["T-1"]
    assert '"boxes_px":[[10.12,20.46,30.1,41.0]],"floor_m":[[1.23,-0.0046]],"scores":[0.8765]' in written


def on(day, number):
    return Row(
        number, "identity", "site", b'{"time":"2026-01-%02dT10:00:00.000000000Z","n":%d}' % (day, number)
    )


@contextmanager
def daily(folder, mark=None):
    made = Log(events_s=5 * 86_400.0)
    with closing(made):
        made.open(folder, "site")
        made.resume(mark)
        yield made


def files(folder):
    return {path.name: path.read_text().count("\n") for path in sorted(folder.glob("events*"))}


def test_every_day_has_a_file_of_its_own_where_events_may_be_kept_for_some_days(tmp_path):
    with daily(tmp_path) as made:
        made.send([on(1, 1), on(1, 2), on(2, 3)])
        made.send([on(1, 4), on(4, 5)])  # the first is late
    assert files(tmp_path) == {"events-2026-01-01.jsonl": 2, "events-2026-01-02.jsonl": 2, "events.jsonl": 1}


@pytest.mark.parametrize("more", [[on(1, 2)], [on(2, 2)], [on(2, 2), on(3, 3), on(4, 4)]])
def test_days_that_were_put_aside_behind_the_mark_are_taken_back(tmp_path, more):
    with daily(tmp_path) as made:
        made.send([on(1, 1)])
        mark = made.mark()
        made.send(more)
        there = {path.name: path.read_bytes() for path in tmp_path.glob("events*")}
    with daily(tmp_path, mark) as made:
        assert files(tmp_path) == {"events.jsonl": 1}
        made.send(more)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("events*")} == there


def test_days_from_before_the_mark_stay(tmp_path):
    with daily(tmp_path) as made:
        made.send([on(1, 1), on(2, 2)])
        mark = made.mark()
    with daily(tmp_path, mark):
        assert files(tmp_path) == {"events-2026-01-01.jsonl": 1, "events.jsonl": 1}


def test_a_log_that_nothing_was_written_to_for_so_long_is_put_aside_at_the_next_start(tmp_path):
    with daily(tmp_path) as made:
        made.send([on(1, 1)])
        mark = made.mark()
    os.utime(tmp_path / "events.jsonl", (0, 0))
    for _ in range(2):  # the second time the mark is the old one, as after a crash
        with daily(tmp_path, mark) as made:
            assert files(tmp_path) == {"events-2026-01-01.jsonl": 1, "events.jsonl": 0}
            assert made.mark() != mark


def test_positions_have_days_too(tmp_path):
    path, day_ns = tmp_path / "positions.jsonl", 86_400 * 10**9
    with closing(PositionLines(path, {}, 5 * 86_400.0)) as made:
        made.write(replace(ROWS, captured_ns=day_ns))
        marks = made.flush()
        made.write(replace(ROWS, captured_ns=2 * day_ns))
        made.flush()
        assert sorted(one.name for one in tmp_path.iterdir()) == [
            "positions-1970-01-02.jsonl",
            "positions.jsonl",
        ]
    with closing(PositionLines(path, marks, 5 * 86_400.0)):
        assert [one.name for one in tmp_path.iterdir()] == ["positions.jsonl"]
