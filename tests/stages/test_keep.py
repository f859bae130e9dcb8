"""Which pictures are kept of whom, and for how long."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from builders import IDENTITY_EVENT, crop, tracklet
from hypothesis import given, settings
from hypothesis import strategies as some

from pipeline.messages import CorrectionEvent
from pipeline.stage import Memory
from pipeline.wire import decode, encode
from stages.keep import Keep

S = 1_000_000_000


def picture(shade, size=(64, 32)):
    return np.full((*size, 3), shade, np.uint8)


def looked(keep, id, at_s=0, quality=0.5, shade=99, phase="updated", color=None):
    shown = picture(shade) if color is None else color
    list(keep.process(tracklet("flat", id, [crop(shown, at_s * S, quality)], phase=phase, seen_ns=at_s * S)))


def closed(keep, id, at_s):
    list(keep.process(tracklet("flat", id, phase="closed", seen_ns=at_s * S)))


def known(keep, id, who, kind="observed"):
    list(keep.process(replace(IDENTITY_EVENT, kind=kind, tracklet_id=id, identity_id=who)))


def corrected(keep, kind, before, after, tracklet_ids=()):
    list(keep.process(CorrectionEvent(kind, "flat", 9, before, after, 1, "told", tracklet_ids)))


def kept(keep):
    """Tracklet and second of each picture, by identity."""
    return {
        id: [(one.tracklet_id, one.captured_ns // S) for one in album.shots]
        for id, album in keep._albums.items()
    }


def test_keeps_the_best_of_each_tracklet_once_it_is_somebodys():
    keep = Keep()
    for at_s, quality in enumerate((0.2, 0.9, 0.4)):
        looked(keep, "T-1", at_s, quality)
    assert kept(keep) == {}
    known(keep, "T-1", "P-A", "appeared")
    assert kept(keep) == {"P-A": [("T-1", 1)]}
    looked(keep, "T-1", 5, 0.95)
    looked(keep, "T-1", 6, 0.1)
    assert kept(keep) == {"P-A": [("T-1", 5)]}


def test_of_each_so_many_and_of_one_identity_the_newest():
    keep = Keep(each=2, of_one=3)
    for number in range(3):
        known(keep, f"T-{number}", "P-A")
        for at_s in range(3):
            looked(keep, f"T-{number}", 10 * number + at_s, 0.5 + 0.1 * at_s)
    assert kept(keep) == {"P-A": [("T-1", 12), ("T-2", 21), ("T-2", 22)]}


def test_beyond_so_many_bytes_all_go_of_whom_nothing_new_came_for_longest():
    keep = Keep(max_mb=0.01)
    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)
    for number in range(12):
        known(keep, f"T-{number}", f"P-{number}")
        looked(keep, f"T-{number}", number, color=noise)
    left = list(kept(keep))
    assert left == [f"P-{number}" for number in range(12 - len(left), 12)] and 1 < len(left) < 12
    assert (
        keep._size == sum(one.jpeg.nbytes for album in keep._albums.values() for one in album.shots) <= 10_000
    )


def test_what_is_kept_is_a_jpeg_of_the_crop_no_larger_than_asked():
    keep = Keep(max_px=50)
    known(keep, "T-1", "P-A")
    looked(keep, "T-1", color=picture(200, (100, 40)))
    (shot,) = keep._albums.get("P-A").shots
    shown = cv2.imdecode(shot.jpeg, cv2.IMREAD_UNCHANGED)
    assert shown.shape == (50, 20, 3) and abs(int(shown.mean()) - 200) < 3


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 255), (np.uint16, 4000)])
def test_infrared_is_kept_where_there_is_no_colour(dtype, most):
    keep = Keep()
    known(keep, "T-1", "P-A")
    seen = np.linspace(0, most, 64 * 32).reshape(64, 32).astype(dtype)
    list(keep.process(tracklet("flat", "T-1", [replace(crop(picture(1)), color=None, infrared=seen)])))
    shown = cv2.imdecode(keep._albums.get("P-A").shots[0].jpeg, cv2.IMREAD_UNCHANGED)
    assert shown.shape == (64, 32) and shown.min() < 5 and shown.max() > 250


def test_a_crop_without_a_picture_is_none():
    keep = Keep()
    known(keep, "T-1", "P-A")
    list(keep.process(tracklet("flat", "T-1", [replace(crop(picture(1)), color=None)])))
    looked(keep, "T-1", color=np.empty((0, 3, 3), np.uint8))
    assert kept(keep) == {}


def test_pictures_go_with_who_they_are_of():
    keep = Keep(each=1)
    for number, who in enumerate("AAB"):
        known(keep, f"T-{number}", f"P-{who}")
        looked(keep, f"T-{number}", number)
    corrected(keep, "split", ("P-A",), ("P-A", "P-C"), ("T-1",))
    assert kept(keep) == {"P-B": [("T-2", 2)], "P-A": [("T-0", 0)], "P-C": [("T-1", 1)]}
    corrected(keep, "merged", ("P-C",), ("P-B",))
    assert kept(keep) == {"P-A": [("T-0", 0)], "P-B": [("T-1", 1), ("T-2", 2)]}
    looked(keep, "T-1", 7, 0.9)  # whose it is has changed, too
    assert kept(keep)["P-B"] == [("T-2", 2), ("T-1", 7)]
    known(keep, "T-0", "P-A", "expired")
    assert list(kept(keep)) == ["P-B"]


def test_who_is_erased_has_no_pictures_any_more_and_comes_anew_with_others():
    keep = Keep()
    known(keep, "T-1", "P-A")
    looked(keep, "T-1", 1)
    jpeg = keep._albums.get("P-A").shots[0].jpeg
    corrected(keep, "erased", ("P-A", "P-OLD"), ())
    assert kept(keep) == {} and not jpeg.any() and keep._size == 0
    looked(keep, "T-1", 2)
    assert kept(keep) == {}
    known(keep, "T-1", "P-NEW", "appeared")
    assert kept(keep) == {"P-NEW": [("T-1", 2)]}


def test_what_is_let_go_of_is_overwritten():
    keep = Keep()
    looked(keep, "T-1", 1, 0.2)
    worse = keep._waiting.get("T-1").shots[0].jpeg
    looked(keep, "T-1", 2, 0.5)
    known(keep, "T-1", "P-A")
    bad = keep._albums.get("P-A").shots[0].jpeg
    looked(keep, "T-1", 3, 0.8)
    assert not worse.any() and not bad.any() and keep._albums.get("P-A").shots[0].jpeg.any()


def test_of_tracklets_that_are_nobodys_nothing_stays():
    keep = Keep()
    looked(keep, "T-1", 1)
    looked(keep, "T-2", 1)
    closed(keep, "T-1", 2)
    list(keep.advance(11 * S))
    assert [id for id, _ in keep._waiting.items()] == ["T-1", "T-2"]
    list(keep.advance(17 * S))
    assert [id for id, _ in keep._waiting.items()] == ["T-2"]
    list(keep.finish())
    assert len(keep._waiting) == len(keep._ended_ns) == len(keep._whose) == 0


@pytest.mark.parametrize("life", ["crops_s", "vectors_s"])
def test_pictures_go_when_their_time_is_over(life):
    keep = Keep(**{life: 60.0})
    for number in range(3):
        known(keep, f"T-{number}", "P-A")
        looked(keep, f"T-{number}", 30 * number)
    looked(keep, "T-9", 0)
    list(keep.advance(70 * S))
    assert kept(keep) == {"P-A": [("T-1", 30), ("T-2", 60)]} and len(keep._waiting) == 0
    list(keep.advance(200 * S))
    assert kept(keep) == {} and keep._size == 0


def test_goes_on_from_a_snapshot():
    keep, other = Keep(each=2), Keep(each=2)
    for number in range(4):
        looked(keep, f"T-{number}", number)
        known(keep, f"T-{number}", f"P-{number % 2}")
        other.restore(decode(encode(keep.snapshot())))
    looked(keep, "T-7", 9)
    other.restore(decode(encode(keep.snapshot())))
    assert kept(other) == kept(keep) and other._size == keep._size > 0
    assert len(other._waiting) == 1


STEPS = some.lists(
    some.tuples(
        some.sampled_from(["look", "know", "merge", "split", "erase", "expire", "close"]),
        some.integers(0, 3),
        some.integers(0, 3),
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(STEPS, some.integers(1, 3), some.integers(1, 4))
def test_whatever_happens_it_is_bounded_and_counted(steps, each, of_one):
    keep = Keep(each=each, of_one=of_one)
    for at_s, (what, one, other) in enumerate(steps):
        a, b, seen = f"P-{one}", f"P-{other}", f"T-{one}"
        match what:
            case "look":
                looked(keep, seen, at_s, (at_s * 7 % 10) / 10)
            case "know":
                known(keep, seen, b)
            case "close":
                closed(keep, seen, at_s)
            case "expire":
                known(keep, seen, a, "expired")
            case "erase":
                corrected(keep, "erased", (a,), ())
            case "merge" if a != b:
                corrected(keep, "merged", (a,), (b,))
            case "split" if a != b:
                corrected(keep, "split", (a,), (a, b), (seen,))
        list(keep.advance(at_s * S))
    shots = [one for album in keep._albums.values() for one in album.shots]
    assert all(len(album.shots) <= of_one for album in keep._albums.values())
    assert keep._size == sum(one.jpeg.nbytes for one in shots)
    assert all(one.jpeg.any() for one in shots)  # nothing that is kept was overwritten
    assert all(id == album.identity_id for id, album in keep._albums.items())


@pytest.mark.parametrize("name", ["each", "of_one", "max_mb", "max_px"])
def test_a_limit_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be"):
        Keep(**{name: 0})


def test_it_remembers_the_site_and_keeps_without_end_by_itself():
    assert Keep.memory is Memory.SITE and Keep().crops_s == math.inf
