"""SynthPed's laboratory: everything hangs on a key, and what is said of a picture is so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.people.body import BAG, BOTTOM, HAIR, HAT, SKIN, TOP
from engines.reid.clip import TINY
from engines.reid.lab.cameras import INFRARED
from engines.reid.lab.captions import (
    ABSENT,
    GARMENTS,
    OF_SEX,
    OTHERS,
    PRINTED,
    WORDS,
    caption_of,
    visible,
    vocabulary,
)
from engines.reid.lab.chance import drawn
from engines.reid.lab.laboratory import Key, Laboratory
from engines.reid.lab.occluders import (
    TEXTURES,
    THINGS,
    behind_neighbour,
    behind_person,
    behind_rectangle,
    behind_thing,
)
from engines.reid.lab.people import CLOTH, Crowd, alike
from engines.reid.lab.tracklets import FRAMES, tracklet_of
from engines.reid.words import WordTokenizer

LAB = Laboratory()


@pytest.mark.parametrize("camera", LAB.cameras)
def test_a_picture_hangs_on_its_key_and_on_nothing_asked_before(camera):
    key = Key(3, camera, 1, 7)
    first = LAB.seen(key)
    LAB.seen(Key(4, camera, 1, 7))
    again = Laboratory().seen(key)
    assert (first.picture.shape, first.picture.dtype) == ((128, 64, 3), np.uint8)
    assert (first.picture == again.picture).all() and (first.mask == again.mask).all()
    for other in (Key(5, camera, 1, 7), Key(3, camera, 0, 7), Key(3, camera, 1, 8)):
        assert (LAB.seen(other).picture != first.picture).mean() > 0.3
    assert (Laboratory(Crowd(seed=2)).seen(key).picture != first.picture).mean() > 0.3


@pytest.mark.parametrize("camera", LAB.cameras)
def test_the_mask_is_where_somebody_differs_from_what_is_behind(camera):
    for person in range(6):
        seen = LAB.seen(Key(person, camera, 0, 0))
        assert (seen.mask == (seen.parts >= 0)).all()
        assert 0.1 < seen.mask.mean() < 0.8
        rows, columns = np.nonzero(seen.mask)
        assert rows.max() - rows.min() > 0.7 * 128 and abs(columns.mean() - 32) < 12


def test_seen_from_above_there_is_more_of_the_head_and_less_of_the_legs():
    def share(cameras, part):
        shown = [LAB.seen(Key(n, camera, 0, 0)) for n in range(20) for camera in cameras]
        return np.mean([(one.parts == part).sum() / one.mask.sum() for one in shown])

    ground, aerial = range(4), [5]
    assert LAB.camera(5).pitch[0] > 60
    assert share(aerial, HAIR) + share(aerial, HAT) > 1.8 * (share(ground, HAIR) + share(ground, HAT))
    assert share(aerial, BOTTOM) < 0.8 * share(ground, BOTTOM)


def test_infrared_is_grey_and_takes_many_colors_for_one():
    picture = LAB.seen(Key(2, 6, 0, 0)).picture.astype(int)
    assert np.abs(picture - picture.mean(axis=2, keepdims=True)).max() <= 2
    assert len(set(INFRARED.values())) <= len(CLOTH) / 3 and set(INFRARED) == set(CLOTH)
    assert INFRARED["black"] == INFRARED["brown"] and INFRARED["white"] == INFRARED["red"]


def test_a_camera_renders_alike_and_another_otherwise():
    def mean(camera, people):
        return np.mean([LAB.seen(Key(n, camera, 0, 0)).picture.mean(axis=(0, 1)) for n in people], axis=0)

    for camera in range(4):
        own = np.abs(mean(camera, range(30)) - mean(camera, range(30, 60))).max()
        others = min(
            np.abs(mean(camera, range(30)) - mean(n, range(30))).max() for n in range(4) if n != camera
        )
        assert own < 6 < others + 4


@pytest.mark.parametrize("rho", [-0.8, 0.0, 0.5, 1.0])
def test_heads_and_legs_correlate_as_much_as_asked(rho):
    crowd = Crowd(correlation=rho, look_alikes=0.0)
    told = [crowd.attributes(n) for n in range(1500)]
    measured = np.corrcoef([one.head for one in told], [one.below for one in told])[0, 1]
    assert abs(measured - rho) < 0.06
    ranks = np.array([[list(CLOTH).index(one.hat_color), list(CLOTH).index(one.bottom)] for one in told])
    assert np.sign(round(np.corrcoef(ranks.T)[0, 1], 1)) == np.sign(rho)


def test_colors_are_as_frequent_as_zipf_says_and_another_site_likes_others():
    tops = [Crowd(look_alikes=0.0).attributes(n).top for n in range(3000)]
    counts = np.array([tops.count(name) for name in CLOTH])
    wanted = 3000 / np.arange(1, 13) / (1 / np.arange(1, 13)).sum()
    assert np.abs(counts - wanted).max() < 5 * np.sqrt(wanted.max())
    elsewhere = [Crowd(site=3).attributes(n).top for n in range(300)]
    assert max(set(elsewhere), key=elsewhere.count) != max(set(tops), key=tops.count)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_so_many_are_dressed_like_the_one_before_them(share):
    crowd = Crowd(look_alikes=share)
    told = [crowd.attributes(n) for n in range(1000)]
    pairs = [(told[n - 1], told[n]) for n in range(1, 1000, 2)]
    same = sum(alike(*pair) for pair in pairs)
    assert abs(same / 1000 - share) < 0.04
    assert all(one.height_m != other.height_m for one, other in pairs if alike(one, other))


def is_said(text, name, value):
    """Whether any of the words for it are there."""
    words = {
        **{("coat", "True"): GARMENTS["True"], ("pattern", "logo"): (*PRINTED["logo"], "logo")},
        **{("sex", sex): some for sex, some in OF_SEX.items()},
        **ABSENT,
    }
    return any(one in text for one in words.get((name, value), WORDS.get(name, {}).get(value, (value,))))


def test_a_caption_says_what_is_visible_and_is_wrong_as_often_as_it_should():
    said, wrong = 0, 0
    for person in range(150):
        seen = LAB.seen(Key(person, person % 6, 0, 0))
        known = visible(seen.attributes, seen.parts)
        for n in range(10):
            made = caption_of(seen.attributes, seen.parts, drawn(1, "test", person, n))
            assert set(made.said) <= set(known) and made.said
            assert set(made.wrong) == {name for name, value in made.said.items() if value != known[name]}
            assert all(is_said(made.text, name, value) for name, value in made.said.items())
            said, wrong = said + len(made.said), wrong + len(made.wrong)
    assert abs(wrong / said - 0.05) < 0.01


def test_what_is_hidden_is_not_said():
    seen = LAB.seen(Key(0, 0, 0, 0))
    legs = seen.parts.copy()
    legs[64:] = -1
    assert "bottom" in visible(seen.attributes, seen.parts)
    assert not {"bottom", "legs", "shoes"} & set(visible(seen.attributes, np.where(legs == TOP, legs, -1)))
    nobody = caption_of(seen.attributes, np.full_like(seen.parts, -1), drawn(1))
    assert not nobody.said and "nothing" in nobody.text


def test_but_for_one_in_hundreds_captions_fit_into_what_the_twin_reads():
    tokens, lengths = WordTokenizer(vocabulary(), TINY.context), []
    for person in range(200):
        seen = LAB.seen(Key(person, person % 4, 0, 0))
        said = [caption_of(seen.attributes, seen.parts, drawn(1, person, n)).text for n in range(10)]
        lengths += [len(tokens.words(text)) + 2 for text in said]
    assert np.mean(np.array(lengths) > TINY.context) <= 1 / 500


def test_what_is_not_there_has_no_colour_and_a_coat_no_short_sleeves():
    seen = LAB.seen(Key(0, 0, 0, 0))
    bare = seen.attributes._replace(hat="none", bag="none", length="no", coat=True, sleeves="short")
    there = visible(bare, np.where(seen.parts == HAT, SKIN, seen.parts))
    assert there["hat"] == there["bag"] == "none" and there["length"] == "no"
    assert not {"hat_color", "hair", "sleeves"} & set(there)
    texts = [caption_of(bare, seen.parts, drawn(1, n)).text for n in range(300)]
    assert any("bald" in one for one in texts) and any("bareheaded" in one for one in texts)


def test_of_few_attributes_some_are_dropped_and_the_twin_knows_every_word():
    seen = LAB.seen(Key(1, 0, 0, 0))
    few = np.where(seen.parts == TOP, TOP, -1).astype(np.int8)
    made = [caption_of(seen.attributes, few, drawn(1, n)) for n in range(2000)]
    assert all("nothing" not in one.text and one.said for one in made)
    kept = (
        sum("top" in one.said for one in made) / 2000
    )  # when it is not dropped, something else may be said of it
    assert 0.3 < kept < 0.7
    tokens = WordTokenizer(vocabulary(), TINY.context)
    assert tokens.count <= TINY.vocabulary
    assert all(not tokens.unknown(one.text) for one in made)
    assert {name for one in made for name in one.said} < set(OTHERS)


@pytest.mark.parametrize("kind", THINGS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_thing_is_where_its_mask_says_and_of_a_texture_of_its_split(kind, split):
    plain = LAB.seen(Key(2, 0, 0, 0)).picture
    for n in range(8):
        made = behind_thing(plain, kind, split, drawn(1, "thing", n))
        assert made.kind == kind and made.texture in TEXTURES[split]
        assert (made.picture[~made.mask] == plain[~made.mask]).all()
        assert (made.picture[made.mask] != plain[made.mask]).any(axis=1).mean() > 0.9
        assert 0.02 < made.mask.mean() < 0.65


def test_textures_of_training_are_in_no_test():
    assert not set(TEXTURES["train"]) & set(TEXTURES["test"])


def test_a_second_person_stands_before_the_first():
    plain, other = LAB.seen(Key(2, 0, 0, 0)), LAB.person(Key(9, 0, 0, 0))
    made = behind_person(plain.picture, other, drawn(1))
    assert made.kind == "person" and (made.picture[~made.mask] == plain.picture[~made.mask]).all()
    assert 0.02 < made.mask.mean() < 0.5


@given(ratio=st.floats(0.0, 1.0), seed=st.integers(0, 1000))
def test_a_rectangle_covers_the_share_that_is_asked_for(ratio, seed):
    plain = np.zeros((128, 64, 3), np.uint8)
    made = behind_rectangle(plain, ratio, drawn(seed))
    assert abs(made.mask.mean() - ratio) < 0.02
    assert not made.picture[~made.mask].any()


@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.5])
def test_a_neighbour_covers_about_the_share_that_is_asked_for(overlap):
    for person in range(5):
        plain, other = LAB.seen(Key(person, 0, 0, 0)), LAB.person(Key(person + 50, 0, 0, 0))
        made = behind_neighbour(plain.picture, plain.mask, other, overlap)
        assert abs((made.mask & plain.mask).sum() / plain.mask.sum() - overlap) < 0.12


@pytest.fixture(scope="module")
def tracklets():
    people = range(300)
    return [
        tracklet_of(LAB, (n, camera, session), people)
        for n in people
        for camera in (0, 1)
        for session in (0, 1)
    ]


def test_tracklets_are_as_long_as_they_should_be_and_the_same_again(tracklets):
    lengths = [len(one.boxes) for one in tracklets]
    assert min(lengths) == FRAMES[0] and max(lengths) == FRAMES[1]
    again = tracklet_of(LAB, (5, 1, 0), range(300))
    (first,) = (one for one in tracklets if (one.person, one.camera, one.session) == (5, 1, 0))
    assert [box.key for box in again.boxes] == [box.key for box in first.boxes]
    assert all((a.shift == b.shift).all() for a, b in zip(again.boxes, first.boxes, strict=True))


def test_one_in_twenty_goes_over_to_somebody_and_comes_back_or_ends(tracklets):
    switched = [one for one in tracklets if one.switched.any()]
    assert abs(len(switched) / len(tracklets) - 0.05) < 0.02
    for one in switched:
        assert one.switched.mean() <= 0.5
        changes = np.abs(np.diff(np.r_[0, one.switched.astype(int), 0])).sum()
        assert changes == 2  # one segment
        assert len({box.key.person for box in one.boxes}) == 2


def test_a_person_is_never_twice_before_a_camera_at_a_time_and_others_are(tracklets):
    by_camera = [one for one in tracklets if one.camera == 0][:200]
    pairs = [(a, b) for n, a in enumerate(by_camera) for b in by_camera[:n] if a.overlaps(b)]
    assert len(pairs) > 1000
    assert all(a.person != b.person for a, b in pairs)


def test_boxes_wander_from_where_they_were(tracklets):
    shifts = [np.stack([box.shift for box in one.boxes]) for one in tracklets if not one.is_truncated]
    before, after = (
        np.concatenate([one[part] for one in shifts]).ravel() for part in (np.s_[:-1], np.s_[1:])
    )
    assert 0.85 < np.corrcoef(before, after)[0, 1] < 0.93


def test_those_who_are_cut_off_at_first_come_into_the_picture(tracklets):
    late = [one for one in tracklets if one.is_truncated]
    assert abs(len(late) / len(tracklets) - 0.2) < 0.04
    off = np.array([[np.abs(one.boxes[n].shift[:2]).max() for n in (0, 8)] for one in late])
    assert off[:, 0].mean() > 0.2 > 0.1 > off[:, 1].mean()
    pictures = tracklet_of(LAB, (late[0].person, 0, late[0].session), range(300)).seen(LAB)
    assert len(pictures) >= FRAMES[0] and pictures[0].picture.shape == (128, 64, 3)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Crowd(correlation=1.5), "correlation must be from -1 to 1"),
        (lambda: Crowd(look_alikes=-0.1), "look_alikes must be from 0 to 1"),
        (lambda: Laboratory(size=(8, 64)), "size must be 16 px at least"),
        (lambda: LAB.view(8), "camera must be from 0 to 7, got 8"),
        (
            lambda: behind_thing(np.zeros((9, 9, 3), np.uint8), "ghost", "train", drawn(1)),
            "kind must be one of",
        ),
        (lambda: behind_rectangle(np.zeros((9, 9, 3), np.uint8), 1.1, drawn(1)), "ratio must be from 0 to 1"),
    ],
)
def test_a_wrong_number_is_said(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong()


def test_somebody_may_be_without_their_bag_one_day():
    days = [
        LAB.attributes(n, session).bag
        for n in range(200)
        for session in (0, 1)
        if LAB.crowd.attributes(n).bag != "none"
    ]
    assert abs(days.count("none") / len(days) - 0.25) < 0.08
    carrier = next(
        n for n in range(99) if LAB.attributes(n, 0).bag == "backpack" and not LAB.crowd.attributes(n).coat
    )
    assert max((LAB.seen(Key(carrier, camera, 0, 0)).parts == BAG).sum() for camera in LAB.cameras) > 40
