"""A video gives its pictures at their own times, exactly from anywhere, and says what it could not read."""

import random
from fractions import Fraction

import av
import numpy as np
import pytest

from calibration.camera import Intrinsics, Mount
from calibration.manifest import Manifest, RecordedCamera, write
from calibration.site import Site, SiteCamera
from pipeline.messages import Frame, SystemEvent
from pipeline.stage import InputError
from stages.source.video import Video

WIDTH, HEIGHT = 64, 48


def colours(n):
    """What picture `n` shows: a step of grey, and a red bar that walks."""
    picture = np.full((HEIGHT, WIDTH, 3), (n * 9) % 200, np.uint8)
    picture[:, (2 * n) % WIDTH : (2 * n) % WIDTH + 8] = (250, 20, 20)
    return picture


def film(path, count=30, times_ms=None, codec="libx264", size=(WIDTH, HEIGHT), **options):
    """A file of `count` pictures, 40 ms apart or at `times_ms`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "10", **options})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for n in range(count):
            frame = av.VideoFrame.from_ndarray(colours(n)[: size[1], : size[0]], format="rgb24")
            frame.pts, frame.time_base = times_ms[n] if times_ms else 40 * n, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def replayed(path, from_ns=0, **given):
    video = Video(camera_id="door", path=str(path), **given)
    video.open()
    return list(video.produce(from_ns))


def told(message):
    if isinstance(message, Frame):
        return message.index, message.captured_ns, message.clock, message.color.tobytes()
    return message


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_every_picture_comes_in_colour_at_its_own_time(ending, tmp_path):
    given = replayed(film(tmp_path / f"door.{ending}"))
    assert [frame.index for frame in given] == list(range(30))
    assert [frame.captured_ns for frame in given] == [40_000_000 * n for n in range(30)]
    assert {(frame.camera_id, frame.clock, frame.depth) for frame in given} == {("door", "video", None)}
    for n, frame in enumerate(given):
        assert (frame.color.dtype, frame.color.shape) == (np.uint8, (HEIGHT, WIDTH, 3))
        assert np.abs(frame.color.astype(int) - colours(n)).mean() < 8


def grey_film(path, deep):
    """Five pictures of 8 bits, or of 16."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "gray16le" if deep else "gray"
        for n in range(5):
            picture = grey(n) if deep else (grey(n) >> 8).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format=stream.pix_fmt)))
        container.mux(stream.encode())
    return path


def grey(n):
    return np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)).astype(np.uint16) * 301 + n


def test_infrared_of_16_bits_is_given_as_it_is(tmp_path):
    given = replayed(grey_film(tmp_path / "door.mkv", deep=True), shows="infrared")
    assert [frame.color for frame in given] == [None] * 5
    assert all(np.array_equal(frame.infrared, grey(n)) for n, frame in enumerate(given))


@pytest.mark.parametrize("codec", ["ffv1", "libx264"])
def test_infrared_of_8_bits_is_grey_whatever_the_file_makes_of_it(tmp_path, codec):
    if codec == "ffv1":
        (first, *_), wanted = (
            replayed(grey_film(tmp_path / "door.mkv", deep=False), shows="infrared"),
            (grey(0) >> 8),
        )
    else:
        first, wanted = replayed(film(tmp_path / "door.mp4"), shows="infrared")[4], np.full((HEIGHT, 4), 36)
    assert (first.infrared.dtype, first.infrared.shape) == (np.uint8, (HEIGHT, WIDTH))
    assert np.abs(first.infrared[:, -4:].astype(int) - wanted[:, -4:]).max() <= 6


def test_without_a_known_lens_nothing_has_a_place_on_the_floor(tmp_path):
    site = Site("demo", {"door": SiteCamera(1.0, 2.0, 30.0, 3.0, 50.0, 0.0)})
    (frame, *_) = replayed(film(tmp_path / "door.mp4", 3), site=site)
    assert frame.view.world_from_camera is None


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_variable_rate_is_kept(ending, tmp_path):
    times_ms = [0, 40, 41, 500, 533, 2000, 2001]
    given = replayed(film(tmp_path / f"door.{ending}", 7, times_ms))
    assert [frame.captured_ns for frame in given] == [1_000_000 * ms for ms in times_ms]


def test_the_first_picture_is_at_0_whatever_the_file_counts_from(tmp_path):
    given = replayed(film(tmp_path / "door.mkv", 5, [700 + 40 * n for n in range(5)]))
    assert [frame.captured_ns for frame in given] == [40_000_000 * n for n in range(5)]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_replay_that_starts_anywhere_gives_what_the_whole_one_gives_from_there(ending, tmp_path):
    path = film(tmp_path / f"door.{ending}", 25)
    whole = replayed(path)
    for n in range(0, 25, 4):
        for from_ns, first in ((whole[n].captured_ns, n), (whole[n].captured_ns + 1, n + 1)):
            assert [told(m) for m in replayed(path, from_ns)] == [told(m) for m in whole[first:]]


def test_without_a_manifest_the_lens_is_nominal_and_the_site_file_says_where_it_hangs(tmp_path):
    site = Site("demo", {"door": SiteCamera(1.0, 2.0, 30.0, clock_offset_ms=5.0)})
    frame = replayed(film(tmp_path / "door.mp4", 3), site=site)[0]
    assert frame.view.intrinsics == Intrinsics(64, 48, 64.0, 64.0, 31.5, 23.5)
    assert frame.view.mount == Mount(1.0, 2.0, 30.0, is_placed=True)
    assert frame.captured_ns == 5_000_000


def test_the_manifest_says_when_it_began_and_what_its_lens_is(tmp_path):
    path, lens = film(tmp_path / "door.mp4", 3), Intrinsics(64, 48, 50.0, 51.0, 30.0, 20.0)
    mount = Mount(1.0, 2.0, 30.0, 3.0, 0.0, 0.0, is_placed=True)
    camera = RecordedCamera(
        "door.mp4", clock_offset_ms=-1.5, mount=mount, start_ns=1_700_000_000_000_000_001, intrinsics=lens
    )
    write(tmp_path, Manifest("a test", "recorded", "demo", {"door": camera}))
    frames = replayed(path)
    assert [f.captured_ns for f in frames] == [
        1_700_000_000_000_000_001 - 1_500_000 + 40_000_000 * n for n in range(3)
    ]
    assert (frames[0].view.intrinsics, frames[0].view.pose.translation_m.tolist()) == (lens, [1.0, 2.0, 3.0])


def test_a_lens_of_another_size_is_the_user_s_to_mend(tmp_path):
    path, lens = film(tmp_path / "door.mp4", 3), Intrinsics(640, 480, 500.0, 500.0, 320.0, 240.0)
    write(
        tmp_path,
        Manifest("a test", "recorded", "demo", {"door": RecordedCamera("door.mp4", intrinsics=lens)}),
    )
    with pytest.raises(
        InputError, match=r"door\.mp4: is 64 x 48 and its lens in the manifest 640 x 480; calibrate"
    ):
        replayed(path)


def packets(path):
    """Place and size of each picture's bytes in the file, in the order of the file."""
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def test_pictures_that_cannot_be_decoded_are_one_gap_and_leave_a_gap_in_the_indices(tmp_path):
    path = film(tmp_path / "door.mkv", 30, codec="ffv1", g="1")
    whole, raw = replayed(path), bytearray(path.read_bytes())
    for place, size in packets(path)[10:13]:
        begin = raw.index(raw[place : place + size])
        raw[begin + 20 : begin + size] = bytes(size - 20)
    path.write_bytes(raw)
    given = replayed(path)
    (gap,) = [message for message in given if isinstance(message, SystemEvent)]
    assert (gap.kind, gap.dropped, gap.counts) == ("gap", 3, {"damaged": 3})
    assert given.index(gap) == 10
    assert [told(m) for m in given if isinstance(m, Frame)] == [
        told(f) for f in whole if f.index not in (10, 11, 12)
    ]
    for from_ns in (gap.captured_ns, gap.captured_ns - 1):
        assert [told(m) for m in replayed(path, from_ns)] == [told(m) for m in given[10:]]


def test_a_video_cut_off_anywhere_gives_what_is_there_and_then_a_gap(tmp_path):
    path = film(tmp_path / "door.mkv", 40)
    pixels, raw = {frame.captured_ns: frame.color.tobytes() for frame in replayed(path)}, path.read_bytes()
    begin, lengths = packets(path)[0][0], set()
    for cut in range(begin + 300, len(raw) - 400, 97):
        path.write_bytes(raw[:cut])
        try:
            *given, gap = replayed(path)
        except InputError as error:
            assert "not one picture in it can be read" in str(error)
            continue
        assert [frame.index for frame in given] == list(range(len(given)))
        assert all(pixels[frame.captured_ns] == frame.color.tobytes() for frame in given)
        assert (gap.kind, gap.dropped, gap.counts) == ("gap", None, {})
        assert "ends after" in gap.detail
        lengths.add(len(given))
    assert len(lengths) > 3


def test_an_mp4_knows_how_many_pictures_it_lacks(tmp_path):
    path = fast_start(tmp_path)
    whole, raw = replayed(path), path.read_bytes()
    place, _ = packets(path)[20]
    path.write_bytes(raw[:place])
    *given, gap = replayed(path)
    assert [told(m) for m in given] == [told(m) for m in whole[: len(given)]]
    assert len(given) + gap.dropped == 30
    assert gap.counts == {"damaged": gap.dropped}


def fast_start(folder):
    """An mp4 whose table of contents comes first."""
    return copied(film(folder / "plain.mp4", 30), folder / "door.mp4", movflags="faststart")


def copied(path, to, earlier_ms=0, **options):
    """The same pictures in another file, all of them earlier."""
    with av.open(str(path)) as source, av.open(str(to), "w", options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                earlier = int(earlier_ms / 1000 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - earlier, packet.dts - earlier, stream
                target.mux(packet)
    return to


def test_pictures_that_an_edit_cut_off_are_not_missing(tmp_path):
    whole = replayed(film(tmp_path / "plain.mp4", 30))
    path = copied(
        tmp_path / "plain.mp4", tmp_path / "door.mp4", 400, use_editlist="1", avoid_negative_ts="disabled"
    )
    given = replayed(path)
    assert [frame.index for frame in given] == list(range(20))
    assert [frame.captured_ns for frame in given] == [40_000_000 * n for n in range(20)]
    assert [frame.color.tobytes() for frame in given] == [frame.color.tobytes() for frame in whole[10:]]


def test_a_picture_that_its_decoder_made_up_in_part_is_lost(tmp_path):
    path = film(tmp_path / "door.mkv", 20, codec="mpeg4")
    raw = bytearray(path.read_bytes())
    place, size = packets(path)[7]
    for at in range(place + size // 3, place + size, 5):
        raw[at] ^= 0xFF
    path.write_bytes(raw)
    given = replayed(path)
    assert 7 not in [message.index for message in given if isinstance(message, Frame)]
    assert [message.counts for message in given if isinstance(message, SystemEvent)] == [{"damaged": 1}]


OTHER_KINDS = {
    "nothing": (b"", "cannot be read as a video"),
    "text": (b"frames\n" * 1000, "cannot be read as a video"),
    "half an mp4": (None, "cannot be read as a video"),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_file_of_another_kind_is_one_line_that_names_it(kind, tmp_path):
    content, message = OTHER_KINDS[kind]
    path = tmp_path / "door.mp4"
    path.write_bytes(film(tmp_path / "whole.mp4").read_bytes()[:900] if content is None else content)
    with pytest.raises(InputError, match=rf"door\.mp4: {message}") as caught:
        replayed(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_whatever_is_spoilt_a_video_gives_pictures_in_order_or_one_line(ending, tmp_path):
    path = film(tmp_path / f"door.{ending}", 12)
    raw, randomly = path.read_bytes(), random.Random(5)
    for _ in range(60):
        spoilt = bytearray(raw)
        for _ in range(randomly.choice((1, 2, 10))):
            at, length = randomly.randrange(len(raw)), randomly.choice((1, 4, 64))
            spoilt[at : at + length] = randomly.randbytes(length)
        path.write_bytes(spoilt)
        try:
            given = [message for message in replayed(path) if isinstance(message, Frame)]
        except InputError as error:
            assert "\n" not in str(error)
            continue
        places = [(frame.captured_ns, frame.index) for frame in given]
        assert places == sorted(set(places))


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "door.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux([*stream.encode(sound), *stream.encode()])
    with pytest.raises(InputError, match="holds no video that can be decoded"):
        replayed(path)


def test_real_footage_is_replayed_picture_for_picture(recordings):
    video = Video(camera_id="door", path=str(recordings / "lab_4cam_sync" / "cam0.mp4"))
    video.open()
    times_ns = []
    for frame in video.produce(0):
        times_ns.append(frame.captured_ns)
        assert frame.color.shape == (728, 1288, 3)
    assert times_ns == [100_000_000 * n for n in range(268)]
