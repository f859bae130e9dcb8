"""What `tail` prints, of what, and in which form; as its users run it."""

import csv
import io
import json
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command_line import begun, sightline
from published import append, correction, lines, person, seen, tracklet_seen, write
from pyarrow import parquet
from sightline_client import decode

from clients._wanted import Wanted, since_ns

NOW = datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
SAID = lines(
    tracklet_seen("flat", 1),
    person("appeared", "P-1", 2_000_000_000),
    person("appeared", "P-2", 3_000_000_000, camera_id="oblique"),
    correction("merged", ("P-2",), ("P-1",), 4_000_000_000),
    person("lost", "P-1", 5_000_000_000, previous_ids=("P-2",)),
)


@pytest.fixture
def run(tmp_path):
    return write(tmp_path / "events.jsonl", *SAID).parent


WANTED = {
    "everything": (Wanted(), [0, 1, 2, 3, 4]),
    "a family": (Wanted(types=["tracklet"]), [0]),
    "kinds": (Wanted(types=["appeared", "identity.lost"]), [1, 2, 4]),
    "a whole type": (Wanted(types=["sightline.identity.merged.v1"]), [3]),
    "a camera": (Wanted(cameras=["oblique"]), [2]),
    "an identity and what became of it": (Wanted(identities=["P-2"]), [2, 3, 4]),
    "since then": (Wanted(since_ns=since_ns("1970-01-01T00:00:04", NOW)), [3, 4]),
    "since just before": (Wanted(since_ns=since_ns("1s", NOW)), [3, 4]),
    "two of these": (Wanted(types=["merged"], identities=["P-1"]), [3]),
}


@pytest.mark.parametrize("case", WANTED)
def test_takes_what_is_wanted(case):
    wanted, expected = WANTED[case]
    assert [number for number, line in enumerate(SAID) if wanted.includes(decode(line))] == expected


def test_prints_what_is_wanted_as_it_was_published(run):
    options = "--type", "identity", "--camera", "flat", "--identity", "P-1", "--since", "1970-01-01T00:00:03Z"
    done = sightline("tail", run, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.encode().splitlines() == [SAID[3], SAID[4]]


def test_as_csv_there_is_a_row_each(run):
    rows = list(csv.DictReader(io.StringIO(sightline("tail", run, "--format", "csv").stdout)))
    assert [row["type"] for row in rows][1:4] == ["identity.appeared", "identity.appeared", "identity.merged"]
    assert (rows[1]["subject"], rows[1]["x_m"], rows[1]["time"]) == ("P-1", "1.0", "1970-01-01 00:00:02.000")
    assert rows[3]["detail"] == "P-2 > P-1, said"


def test_text_that_a_spreadsheet_would_run_is_made_plain(tmp_path):
    write(tmp_path / "events.jsonl", *lines(person("observed", "=cmd()", 1)))
    (row,) = csv.DictReader(io.StringIO(sightline("tail", tmp_path, "--format", "csv").stdout))
    assert row["subject"] == "'=cmd()"


def test_as_a_table_there_is_a_line_each(run, tmp_path):
    sightline("tail", run, "--format", "table", "--out", tmp_path / "table")
    head, *rows = (tmp_path / "table").read_text().splitlines()
    assert head.split()[:4] == ["time", "type", "subject", "camera_id"]
    assert rows[3].split()[2:4] == ["identity.merged", "P-2"]
    assert len(rows) == 5


def test_as_parquet_there_are_columns_with_types(run, tmp_path):
    file = tmp_path / "events.parquet"
    assert sightline("tail", run, "--format", "parquet", "--out", file).returncode == 0
    table = parquet.read_table(file)
    assert table.column("time_ns").to_pylist()[1] == 2_000_000_000
    assert table.column("x_m").to_pylist() == [1.0, 1.0, 1.0, None, 1.0]
    assert [path.name for path in tmp_path.glob("*.p*")] == ["events.parquet"]


def test_follows_until_ctrl_c_and_finishes_what_it_writes(run, tmp_path):
    file = tmp_path / "events.parquet"
    with begun("tail", run, "-f", "--format", "json") as printing:
        first = [printing.stdout.readline() for _ in SAID]
        append(run / "events.jsonl", *seen(9, who="P-1")[4:6])
        more = [printing.stdout.readline() for _ in range(2)]
        printing.send_signal(signal.SIGINT)
        assert (printing.wait(60), printing.stderr.read()) == (0, "")
    assert [json.loads(line)["sequence"] for line in first + more] == ["1", "1", "2", "3", "4", "5", "6"]
    with begun(
        "tail", run, "-f", "--format", "parquet", "--out", file, "--position", tmp_path / "at"
    ) as writing:
        while not (tmp_path / "at").exists():
            assert writing.poll() is None
        writing.send_signal(signal.SIGINT)
        assert writing.wait(60) == 0
    assert parquet.read_table(file).num_rows == 7


def test_says_what_is_missing_and_goes_on(run):
    append(run / "events.jsonl", seen(9)[8], b"{damaged")
    done = sightline("tail", run)
    assert len(done.stdout.splitlines()) == 6
    assert "identity.v1 of site: 5 to 8 are missing" in done.stderr
    assert "is no event" in done.stderr


def test_whoever_reads_may_have_enough(run):
    write(run / "events.jsonl", *seen(3000))
    with begun("tail", run) as printing:
        printing.stdout.readline()
        printing.stdout.close()
        assert (printing.wait(60), printing.stderr.read()) == (0, "")


MISTAKES = {
    "another form": (("--format", "xml"), "--format: must be one of json, table, csv, parquet, got 'xml'"),
    "parquet to the screen": (("--format", "parquet"), "--format parquet: needs a file; add --out FILE"),
    "no time": (("--since", "monday"), "--since: must be like 10m, 2h or 2026-01-31T12:00, got 'monday'"),
    "no such place": (("--out", "there/is/none"), "there/is/none: cannot be written, No such file"),
    "a log for a log": (("--backlog", "."), "backlog is for zmq://; leave it out"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line(run, tmp_path, case):
    options, said = MISTAKES[case]
    done = sightline("tail", run, *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_pyarrow_it_names_the_extra(run, tmp_path):
    (tmp_path / "pyarrow.py").write_text("raise ImportError\n")
    path = f"{tmp_path}:{Path(__file__).parents[2]}"
    done = sightline("tail", run, "--format", "parquet", "--out", tmp_path / "x", PYTHONPATH=path)
    assert done.returncode == 2
    assert "needs pyarrow; install the 'parquet' extra" in done.stderr
    assert not (tmp_path / "x").exists()
