"""The log of a run: whole lines only, never over another run, and a full disk is said."""

import json
import os
import subprocess
from contextlib import closing, contextmanager
from dataclasses import replace

import numpy as np
import pytest
from builders import IDENTITY_EVENT, PROVENANCE, TRACKLET_EVENT

from pipeline.events import Envelopes
from pipeline.messages import Positions, SystemEvent
from pipeline.publish.log import Log, LogError

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


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextmanager
def log(folder, positions=False):
    made = Log(positions)
    with closing(made):
        made.open(folder, Envelopes(PROVENANCE))
        yield made


def test_events_system_events_and_positions_have_files_of_their_own(tmp_path):
    with log(tmp_path / "run", positions=True) as files:
        for event in (TRACKLET_EVENT, IDENTITY_EVENT, SystemEvent("gap", "flat", 50, dropped=1), ROWS):
            files.publish(event)
    assert [e["type"] for e in lines(tmp_path / "run/events.jsonl")] == [
        "sightline.tracklet.opened.v1",
        "sightline.identity.appeared.v1",
    ]
    assert len(lines(tmp_path / "run/system.jsonl")) == 1
    assert lines(tmp_path / "run/positions.jsonl")[0]["boxes_px"] == [[1, 1, 1, 1]]


def test_positions_are_written_only_where_asked_for(tmp_path):
    with log(tmp_path) as files:
        files.publish(ROWS)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["events.jsonl", "system.jsonl"]


def test_positions_have_the_digits_that_they_were_rounded_to(tmp_path):
    rows = replace(
        ROWS,
        boxes=np.float32([[10.123, 20.456, 30.1, 40.999]]),
        floor_m=np.float32([[1.23, -0.00456]]),
        scores=np.float32([0.87654]),
    )
    with log(tmp_path, positions=True) as files:
        files.publish(rows)
    written = (tmp_path / "positions.jsonl").read_text()
    assert '"boxes_px":[[10.12,20.46,30.1,41.0]],"floor_m":[[1.23,-0.0046]],"scores":[0.8765]' in written


def test_refuses_to_write_over_another_run(tmp_path):
    with log(tmp_path):
        pass
    with (
        pytest.raises(LogError, match=r"events.jsonl: holds a run already; choose another --out"),
        log(tmp_path),
    ):
        pass


def test_says_which_folder_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(LogError, match="file/run: cannot be made, Not a directory"),
        log(tmp_path / "file" / "run"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_said_and_leaves_whole_lines(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(tmp_path)], check=True)
    try:
        with pytest.raises(LogError, match="No space left on device"), log(tmp_path) as files:
            for _ in range(1000):
                files.publish(TRACKLET_EVENT)
        text = (tmp_path / "events.jsonl").read_text()
        assert text.endswith("\n")
        assert [e["sequence"] for e in lines(tmp_path / "events.jsonl")] == [
            str(n + 1) for n in range(text.count("\n"))
        ]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
