"""A file that is cut off, spoilt, or no recording at all: every frame that can be read, then what was lost; or one line."""

import hashlib
import random
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from builders import detections
from recording_files import COUNT, edited, shown, topic_of, write_bag
from sdk_files import write

from pipeline.executors import inline, threads
from pipeline.graph import Graph, Node
from pipeline.messages import Detections, Frame, Heartbeat, SystemEvent
from pipeline.run import Run
from pipeline.stage import InputError, Stage
from pipeline.watch import unbalanced
from stages.source._leaves import Leaves
from stages.source.recording import Recording

CUTS = 50


def replayed(path, **settings):
    recording = Recording(camera_id="flat", path=str(path), **settings)
    recording.open()
    return list(recording.produce(0))


@dataclass
class Look(Stage[Frame, Detections]):
    """Decodes what it is given."""

    def process(self, frame: Frame) -> Iterator[Detections]:
        assert frame.depth.pixels().shape == (48, 64)
        assert frame.color is None or frame.color.pixels().shape == (48, 64, 3)
        yield detections(frame, [])


def frames(path):
    return [message for message in replayed(path) if isinstance(message, Frame)]


def seen(frame):
    """All of a frame, to be compared."""
    pictures = (p and p.pixels().tobytes() for p in (frame.depth, frame.color))
    return (frame.index, frame.captured_ns, frame.clock, frame.depth_scale_m, *pictures)


def ends_of(path):
    """Where each frame ends in the file: the last byte of its depth and of its metadata, in a `.db3` of their page."""
    raw, is_bag = path.read_bytes(), path.suffix == ".bag"
    for frame in frames(path):
        last = raw.rfind(frame.depth.encoded[-60:-20])
        if last < 0:  # on two pages
            last = max(raw.rfind(frame.depth.encoded[-60:-40]), raw.rfind(frame.depth.encoded[-40:-20]))
        if is_bag:
            yield raw.find(b"Actual Fps", last)
        else:
            stamp = raw.rfind(f"Frame number={100 + frame.index};timestamp_domain".encode())
            yield (max(last, stamp) // 4096 + 1) * 4096


def cuts(path):
    """Places to cut at: anywhere, and around the edges of pages."""
    size, randomly = path.stat().st_size, random.Random(7)
    anywhere = [randomly.randrange(size) for _ in range(CUTS - 10)]
    return sorted(
        [
            *anywhere,
            *(4096 * randomly.randrange(size // 4096) + randomly.choice((-1, 0, 1)) for _ in range(10)),
        ]
    )


@pytest.mark.parametrize("name", ["day", "day_bag"])
def test_a_file_cut_off_anywhere_gives_every_frame_before_the_cut_and_says_so(name, request, tmp_path):
    path = request.getfixturevalue(name)
    whole, ends, raw = [seen(frame) for frame in frames(path)], list(ends_of(path)), path.read_bytes()
    assert ends == sorted(ends)
    for cut in cuts(path):
        spoilt = tmp_path / f"cut{path.suffix}"
        spoilt.write_bytes(raw[:cut])
        due = sum(end <= cut for end in ends)
        try:
            *given, gap = replayed(spoilt)
        except InputError as error:
            assert (due, str(error).count("\n")) == (0, 0), cut
        else:
            found = [seen(message) for message in given if isinstance(message, Frame)]
            assert [f[:5] for f in found] == [f[:5] for f in whole[: len(found)]], cut
            assert [f[5] for f in found[:-1]] == [f[5] for f in whole[: len(found) - 1]], (
                cut
            )  # colour is written last
            assert due <= len(found) <= due + 1, cut
            assert (gap.kind, gap.dropped) == ("gap", None), cut
        assert spoilt.read_bytes() == raw[:cut]


@pytest.mark.parametrize("name", ["day", "day_bag"])
def test_bytes_spoilt_anywhere_cost_only_what_they_belong_to(name, request, tmp_path):
    path = request.getfixturevalue(name)
    whole, raw, randomly = {f.index: seen(f) for f in frames(path)}, path.read_bytes(), random.Random(11)
    kept = 0
    for _ in range(20):
        spoilt, at = tmp_path / f"spoilt{path.suffix}", randomly.randrange(50_000, len(raw) - 4096)
        spoilt.write_bytes(raw[:at] + randomly.randbytes(4096) + raw[at + 4096 :])
        found = [seen(message) for message in replayed(spoilt) if isinstance(message, Frame)]
        compared = 4 if path.suffix == ".bag" else 5  # bare pixels have no checksum
        assert all(frame[:compared] == whole[frame[0]][:compared] for frame in found)
        assert len(found) >= COUNT - 5, at
        kept += len(found)
    assert kept < 20 * COUNT


@pytest.mark.parametrize("name", ["day", "day_bag"])
def test_whatever_is_spoilt_a_file_gives_frames_in_order_or_one_line(name, request, tmp_path):
    path = request.getfixturevalue(name)
    raw, randomly, refused = path.read_bytes(), random.Random(5), 0
    for _ in range(150):
        spoilt, file = bytearray(raw), tmp_path / f"spoilt{path.suffix}"
        for _ in range(randomly.choice((1, 2, 20))):
            at, length = (
                randomly.randrange(randomly.choice((200, 20_000, len(raw)))),
                randomly.choice((1, 4, 64)),
            )
            spoilt[at : at + length] = randomly.choice(
                (randomly.randbytes(length), b"\0" * length, b"\xff" * length)
            )
        file.write_bytes(spoilt)
        try:
            given = replayed(file)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
            continue
        times = [message.captured_ns for message in given if isinstance(message, Frame)]
        assert times == sorted(set(times))
    assert refused < 140


def test_of_a_damaged_file_that_sqlite_cannot_walk_the_rest_is_found_page_by_page(day, copy):
    path = copy(day)
    with path.open("r+b") as file:
        root = 2 * 4096  # the third page: messages begin there
        file.seek(root)
        assert file.read(1) == b"\x05"
        file.seek(root)
        file.write(b"\0" * 4096)
    with (
        closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as database,
        pytest.raises(sqlite3.DatabaseError),
    ):
        database.execute("SELECT count(*) FROM messages NOT INDEXED").fetchall()
    *given, gap = replayed(path)
    assert [seen(frame) for frame in given] == [seen(frame) for frame in frames(day)]
    assert (gap.kind, gap.dropped, gap.detail[:19]) == ("gap", None, "the file is damaged")


def test_pages_read_one_by_one_hold_the_rows_that_sqlite_gives(day):
    leaves = Leaves(day)
    with closing(sqlite3.connect(f"file:{day}?immutable=1", uri=True)) as database:
        assert leaves.topics() == dict(database.execute("SELECT id, name FROM topics"))
        rows = [(row.id, row.topic, row.written_ns, row.content) for row in leaves.rows(bulky=set())]
        assert (
            rows
            == database.execute("SELECT id, topic_id, timestamp, data FROM messages ORDER BY id").fetchall()
        )
    leaves.close()


@pytest.mark.parametrize("executor", [inline, threads], ids=["inline", "threads"])
def test_a_graph_goes_on_over_damaged_pictures_and_its_ledger_balances(executor, day, copy):
    path = copy(day)
    with edited(path) as database:
        for n, words in enumerate((("Depth_0", "compressedDepth"), ("Color_0", "compressed"))):
            spoil = "UPDATE messages SET data = substr(data, 1, 3000) WHERE topic_id = ? AND id % 5 = ?"
            database.execute(spoil, (topic_of(database, *words), n))
    graph = Graph(
        [
            Node("cameras.flat", Recording(camera_id="flat", path=str(path))),
            Node("look", Look(), ("cameras.flat",)),
        ]
    )
    given = []
    run = Run(given.append)
    executor.run(graph, run)
    source, look = run.watch.ledger(graph)
    assert unbalanced([source, look], graph) == []
    lost = source.dropped["damaged"]
    assert (source.received, source.processed, look.processed) == (COUNT, COUNT - lost, COUNT - lost)
    assert lost > 2
    assert sum(isinstance(message, SystemEvent) for message in given) > lost  # some of colour too


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_rows_of_any_length_are_found_whole_on_pages_of_any_size(page_size, tmp_path):
    path, randomly = tmp_path / "any.db3", random.Random(page_size)
    lengths = [*range(0, 3 * page_size, max(1, page_size // 97)), *range(page_size - 120, page_size + 40)]
    rows = [
        (n + 1, randomly.choice((0, 1, 3, 300)), randomly.getrandbits(62), randomly.randbytes(length))
        for n, length in enumerate(lengths)
    ]
    database_with(path, f"PRAGMA page_size = {page_size}", TOPICS, MESSAGES)
    with edited(path) as database:
        database.executemany("INSERT INTO messages VALUES (?, ?, ?, ?)", rows)
    leaves = Leaves(path)
    assert [(row.id, row.topic, row.written_ns, row.content) for row in leaves.rows(bulky=set())] == rows
    for row, (*_, content) in zip(leaves.rows(bulky={0, 1, 3, 300}), rows, strict=True):
        with row.blob() as blob:
            assert (row.content, blob) == (b"", content)
    leaves.close()


def test_rows_that_are_missing_from_the_file_are_said(day, copy):
    path = copy(day)
    with edited(path) as database:
        database.execute("DELETE FROM messages WHERE id BETWEEN 60 AND 71")  # two frame sets
    given = replayed(path)
    assert sum(isinstance(message, Frame) for message in given) == COUNT - 2
    skipped, last = [message for message in given if isinstance(message, SystemEvent)]
    assert skipped.counts == {"device": 2}
    assert (last.dropped, "12 of its rows are missing" in last.detail) == (None, True)


def test_a_picture_whose_metadata_are_lost_is_counted_at_the_end(day, copy):
    path = copy(day)
    with edited(path) as database:
        metadata = topic_of(database, "Depth_0", "metadata")
        database.execute(
            "UPDATE messages SET data = x'00010000' WHERE topic_id = ? AND id > 140", (metadata,)
        )
    *given, gap = replayed(path)
    assert len(given) + gap.dropped == COUNT
    assert gap.counts == {"damaged": gap.dropped}
    assert f"{gap.dropped} pictures of depth have no time stamp" in gap.detail


def test_a_picture_that_only_its_metadata_tell_of_is_a_gap_at_its_time(day, copy):
    path = copy(day)
    with edited(path) as database:
        depth = topic_of(database, "Depth_0", "compressedDepth")
        database.execute(
            "UPDATE messages SET topic_id = 999 WHERE id = (SELECT max(id) FROM messages WHERE topic_id = ?)",
            (depth,),
        )
    *given, gap, heartbeat = replayed(path)
    assert len(given) == COUNT - 1
    assert (gap.dropped, gap.detail) == (1, "the depth of frame 23 is not in the file")
    assert isinstance(heartbeat, Heartbeat)


def test_a_picture_never_gets_the_time_stamp_of_another(day, copy):
    path = copy(day)
    with edited(path) as database:
        depth, metadata = (
            topic_of(database, "Depth_0", "compressedDepth"),
            topic_of(database, "Depth_0", "metadata"),
        )
        for topic, number in ((metadata, 5), (depth, 6)):
            row = "SELECT id FROM messages WHERE topic_id = ? LIMIT 1 OFFSET ?"
            database.execute(f"UPDATE messages SET topic_id = 999 WHERE id = ({row})", (topic, number))
    given = replayed(path)
    whole = {frame.index: seen(frame) for frame in frames(day)}
    assert [seen(m) for m in given if isinstance(m, Frame)] == [
        whole[n] for n in range(COUNT) if n not in (5, 6)
    ]
    assert sum(m.counts.get("damaged", 0) for m in given if isinstance(m, SystemEvent)) == 2


def test_a_bag_knows_how_many_pictures_a_damaged_chunk_held(day_bag, copy):
    path = copy(day_bag)
    raw = bytearray(path.read_bytes())
    middle = raw.index(b"compression=none", len(raw) // 2)
    raw[middle : middle + 16] = b"compression=nope"
    path.write_bytes(raw)
    given = replayed(path)
    last = given[-1]
    assert "1 of its chunks are damaged" in last.detail
    assert sum(isinstance(message, Frame) for message in given) + last.dropped == COUNT
    assert last.dropped > 0


def test_a_time_stamp_in_a_spoilt_head_is_not_believed(day_bag, copy):
    path = copy(day_bag)
    raw = bytearray(path.read_bytes())
    encoding = raw.index(b"mono16", len(raw) // 2)
    raw[encoding - 28 : encoding + 4] = b"\x5a" * 32  # number, stamp, size
    path.write_bytes(raw)
    given = replayed(path)
    assert sum(isinstance(message, Frame) for message in given) == COUNT - 1
    assert {message.kind for message in given if isinstance(message, SystemEvent)} == {"gap"}


def test_a_bag_that_lacks_its_index_alone_lacks_no_frame(day_bag, copy):
    path = copy(day_bag)
    raw = path.read_bytes()
    index = int.from_bytes(raw[raw.index(b"index_pos=") + 10 :][:8], "little")
    path.write_bytes(raw[:index])
    *given, gap = replayed(path)
    assert (len(given), gap.dropped, gap.counts) == (COUNT, 0, {})
    assert "has no index" in gap.detail


def database_with(path, *statements):
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


TOPICS = (
    "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT, qos TEXT)"
)
MESSAGES = "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB)"
ANOTHER = "INSERT INTO topics VALUES (1, '/camera/image', 'sensor_msgs/msg/Image', 'cdr', '')"
OTHER_KINDS = {
    "nothing": (lambda path: path.write_bytes(b""), "is empty; record again"),
    "text": (lambda path: path.write_text("frames\n" * 1000), r"is neither a \.db3 nor a \.bag"),
    "a picture": (
        lambda path: (
            cv2.imwrite(f"{path}.png", np.zeros((9, 9), np.uint8))
            and path.write_bytes(path.with_name(path.name + ".png").read_bytes())
        ),
        r"is neither a \.db3 nor a \.bag",
    ),
    "a zip": (
        lambda path: zipfile.ZipFile(path, "w").writestr("flat", "frames"),
        r"is neither a \.db3 nor a \.bag",
    ),
    "another database": (
        lambda path: database_with(path, "CREATE TABLE people(name TEXT)"),
        "holds no depth",
    ),
    "rosbag2 of another camera": (
        lambda path: database_with(path, TOPICS, MESSAGES, ANOTHER),
        "holds no depth",
    ),
    "a database without topics": (lambda path: database_with(path, TOPICS, MESSAGES), "holds no depth"),
    "the first words of a database": (lambda path: path.write_bytes(b"SQLite format 3\0"), "holds no depth"),
    "the first words of a bag": (lambda path: path.write_bytes(b"#ROSBAG V2.0\n"), "holds no depth"),
    "a folder": (lambda path: path.mkdir(), "cannot be read, is a directory; check the path"),
    "no file": (lambda path: None, "cannot be read, no such file or directory; check the path"),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_file_of_another_kind_is_one_line_that_names_it(kind, tmp_path):
    make, message = OTHER_KINDS[kind]
    path = tmp_path / "flat.db3"
    make(path)
    before = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else None
    with pytest.raises(InputError, match=rf"flat\.db3: {message}") as caught:
        replayed(path)
    assert "\n" not in str(caught.value)
    assert before is None or hashlib.sha256(path.read_bytes()).digest() == before


@pytest.mark.parametrize("suffix", [".db3", ".bag"])
def test_without_depth_and_without_colour_there_is_nothing_to_replay(suffix, day, copy, tmp_path):
    if suffix == ".bag":
        path = write_bag(tmp_path / "flat.bag", shown(3), without=("image/data",))
    else:
        path = copy(day)
        with edited(path) as database:
            database.execute("UPDATE topics SET name = replace(name, '/image/data', '/image/nothing')")
    with pytest.raises(InputError, match="holds no depth, colour or infrared of a RealSense camera"):
        replayed(path)


@pytest.mark.parametrize("suffix", [".db3", ".bag"])
def test_without_depth_colour_is_replayed(suffix, tmp_path):
    make = write_bag if suffix == ".bag" else write
    given = frames(make(tmp_path / f"flat{suffix}", shown(5, ("color",))))
    assert [(f.index, f.depth, f.color.pixels().shape) for f in given] == [
        (n, None, (48, 64, 3)) for n in range(5)
    ]


def test_what_the_sdk_leaves_out_without_a_word_is_counted(day, copy):
    path = copy(day)
    with edited(path) as database:
        depth = topic_of(database, "Depth_0", "compressedDepth")
        row = "SELECT id FROM messages WHERE topic_id = ? LIMIT 1 OFFSET 9"
        database.execute(f"UPDATE messages SET data = substr(data, 1, 3000) WHERE id = ({row})", (depth,))
    *given, gap = replayed(path, reader="sdk")
    assert sum(isinstance(message, Frame) for message in given) + gap.counts["damaged"] == COUNT
    assert f"of its {COUNT} pictures of depth" in gap.detail


def test_a_file_with_rows_but_without_one_whole_frame_is_one_line(day, copy):
    path = copy(day)
    with edited(path) as database:
        depth = topic_of(database, "Depth_0", "compressedDepth")
        database.execute("UPDATE messages SET data = substr(data, 1, 100) WHERE topic_id = ?", (depth,))
    with pytest.raises(InputError, match="not one frame in it can be read; record again"):
        replayed(path)


def test_what_the_file_says_of_its_lenses_must_make_sense(day, copy):
    path = copy(day)
    with edited(path) as database:
        lens = [
            id
            for id, name in database.execute("SELECT id, name FROM topics")
            if name.endswith("Depth_0/camera_info")
        ]
        database.execute(
            "UPDATE messages SET data = replace(data, CAST('fx=50' AS BLOB), CAST('fx=-5' AS BLOB)) WHERE topic_id = ?",
            lens,
        )
    with pytest.raises(InputError, match="what it says of its streams is damaged in row 3"):
        replayed(path)


def test_colour_that_cannot_be_laid_over_depth_is_left_out(tmp_path):
    path = write_bag(tmp_path / "flat.bag", shown(3), without=("Color_0/tf",))
    assert [(frame.depth is not None, frame.color) for frame in frames(path)] == [(True, None)] * 3
