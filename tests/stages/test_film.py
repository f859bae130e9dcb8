"""A film shows every frame at its own time, with those who are followed in the colours of who they are."""

from dataclasses import replace

import av
import numpy as np
import pytest
from builders import IDENTITY_EVENT, MERGED, detections, frame, tracks
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.camera import Intrinsics, Pose, Registration, View
from pipeline.messages import Encoded, Positions
from pipeline.stage import InputError
from stages._annotated import UNDECIDED
from stages.film import Film

WIDE, HIGH = 320, 240
VIEW = View(Intrinsics(WIDE, HIGH, 300.0, 300.0, 160.0, 120.0))
BOX = (100, 60, 160, 200)
GREY = np.full((HIGH, WIDE, 3), 40, np.uint8)


class Run:
    """Feeds a film as a graph does: who somebody is, where, and then the tracks of the frame."""

    def __init__(self, out, *cameras, fps=10.0):
        self.film, self.fps = Film(str(out), cameras), fps
        self.film.open()

    def see(self, index, *boxes, camera="door", who=(), **picture):
        seen = frame(camera, index, int(index / self.fps * 1e9), view=VIEW, **(picture or {"color": GREY}))
        rows = tracks(detections(seen, boxes), range(len(boxes)))
        ids = tuple(f"T-{n}" for n in range(len(boxes)))
        told = [replace(IDENTITY_EVENT, tracklet_id=f"T-{n}", identity_id=id) for n, id in who]
        places = Positions(
            camera, index, seen.captured_ns, "site", ids, rows.boxes, rows.floor_m, rows.scores
        )
        for message in (*told, places, rows):
            list(self.film.process(message))
        return self

    def end(self):
        list(self.film.finish())
        self.film.close()


def pictures(path):
    """The pictures of a film, and when they are shown, in seconds."""
    with av.open(str(path)) as container:
        shown = list(container.decode(video=0))
        return [one.to_ndarray(format="rgb24") for one in shown], [
            float(one.pts * one.time_base) for one in shown
        ]


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def edge_color(picture):
    """Of the left edge of BOX, in the middle of its height."""
    return picture[120:180, 99:102].reshape(-1, 3).astype(int).max(axis=0)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("fps", [5, 10, 29.97])
def test_every_frame_is_shown_at_its_own_time(tmp_path, ending, fps):
    run = Run(tmp_path / f"film.{ending}", fps=fps)
    indices = [3, 4, 5, 9, 10, 30]
    for index in indices:
        run.see(index, BOX)
    run.end()
    shown, times = pictures(tmp_path / f"film.{ending}")
    assert times == pytest.approx([(index - 3) / fps for index in indices], abs=0.0006)
    assert {picture.shape for picture in shown} == {(HIGH, WIDE, 3)}
    assert names_in(tmp_path) == [f"film.{ending}"]


def test_without_an_encoder_for_h264_it_is_mpeg4(tmp_path, monkeypatch):
    monkeypatch.setattr("stages._reel.CODECS", ("no such encoder", "mpeg4"))
    run = Run(tmp_path / "film.mp4")
    for index in (0, 1, 7):
        run.see(index, BOX)
    run.end()
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
    shown, times = pictures(tmp_path / "film.mp4")
    assert times == pytest.approx([0.0, 0.1, 0.7], abs=0.001)
    assert np.abs(shown[2][:40].astype(int) - 40).max() < 12


def test_somebody_has_the_colour_of_their_identity_once_it_is_known_and_is_grey_before(tmp_path):
    run = Run(tmp_path / "film.mp4")
    for index in range(5):
        run.see(index, BOX)
    for index in range(5, 10):
        run.see(index, BOX, who=[(0, "P-AAAA111111")])
    run.end()
    shown, _ = pictures(tmp_path / "film.mp4")
    before, after = edge_color(shown[3]), edge_color(shown[8])
    assert before == pytest.approx(UNDECIDED, abs=40)
    assert np.ptp(before) < 25 < 60 < np.ptp(after)


def test_an_identity_has_one_colour_at_every_camera_and_after_a_merge_both_have_that_of_one(tmp_path):
    run = Run(tmp_path / "film.mp4", "a", "b")
    for index in range(4):
        run.see(index, BOX, camera="a", who=[(0, "P-1")])
        run.see(index, BOX, camera="b")  # the same name of a tracklet in this test: the same person
    list(run.film.process(replace(MERGED, from_ids=("P-1",), to_ids=("P-77",))))
    for index in range(4, 8):
        run.see(index, BOX, camera="a")
        run.see(index, BOX, camera="b")
    run.end()
    (one, _), (other, _) = (pictures(tmp_path / f"film-{camera}.mp4") for camera in "ab")
    assert edge_color(one[2]) == pytest.approx(edge_color(other[2]), abs=12)
    assert edge_color(one[6]) == pytest.approx(edge_color(other[6]), abs=12)
    assert np.abs(edge_color(one[6]) - edge_color(one[2])).max() > 40


def test_a_way_is_drawn_behind_somebody_and_forgotten_after_three_seconds(tmp_path):
    run = Run(tmp_path / "film.mp4")
    for index in range(20):
        run.see(index, (10 + 10 * index, 60, 60 + 10 * index, 200))
    for index in range(20, 60):
        run.see(index)
    assert run.film._ways == {}
    run.end()
    shown, _ = pictures(tmp_path / "film.mp4")
    assert (shown[19][198:203, 60:180].max(axis=(0, 2)) > 90).mean() > 0.9
    assert shown[55].max() < 70


def test_depth_and_infrared_are_shown_where_there_is_no_colour_on_their_pixels(tmp_path):
    ramp = np.tile(np.linspace(1000, 5000, WIDE).astype(np.uint16), (HIGH, 1))
    apart = Registration(VIEW.intrinsics, Pose(np.eye(3), np.zeros(3)))
    for number, picture in enumerate(
        (
            {"depth": ramp},
            {"depth": ramp, "color": GREY, "registration": apart},
            {"infrared": ramp},
            {"infrared": (ramp // 20).astype(np.uint8)},
        )
    ):
        Run(tmp_path / f"{number}.mp4").see(0, **picture).end()
    (near,), (apart,), (deep,), (plain,) = (pictures(tmp_path / f"{n}.mp4")[0] for n in range(4))
    assert near[100, 10, 0] > near[100, 300, 0] + 100  # what is near is bright
    assert np.array_equal(near, apart)
    assert deep[100, 300, 0] > deep[100, 10, 0] + 100
    assert plain[100, 300, 0] == pytest.approx(238, abs=6)


def test_an_encoded_picture_is_decoded_and_a_frame_is_not_changed(tmp_path):
    color = GREY.copy()
    Run(tmp_path / "a.mp4").see(0, BOX, color=color).end()
    Run(tmp_path / "b.mp4").see(0, BOX, color=Encoded(f"rgb8/{WIDE}x{HIGH}", color.tobytes())).end()
    assert np.array_equal(color, GREY)
    assert np.array_equal(pictures(tmp_path / "a.mp4")[0][0], pictures(tmp_path / "b.mp4")[0][0])


@pytest.mark.parametrize(("wide", "high"), [(321, 240), (320, 241), (33, 31)])
def test_pictures_of_odd_sizes_and_of_a_size_that_changes(tmp_path, wide, high):
    run = Run(tmp_path / "film.mp4")
    for index, size in enumerate([(high, wide), (high, wide), (240, 320)]):
        run.see(index, color=np.full((*size, 3), 90, np.uint8))
    run.end()
    shown, _ = pictures(tmp_path / "film.mp4")
    assert [one.shape for one in shown] == [(high + high % 2, wide + wide % 2, 3)] * 3
    assert np.abs(np.stack(shown).astype(int) - 90).max() < 10


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 4), max_size=4), min_size=1, max_size=6)
)
def test_boxes_wherever_they_are_can_be_drawn(tmp_path_factory, frames):
    path = tmp_path_factory.mktemp("boxes") / "film.mkv"
    run = Run(path)
    for index, boxes in enumerate(frames):
        run.see(index, *boxes)
    run.end()
    assert len(pictures(path)[0]) == len(frames)


def test_a_file_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "film-b.mp4").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"film-b\.mp4: is there already; choose another name for the video"):
        Run(tmp_path / "film.mp4", "a", "b")
    assert (tmp_path / "film-b.mp4").read_bytes() == b"mine"


def test_what_is_put_there_while_it_films_stays_too(tmp_path):
    run = Run(tmp_path / "film.mp4").see(0, BOX)
    (tmp_path / "film.mp4").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"film\.mp4: cannot be written, somebody else has put a file there"):
        run.end()
    run.film.close()
    assert names_in(tmp_path) == ["film.mp4"]
    assert (tmp_path / "film.mp4").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["film.avi", "film", "film.mp4.txt", "film.MP4"])
def test_a_kind_of_file_that_it_does_not_write_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name}: must end in \.mp4 or \.mkv; name another file"):
        Film(name)


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_filmed(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be made, .*file is not a folder; choose another folder"):
        Run(tmp_path / "file" / "film.mp4")


def test_what_is_not_finished_leaves_nothing_behind(tmp_path):
    run = Run(tmp_path / "new" / "film.mp4").see(0, BOX).see(1, BOX)
    run.film.close()
    assert names_in(tmp_path / "new") == []


def test_a_camera_that_shows_nothing_has_no_film(tmp_path):
    Run(tmp_path / "film.mp4", "a", "b").see(0, camera="a").end()
    assert names_in(tmp_path) == ["film-a.mp4"]


@pytest.mark.parametrize("frames", [60, 200])
def test_a_full_disk_is_said_and_nothing_is_left(small_disk, frames):
    disk = small_disk("size=200k")
    run, random = Run(disk / "film.mp4"), np.random.default_rng(0)
    with pytest.raises(InputError, match=r"film\.mp4: cannot be written, no space left on device; make room"):
        for index in range(frames):
            run.see(index, color=random.integers(0, 255, (HIGH, WIDE, 3), np.uint8))
        run.end()
    run.film.close()
    assert names_in(disk) == []
