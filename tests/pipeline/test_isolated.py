"""A source in a process of its own gives what it gives without one, and whatever becomes of that process is said."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import toys
from faulty import Faulty, Live, Opening, Packed, Quiet

from pipeline.executors import inline, threads
from pipeline.executors._slots import SLOTS, SPARE, Mapped, SlotError, Slots
from pipeline.executors.isolated import Isolated
from pipeline.graph import Graph, Node
from pipeline.instances import StageError
from pipeline.messages import Encoded, Frame, SystemEvent
from pipeline.run import Run, ignore
from pipeline.stage import InputError
from pipeline.watch import unbalanced

ROOT = Path(__file__).parents[2]
FAULTS = {
    "kill": ("source_down", "its process was killed (SIGKILL), by somebody or for lack of memory"),
    "crash": ("source_down", "its process crashed (SIGSEGV)"),
    "exit": ("source_down", "its process ended by itself, with exit status 3"),
    "stop": ("source_stalled", "its process is stopped (SIGSTOP): it gave no frame and no word for 0.5 s"),
    "hang": ("source_stalled", "its process hangs: it gave no frame and no word for 0.5 s"),
}


def given(source):
    """Everything that it gives."""
    isolated = Isolated(source)
    try:
        isolated.open()
        return list(isolated.produce(0))
    finally:
        isolated.close()


def frames(messages):
    return [message for message in messages if isinstance(message, Frame)]


def events(messages):
    return [message for message in messages if isinstance(message, SystemEvent)]


def told(frame):
    pictures = (frame.color, frame.depth, frame.infrared)
    packed = [
        p if p is None else (p.encoded, p.codec) if isinstance(p, Encoded) else p.tobytes() for p in pictures
    ]
    return frame.camera_id, frame.index, frame.captured_ns, frame.clock, frame.depth_scale_m, packed


def children():
    """Of this process, zombies too; other tests may have a broker."""
    return {
        id for task in Path("/proc/self/task").iterdir() for id in (task / "children").read_text().split()
    }


@pytest.fixture(autouse=True)
def _nothing_stays():
    before = children()
    yield
    gc.collect()
    assert "/dev/shm" not in Path("/proc/self/maps").read_text()
    assert children() == before


@pytest.mark.parametrize("kind", [Faulty, Packed])
def test_what_it_gives_is_what_it_gives_without_a_process(kind):
    made = {"camera_id": "east", "frames": 40}
    assert list(map(told, given(kind(**made)))) == list(map(told, kind(**made).produce(0)))


def test_frames_that_are_kept_stay_as_they_were_and_hold_up_nobody():
    kept = given(Faulty(camera_id="east", frames=60))  # more than there are slots, all kept
    assert [int(frame.depth[0, 0]) for frame in kept] == list(range(60))
    part = kept[0].depth[2:4, 3:5]
    del kept
    gc.collect()
    assert part.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_recording_whose_reader_dies_once_loses_nothing(fault, tmp_path):
    plain = {"camera_id": "east", "frames": 12}
    found = given(Faulty(**plain, does=fault, counted=str(tmp_path / "n"), silent_s=0.5))
    kind, detail = FAULTS[fault]
    assert [event.kind for event in events(found)] == [kind, "source_up"]
    assert events(found)[0].detail.startswith(detail)
    assert "and is started again in 0.5 s" in events(found)[0].detail
    assert list(map(told, frames(found))) == list(map(told, Faulty(**plain).produce(0)))


@pytest.mark.parametrize("fault", ["crash", "stop"])
def test_frames_of_a_camera_that_went_with_its_process_are_counted(fault, tmp_path):
    found = given(Live(camera_id="east", frames=12, does=fault, counted=str(tmp_path / "n"), silent_s=0.5))
    assert [event.kind for event in events(found)] == ["source_up", FAULTS[fault][0], "source_up", "gap"]
    gap = events(found)[-1]
    indices = [frame.index for frame in frames(found)]
    assert indices[:5] == [0, 1, 2, 3, 4]
    assert indices[5:] == list(range(5 + gap.dropped, 17 + gap.dropped))
    away_s = (frames(found)[5].captured_ns - frames(found)[4].captured_ns) / 1e9
    assert away_s > 0.5
    assert gap.counts == {"process": gap.dropped}
    assert gap.dropped > 10
    assert "s are missing in which its process was away" in gap.detail


def test_a_recording_whose_reader_dies_again_and_again_ends_there_and_what_was_read_counts(tmp_path):
    found = given(Faulty(camera_id="east", frames=12, does="crash", times=99, counted=str(tmp_path / "n")))
    assert [frame.index for frame in frames(found)] == [0, 1, 2, 3, 4]
    assert [event.kind for event in events(found)] == ["source_down", "source_down", "gap"]
    assert "crashed (SIGSEGV), as 3 processes did at one place; the rest of it is lost" in found[-1].detail
    assert found[-1].dropped is None


def test_a_recording_of_which_no_frame_comes_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"^cameras.east: its process crashed \(SIGSEGV\), as 3 .* before any frame"
    ):
        given(Faulty(camera_id="east", does="crash", at=0, times=99, counted=str(tmp_path / "n")))


def test_a_source_that_dies_while_it_opens_is_refused_with_what_to_do():
    with pytest.raises(InputError, match=r"^cameras.east: its process crashed .* set isolated: false"):
        given(Opening(camera_id="east", does="crash"))


def test_a_mistake_of_its_user_keeps_its_words():
    with pytest.raises(InputError) as refused:
        given(Opening(camera_id="east", does="refuse"))
    assert str(refused.value) == "east.bag: is empty; record again"


def test_an_error_of_the_source_is_the_node_s_and_says_where_it_was():
    graph = Graph(
        [toys.camera("east", Faulty, does="fail", isolated=True), Node("seen", toys.Detect(), ("east",))]
    )
    with pytest.raises(StageError, match=r"^east: RuntimeError\('out of range'\), while producing") as failed:
        threads.run(graph, Run(ignore))
    assert "in fail" in failed.value.__cause__.__notes__[0]


def test_one_that_waits_for_long_is_left_alone_while_it_says_that_it_lives():
    found = given(Quiet(camera_id="east", frames=3, quiet_s=2.0, silent_s=0.6))
    assert [message.index for message in found] == [0, 1, 2]


def test_a_reader_that_is_slow_is_no_silence():
    isolated, seen = Isolated(Faulty(camera_id="east", frames=200, silent_s=0.5)), []
    isolated.open()
    for message in isolated.produce(0):
        seen.append(message.index)
        if len(seen) == 20:
            time.sleep(1.5)
    isolated.close()
    assert seen == list(range(200))


def test_closed_while_it_waits_it_ends_soon():
    isolated = Isolated(Faulty(camera_id="east", does="hang"))
    isolated.open()
    reader = threading.Thread(target=lambda: list(isolated.produce(0)))
    reader.start()
    time.sleep(0.3)
    isolated.close()
    reader.join(10)
    assert not reader.is_alive()


def test_a_graph_of_isolated_cameras_balances_and_writes_what_one_thread_writes(tmp_path):
    logs = []
    for executor, isolated in ((inline, False), (inline, True), (threads, True)):
        cameras = [toys.camera(id, Faulty, frames=30, isolated=isolated) for id in ("east", "west")]
        nodes = [
            Node("detect", toys.Detect(), ("east", "west")),
            Node("track", toys.Track(), ("detect",)),
            Node("collect", toys.Collect(), ("track",)),
            Node("embed", toys.Embed(), ("collect",)),
            Node("match", toys.Match(), ("embed",)),
        ]
        graph, said = Graph([*cameras, *nodes]), []
        run = Run(said.append)
        executor.run(graph, run)
        assert unbalanced(run.watch.ledger(graph), graph) == []
        logs.append(said)
    assert len(logs[0]) > 20
    assert logs[0] == logs[1] == logs[2]


@pytest.mark.parametrize("does", ["hang", "stop"])
def test_its_process_does_not_outlive_the_one_that_began_it(does):
    code = (
        "from faulty import Faulty; from pipeline.executors.isolated import Isolated\n"
        f"one = Isolated(Faulty(camera_id='east', does={does!r}, silent_s=600.0)); one.open()\n"
        "print(one._process.pid, flush=True)\n"
        "[print(frame.index, flush=True) for frame in one.produce(0)]\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    child = Path("/proc") / parent.stdout.readline().strip()
    assert [parent.stdout.readline() for _ in range(5)] == [f"{n}\n" for n in range(5)]
    assert child.exists()
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    until_s = time.monotonic() + 10
    while child.exists():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_a_slot_that_holds_something_else_is_refused():
    slots = Slots(b"r" * 16, 1, 100)
    mapped = Mapped(os.dup(slots.fd), b"r" * 16, 1)
    number = slots.write(7, {"depth": np.arange(6, dtype=np.uint16).reshape(2, 3)})
    with pytest.raises(SlotError, match="holds picture 7 of generation 1, not 8"):
        mapped.read(number, 8)
    assert mapped.read(number, 7)["depth"].tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(SlotError):
        Mapped(os.dup(slots.fd), b"s" * 16, 1).read(number, 7)
    slots.close()


def filled(slots, shape, value):
    picture = slots.room(shape, np.uint16)
    picture[:] = value
    return picture


def test_a_picture_that_was_made_in_a_slot_is_read_there(monkeypatch):
    slots = Slots(b"r" * 16, 1, 1000)
    mapped = Mapped(os.dup(slots.fd), b"r" * 16, 1)
    copied = []
    put = Slots._put
    monkeypatch.setattr(Slots, "_put", lambda *given: copied.append(1) or put(*given))
    for n in range(3 * SLOTS):
        pictures = {"color": filled(slots, (2, 3), n), "depth": filled(slots, (5,), 7)}
        read = mapped.read(slots.write(n, pictures), n)
        assert (read["color"].tolist(), read["depth"].tolist()) == ([[n] * 3] * 2, [7] * 5)
        del pictures, read
    pictures = {"depth": filled(slots, (4,), 3), "infrared": np.full(4, 9, np.uint16)}
    read = mapped.read(slots.write(99, pictures), 99)
    assert (read["depth"].tolist(), read["infrared"].tolist(), len(copied)) == ([3] * 4, [9] * 4, 1)
    slots.close()


def test_a_picture_that_is_not_in_a_frame_yet_is_not_written_over():
    slots = Slots(b"r" * 16, 1, 1000)
    mapped = Mapped(os.dup(slots.fd), b"r" * 16, 1)
    early, late = filled(slots, (4,), 1), filled(slots, (4,), 2)
    for n in range(3 * SLOTS):
        assert mapped.read(slots.write(n, {"depth": early}), n)["depth"].tolist() == [1] * 4
    assert late.tolist() == [2] * 4
    del early
    assert mapped.read(slots.write(50, {"depth": late}), 50)["depth"].tolist() == [2] * 4
    given_up = filled(slots, (4,), 3)
    del given_up
    assert mapped.read(slots.write(51, {"depth": filled(slots, (4,), 4)}), 51)["depth"].tolist() == [4] * 4
    slots.close()


def test_a_picture_that_no_longer_fits_behind_those_of_its_frame_is_written_with_them_elsewhere():
    slots = Slots(b"r" * 16, 1, 8000)
    mapped = Mapped(os.dup(slots.fd), b"r" * 16, 1)
    neighbour = slots.write(0, {"depth": np.full(4, 1, np.uint16)})
    given_up, color = filled(slots, (2000,), 2), filled(slots, (2000,), 3)
    del given_up
    depth = np.full(2000, 4, np.uint16)
    read = mapped.read(slots.write(1, {"color": color, "depth": depth}), 1)
    assert (read["color"] == 3).all() and (read["depth"] == 4).all()
    assert mapped.read(neighbour, 0)["depth"].tolist() == [1] * 4
    slots.close()


def test_where_there_is_no_room_a_picture_is_made_elsewhere():
    slots = Slots(b"r" * 16, 1, 100)
    assert slots.room((10_000,), np.uint16) is None
    for n in range(SLOTS):
        slots.write(n, {"depth": np.zeros(4, np.uint16)})
    assert slots.room((4,), np.uint16) is None
    slots.close()


def test_a_slot_is_free_again_when_the_last_array_on_it_goes():
    slots = Slots(b"r" * 16, 1, 100)
    mapped = Mapped(os.dup(slots.fd), b"r" * 16, 1)
    picture, held = {"color": np.arange(12, dtype=np.uint8).reshape(2, 2, 3)}, []
    for n in range(50):
        pictures = mapped.read(slots.write(n, picture), n)
        held.append(pictures["color"][1:, :, 0])
        del pictures
        assert mapped.held <= SLOTS - SPARE
        assert held[-1].tolist() == [[6, 9]]
    held.clear()
    assert mapped.held == 0
    slots.close()
