"""Crops of any kind become one batch, in the order and the range that a network asks for."""

import numpy as np
import pytest

from engines._manifest import Input, Range
from engines._pictures import readable, stretched
from engines._resized import ordered, resized

PICTURE = np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8)


def asked(layout="NCHW", color="rgb", **given):
    return Input(name="in", layout=layout, size=(4, 2), color=color, range=Range(**given))


def test_crops_of_several_sizes_are_as_each_would_be_alone():
    crops = [PICTURE[:20], PICTURE[5:9, 3:30], PICTURE[10:30, :2]]
    batch, has_pixels = resized(crops, (8, 4))
    assert batch.shape == (3, 8, 4, 3)
    assert has_pixels.all()
    for crop, page in zip(crops, batch, strict=True):
        assert np.array_equal(page, resized([crop], (8, 4))[0][0])


def test_an_empty_crop_is_black_and_said_to_be_empty_and_its_neighbour_is_as_ever():
    batch, has_pixels = resized([PICTURE[:0], PICTURE], (8, 4))
    assert has_pixels.tolist() == [False, True]
    assert not batch[0].any()
    assert np.array_equal(batch[1], resized([PICTURE], (8, 4))[0][0])


def test_one_pixel_is_spread_over_all():
    batch, has_pixels = resized([PICTURE[3:4, 5:6]], (8, 4))
    assert has_pixels.all()
    assert (batch[0] == PICTURE[3, 5]).all()


def test_no_crops_are_a_batch_of_none():
    batch, has_pixels = resized([], (8, 4))
    assert (batch.shape, has_pixels.shape) == ((0, 8, 4, 3), (0,))
    assert ordered(batch, Input(name="in", layout="NCHW", size=(8, 4), color="bgr")).shape == (0, 3, 8, 4)


@pytest.mark.parametrize(
    "of", [PICTURE[::-1], PICTURE[:, ::2], PICTURE[:, :, ::-1], np.asfortranarray(PICTURE)]
)
def test_a_picture_that_is_not_in_one_piece_is_as_its_copy(of):
    assert np.array_equal(resized([of], (8, 4))[0], resized([of.copy("C")], (8, 4))[0])


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (PICTURE.astype(np.float32), "float32 \\(40, 30, 3\\)"),
        (PICTURE.astype(np.uint16), "uint16 \\(40, 30, 3\\)"),
        (PICTURE[..., :2], "uint8 \\(40, 30, 2\\)"),
        (PICTURE[None], "uint8 \\(1, 40, 30, 3\\)"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(picture, said):
    with pytest.raises(ValueError, match=f"^a picture is uint8 .*, got {said}$"):
        resized([picture], (8, 4))


def test_channels_and_axes_are_in_the_order_asked_for():
    batch = PICTURE[None, :4, :2]
    assert np.array_equal(ordered(batch, asked("NHWC")), batch.astype(np.float32))
    assert np.array_equal(ordered(batch, asked("NHWC", "bgr")), batch[..., ::-1].astype(np.float32))
    assert np.array_equal(ordered(batch, asked("NCHW", "bgr"))[0, 0], batch[0, ..., 2].astype(np.float32))
    grey = ordered(batch, asked("NCHW", "grey"))
    assert grey.shape == (1, 1, 4, 2)
    assert grey[0, 0] == pytest.approx(batch[0] @ [0.299, 0.587, 0.114], abs=0.51)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_mean_and_scale_are_those_of_each_channel_in_the_network_s_order(layout):
    batch = np.broadcast_to(np.uint8([10, 20, 30]), (2, 4, 2, 3))
    values = ordered(batch, asked(layout, "bgr", mean=(30.0, 10.0, 0.0), scale=(1.0, 2.0, 4.0)))
    channels = values[0, :, 0, 0] if layout == "NCHW" else values[0, 0, 0]
    assert channels.tolist() == [0.0, 5.0, 2.5]
    assert values.dtype == np.float32
    assert values.flags.c_contiguous


def test_one_mean_and_scale_are_those_of_all():
    assert ordered(np.full((1, 4, 2, 3), 255, np.uint8), asked(scale=(255.0,))).max() == 1.0


def test_infrared_of_16_bits_is_stretched_so_that_a_person_is_seen():
    random = np.random.default_rng(3)
    picture = random.normal(3000, 10, (240, 320)).astype(np.uint16)
    picture[50:200, 100:160] = 3100  # 20 % of all; a hot pixel and a dead one
    picture[0, 0], picture[1, 1] = 65535, 0
    shown = readable(picture)
    assert shown.dtype == np.uint8
    assert shown[100, 120] > 220
    assert np.median(shown) < 120
    assert (shown[0, 0], shown[1, 1]) == (255, 0)


def test_infrared_of_one_brightness_or_of_no_pixels_is_dark():
    assert not stretched(np.full((4, 4), 900, np.uint16)).any()
    assert stretched(np.empty((0, 4), np.uint16)).shape == (0, 4)


def test_infrared_of_8_bits_is_as_it_is_in_three_equal_channels():
    grey = PICTURE[..., 0].copy()
    assert np.array_equal(resized([grey], (40, 30))[0][0], np.repeat(grey[..., None], 3, axis=2))
