"""What is sent is what arrives, and nothing else is accepted."""

import msgspec
import numpy as np
import pytest
from builders import (
    GAP,
    IDENTITY_EVENT,
    MERGED,
    TRACKLET_EVENT,
    crop,
    detections,
    embedding,
    frame,
    tracklet,
    tracks,
)

from calibration.camera import Intrinsics, Mount, Pose, Registration, View
from pipeline.keyed import Keyed
from pipeline.messages import Encoded, FrameSet, Portrait, Positions, Reset
from pipeline.order import Barrier, Step
from pipeline.wire import VERSION, WireError, decode, encode

POSE = Pose(np.eye(3), np.array([0.0, 0.0, 3.0]))
LENS = Intrinsics(4, 2, 3.0, 3.0, 2.0, 1.0, (0.1,) * 5, "brown_conrady")
COLOR = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)[:, ::2]  # not contiguous
FRAME = frame(
    "east",
    3,
    40,
    color=COLOR,
    depth=Encoded("png", b"12"),
    view=View(LENS, Mount(), POSE, "c"),
    registration=Registration(LENS, POSE),
)
FOUND = detections(FRAME, [(0, 0, 1, 1)], [(1, 2)], [1.7])
SEEN = tracklet(crops=[crop(COLOR)])
MESSAGES = [
    FRAME,
    FrameSet(40, (FRAME,)),
    FOUND,
    tracks(FOUND, [7]),
    SEEN,
    embedding(SEEN, [0.6, 0.8]),
    Reset("east", 40),
    Positions("east", 3, 40, "site", ("T-1",), FOUND.boxes, FOUND.floor_m, FOUND.scores),
    Portrait("east", "T-1", 40, COLOR),
    IDENTITY_EVENT,
    TRACKLET_EVENT,
    MERGED,
    GAP,
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was(message):
    back = decode(encode(Step((40, "east", 3), (message,))))
    assert back.place == (40, "east", 3)
    assert type(back.messages[0]) is type(message)
    assert encode(back.messages[0]) == encode(message)


def test_arrays_keep_type_and_shape_and_cannot_be_written():
    back = decode(encode(FRAME))
    assert np.array_equal(back.color, COLOR)
    assert (back.color.dtype, back.color.flags.writeable) == (np.uint8, False)
    assert np.array_equal(back.view.world_from_camera.rotation, np.eye(3))


def test_states_travel():
    keyed = Keyed()
    keyed.put(3, np.ones(2))
    barrier = decode(encode(Barrier((5, "", 0), (), {"match": {"": encode({"people": keyed.changes()})}})))
    assert decode(barrier.states["match"][""])["people"].put[3].tolist() == [1, 1]


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([object()]), lambda: 0])
def test_refuses_what_cannot_travel(value):
    with pytest.raises(WireError, match="cannot travel: an? "):
        encode({"state": [value]})


@pytest.mark.parametrize(
    "data", [b"", b"\xc1", encode(FRAME)[:-9], msgspec.msgpack.encode((VERSION, {"~": "os"}))]
)
def test_refuses_damaged_bytes(data):
    with pytest.raises(WireError, match="damaged"):
        decode(data)


def test_refuses_another_version():
    with pytest.raises(WireError, match="written by wire version 99, this is 1"):
        decode(msgspec.msgpack.encode((99, None)))
