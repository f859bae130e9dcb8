"""Recording onto a disk that fills: every frame is in the file, or counted and said."""

import shutil

import pytest
from recorded import noise, played, record

from stages._recorder import Recorder, pictures_in
from stages.record import Record


@pytest.fixture
def disk(small_disk):
    return small_disk("size=20m")


def test_on_a_disk_that_fills_every_frame_is_in_the_file_or_counted(disk):
    said = record(disk / "out", [noise(n) for n in range(80)])
    held = pictures_in(disk / "out" / "flat.db3")["depth"]
    assert 0 < held < 80
    assert sum(gap.dropped for gap in said) == 80 - held
    assert {reason for gap in said for reason in gap.counts} <= {"recorder", "disk_full"}


def test_the_reserve_stays_free_and_the_recording_is_whole_up_to_there(disk):
    said = record(disk / "out", [noise(n) for n in range(80)], reserve_mb=6.0)
    shots = played(disk / "out" / "flat.db3")[1]["depth"]
    assert len(shots) > 8
    assert [shot.number for shot in shots] == list(range(len(shots)))
    assert shutil.disk_usage(disk).free / 1e6 > 6.0
    assert said[0].detail == "flat.db3: frames are not recorded: less than 6 MB are free"
    assert sum(gap.counts["disk_full"] for gap in said) == sum(gap.dropped for gap in said) == 80 - len(shots)


def test_of_two_cameras_on_a_disk_that_fills_both_are_accounted_for(disk):
    said = record(disk / "out", [noise(n, camera) for n in range(40) for camera in ("ascent", "flat")])
    for camera in ("ascent", "flat"):
        held = pictures_in(disk / "out" / f"{camera}.db3")["depth"]
        assert held + sum(gap.dropped for gap in said if gap.camera_id == camera) == 40


def test_frames_on_their_way_to_a_disk_that_another_fills_are_counted(disk):
    stage = Record(out=str(disk / "out"), reserve_mb=0.0)
    stage.open()
    for n in range(12):
        list(stage.process(noise(n)))
    with (
        pytest.raises(OSError, match="No space"),
        (disk / "filler").open("wb", buffering=0) as filler,
    ):
        while True:
            filler.write(bytes(100_000))
    said = [event for n in range(12, 20) for event in stage.process(noise(n))] + list(stage.finish())
    stage.close()
    held = pictures_in(disk / "out" / "flat.db3")["depth"]
    assert held < 12
    assert sum(gap.dropped for gap in said) == 20 - held
    assert sum(gap.counts.get("recorder", 0) for gap in said) == 12 - held


def test_a_recorder_that_writes_no_more_says_so_and_takes_its_time_over_it_once(disk):
    given = [noise(n) for n in range(60)]
    recorder = Recorder(disk / "flat.db3", given[:2], "Sightline", "1001")
    taken = 0
    while not recorder.is_failing and taken < len(given):
        taken += recorder.write(given[taken])
    assert 30 < taken < 60
    assert recorder.close() == pictures_in(disk / "flat.db3")["depth"] < taken
