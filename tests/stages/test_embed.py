"""A tracklet's crops become one vector: where the person stands, and where colour comes from, does not matter."""

from dataclasses import replace

import numpy as np
import pytest
from builders import crop, detections, frame, tracklet, tracks
from clothed import ABOVE, BLACK, WHITE, Clothed, painted, points_of, seen_by
from scenes import LENS, depth_of

from calibration.camera import Pose, Registration, View
from configs.build import ConfigError, build
from engines.overhead_descriptor import OverheadDescriptor
from engines.tvrid_embedder import TvridEmbedder
from pipeline.stage import Stage
from stages._crops import crops_of
from stages.embed import Embed

pytest_plugins = ["known_models"]
BESIDE_M = np.array([0.059, 0.0, 0.0])  # where the colour camera is, from depth's
WIDE = replace(LENS, fx_px=300.0, fy_px=300.0)


def of_crops(*crops, embedder=None, **given):
    stage = Embed(embedder or OverheadDescriptor())
    stage.open()
    (made,) = stage.process(tracklet(crops=crops, **given))
    return made


def crop_of(who, at=(0.0, 0.0), color=None, registration=None, **given):
    """Cut out of a whole frame, as the graph does it."""
    depth, on_depth, box = seen_by(who, ABOVE, at, **given)
    color = on_depth if color is None else color
    seen = frame(view=ABOVE, color=color, depth=depth, registration=registration)
    rows = tracks(detections(seen, [box], [at], [who.height_m]), [0])
    (made,) = crops_of(rows, color, depth, np.array([0]))
    return made


def test_the_vector_has_length_1_and_says_what_made_it():
    made = of_crops(crop_of(Clothed()), modality="rgbd")
    assert np.linalg.norm(made.vector) == pytest.approx(1.0, abs=1e-5)
    assert (made.modality, made.model_id) == ("rgbd", "overhead_descriptor.2")


def test_a_vector_stays_as_long_as_its_engine_is_sure_of_it():
    class Unsure:
        reads, model_id, says_how_sure = "depth", "unsure", True

        def __call__(self, colors, points, heights_m):
            return np.array([[0.5, 0.0]] * len(points), np.float32)

    made = of_crops(crop_of(Clothed()), crop_of(Clothed()), embedder=Unsure())
    assert made.vector == pytest.approx(np.array([0.5, 0.0]))


@pytest.mark.parametrize("engine", [OverheadDescriptor(), TvridEmbedder()], ids=["descriptor", "network"])
def test_of_a_tracklet_that_colour_fails_or_comes_to_meanwhile_vectors_stay_of_one_kind(engine):
    whole = crop_of(Clothed())
    bare = replace(whole, color=None)
    alone, both, without = (
        of_crops(*crops, embedder=engine, modality="rgbd").vector
        for crops in ((whole,), (whole, bare), (bare,))
    )
    assert np.array_equal(alone, of_crops(whole, modality="rgbd").vector)
    assert np.array_equal(alone, both)
    assert without.size == 0
    one, other = (of_crops(crop, embedder=engine, modality="depth").vector for crop in (bare, whole))
    assert np.array_equal(one, other)
    assert len(one) != len(alone)


def test_infrared_is_shown_to_a_network_for_colour_where_there_is_no_colour():
    class Brightness:
        reads, model_id = "color", "brightness"

        def __call__(self, pictures):
            return np.array([[one.mean(), one.ndim] for one in pictures], np.float32)

    dark = replace(crop(np.zeros((4, 4, 3), np.uint8)), color=None, infrared=np.full((4, 4), 3, np.uint16))
    made = of_crops(dark, embedder=Brightness(), modality="infrared")
    assert made.vector == pytest.approx(np.array([3.0, 2.0]) / 13**0.5)
    assert made.modality == "infrared"
    assert of_crops(replace(dark, infrared=None), embedder=Brightness()).vector.size == 0


class HalfSeen:
    """Says of each picture that its first half shows as far as it is red, and its second as far as it is green."""

    reads, model_id, says_what_shows = "color", "half seen", True

    def seen(self, pictures):
        vectors = np.array(
            [[0.6, 0.0, 0.0, 0.8] if one[0, 0, 2] else [0.0, 0.6, 0.8, 0.0] for one in pictures]
        )
        shows = np.array([one[0, 0, :2] / 255 for one in pictures])
        return vectors.astype(np.float32), shows.astype(np.float32)


def shown(red, green, blue):
    return crop(np.full((2, 2, 3), (red, green, blue), np.uint8))


def test_how_far_each_part_shows_goes_with_the_vector_and_each_is_by_the_crops_that_show_it():
    made = of_crops(shown(255, 0, 0), shown(0, 51, 1), embedder=HalfSeen())
    assert made.visibility == pytest.approx([1.0, 0.2])
    assert made.vector == pytest.approx(np.array([0.0, 0.6, 0.0, 0.8]))
    assert of_crops(crop_of(Clothed())).visibility is None


def test_a_crop_of_which_nothing_shows_says_nothing():
    made = of_crops(shown(0, 0, 1), embedder=HalfSeen())
    assert (made.vector.size, made.visibility) == (0, None)


def test_tracklets_that_are_embedded_together_keep_their_own_visibility():
    some = [(shown(255, 0, 0),), (), (shown(0, 51, 1), shown(102, 0, 0))]
    made = [one for (one,) in Embed(HalfSeen()).process_many([tracklet(crops=crops) for crops in some])]
    assert [one.visibility is None for one in made] == [False, True, False]
    assert made[0].visibility == pytest.approx([1.0, 0.0])
    assert made[2].visibility == pytest.approx([0.4, 0.2])


def test_a_tracklet_without_new_crops_goes_on_with_an_empty_vector():
    made = of_crops(phase="closed")
    assert made.vector.shape == (0,)
    assert made.tracklet.phase == "closed"


def test_several_crops_are_one_vector_to_which_the_better_ones_give_more():
    good, bad = crop_of(Clothed()), crop_of(Clothed(WHITE, BLACK, 1.6))
    alone = [of_crops(one).vector for one in (good, bad)]
    mixed = of_crops(replace(good, quality=0.9), replace(bad, quality=0.1)).vector
    assert np.linalg.norm(mixed) == pytest.approx(1.0, abs=1e-5)
    assert mixed @ alone[0] > mixed @ alone[1] + 0.05
    assert mixed @ alone[1] > alone[0] @ alone[1]


def test_where_in_the_picture_somebody_stands_hardly_matters():
    one, other = Clothed(), Clothed(WHITE, BLACK)
    here, there = (of_crops(crop_of(one, at)).vector for at in ((0.6, 0.4), (-0.5, -0.5)))
    assert here @ there > 0.96
    assert here @ of_crops(crop_of(other, (0.6, 0.4))).vector < 0.9


def test_colour_from_a_camera_beside_depth_s_gives_the_vector_of_colour_on_depth():
    who, pose = Clothed(), ABOVE.pose
    beside = View(WIDE, ABOVE.mount, Pose(pose.rotation, pose.apply(BESIDE_M)))
    z = points_of(depth_of(who.body(0.0, 0.0, 0.0), beside), beside)[..., 2]
    apart = Registration(WIDE, Pose(np.eye(3), -BESIDE_M))
    color = painted(who, z, seed=2)
    on_depth, laid, not_laid = (
        of_crops(one).vector
        for one in (crop_of(who), crop_of(who, color=color, registration=apart), crop_of(who, color=color))
    )
    assert on_depth @ laid > 0.98
    assert on_depth @ not_laid < on_depth @ laid - 0.02


def test_points_without_depth_are_unknown_to_the_embedder():
    def embedder(colors, points, heights_m):
        unknown.extend(np.isnan(one).any(axis=2) for one in points)
        return np.ones((len(points), 4), np.float32)

    unknown = []
    embedder.model_id = "any"
    holed = crop_of(Clothed())
    holed.depth[:3] = 0
    of_crops(holed, embedder=embedder)
    assert unknown[0][:3].all()
    assert unknown[0][3:].mean() < 0.05


def test_without_depth_an_embedder_gets_none():
    def embedder(colors, points, heights_m):
        assert points == [None]
        return np.ones((1, 4), np.float32)

    embedder.model_id = "any"
    assert of_crops(crop(np.zeros((6, 4, 3), np.uint8)), embedder=embedder).vector == pytest.approx([0.5] * 4)


class Bright:
    """Says of each picture how red, green and blue it is."""

    reads, model_id = "color", "bright.1"

    def __call__(self, pictures):
        sums = np.array([one.reshape(-1, 3).sum(axis=0) for one in pictures], np.float32)
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)


def flat(red, green, blue, size=(6, 4)):
    return crop(np.full((*size, 3), (red, green, blue), np.uint8))


def test_an_embedder_that_reads_colour_is_given_the_crops_that_have_any():
    made = of_crops(flat(9, 0, 0), replace(flat(0, 9, 0), color=None), flat(9, 0, 0), embedder=Bright())
    assert made.vector == pytest.approx([1, 0, 0])
    assert made.model_id == "bright.1"


def test_an_embedder_that_reads_depth_is_given_those_that_have_none_too():
    dark = replace(crop_of(Clothed()), color=None)
    assert np.linalg.norm(of_crops(dark, modality="depth").vector) == pytest.approx(1.0, abs=1e-5)


def test_without_any_colour_or_any_pixel_the_vector_is_empty():
    assert of_crops(replace(flat(0, 9, 0), color=None), embedder=Bright()).vector.shape == (0,)
    assert of_crops(flat(0, 9, 0, (0, 4)), embedder=Bright()).vector.shape == (0,)
    assert of_crops(flat(0, 9, 0, (0, 4)), flat(0, 9, 0), embedder=Bright()).vector == pytest.approx(
        [0, 1, 0]
    )


def test_a_network_makes_one_vector_of_real_crops(models, pictures):
    cuts = [crop(pictures[0][420:760, 1340:1500].copy()), crop(pictures[0][430:760, 1350:1490].copy())]
    settings = {"embedder": {"engine": "embedder", "model": "person_reidentification_retail_0248"}}
    stage = build("stages/embed", settings, "graph.embed", Stage)
    stage.open()
    both, one, other = (next(stage.process(tracklet(crops=few))) for few in (cuts, cuts[:1], cuts[1:]))
    stage.close()
    assert both.vector.shape == (256,)
    assert np.linalg.norm(both.vector) == pytest.approx(1.0, abs=1e-5)
    assert both.model_id == "person_reidentification_retail_0248.43891ce6"
    assert both.vector @ one.vector > one.vector @ other.vector > 0.5


@pytest.mark.parametrize("embedder", [Bright(), OverheadDescriptor()], ids=["colour", "depth"])
def test_tracklets_of_one_time_are_embedded_together_as_each_would_be_alone(embedder):
    if isinstance(embedder, Bright):
        red, green = flat(9, 0, 0), flat(0, 9, 0, (3, 7))
    else:
        red, green = crop_of(Clothed()), crop_of(Clothed(WHITE, BLACK))
    dark, empty = replace(red, color=None), flat(1, 1, 1, (0, 4))
    crops = [[red, green], [], [dark], [green]] + (
        [[empty], [empty, red]] if embedder.reads == "color" else []
    )
    some = [tracklet("east", f"T-{number}", these) for number, these in enumerate(crops)]
    together = [one for (one,) in Embed(embedder, max_batch=8).process_many(some)]
    assert [one.tracklet for one in together] == some
    for one, alone in zip(together, some, strict=True):
        (other,) = Embed(embedder).process(alone)
        assert np.array_equal(one.vector, other.vector)
        assert (one.modality, one.model_id) == (other.modality, other.model_id)
    assert [len(one.vector) for one in together[:2]] == [len(together[0].vector), 0]


def test_a_network_is_asked_once_for_all_crops_and_never_for_none():
    class Counted(Bright):
        asked: list = []

        def __call__(self, pictures):
            self.asked.append(len(pictures))
            return super().__call__(pictures)

    stage = Embed(Counted(), max_batch=8)
    stage.process_many([tracklet(crops=[flat(9, 0, 0)] * 3), tracklet(), tracklet(crops=[flat(0, 9, 0)])])
    stage.process_many([tracklet(), tracklet()])
    assert Counted.asked == [4]


def test_a_batch_of_no_tracklets_is_refused():
    with pytest.raises(ConfigError, match="^graph.embed: max_batch must be at least 1, got 0$"):
        build(
            "stages/embed",
            {"embedder": {"engine": "overhead_descriptor"}, "max_batch": 0},
            "graph.embed",
            Stage,
        )
