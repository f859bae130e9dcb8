"""What shows people or says where they were is for whoever runs it, whatever that user's umask is."""

import os

import pytest
from command_line import CAMERAS, sightline, write_graph


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def others_may(folder):
    """The files and folders in this one that others than its owner may do anything with."""
    return [str(path) for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077]


def made(folder, *given):
    done = sightline(*given)
    assert done.returncode == 0, done.stderr
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_recordings_runs_pictures_and_videos_are_for_nobody_else(open_umask, tmp_path):
    recording, out = tmp_path / "site", tmp_path / "run"
    crowd = ("--people", 2, "--seconds", 2, "--fps", 10, "--cameras", len(CAMERAS))
    files = made(recording, "simulate", "--out", recording, *crowd)
    assert {"flat.db3", "ascent.db3", "manifest.json"} < files
    graph = write_graph(tmp_path)
    more = ("--picture", "--positions", "--video", out / "film.mp4")
    files = made(out, "--graph", graph, "--replay", recording, "--out", out, *more)
    assert {"picture.png", "events.jsonl", "system.jsonl", "positions.jsonl", "site.db", "keys.db"} < files
    assert any(name.endswith(".mp4") for name in files)
    files = made(tmp_path, "tail", out, "--format", "csv", "--out", tmp_path / "events.csv")
    assert "events.csv" in files
    assert others_may(recording) + others_may(out) + others_may(tmp_path / "events.csv") == []
