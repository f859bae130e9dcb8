"""`eval-reid`, as its user has it: models, files of vectors and rankings on painted sets, and a real network on real people."""

import re
import sys

import cv2
import numpy as np
import onnx
import pytest
import reid_trees as trees
import typer
from onnx import TensorProto, helper
from plain_retrieval import plainly
from typer.testing import CliRunner

import run
from configs.build import InputError
from engines import _reid_commands
from engines._reid_commands import eval_reid
from engines.embedder import Embedder
from engines.evaluate.mot import read_mot
from engines.evaluate.tvrid import COLUMNS
from engines.reid.data import _vectors
from engines.reid.data._records import Record
from engines.reid.data._vectors import embedded
from engines.reid.data.market1501 import Market1501
from engines.reid.data.tvrid import Tvrid

pytest_plugins = ["known_models"]
RETAIL = "person_reidentification_retail_0248"
GROWN = 768 / 480  # the truth of PETS is in pixels of a larger picture
SMALL = """
name: means
task: embed
engine: embedder
source: made by the test
licence: none
download: made by the test
files: [{name: means.onnx}]
input: {name: images, layout: NCHW, size: [8, 4], color: rgb}
output: {length: 3}
"""


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def said(*given):
    """What the command prints; what goes wrong is raised."""
    app = typer.Typer()
    app.command()(eval_reid)
    done = CliRunner().invoke(app, [*map(str, given)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def refused(*given):
    """The one line that is said of a mistake."""
    with pytest.raises((InputError, run.ConfigError)) as error:
        said(*given)
    (line,) = str(error.value).splitlines()
    return line


def rows(printed):
    """The cells of each row of all tables, by the protocol and the case."""
    made = {}
    for line in printed.splitlines():
        if said := re.search(r"(\w+), in percent", line):
            protocol = said[1]
        if line.startswith("│"):
            case, *cells = (cell.strip() for cell in line.split("│")[1:-1])
            made[protocol if case == "all" else f"{protocol}, {case}"] = cells
    return made


def write_features(path, vectors):
    """By name."""
    np.savez(path, names=np.array(list(vectors)), vectors=np.array(list(vectors.values()), np.float32))
    return path


@pytest.fixture
def market(tmp_path):
    return trees.named_tree(tmp_path / "market", trees.MARKET)


@pytest.fixture
def tvrid(tmp_path):
    return trees.tvrid_tree(tmp_path / "tvrid")


@pytest.fixture
def means(tmp_path):
    """A network that gives a picture's mean colour, as ONNX, with its manifest beside it."""
    taken, given = (
        helper.make_tensor_value_info(*one)
        for one in (
            ("images", TensorProto.FLOAT, ["n", 3, 8, 4]),
            ("vectors", TensorProto.FLOAT, ["n", 3, 1, 1]),
        )
    )
    graph = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["images"], ["vectors"])], "means", [taken], [given]
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
        tmp_path / "means.onnx",
    )
    (tmp_path / "means.yaml").write_text(SMALL)
    return tmp_path / "means.onnx"


def angles(data_set, told):
    """A vector of length 1 for each picture of a set, by the angle that is told for its name, else 180 degrees."""
    trial = data_set.trial("single_query")
    every = {one.name: np.radians(told.get(one.path.stem, 180)) for one in (*trial.query, *trial.gallery)}
    return {name: (np.cos(angle), np.sin(angle)) for name, angle in every.items()}


def test_vectors_in_a_file_are_scored_with_junk_distractors_and_whom_nobody_finds(market, tmp_path):
    told = {
        "0003_c1s1_000001_00": 0, "0003_c1s1_000002_00": 1, "0000_c1s1_000151_01": 2, "0003_c3s1_000001_00": 3,
        "0005_c2s1_000001_00": 90, "0005_c4s2_000001_00": 91, "0005_c2s9_000001_00": 90.5,
    }  # fmt: skip
    file = write_features(tmp_path / "features.npz", angles(Market1501(market), told))
    # 0003: a distractor before the only right one; 0005: at once; 0009: is not in the gallery
    assert rows(said("market1501", market, "--features", file)) == {
        "single_query": ["75.00", "50.00", "100.00", "100.00", "75.00", "2 of 3"]
    }


def test_figures_and_names_are_whole_on_a_narrow_terminal(tvrid, means, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    printed = said("tvrid", tvrid, "--model", means, "--protocol", "rgb")
    assert "…" not in printed
    assert printed.count("100.00") >= 5


def test_distance_is_as_asked(market, tmp_path):
    told = {
        "0003_c1s1_000001_00": 0,
        "0003_c3s1_000001_00": 0,
        "0005_c2s1_000001_00": 90,
        "0005_c4s2_000001_00": 90,
    }
    vectors = angles(Market1501(market), told)
    vectors = {name: np.array(vector) * (5 if "0003_c3" in name else 1) for name, vector in vectors.items()}
    file = write_features(tmp_path / "features.npz", vectors)
    (cosine,) = rows(said("market1501", market, "--features", file)).values()
    (euclid,) = rows(said("market1501", market, "--features", file, "--distance", "euclid")).values()
    assert cosine[1] == "100.00"
    assert euclid[1] == "50.00"  # 4 away, and the others 2


@pytest.mark.parametrize("way", ["{} {}", "file"])
def test_an_engine_in_braces_and_a_file_of_onnx_are_models(way, market, means):
    model = means if way == "file" else f"{{engine: embedder, model: {RETAIL}}}"
    if way == "file":
        ((mean, first, *_, asked),) = rows(said("market1501", market, "--model", model)).values()
        assert (mean, first, asked) == ("100.00", "100.00", "2 of 3")  # a colour for each person
    else:
        assert RETAIL in refused("market1501", market, "--model", model)  # whose weights are not here


def test_a_network_is_shown_frames_of_colour_and_of_depth_of_tvrid(tvrid, means, tmp_path):
    """Grey is grey to one that sees mean colours: by depth all are alike."""
    printed = rows(said("tvrid", tvrid, "--model", means, "--submission", tmp_path / "made"))
    assert list(printed) == [
        f"{track}, {case}"
        for track in ("rgb", "depth", "cross")
        for case in ("same_cam_cross_passage", "up_down_cross_passage", "flat_vs_others", "global")
    ]
    assert printed["rgb, same_cam_cross_passage"] == ["100.00"] * 5 + ["24 of 24"]
    assert float(printed["depth, same_cam_cross_passage"][1]) < 50
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [
        "rankings_cross.csv",
        "rankings_depth.csv",
        "rankings_rgb.csv",
    ]
    again = rows(said("tvrid", tvrid, "--rankings", tmp_path / "made"))
    assert again == printed


def test_rankings_are_written_by_the_mean_of_what_frames_give(tvrid, means, tmp_path):
    said("tvrid", tvrid, "--model", means, "--protocol", "rgb", "--submission", tmp_path)
    lines = (tmp_path / "rankings_rgb.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert len(lines) == 1 + 24 * 23
    made = Tvrid(tvrid)
    from engines.reid.data._folders import color

    def vector(record):
        mean = [color(path).mean(axis=(0, 1)) for path in made.shown(record)]
        return np.mean([one / np.linalg.norm(one) for one in mean], axis=0)

    first, *others = [vector(one) for one in made.trial("rgb").query]
    away = np.linalg.norm(np.array(others) - first, axis=1)
    told = [line.split(",") for line in lines[1:24]]
    assert [float(row[5]) for row in told] == pytest.approx(np.sort(away), abs=1e-6)
    assert told[0][:5] == [
        "te0000",
        "te0000",
        f"te{np.argmin(away) + 1:04d}",
        f"te{np.argmin(away) + 1:04d}",
        "1",
    ]


def test_a_track_is_the_same_whatever_is_run_with_it(tvrid, means, tmp_path):
    """In the cross track a passage without one of its depths lacks that colour too."""
    (tvrid / "test_public/te0000/002_D.png").unlink()
    for name, asked in (("alone", ["--protocol", "rgb"]), ("all", [])):
        said("tvrid", tvrid, "--model", means, "--submission", tmp_path / name, *asked)
    alone, together = ((tmp_path / name / "rankings_rgb.csv").read_text() for name in ("alone", "all"))
    assert alone == together


def test_a_test_without_labels_can_be_submitted_and_not_scored(tmp_path, means):
    folder = trees.tvrid_tree(tmp_path / "tvrid", is_labelled=False)
    printed = said("tvrid", folder, "--model", means, "--submission", tmp_path / "made")
    assert printed.split() == [
        str(tmp_path / "made" / f"rankings_{track}.csv") for track in ("rgb", "depth", "cross")
    ]
    line = refused("tvrid", folder, "--model", means)
    assert (
        line == "the test is not labelled, so that nothing can be scored; add --submission, or get its labels"
    )


def test_a_passage_without_valid_depth_is_said_and_comes_last(tvrid, means, tmp_path):
    for frame in (tvrid / "test_public/te0000").glob("*_[dD]*.png"):
        trees.deep(frame, 0)
    printed = said("tvrid", tvrid, "--model", means, "--protocol", "depth", "--submission", tmp_path)
    assert "1 show nothing, no pixels or no valid depth, and come last" in printed
    told = [line.split(",") for line in (tmp_path / "rankings_depth.csv").read_text().splitlines()[1:]]
    assert {row[4] for row in told if row[2] == "te0000"} == {"23"}
    assert [row[2] for row in told[:23]] == [
        f"te{number:04d}" for number in range(1, 24)
    ]  # all as far as one another


def test_one_frame_without_valid_depth_is_left_out_of_the_mean(tmp_path):
    class Brightness:
        model_id = "brightness"

        def __call__(self, pictures):
            return np.array([[float(picture.mean()), 1.0] for picture in pictures], np.float32)

    for number, value in enumerate((0, 2000, 4000)):
        trees.deep(tmp_path / f"{number}_depth.png", value)
    record = Record("depth/a", tmp_path, 1, 0, reads="depth", frames=tuple(sorted(tmp_path.iterdir())))
    features = embedded([record], Brightness(), "brightness", lambda one: one.frames, lambda done: None)
    assert features.of([record]).tolist() == [[3350.0, 1.0]]  # the slope adds 350


def test_no_valid_depth_at_all_is_one_line(tvrid, means):
    for frame in (tvrid / "test_public").rglob("*_[dD]*.png"):
        trees.deep(frame, 0)
    line = refused("tvrid", tvrid, "--model", means, "--protocol", "depth")
    assert (
        line == f"{means}: was shown nothing: no picture has pixels or valid depth; fetch the data set again"
    )


class Words:
    """Counts the words of a caption and the brightness of a picture."""

    model_id = "words"

    def texts(self, captions):
        return np.array([[len(caption.split()), 1.0] for caption in captions], np.float32)

    def __call__(self, pictures):
        return np.array([[picture.mean(), 1.0] for picture in pictures], np.float32)


def test_captions_are_given_to_what_reads_text(tmp_path, monkeypatch, means):
    folder = trees.cuhk_tree(tmp_path / "cuhk")
    monkeypatch.setattr(_reid_commands, "_engine", lambda model: Words())
    assert rows(said("cuhk_pedes", folder, "--model", "words"))["text_to_image"][-1] == "3 of 3"
    monkeypatch.undo()
    assert (
        refused("cuhk_pedes", folder, "--model", means)
        == f"{means}: reads no texts; name a model that does, like unified"
    )


def test_no_more_pictures_than_a_chunk_are_read_at_once(market, monkeypatch):
    shown = []

    class Counting(Words):
        def __call__(self, pictures):
            shown.append(len(pictures))
            return super().__call__(pictures)

    monkeypatch.setattr(_reid_commands, "_engine", lambda model: Counting())
    monkeypatch.setattr(_vectors, "CHUNK", 4)
    said("market1501", market, "--model", "counting")
    assert shown == [4, 4, 2]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "--model: is needed, or --features, or --rankings: one of the three"),
        (["--model", "a", "--features", "b"], "--model: is needed, or --features, or --rankings: one of the three"),
        (["--model", "retail"], "--model: model: there is no engines/models/retail.yaml"),
        (["--model", "{engine: embeder}"], "--model: there is no engines/embeder.py; did you mean 'embedder'?"),
        (["--model", "{engine: embedder, modl: x}"], "--model.modl: Embedder has no such setting; did you mean 'model'?"),
        (["--model", "{model: x}"], "--model: must be like {engine: embedder, model: NAME}, got '{model: x}'"),
        (["--model", "{engine: [}"], "--model: line 1: is not YAML"),
        (["--model", "{engine: overhead_depth}"], "--model: {engine: overhead_depth} is no embedder; choose one of 'models' that embeds"),
        (["--model", "{engine: overhead_descriptor}"], "--model: {engine: overhead_descriptor} needs places in metres, and a data set gives pictures"),
        (["--model", "none.onnx"], "none.onnx: is not there; name an ONNX file, or one of 'models'"),
        (["--features", "none.npz"], "none.npz: cannot be read, No such file or directory; name a file that is there"),
        (["--features", "x", "--protocol", "rgb"], "--protocol: there is no 'rgb'; choose from single_query"),
        (["--features", "x", "--distance", "cosin"], "--distance: there is no 'cosin'; did you mean 'cosine'?"),
        (["--rankings", "x", "--submission", "y"], "--rankings: are in an order already; leave --submission and --distance out"),
        (["--rankings", "x"], "--rankings: Market1501 has none; give --model or --features"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(market, given, told):
    assert refused("market1501", market, *given).startswith(told)


def test_what_has_no_challenge_cannot_be_submitted_to(market, tmp_path):
    file = write_features(tmp_path / "features.npz", angles(Market1501(market), {}))
    assert (
        refused("market1501", market, "--features", file, "--submission", tmp_path / "made")
        == "--submission: Market1501 has no challenge to submit to; leave it out"
    )
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"names": np.array(["a"])}, "has no array 'names' or 'vectors'; write both"),
        (
            {"names": np.array(["a"]), "vectors": np.ones((1, 2))},
            "names: 'query/0003_c1s1_000001_00.jpg' is not there, as are 10 of 10;",
        ),
        (
            {"names": np.array(["a", "a"]), "vectors": np.ones((2, 2))},
            "names: 1 stand there twice; keep one of each",
        ),
        ({"names": np.array([1]), "vectors": np.ones((1, 2))}, "names: must be text (n,), got int64 (1,)"),
        (
            {"names": np.array(["a"]), "vectors": np.ones((2, 2))},
            "vectors: must be numbers with a point (1, d), got float64 (2, 2)",
        ),
        (
            {"names": np.array(["a"]), "vectors": np.array([{"a": 1}])},
            "is no .npz of names and vectors, Object arrays cannot be loaded",
        ),
    ],
)
def test_a_wrong_file_of_vectors_is_one_line(market, tmp_path, arrays, told):
    np.savez(tmp_path / "wrong.npz", **arrays)
    assert refused("market1501", market, "--features", tmp_path / "wrong.npz").startswith(
        f"{tmp_path / 'wrong.npz'}: {told}"
    )


@pytest.mark.parametrize("written", [b"", b"hello", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00"])
def test_what_is_no_file_of_vectors_is_one_line(market, tmp_path, written):
    (tmp_path / "wrong.npz").write_bytes(written)
    assert refused("market1501", market, "--features", tmp_path / "wrong.npz").startswith(
        f"{tmp_path / 'wrong.npz'}: "
    )


def test_vectors_that_are_not_finite_are_refused(market, tmp_path):
    vectors = angles(Market1501(market), {})
    vectors["query/0003_c1s1_000001_00.jpg"] = (np.nan, 1.0)
    file = write_features(tmp_path / "features.npz", vectors)
    assert (
        refused("market1501", market, "--features", file)
        == f"{file}: vectors: are not all finite numbers; make them again"
    )


@pytest.mark.parametrize(
    ("part", "written"), [("query/0003_c1s1_000001_00.jpg", b"hello"), ("query/0003_c1s1_000001_00.jpg", b"")]
)
def test_a_picture_that_cannot_be_read_is_one_line(market, means, part, written):
    (market / part).write_bytes(written)
    assert (
        refused("market1501", market, "--model", means)
        == f"{market / part}: is no picture, or not all of one; fetch the data set again"
    )


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_picture_that_was_cut_off_is_not_taken_for_a_whole_one(tmp_path, ending, capfd):
    from engines.reid.data._folders import color

    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)
    path = tmp_path / f"cut.{ending}"
    cv2.imwrite(str(path), noise)
    assert color(path).shape == (64, 32, 3)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="is no picture, or not all of one"):
        color(path)
    assert capfd.readouterr().err == ""


def test_depth_in_colours_is_refused(tvrid, means):
    frame = tvrid / "test_public/te0001/000_depth.png"
    trees.painted(frame)
    assert (
        refused("tvrid", tvrid, "--model", means, "--protocol", "depth")
        == f"{frame}: must be depth in 16 bits, (h, w), is uint8 (64, 32, 3); fetch it again"
    )


@pytest.mark.parametrize(
    ("query", "gallery", "told"),
    [
        (["0001_c1s1_1_0"], ["0001_c2s1_1_0", "0001_c3s1_1_0"], "all 2 in the gallery are one person, so that nobody can be taken for another; a gallery needs two people at least"),
        (["0001_c1s1_1_0"], ["0002_c2s1_1_0", "0003_c3s1_1_0"], "none of 1 queries has anybody to find: no person of the queries is in the gallery; look whether both are of the same part of the set"),
        (["0001_c1s1_1_0", "0002_c1s1_1_0"], ["0001_c1s1_2_0", "0002_c1s1_2_0"], "none of 2 queries has anybody to find: whoever is in both is seen there by one camera, which does not count; a test needs two cameras"),
        (["0001_c1s1_1_0"], ["0001_c1s1_2_0", "0002_c2s1_2_0"], "none of 1 queries has anybody to find: whoever is in both is seen there by the query's own camera, which does not count; a test needs two cameras"),
    ],
)  # fmt: skip
def test_a_test_that_tells_nothing_is_one_line(tmp_path, means, query, gallery, told):
    folder = trees.named_tree(
        tmp_path / "set", {**trees.MARKET, "query": query, "bounding_box_test": gallery}
    )
    assert refused("market1501", folder, "--model", means) == told


def test_a_file_of_onnx_needs_a_manifest_that_means_it(market, means):
    described = means.with_suffix(".yaml")
    described.write_text(SMALL.replace("length: 3", "length: three"))
    assert refused("market1501", market, "--model", means).startswith(f"{described}: output: ")
    described.write_text(SMALL.replace("task: embed", "task: detect"))
    assert (
        refused("market1501", market, "--model", means)
        == f"{described}: must have task embed, engine embedder, and means.onnx as the first of its files"
    )
    described.unlink()
    assert (
        refused("market1501", market, "--model", means)
        == f"{described}: is not there; write the manifest of means.onnx, its colours and their range"
    )


def test_mistakes_are_status_2_and_one_line_of_the_command_line(market, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["run.py", "eval-reid", "market1501", str(market / "none"), "--model", "x.onnx"]
    )
    assert run.start() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(
        rf"{market}/none: is no folder; expected the folder Market-1501-v15.09.15, with .*\n", err
    )


def test_a_terminal_is_shown_how_far_it_is(market, means, monkeypatch):
    shown = []

    class Bar(_reid_commands.Progress):
        def update(self, task_id, **told):
            shown.append((told["description"], told["completed"], told["total"], self.disable))
            super().update(task_id, **told)

    monkeypatch.setattr(_reid_commands, "Progress", Bar)
    monkeypatch.setenv("TTY_INTERACTIVE", "1")
    said("market1501", market, "--model", means)
    assert shown == [("embed", 10, 10, False), *(("rank", done, 3, False) for done in (1, 2, 3))]
    monkeypatch.setenv("TTY_INTERACTIVE", "0")
    said("market1501", market, "--model", means)
    assert shown[-1] == ("rank", 3, 3, True)


@pytest.fixture(scope="module")
def pets(recordings, tmp_path_factory):
    """A set in the layout of Market-1501: people of PETS, one picture a second. Its second half stands for a second
    camera, and who sought is seen once in it.
    """
    folder = tmp_path_factory.mktemp("pets")
    rows = read_mot(recordings / "pets2009/derived_S2L1_gt_mot_visible_1_265.txt")
    video = cv2.VideoCapture(str(recordings / "pets2009/S2L1_View001_480x360_vtest.mp4"))
    asked = set()
    for part in ("bounding_box_train", "query", "bounding_box_test"):
        (folder / part).mkdir()
    for frame in range(1, 266):
        picture, now = video.read()[1], rows.frames == frame
        if frame % 7 != 1:
            continue
        corners = (rows.corners[now] / GROWN).clip(0).astype(int).tolist()
        for person, (left, top, right, bottom) in zip(rows.ids[now].tolist(), corners, strict=True):
            camera = 1 if frame <= 133 else 2
            part = "query" if camera == 2 and person not in asked else "bounding_box_test"
            asked |= {person} if part == "query" else set()
            name = f"{person:04d}_c{camera}s1_{frame:06d}_00.jpg"
            assert cv2.imwrite(str(folder / part / name), picture[top : bottom + 1, left : right + 1])
    return folder


def test_a_real_network_finds_real_people(pets, models):
    ((mean, first, fifth, tenth, inverse, asked),) = rows(
        said("market1501", pets, "--model", RETAIL)
    ).values()
    made = Embedder(RETAIL)
    made.open()
    trial = Market1501(pets).trial("single_query")
    query, gallery = (
        made([cv2.imread(str(one.path))[..., ::-1] for one in side]) for side in (trial.query, trial.gallery)
    )
    made.close()
    people, cameras = (
        [[getattr(one, what) for one in side] for side in (trial.query, trial.gallery)]
        for what in ("person", "camera")
    )
    precisions, firsts, inverses = plainly(1 - query @ gallery.T, *people, *cameras)
    expected = [
        np.mean(precisions),
        *(np.mean(np.array(firsts) <= rank) for rank in (1, 5, 10)),
        np.mean(inverses),
    ]
    assert [float(cell) for cell in (mean, first, fifth, tenth, inverse)] == pytest.approx(
        [100 * one for one in expected], abs=0.006
    )
    assert asked == f"{len(firsts)} of {len(trial.query)}"
    chance = np.mean([np.mean([other == person for other in people[1]]) for person in people[0]])
    assert float(mean) > 200 * chance  # 12 people or so: twice of what any order would give
