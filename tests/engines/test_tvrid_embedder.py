"""The shipped overhead network: one person is like themselves from every side and camera, with colour and without."""

import shutil
from itertools import permutations

import numpy as np
import onnxruntime
import pytest

from configs.build import InputError
from engines._overhead_maps import CHANNELS, LAYERS, MAPS, SIDE, maps_of, maps_of_each
from engines.overhead_descriptor import OverheadDescriptor
from engines.people.anybody import any_light
from engines.people.passages import Place, Way, points_of
from engines.reid.overhead_people import SITE, crowd
from engines.reid.upright import Upright, head_px
from engines.tvrid_embedder import MODEL, TvridEmbedder

PEOPLE = crowd(6, 71)
engine = TvridEmbedder(with_color="network")


@pytest.fixture(scope="module")
def crops():
    """By camera and person: colours, points and heights of three frames."""
    made = {}
    for name in ("flat", "upsideDown"):
        camera = SITE[name].camera()
        at = Place(camera, any_light(name), PEOPLE, 5)
        for number in range(len(PEOPLE)):
            seen = list(at.passage(number, Way(is_out=name == "flat"), 3, 7, 300))
            points = [points_of(one, camera, one.head_m) for one in seen]
            heights = np.array([one.height_m for one in seen], np.float32)
            made[name, number] = [one.color for one in seen], points, heights
    return made


def vector(crop, with_color=True):
    colors, points, heights = crop
    total = engine(colors if with_color else [None] * len(points), points, heights).sum(axis=0)
    return total / np.linalg.norm(total)


@pytest.mark.parametrize("with_color", [True, False], ids=["colour and depth", "depth alone"])
def test_a_person_in_two_cameras_is_more_alike_than_two_people_are(crops, with_color):
    one, other = (
        [vector(crops[name, number], with_color) for number in range(len(PEOPLE))]
        for name in ("flat", "upsideDown")
    )
    same = [float(a @ b) for a, b in zip(one, other, strict=True)]
    different = [float(one[i] @ other[j]) for i, j in permutations(range(len(PEOPLE)), 2)]
    assert np.median(same) > np.percentile(different, 90)


def test_where_there_is_colour_the_descriptor_speaks_unless_it_is_said_otherwise():
    by_itself = TvridEmbedder()
    assert isinstance(by_itself.of("rgbd"), OverheadDescriptor)
    assert by_itself.of("depth") is by_itself
    assert engine.of("rgbd") is engine


def test_a_point_is_in_the_cell_of_its_place_in_each_map():
    points = np.full((10, 10, 3), (0.2, -0.1, 0.8), np.float32)
    color = np.full((10, 10, 3), 50, np.uint8)
    color[0] = 100  # a tenth of them
    maps = maps_of(color, points, 1.6).reshape(-1, SIDE, SIDE)
    # 0.2 m across are 5 cells of 37.5 mm from the middle, 0.1 m back are 3, and half the height is 13 up
    for first, row, column, third in ((0, 13, 21, 0.5), (5, 13, 21, -0.3), (10, 13, 13, 0.6)):
        cell = maps[first : first + CHANNELS, row, column]
        assert cell == pytest.approx([0.5 + 0.1 * np.log(100), third, 0, 0, 0], abs=1e-5)
        assert np.count_nonzero(maps[first]) == 1
    assert maps[-1, 0, 2] == pytest.approx(0.9 * np.log(58) + 0.1 * np.log(108) - 4.5, abs=1e-5)


def test_of_several_crops_the_order_is_nothing(crops):
    colors, points, heights = crops["flat", 0]
    forth, back = engine(colors, points, heights), engine(colors[::-1], points[::-1], heights[::-1])
    assert forth == pytest.approx(back[::-1], abs=1e-5)


@pytest.mark.parametrize("turn_deg", [45, 90, 180, 270])
def test_which_way_somebody_faces_is_nothing(crops, turn_deg):
    colors, points, heights = crops["flat", 1]
    cos, sin = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    turned = [
        np.stack(
            [cos * p[..., 0] - sin * p[..., 1], sin * p[..., 0] + cos * p[..., 1], p[..., 2]], axis=-1
        ).astype(np.float32)
        for p in points
    ]
    one, other = vector((colors, points, heights)), vector((colors, turned, heights))
    assert float(one @ other) > 0.995


def test_a_vector_is_at_most_as_long_as_1_and_says_how_sure_it_is(crops):
    lengths = np.linalg.norm(engine(*crops["flat", 2]), axis=1)
    assert ((lengths > 0.01) & (lengths <= 1.0 + 1e-5)).all()


def test_a_crop_without_valid_depth_is_like_nobody(crops):
    colors, points, heights = crops["flat", 0]
    nothing = np.full_like(points[0], np.nan)
    made = engine(colors[:2], [nothing, points[1]], heights[:2])
    assert not made[0].any()
    assert made[1].any()


def test_somebody_whose_height_is_unknown_is_like_nobody(crops):
    colors, points, _ = crops["flat", 0]
    assert not engine(colors[:1], points[:1], np.array([np.nan], np.float32)).any()


def test_refuses_crops_without_depth():
    with pytest.raises(ValueError, match="tvrid_embedder needs depth; choose another embedder"):
        engine([np.zeros((4, 4, 3), np.uint8)], [None], np.array([1.7], np.float32))


def test_opencv_gives_what_onnx_runtime_gives(crops):
    made = [
        TvridEmbedder(runtime=one, with_color="network")(*crops["flat", 0])
        for one in ("opencv", "onnxruntime")
    ]
    assert made[0] == pytest.approx(made[1], abs=1e-5)


def test_a_model_that_is_another_file_than_it_should_be_is_refused_at_the_start(tmp_path):
    for ending in (".onnx", ".yaml"):
        shutil.copy(MODEL.with_suffix(ending), tmp_path / f"overhead{ending}")
    path = tmp_path / "overhead.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"overhead.onnx: is not the file that overhead.yaml describes"):
        TvridEmbedder(str(path)).open()


def test_what_ships_is_small():
    assert sum(one.stat().st_size for one in MODEL.parent.glob("*.onnx")) < 5e6


def test_crops_of_several_sizes_are_laid_out_as_each_alone(crops):
    colors, points, heights = crops["flat", 3]
    colors, points = [colors[0], None, colors[2][40:200, 60:]], [points[0], points[1], points[2][40:200, 60:]]
    made = maps_of_each(colors, points, heights)
    for row, given in enumerate(zip(colors, points, heights, strict=True)):
        assert made[row].any()
        assert np.array_equal(made[row], maps_of(*given))


def test_a_picture_alone_is_like_another_of_the_same_person_and_like_their_depth():
    session, looks, shapes, by_depth = (
        onnxruntime.InferenceSession(MODEL.with_name("picture.onnx")),
        {},
        {},
        {},
    )
    for name in ("upward", "upsideDown"):
        camera = SITE[name].camera()
        at = Place(camera, any_light(name), PEOPLE, 5)
        for number in range(len(PEOPLE)):
            seen = list(at.passage(number, Way(is_out=name == "upward"), 3, 7, 300))
            turned = [
                Upright.of(
                    one.color, one.corner_px, camera.eye, head_px(camera.eye, one.head_m, one.height_m)
                )
                for one in seen
            ]
            said = session.run(None, {"pictures": np.stack([one.layers for one in turned])})[0].sum(axis=0)
            shapes[name, number], looks[name, number] = (
                one / np.linalg.norm(one) for one in (said[:64], said[64:])
            )
            points = [points_of(one, camera, one.head_m) for one in seen]
            heights_m = np.array([one.height_m for one in seen], np.float32)
            depth = engine([None] * 3, points, heights_m)[:, :-1].sum(axis=0)
            by_depth[name, number] = depth / np.linalg.norm(depth)
    for asked, there in ((looks, looks), (shapes, by_depth)):
        alike = np.array(
            [
                [asked["upward", i] @ there["upsideDown", j] for j in range(len(PEOPLE))]
                for i in range(len(PEOPLE))
            ]
        )
        same = np.eye(len(PEOPLE), dtype=bool)
        assert alike[same].mean() > alike[~same].mean() + alike[~same].std()


def test_maps_hold_a_persons_height_and_colours_where_they_are():
    rows, columns = np.mgrid[-0.2:0.2:0.01, -0.1:0.1:0.01]
    points = np.stack([rows, columns, np.full_like(rows, 1.4)], axis=-1).astype(np.float32)
    color = np.broadcast_to(np.array([200, 40, 40], np.uint8), (*rows.shape, 3)).copy()
    color[: len(rows) // 2] = [40, 40, 200]
    layers = maps_of(color, points, 1.7)
    assert layers.shape == (LAYERS, SIDE, SIDE)
    seen = layers[0] > 0
    assert layers[1][seen] == pytest.approx(1.4 / 1.7, abs=1e-4)
    assert seen.sum() == pytest.approx(0.4 * 0.2 / 0.0375**2, rel=0.35)
    red, blue = layers[2][seen], layers[4][seen]
    assert np.corrcoef(red, blue)[0, 1] < -0.95
    assert layers[:CHANNELS].any()
    assert not maps_of(None, points, 1.7).reshape(LAYERS, SIDE, SIDE)[2:CHANNELS].any()
    assert MAPS * CHANNELS + 1 == LAYERS
