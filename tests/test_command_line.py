"""The command line, from outside: exit statuses, one line for each mistake and no traceback, nothing half-written."""

import json
import os
import re
import subprocess
import sys

import pytest
from command_line import MAIN, ROOT, WITH_MORE, ledger, logged, sightline, write_graph
from sdk_files import shots, write

import run

pytest_plugins = ["simulated_people"]
NUMBER = r"[\d.]+"
FAILS = """
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.messages import Frame
from pipeline.stage import Stage


@dataclass
class Fails(Stage[Frame, Frame]):
    at: str = ""

    def open(self) -> None:
        super().open()
        self._fail("open")

    def process(self, frame: Frame) -> Iterator[Frame]:
        self._fail("process")
        yield frame

    def close(self) -> None:
        super().close()
        self._fail("close")

    def _fail(self, method: str) -> None:
        if method == self.at:
            raise RuntimeError(f"no {method}")
"""


def mistake(*given, **more):
    """The one line that is said of a mistake."""
    done = sightline(*given, **more)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    # on a slow machine a run has said by then that it is starting
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("starting;")]
    return line


@pytest.fixture
def here(monkeypatch, capsys):
    """The command line in this process, which is quicker: what it prints, what it says beside, and its status."""

    def conduct(*given):
        monkeypatch.setattr(sys, "argv", ["run.py", *map(str, given)])
        monkeypatch.setenv("COLUMNS", "120")
        status = run.start()
        return (*capsys.readouterr(), status)

    return conduct


def lies_in(folder):
    """Everything in a folder, so that what is new can be told."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("from: track}", "from: track, look_evry_s: 1}", "graph.tracklets.look_evry_s: Collect has no such setting; did you mean 'look_every_s'?"),
        ("shards: 2", "shards: two", "graph.detect.shards: must be a whole number, got 'two'"),
        ("site: topview", "site: here\nsite: topview", "line 7: 'site' stands twice; keep one of them"),
        ("  ascent:", "  flat:", "line 10: 'flat' stands twice; keep one of them"),
        ("from: cameras", "from: match", "graph.floor.from: 'match' gives CorrectionEvent | IdentityEvent, 'floor' takes Frame"),
        ("stage: floor, from: cameras", "stage: floor, from: [cameras, floor]", "graph: a circle, floor -> floor"),
        ("stage: floor", "stage: flor", "graph.floor: there is no stages/flor.py; did you mean 'floor'?"),
        ("overhead_depth", "overhead_deep", "graph.detect.detector: there is no engines/overhead_deep.py; did you mean 'overhead_depth'?"),
        ("from: detect", "from: floor", "graph.track.from: 'floor' gives Frame, 'track' takes Detections"),
        ("  ascent:", "  asent:", "cameras.asent: site 'topview_demo' does not say where this camera hangs; give it an entry under 'cameras', {} for one that is not placed; did you mean 'ascent'?"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_graph_is_one_line_before_anything_opens(here, tmp_path, old, new, said):
    path, before = write_graph(tmp_path, changes=[(old, new)]), lies_in(tmp_path)
    assert here("--graph", path, "--simulate", "--out", tmp_path / "run") == ("", f"{path}: {said}\n", 2)
    assert lies_in(tmp_path) == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "--graph: is missing; try --graph configs/topview_rgbd.yaml --simulate, or --help"),
        (("--grph", "x"), "no such option: --grph (Possible options: --graph); try --help"),
        (("--graph", "none.yaml"), "none.yaml: cannot be read, No such file or directory; name a file that is there"),
        (("chek", "x"), "no such command 'chek'. Did you mean 'check', 'schema'?; try --help"),
        (("simulate",), "missing option '--out'; try --help"),
        (("simulate", "--out", "x", "--cameras", "5"), "invalid value for '--cameras': Input should be less than or equal to 4; try --help"),
        (("simulate", "--out", "x", "--people", "300"), "cameras.flat: people must be from 0 to 100, got 300"),
        (("--graph", MAIN, "--replay", "x", "--simulate"), "--replay and --simulate exclude each other; choose one"),
        (("--graph", MAIN, "--executor", "ray"), "--executor: must be one of threads, processes, inline, got 'ray'"),
        (("--graph", MAIN, "--replay", "x"), "x: there is no such folder; --replay takes one with a recording per camera"),
        (("eval", ".", "--truth", "."), ".: holds no events.jsonl, nor <sequence>.txt; name the folder of a run"),
        (("check", "/dev/null"), "/dev/null: is empty; name another file, or write it"),
        (("eval", ".", "--truth", ".", "--size", "big"), "--size: must be like 768x576, got 'big'"),
        (("eval", ".", "--truth", ".", "--pictures", "."), "--pictures: are shown in a report; add --report FILE.html"),
        (("eval", "none.jsonl", "--truth", "."), "none.jsonl: cannot be read, No such file or directory; name a file that is there"),
        (("show", MAIN, "--svg", "/proc/x.svg"), "/proc/x.svg: cannot be written, No such file or directory; choose another place"),
    ],
)  # fmt: skip
def test_a_mistake_on_the_command_line_is_one_line(here, monkeypatch, tmp_path, given, said):
    monkeypatch.chdir(tmp_path)
    assert here(*given) == ("", f"{said}\n", 2)
    assert lies_in(tmp_path) == []


@pytest.mark.parametrize(
    "given", [("--graph", MAIN, "--replay", "locked/inside"), ("eval", "locked/events.jsonl", "--truth", ".")]
)
def test_what_this_user_may_not_read_is_one_line(tmp_path, given):
    (tmp_path / "locked").mkdir(mode=0o000)
    as_others = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    said = mistake(*given, before=as_others, cwd=tmp_path)
    assert re.fullmatch(r"locked/\S+: may not be read by this user; ask its owner, or copy it", said)


def test_without_a_camera_it_says_what_it_looked_for_and_the_two_ways_to_go_on(tmp_path):
    said = mistake("--graph", MAIN, "--out", tmp_path / "run")
    assert re.fullmatch(
        r"cameras\.\w+\.serial: looked for any RealSense device that no other camera has, none is there; "
        r"connect one, or run with --replay DIR, or with --simulate",
        said,
    )
    assert lies_in(tmp_path) == []


def test_without_a_camera_record_says_what_it_needs_and_leaves_nothing(tmp_path):
    said = mistake("record", "--graph", MAIN, "--out", tmp_path / "made" / "late")
    assert re.fullmatch(
        r"cameras\.\w+\.serial: looked for any RealSense device that no other camera has, none is there; "
        r"connect one; 'record' needs every camera of the graph; 'simulate' records simulated people without one",
        said,
    )
    assert lies_in(tmp_path) == []


@pytest.fixture
def spoilt(people, tmp_path):
    """Makes a folder with the recording of one camera, and other bytes under the name of the other."""

    def make(bytes_, name="ascent.db3"):
        folder = tmp_path / "spoilt"
        folder.mkdir()
        (folder / "flat.db3").symlink_to(people / "flat.db3")
        (folder / name).write_bytes(bytes_)
        return folder

    return make


def test_a_missing_recording_is_named(graph, spoilt, tmp_path):
    folder = spoilt(b"", name="other.db3")
    said = mistake("--graph", graph, "--replay", folder, "--out", tmp_path / "run")
    assert said.startswith(
        f"{folder}: holds no recording of camera 'ascent'; looked for ascent.db3, ascent.bag"
    )


@pytest.mark.parametrize(
    ("bytes_", "name", "said"),
    [
        (b"", "ascent.db3", "is empty; record again"),
        (b"not a video", "ascent.mp4", "cannot be read as a video, "),
    ],
)
def test_a_recording_that_nobody_can_read_is_one_line_and_nothing_is_written(
    graph, spoilt, tmp_path, bytes_, name, said
):
    folder = spoilt(bytes_, name)
    line = mistake("--graph", graph, "--replay", folder, "--out", tmp_path / "run")
    assert line.startswith(f"{folder / name}: {said}")
    assert not (tmp_path / "run").exists()


def test_a_recording_without_depth_is_one_line(graph, spoilt, tmp_path):
    colour = write(tmp_path / "colour.db3", shots(20, streams=("color",))).read_bytes()
    line = mistake("--graph", graph, "--replay", spoilt(colour), "--out", tmp_path / "run")
    assert re.fullmatch(r"ascent: frame \d+ has no depth; give this camera a depth stream", line)
    logged(tmp_path / "run")


def test_of_a_truncated_recording_what_is_there_is_used_and_the_loss_said_with_status_3(
    graph, people, spoilt, tmp_path
):
    whole = (people / "ascent.db3").read_bytes()
    folder = spoilt(whole[: len(whole) // 2])
    done = sightline("--graph", graph, "--replay", folder, "--out", tmp_path / "run")
    assert done.returncode == 3
    assert re.search(f"ascent: the file ends after {len(whole) // 2} of its {len(whole)} bytes", done.stderr)
    frames = {(node, camera): processed for node, camera, _, processed, _ in ledger(done.stdout)}
    assert frames["tracklets", "flat"] == 80
    assert 20 < frames["tracklets", "ascent"] < 60
    assert any(event["type"].endswith("gap.v1") for event in logged(tmp_path / "run"))


def test_depth_in_a_wrong_unit_is_said_by_the_height_of_the_floor(people, tmp_path):
    changes = [
        (f"{one}: {gap}{{stage: source/realsense, serial: auto}}",
         f"{one}: {{stage: source/recording, path: {people / one}.db3, depth_scale_m: {value}}}")
        for one, gap, value in (("flat", "   ", 0.01), ("ascent", " ", 0.001))
    ]  # fmt: skip
    graph = write_graph(tmp_path, changes=changes)
    done = sightline("--graph", graph, "--out", tmp_path / "run")
    assert done.returncode == 0
    (lost,) = [event for event in logged(tmp_path / "run") if "floor_lost" in event["type"]]
    assert lost["subject"] == "flat"
    assert lost["data"]["detail"] == (
        "the floor seems 36 m below the camera, not 1.5 to 10.0 m; check the unit of depth "
        "(millimetres are a depth_scale_m of 0.001)"
    )
    assert "flat: the floor seems" in done.stderr


def test_a_folder_that_holds_a_run_already_is_left_as_it_is(graph, people, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    (out / "events.jsonl").write_text("of another run\n")
    said = mistake("--graph", graph, "--replay", people, "--out", out)
    assert said == f"{out / 'events.jsonl'}: holds a run already; choose another --out"
    assert (out / "events.jsonl").read_text() == "of another run\n"


def test_a_log_that_cannot_be_opened_is_one_line(graph, people, tmp_path):
    (tmp_path / "file").write_text("")
    said = mistake("--graph", graph, "--replay", people, "--out", tmp_path / "file")
    assert said == f"{tmp_path / 'file'}: cannot be made, File exists; choose another --out"


@pytest.mark.parametrize("size_kb", [40, 400, 900])
def test_a_disk_that_fills_is_one_line_and_leaves_whole_lines_and_a_store_to_go_on_from(
    graph, people, small_disk, size_kb
):
    disk = small_disk(f"size={size_kb}k")
    given = ("--graph", graph, "--replay", people, "--positions", "--out", disk / "run")
    done = sightline(*given)
    assert re.fullmatch(
        rf"{disk}/run/(site\.db: cannot be written, its disk is full or fails; make room and run again: it goes on "
        r"where it stopped|\w+\.jsonl: cannot be written, No space left on device; it ends with a whole line; make "
        r"room and run again)\n",
        done.stderr,
    )
    assert (done.returncode, "Identities" in done.stdout) == (2, False)
    if size_kb > 400:
        assert_tells_what_was_processed(done.stdout)
    logged(disk / "run")
    subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
    assert sightline(*given).returncode == 0
    whole = disk / "whole"
    assert sightline(*given[:-1], whole).returncode == 0
    for name in ("events.jsonl", "positions.jsonl"):
        assert (disk / "run" / name).read_bytes() == (whole / name).read_bytes()


def assert_tells_what_was_processed(printed):
    """A ledger of which no row accounts for more than it received."""
    rows = ledger(printed)
    assert {"cameras.flat", "floor", "tracklets"} <= {node for node, *_ in rows}
    assert all(received >= processed + dropped for _, _, received, processed, dropped in rows)
    assert sum(processed for *_, processed, _ in rows) > 0


def test_a_failure_before_a_run_is_one_line_in_a_process_too(tmp_path):
    assert mistake("check", "none.yaml", cwd=tmp_path).startswith("none.yaml: cannot be read")


@pytest.mark.parametrize("method", ["open", "process", "close"])
def test_a_stage_that_fails_is_named_with_status_1(people, tmp_path, method):
    (tmp_path / "fails.py").write_text(FAILS)
    changes = [
        ("from: floor,", "from: fails,"),
        ("  detect:", f"  fails: {{stage: fails, from: floor, at: {method}}}\n  detect:"),
    ]
    graph, out = write_graph(tmp_path, changes=changes), tmp_path / "run"
    done = sightline(
        "--graph", graph, "--replay", people, "--out", out, script=WITH_MORE, STAGES=str(tmp_path)
    )
    assert done.returncode == 1
    doing = {
        "open": "while opening",
        "process": "given Frame from (flat|ascent)",  # each in a process of its own
        "close": "while closing",
    }[method]
    assert re.fullmatch(rf"fails: RuntimeError\('no {method}'\), {doing}", done.stderr.splitlines()[-1])
    assert ("Ledger" in done.stdout) == (method == "close")  # the others fail before a frame is through
    assert "Traceback" not in done.stderr
    assert out.exists() == (method != "open")
    logged(out)


FLOOD = """
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from recorded import noise

from pipeline.messages import Frame
from pipeline.stage import Source


@dataclass
class Flood(Source[Frame]):
    live: ClassVar[bool] = True
    frames: int = 120
    has_an_odd_one: bool = False

    def produce(self, from_ns: int) -> Iterator[Frame]:
        for number in range(self.frames):
            frame = noise(number, self.camera_id)
            if self.has_an_odd_one and number == 60:
                frame = replace(frame, depth=frame.depth[:100, :100])
            yield frame
"""


@pytest.fixture
def flood(tmp_path):
    """Records a live camera that gives frames far faster than they can be written."""

    def record(settings=""):
        (tmp_path / "flood.py").write_text(FLOOD)
        changes = [("source/realsense, serial: auto", f"flood{settings}")]
        graph = write_graph(tmp_path, cameras=["flat"], changes=changes)
        given = ("record", "--graph", graph, "--out", tmp_path / "out")
        return sightline(*given, script=WITH_MORE, STAGES=str(tmp_path))

    return record


def test_recording_drops_nothing_of_a_camera_that_is_faster_than_the_disk(flood, tmp_path):
    done = flood()
    assert (done.returncode, done.stderr) == (0, "")
    assert ledger(done.stdout) == [("cameras.flat", "flat", 120, 120, 0), ("record", "flat", 120, 120, 0)]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["cameras"]["flat"]["frames"] == 120


def test_a_recording_of_nothing_is_said_and_leaves_nothing(flood, tmp_path):
    done = flood(", frames: 0")
    assert (done.returncode, done.stderr) == (0, f"{tmp_path / 'out'}: nothing was recorded\n")
    assert not (tmp_path / "out").exists()


def test_recordings_that_are_recorded_end_well_after_the_seconds_asked_for(people, tmp_path):
    """However fast they are read: seconds of what was captured, and not an interruption."""
    changes = [("source/realsense, serial: auto", f"source/recording, path: {people / 'flat.db3'}")]
    graph, out = write_graph(tmp_path, cameras=["flat"], changes=changes), tmp_path / "out"
    done = sightline("record", "--graph", graph, "--out", out, "--seconds", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert ledger(done.stdout) == [("cameras.flat", "flat", 20, 20, 0), ("record", "flat", 20, 20, 0)]
    assert json.loads((out / "manifest.json").read_text())["cameras"]["flat"]["frames"] == 20


def test_a_frame_that_could_not_be_recorded_is_said_with_status_3(flood, tmp_path):
    done = flood(", has_an_odd_one: true")
    assert done.returncode == 3
    assert done.stderr == (
        "flat: flat.db3: frames are not recorded: their streams or sizes are not those of the first frames\n"
    )
    assert ledger(done.stdout)[1] == ("record", "flat", 120, 119, 1)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["cameras"]["flat"]["lost"] == 1


def test_the_help_of_each_command_names_every_option(here):
    options = {
        (): ("--graph", "--replay", "--simulate", "--out", "--speed", "--positions", "--picture", "--executor", "--people", "--seconds", "--fps", "--seed"),
        ("check",): ("GRAPH",),
        ("show",): ("GRAPH", "--svg"),
        ("schema",): ("--events",),
        ("simulate",): ("--out", "--people", "--seconds", "--cameras", "--fps", "--seed"),
        ("record",): ("--graph", "--out", "--seconds"),
        ("eval",): ("EVENTS", "--truth", "--report", "--pictures", "--camera", "--size"),
    }  # fmt: skip
    for name, wanted in options.items():
        told, said, status = here(*name, "--help")
        assert (said, status) == ("", 0)
        assert [option for option in wanted if option not in told] == []
    told = here("-h")[0]
    assert [
        name for (name,) in filter(None, options) if not re.search(rf"^[│ ]*{name} ", told, re.MULTILINE)
    ] == []


@pytest.mark.parametrize("columns", [80, 120])
def test_help_fits_a_terminal_and_asks_for_no_value_of_a_switch(columns):
    told = sightline("--help", COLUMNS=str(columns)).stdout
    assert max(map(len, told.splitlines())) == columns
    for switch in ("--simulate", "--positions", "--picture"):
        assert re.search(rf"^│ {switch} +[A-Z][a-z]", told, re.MULTILINE)  # what it does, no <bool>


def test_check_says_that_a_graph_is_good(here):
    assert here("check", MAIN) == (f"{MAIN}: good, 4 cameras and 6 stages\n", "", 0)


def test_show_draws_a_graph_as_text_and_as_a_picture(here, tmp_path):
    told = here("show", MAIN)[0]
    assert all(name in told for name in ("cameras.flat", "track/floor", "Tracks -> Tracklet | events"))
    drawn = tmp_path / "graph.svg"
    assert here("show", MAIN, "--svg", drawn) == (f"{drawn}\n", "", 0)
    assert drawn.read_text().startswith("<svg")


def test_schema_prints_that_of_graphs_or_writes_those_of_events(here, tmp_path):
    assert json.loads(here("schema")[0])["title"] == "Sightline graph"
    assert here("schema", "--events", tmp_path)[2] == 0
    shipped = {path.name: path.read_text() for path in (ROOT / "pipeline" / "schemas").glob("*.json")}
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == shipped
