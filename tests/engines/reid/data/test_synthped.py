"""SynthPed as a data set: nobody is in two of its parts, and nothing of it lies anywhere."""

from pathlib import Path

import numpy as np
import pytest

from configs.build import InputError
from engines.reid.data._records import opened
from engines.reid.data.synthped import SynthPed, _key
from engines.reid.lab.drawing import NOTHING

SMALL = {"train_people": 6, "val_people": 4, "test_people": 5}


def small(**settings):
    return SynthPed(Path(), **{**SMALL, **settings})


def test_nobody_is_in_two_parts():
    data = small()
    train = {int(one.name[:5]) for one in data.train()}
    trials = [data.validation("ground"), *(data.trial(name) for name in data.protocols)]
    parts = [{one.person for one in (*trial.query, *trial.gallery)} for trial in trials]
    assert [len(train), len(parts[0])] == [6, 4]
    assert all(part == parts[1] and len(part) == 5 for part in parts[1:])
    assert not train & parts[0] and not train & parts[1] and not parts[0] & parts[1]


def test_a_record_is_of_the_camera_that_its_name_says():
    data = small(train_cameras=(1, 4, 7))
    records = data.train()
    assert len(records) == 6 * 3 * 2 and len({one.name for one in records}) == len(records)
    assert {(one.camera, one.view) for one in records} == {(1, "ground"), (4, "aerial"), (7, "infrared")}
    assert all(f"_c{one.camera}s" in one.name for one in records)


def test_protocols_ask_across_cameras_and_kinds():
    data = small()
    views = {
        name: ({one.view for one in data.trial(name).query}, {one.view for one in data.trial(name).gallery})
        for name in data.protocols
    }
    assert views["aerial_to_ground"] == ({"aerial"}, {"ground"})
    assert views["infrared_to_color"] == ({"infrared"}, {"ground"})
    ground, texts = data.trial("ground"), data.trial("text_to_image")
    (counts,) = ground.cases.values()
    same = [one.person == ground.query[0].person for one in ground.gallery]
    assert (np.array(same) & counts(0)).sum() == 3 * data.sessions
    assert all(one.reads == "text" and one.caption for one in texts.query)
    assert len({one.caption for one in texts.query}) > 0.9 * len(texts.query)


def test_people_are_spread_over_sites_and_look_alikes_are_at_one():
    data = small(sites=3, look_alikes=0.5)
    records = data.train()
    pictures = {one.name: data.picture(one.path) for one in records}
    for number in range(3):
        alone = small(site=number, look_alikes=0.5)
        here = [one for one in records if int(one.name[:5]) // 2 == number]
        assert len(here) == 16
        assert all((alone.picture(one.path) == pictures[one.name]).all() for one in here)
    assert small(sites=2).train()[0].path != records[0].path  # trainings of one and the other are told apart


def test_of_those_hidden_in_training_nothing_is_said_that_cannot_be_seen_and_nobody_asked_for_is():
    plain, data = small(captioned=True), small(captioned=True, hidden=1.0)
    before, after = plain.train(), data.train()
    pairs = zip(before, after, strict=True)
    shown = [(plain.seen(_key(one.path)), data.seen(_key(other.path))) for one, other in pairs]
    assert all((one.picture != other.picture).any() for one, other in shown)
    assert all(not (other.mask & ~one.mask).any() for one, other in shown)
    lost = sum(int(one.mask.sum() - other.mask.sum()) for one, other in shown)
    assert 0.1 < lost / sum(int(one.mask.sum()) for one, _ in shown) < 0.6
    assert all((other.parts[one.mask & ~other.mask] == NOTHING).all() for one, other in shown)
    assert any(one.caption != other.caption for one, other in zip(before, after, strict=True))
    (query, *_) = data.trial("ground").query
    assert (data.picture(query.path) == plain.picture(query.path)).all()


def test_a_picture_of_training_is_drawn_once():
    data = small()
    path = data.train()[0].path
    assert data.picture(path) is data.picture(path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hidden": 1.5}, "hidden must be from 0 to 1, got 1.5"),
        ({"sites": 0}, "sites must be 1 or more, got 0"),
    ],
)
def test_a_share_or_a_number_that_cannot_be_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        small(**settings)


def test_its_pictures_are_drawn_by_it_alone():
    data, record = small(), small().trial("ground").query[0]
    (picture,) = data.shown(record)
    assert (picture == data.picture(record.path)).all() and not record.path.exists()
    assert (small(size=(64, 32)).picture(record.path)).shape == (64, 32, 3)
    with pytest.raises(InputError, match=r"cat\.jpg: is no picture of SynthPed"):
        data.picture(Path("cat.jpg"))


def test_other_settings_are_another_set():
    places = {
        small(**change).train()[0].path
        for change in ({}, {"seed": 2}, {"site": 1}, {"correlation": 0.5}, {"size": (64, 32)})
    }
    assert len(places) == 5
    assert small().train()[0].path == small().train()[0].path


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sessions": 0}, "sessions must be 1 or more, got 0"),
        ({"seed": -1}, "seed and site must be 0 or more"),
        ({"train_cameras": (0, 9)}, "camera must be from 0 to 7, got 9"),
        ({"correlation": 2.0}, "correlation must be from -1 to 1"),
    ],
)
def test_a_wrong_setting_is_said(settings, said):
    with pytest.raises(ValueError, match=said):
        small(**settings)


def test_one_person_teaches_nothing():
    with pytest.raises(InputError, match="are of one person"):
        small(train_people=1).train()


def test_a_folder_is_asked_for_where_there_is_one_and_not_where_there_is_none(tmp_path):
    with pytest.raises(InputError, match=r"--data: is missing; name the folder in which market1501 lies"):
        opened("market1501", {}, ("recipe", "--data"), None)
    with pytest.raises(InputError, match=r"--data: synthped lies in no folder, it is made; leave it out"):
        opened("synthped", {}, ("recipe", "--data"), tmp_path)
    assert opened("synthped", {"seed": 4}, ("recipe", "--data"), None).seed == 4
