"""What is sent is what arrives, and nothing else is accepted."""

import pickle
import random
import resource

import deflate
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
from pipeline.wire import HEAD, MARK, VERSION, WireError, decode, encode

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
    "data", [b"", b"\xc1", encode(FRAME)[:-9], encode(FRAME)[:5], pickle.dumps(FRAME.index)]
)
def test_refuses_damaged_bytes(data):
    with pytest.raises(WireError, match="damaged"):
        decode(data)


def sealed(body):
    """With the head that belongs to it: what somebody wrote who knows how."""
    return HEAD.pack(MARK, VERSION, deflate.crc32(body)) + body


def test_refuses_a_class_that_is_not_ours():
    with pytest.raises(WireError, match="damaged: KeyError"):
        decode(sealed(msgspec.msgpack.encode({"~": "os"})))


def test_refuses_another_version():
    with pytest.raises(WireError, match="written by wire version 99, this is 2"):
        decode(HEAD.pack(MARK, 99, 0))


def mutated(data, choice):
    """With bytes changed, left out, put in, or cut off."""
    made = bytearray(data)
    for _ in range(choice.randint(1, 4)):
        at = choice.randrange(len(made)) if made else 0
        match choice.randrange(4):
            case 0:
                made[at : at + 1] = choice.randbytes(1)
            case 1:
                del made[at : at + choice.randint(1, 8)]
            case 2:
                made[at:at] = choice.randbytes(choice.randint(1, 8))
            case 3:
                del made[max(1, at) :]
    return bytes(made)


def test_every_mutated_message_is_refused_by_name():
    choice = random.Random(5)
    whole = [encode(Step((40, "east", 3), (message,))) for message in MESSAGES]
    refused = 0
    for _ in range(10_000):
        original = choice.choice(whole)
        if (data := mutated(original, choice)) != original:
            with pytest.raises(WireError):
                decode(data)
            refused += 1
    assert refused > 9_900


def test_a_mutated_message_whose_checksum_fits_is_read_or_refused_by_name_in_little_memory():
    choice = random.Random(6)
    bodies = [encode(Step((40, "east", 3), (message,)))[HEAD.size :] for message in MESSAGES]
    bodies += [msgspec.msgpack.encode({"~": "array", "dtype": "<f8", "shape": [1 << 40], "bytes": b""})]
    bodies += [b"\x91" * 200_000, b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"]
    refused = 0
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        try:
            decode(sealed(mutated(choice.choice(bodies), choice)))
        except WireError:
            refused += 1
    assert refused > 3_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 256 * 1024
