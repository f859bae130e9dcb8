"""Each data set, painted in its layout: who is in it, what is left out, and what is said of one that is not right."""

import json

import numpy as np
import pytest
import reid_trees as trees

from configs.build import ConfigError, InputError, build, names
from engines.reid.data._records import DataSet
from engines.reid.data.cuhk_pedes import CuhkPedes
from engines.reid.data.icfg_pedes import IcfgPedes
from engines.reid.data.market1501 import Market1501
from engines.reid.data.msmt17 import Msmt17
from engines.reid.data.occluded_duke import OccludedDuke
from engines.reid.data.occluded_reid import OccludedReid
from engines.reid.data.p_duke import PDuke
from engines.reid.data.rstp_reid import RstpReid
from engines.reid.data.tvrid import Tvrid, evenly, scaled

TREES = {
    "market1501": lambda folder: trees.named_tree(folder, trees.MARKET),
    "occluded_duke": lambda folder: trees.named_tree(folder, trees.DUKE),
    "msmt17": trees.msmt_tree,
    "occluded_reid": trees.occluded_tree,
    "p_duke": trees.p_duke_tree,
    "cuhk_pedes": trees.cuhk_tree,
    "icfg_pedes": trees.icfg_tree,
    "rstp_reid": trees.rstp_tree,
    "tvrid": trees.tvrid_tree,
}
ONLY_TESTS = ["occluded_reid"]


def told(records):
    return [(one.name, one.person, one.camera) for one in records]


def refused(made, *asked):
    """The one line that is said of a data set."""
    with pytest.raises(InputError) as error:
        getattr(made, asked[0])(*asked[1:])
    (line,) = str(error.value).splitlines()
    return line


def test_each_is_a_file_of_its_name():
    assert names("engines/reid/data") == sorted([*TREES, "synthped"])  # which lies in no folder


@pytest.mark.parametrize("name", TREES)
def test_each_is_built_by_its_name_and_every_picture_of_it_is_there(name, tmp_path):
    made = build(f"engines/reid/data/{name}", {}, "SET", DataSet, {"folder": TREES[name](tmp_path)})
    learnt = () if name in ONLY_TESTS else made.train()
    people = {one.person for one in learnt}
    assert people == set(range(len(people)))
    for protocol in made.protocols:
        trial = made.trial(protocol)
        records = (*trial.query, *trial.gallery)
        assert all(path.is_file() for one in (*learnt, *records) for path in made.shown(one))
        assert all(len({one.name for one in side}) == len(side) for side in (trial.query, trial.gallery))


@pytest.mark.parametrize("name", TREES)
def test_a_wrong_folder_is_one_line_that_says_what_was_expected(name, tmp_path):
    made = build(f"engines/reid/data/{name}", {}, "SET", DataSet, {"folder": tmp_path / "none"})
    assert refused(made, "train").startswith(f"{tmp_path / 'none'}: is no folder; expected the folder ")
    made = build(f"engines/reid/data/{name}", {}, "SET", DataSet, {"folder": tmp_path})
    for asked in (("train",), ("trial", made.protocols[0])):
        assert refused(made, *asked).startswith(f"{tmp_path}: has no ")
    inside = TREES[name](tmp_path / "inside")
    assert refused(made, "train").endswith(f"; did you mean {inside}?")


def test_a_set_that_nobody_wrote_a_file_for_is_said():
    with pytest.raises(
        ConfigError, match=r"there is no engines/reid/data/market.py; did you mean 'market1501'\?"
    ):
        build("engines/reid/data/market", {}, "SET", DataSet, {})


def test_market_has_neither_junk_nor_other_files_and_keeps_distractors(tmp_path):
    made = Market1501(trees.named_tree(tmp_path, trees.MARKET))
    train = "bounding_box_train"
    assert told(made.train()) == [
        (f"{train}/0002_c1s1_000451_03.jpg", 0, 0),
        (f"{train}/0002_c2s1_000301_01.jpg", 0, 1),
        (f"{train}/0007_c1s1_000002_00.jpg", 1, 0),
        (f"{train}/0007_c3s2_000001_00.jpg", 1, 2),
        (f"{train}/1500_c6s4_009999_12.jpg", 2, 5),
    ]
    trial = made.trial("single_query")
    assert [one.person for one in trial.query] == [3, 5, 9]
    assert [one.person for one in trial.gallery] == [0, 0, 3, 3, 5, 5, 11]
    counts = trial.cases["all"]
    assert counts(0).tolist() == [
        True,
        True,
        False,
        True,
        True,
        True,
        True,
    ]  # 0003 by camera 1 is its query's own sight
    assert counts(1).tolist() == [True, True, True, True, False, True, True]
    assert counts(2).all()


def test_occluded_duke_has_eight_cameras(tmp_path):
    made = OccludedDuke(trees.named_tree(tmp_path, trees.DUKE))
    assert [(one.person, one.camera) for one in made.train()] == [(0, 1), (1, 0), (1, 7)]
    assert [(one.person, one.camera) for one in made.trial("single_query").query] == [(19, 0), (20, 7)]


@pytest.mark.parametrize(
    "wrong",
    [
        "0002.jpg",
        "x_c1s1_000451_03.jpg",
        "0002_c7s1_000451_03.jpg",
        "0002_c0s1_1_0.jpg",
        "a0002_c1_0.jpg",
        "00000000000000000002_c1s1_1_0.jpg",
    ],
)
def test_a_picture_of_another_name_is_refused(tmp_path, wrong):
    made = Market1501(trees.named_tree(tmp_path, trees.MARKET))
    trees.painted(tmp_path / "query" / wrong)
    assert refused(made, "trial", "single_query") == (
        f"{tmp_path / 'query' / wrong}: is not named by person and camera, 1 to 6, like 0002_c1s1_000451_03.jpg; take it out"
    )


@pytest.mark.parametrize("name", ["market1501", "occluded_duke"])
@pytest.mark.parametrize("part", ["bounding_box_train", "query", "bounding_box_test"])
def test_a_missing_or_empty_split_is_said(name, part, tmp_path):
    made = build(f"engines/reid/data/{name}", {}, "SET", DataSet, {"folder": TREES[name](tmp_path)})
    asked = ("train",) if part == "bounding_box_train" else ("trial", "single_query")
    for file in (tmp_path / part).iterdir():
        file.unlink()
    assert refused(made, *asked).startswith(
        f"{tmp_path / part}: has no pictures (*.jpg) of people; expected the folder "
    )
    (tmp_path / part).rmdir()
    assert refused(made, *asked).startswith(f"{tmp_path}: has no {part}; expected the folder ")


def test_one_identity_is_too_few_to_learn_from(tmp_path):
    made = Market1501(
        trees.named_tree(tmp_path, {**trees.MARKET, "bounding_box_train": ["0002_c1s1_1_0", "0002_c2s1_1_0"]})
    )
    assert (
        refused(made, "train")
        == f"{tmp_path / 'bounding_box_train'}: all 2 records are of one person; a model learns from two people at least"
    )


def test_one_camera_is_enough_to_learn_from(tmp_path):
    made = Market1501(
        trees.named_tree(tmp_path, {**trees.MARKET, "bounding_box_train": ["0002_c1s1_1_0", "0003_c1s1_1_0"]})
    )
    assert [(one.person, one.camera) for one in made.train()] == [(0, 0), (1, 0)]


@pytest.mark.parametrize("parts", [("train", "test"), ("mask_train_v2", "mask_test_v2")])
def test_msmt_is_what_its_lists_say(tmp_path, parts):
    made = Msmt17(trees.msmt_tree(tmp_path, parts))
    assert told(made.train()) == [
        (f"{parts[0]}/0000/0000_000_01_0303morning_0008_0.jpg", 0, 0),
        (f"{parts[0]}/0002/0002_001_15_0303morning_0008_1.jpg", 1, 14),
        (f"{parts[0]}/0000/0000_010_03_0303noon_0008_0.jpg", 0, 2),
        (f"{parts[0]}/0005/0005_010_04_0303noon_0008_0.jpg", 2, 3),
    ]
    trial = made.trial("single_query")
    assert [(one.person, one.camera) for one in trial.query] == [(1, 1), (3, 14)]
    assert trial.cases["all"](0).tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    "line",
    [
        "0001/0001_000_02.jpg",
        "0001/0001_000_16_0303morning_0001_0.jpg 1",
        "0001/0001.jpg 1",
        "0001/0001_000_02_0303morning_0001_0.jpg one",
        "",
    ],
)
def test_a_wrong_line_of_a_list_is_said(tmp_path, line):
    made = Msmt17(trees.msmt_tree(tmp_path))
    listed = tmp_path / "list_query.txt"
    listed.write_text(f"{trees.MSMT['list_query.txt'][0]}\n{line}\n")
    assert refused(made, "trial", "single_query").startswith(
        f"{listed}: line 2: must be a picture and a person, like 0000/"
    )
    listed.write_text("")
    assert refused(made, "trial", "single_query") == f"{listed}: is empty; fetch it again"
    listed.unlink()
    assert refused(made, "trial", "single_query").startswith(
        f"{tmp_path}: has no list_query.txt; expected the folder MSMT17_V1"
    )


def test_cuhk_has_a_query_for_each_caption_in_whatever_language(tmp_path):
    made = CuhkPedes(trees.cuhk_tree(tmp_path))
    learnt = made.train()
    assert [(one.person, one.caption) for one in learnt] == [
        (0, "A man in a red coat."),
        (0, "Ein Mann in einem roten Mantel."),
        (1, "穿红色外套的女人"),
    ]
    assert [one.path for one in learnt][:2] == [tmp_path / "imgs/CUHK01/a.png"] * 2
    trial = made.trial("text_to_image")
    assert told(trial.query) == [("Market/d.jpg#0", 7, 0), ("Market/d.jpg#1", 7, 0), ("Market/e.jpg#0", 9, 0)]
    assert told(trial.gallery) == [("Market/d.jpg", 7, 0), ("Market/e.jpg", 9, 0)]
    assert {one.reads for one in trial.query} == {"text"}
    assert trial.cases["all"](0).all()
    assert told(made.pictures("val")) == [("CUHK03/c.png", 5, 0)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"captions": ["A boy.", "  "]}, "[4].captions[1]: is empty; write it, or take it out"),
        ({"captions": []}, "[4].captions: is empty; write one, or take the entry out"),
        ({"split": "exam"}, "[4].split: invalid enum value 'exam'; fetch it again"),
        ({"id": 2**70}, "[4].id: expected `int` <= 2147483647; fetch it again"),
        ({"id": -1}, "[4].id: expected `int` >= 0; fetch it again"),
        ({"id": "x"}, "[4].id: expected `int`, got `str`; fetch it again"),
        ({"split": "val"}, "has no entry whose split is 'test'; expected train, val and test"),
    ],
)
def test_a_wrong_entry_of_cuhk_is_said_with_its_place(tmp_path, change, said):
    entries = [dict(entry) for entry in trees.CAPTIONS]
    entries[4] |= change
    if change.get("split") == "val":
        del entries[3]
    made = CuhkPedes(trees.cuhk_tree(tmp_path, entries))
    assert refused(made, "trial", "text_to_image") == f"{tmp_path / 'reid_raw.json'}: {said}"


@pytest.mark.parametrize("written", [b"{", b"\xff\xfe", b"{}", b'[{"id": 1}]'])
def test_what_is_no_list_of_captions_is_one_line(tmp_path, written):
    made = CuhkPedes(trees.cuhk_tree(tmp_path))
    (tmp_path / "reid_raw.json").write_bytes(written)
    assert refused(made, "train").startswith(f"{tmp_path / 'reid_raw.json'}: ")


@pytest.mark.parametrize("name", ["icfg_pedes", "rstp_reid"])
def test_other_sets_of_captions_are_read_alike(name, tmp_path):
    made = {"icfg_pedes": IcfgPedes, "rstp_reid": RstpReid}[name](TREES[name](tmp_path))
    cuhk = CuhkPedes(trees.cuhk_tree(tmp_path / "cuhk"))
    trial, other = made.trial("text_to_image"), cuhk.trial("text_to_image")
    assert told(trial.query) == told(other.query) and told(trial.gallery) == told(other.gallery)
    assert [(one.person, one.caption) for one in made.train()] == [
        (one.person, one.caption) for one in cuhk.train()
    ]


def test_icfg_has_no_validation_and_rstp_has(tmp_path):
    icfg, rstp = IcfgPedes(trees.icfg_tree(tmp_path / "a")), RstpReid(trees.rstp_tree(tmp_path / "b"))
    with pytest.raises(InputError, match=r"has no entry whose split is 'val'; expected train and test$"):
        list(icfg.pictures("val"))
    assert told(rstp.pictures("val")) == [("CUHK03/c.png", 5, 0)]


def test_a_picture_of_rstp_without_a_path_is_said_with_its_place(tmp_path):
    made = RstpReid(trees.rstp_tree(tmp_path))
    file = tmp_path / "data_captions.json"
    file.write_text((tmp_path / "data_captions.json").read_text().replace("img_path", "file_path", 1))
    assert refused(made, "train") == (
        f"{file}: [0]: object missing required field `img_path`; fetch it again"
    )


def test_who_is_hidden_is_looked_for_among_those_who_are_whole(tmp_path):
    made = OccludedReid(trees.occluded_tree(tmp_path))
    trial = made.trial("single_query")
    assert told(trial.query) == [
        ("occluded_body_images/001/001_01.tif", 1, 0),
        ("occluded_body_images/001/001_02.tif", 1, 0),
        ("occluded_body_images/002/002_01.tif", 2, 0),
        ("occluded_body_images/007/007_01.tif", 7, 0),
    ]
    assert [(one.person, one.camera) for one in trial.gallery] == [(1, 1), (1, 1), (2, 1), (8, 1)]
    assert all(trial.cases["all"](query).all() for query in range(4))
    assert made.picture(trial.query[0].path).shape == (64, 32, 3)
    assert refused(made, "train").endswith("Occluded-REID only tests; train on another set, like market1501")


def test_p_duke_learns_from_both_halves_of_its_training(tmp_path):
    made = PDuke(trees.p_duke_tree(tmp_path))
    assert [(one.person, one.camera) for one in made.train()] == [
        (0, 0), (0, 0), (1, 0), (2, 0), (0, 1), (0, 1), (1, 1), (3, 1)
    ]  # fmt: skip
    assert {one.name.split("/")[0] for one in made.train()} == {"train"}
    trial = made.trial("single_query")
    assert [one.person for one in trial.query] == [1, 1, 2, 7]
    assert {one.name.split("/")[0] for one in (*trial.query, *trial.gallery)} == {"test"}


@pytest.mark.parametrize("wrong", ["x01", "-1", "1" * 10, "١"])
def test_a_folder_of_a_person_without_a_number_is_refused(wrong, tmp_path):
    made = OccludedReid(trees.occluded_tree(tmp_path))
    own = tmp_path / "whole_body_images" / wrong
    own.mkdir()
    assert refused(made, "trial", "single_query") == (
        f"{own}: is not named by a person's number, like 001; take it out"
    )


def test_a_half_without_pictures_is_said(tmp_path):
    made = OccludedReid(trees.occluded_tree(tmp_path))
    for path in (tmp_path / "whole_body_images").rglob("*.tif"):
        path.unlink()
    assert refused(made, "trial", "single_query").startswith(
        f"{tmp_path / 'whole_body_images'}: has no pictures of people; expected the folder Occluded_REID"
    )


def test_tvrid_has_people_cameras_and_passages(tmp_path):
    made = Tvrid(trees.tvrid_tree(tmp_path))
    learnt = made.train()
    assert len(learnt) == 24
    first, last = learnt[0], learnt[-1]
    assert (first.person, first.camera, first.view, first.track, first.reads) == (0, 0, "flat", "IN", "color")
    assert (last.person, last.camera, last.view, last.track) == (2, 3, "upsideDown", "OUT")
    assert first.path == tmp_path / "train/0/flat_IN"  # its table has it with a backslash
    assert [frame.name for frame in first.frames] == [
        "000_RGB_person.png",
        "001_RGB.png",
        "002_RGB_person.png",
    ]
    assert [frame.name for frame in made.passages("train", "depth")[0].frames] == [
        "000_depth.png",
        "001_depth_depth.png",
        "002_D.png",
    ]
    cross = made.trial("cross")
    assert (cross.query[0].name, cross.gallery[0].name) == ("rgb/te0000", "depth/te0000")
    assert (cross.query[0].person, cross.gallery[0].path) == (60, tmp_path / "test_public/te0000")
    counted = {
        name: int(sum(counts(query).sum() for query in range(24))) for name, counts in cross.cases.items()
    }
    # of 3 people by 4 cameras and 2 passages: 3 a query; 3 a query of 2 cameras; 9 of a flat one and 3 of others; 23
    assert counted == {
        "same_cam_cross_passage": 72,
        "up_down_cross_passage": 36,
        "flat_vs_others": 108,
        "global": 552,
    }


def test_colour_and_depth_of_a_passage_go_together_in_the_cross_track(tmp_path):
    made = Tvrid(trees.tvrid_tree(tmp_path))
    (tmp_path / "test_public/te0000/001_depth_depth.png").unlink()
    assert len(made.trial("rgb").query[0].frames) == 3
    assert [frame.name for frame in made.trial("cross").query[0].frames] == [
        "000_RGB_person.png",
        "002_RGB_person.png",
    ]
    for name in ("000_depth.png", "002_D.png"):
        (tmp_path / "test_public/te0000" / name).rename(tmp_path / "test_public/te0000" / f"9{name}")
    assert (
        refused(made, "trial", "cross")
        == f"{tmp_path / 'test_public/te0000'}: has no frames of colour and depth that go together; fetch it again"
    )


def test_a_test_of_tvrid_without_labels_has_no_people(tmp_path):
    trial = Tvrid(trees.tvrid_tree(tmp_path, is_labelled=False)).trial("rgb")
    assert not trial.is_labelled
    assert {(one.person, one.view) for one in trial.query} == {(-1, "")}


def test_people_of_tvrid_may_have_names(tmp_path):
    made = Tvrid(trees.tvrid_tree(tmp_path))
    for table in ("train_labels.csv", "public_test_labels.csv"):
        text = (tmp_path / table).read_text()
        for number, name in ((40, "carla"), (41, "abel"), (42, "bo"), (60, "z"), (61, "y"), (62, "x")):
            text = text.replace(f",{number},", f",{name},")
        (tmp_path / table).write_text(text)
    assert [one.person for one in made.train()][::8] == [2, 0, 1]
    assert [one.person for one in made.trial("rgb").query][::8] == [2, 1, 0]


def test_frames_that_are_missing_are_said(tmp_path):
    made = Tvrid(trees.tvrid_tree(tmp_path))
    folder = tmp_path / "test_public/te0003"
    for frame in folder.glob("*_RGB*"):
        frame.unlink()
    assert (
        refused(made, "trial", "rgb")
        == f"{folder}: has no frame of color, like 000_RGB.png or 000_RGB_person.png; fetch the data set again"
    )
    for frame in folder.iterdir():
        frame.unlink()
    folder.rmdir()
    assert (
        refused(made, "trial", "depth")
        == f"{folder}: is no folder, but its passage is in the table; fetch the data set again"
    )


def test_frames_are_chosen_evenly_as_by_the_challenge():
    frames = list(range(10))
    assert evenly(frames, 1) == [5]
    assert evenly(frames, 5) == [0, 2, 4, 6, 9]
    assert evenly(frames[:2], 5) == [0, 0, 0, 0, 1]


def test_depth_is_scaled_as_by_the_challenge():
    assert scaled(np.array([[0, 1000]], np.uint16)).tolist() == [[0.0, 1000.0]]
    made = scaled(np.array([[0, 2500]], np.uint16))
    assert (made.dtype, made.tolist()) == (np.float32, [[0.0, 0.25]])
    assert scaled(np.empty((0, 4), np.uint16)).shape == (0, 4)


def test_other_keys_and_letters_of_captions_are_no_trouble(tmp_path):
    made = CuhkPedes(trees.cuhk_tree(tmp_path))
    entries = json.loads((tmp_path / "reid_raw.json").read_text())
    (tmp_path / "reid_raw.json").write_text(
        json.dumps(entries)
    )  # every letter that is not ASCII is written as a code
    assert made.train()[2].caption == "穿红色外套的女人"
