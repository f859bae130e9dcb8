"""`run.py search`: whom it finds, by words and by pictures, where and when; and what it says of questions and galleries
that it cannot answer or search.
"""

import json
import re
import sqlite3
from contextlib import closing

import cv2
import numpy as np
import pytest
from command_line import ROOT, sightline
from one_thread import one_thread
from searched import engine, ids, person, shown_people, unit, untaught, write_gallery, write_picture
from stored import ORIGIN, gallery, stored
from typer.testing import CliRunner

import run
from configs.build import ConfigError, InputError
from engines.embedder import Embedder
from engines.index.masked import masked_cosines
from pipeline._gallery_file import GalleryFile
from pipeline._picture_file import picture_in
from pipeline._questions import of_picture
from pipeline._store_commands import audit
from pipeline._store_facts import Origin
from pipeline._store_file import StoreError
from pipeline.cuts import Cut
from pipeline.wire import encode

ODD = {"red": "a red top", "blue": "blue shoes", "bag": "a backpack"}
__all__ = ["one_thread"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return untaught(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture(scope="module")
def site(model, tmp_path_factory):
    """Somebody for each of some words, at one camera, and for each of some pictures, at another."""
    by_words = model.texts(list(ODD.values()))
    by_pictures = model(shown_people())
    people = [
        person(name.upper(), [unit(n), looks], model.model_id, "hall", 600 * n)
        for n, (name, looks) in enumerate(zip(ODD, by_words, strict=True))
    ]
    people += [
        person(f"PIC{n}", [looks], model.model_id, "door", 7200 + n) for n, looks in enumerate(by_pictures)
    ]
    return write_gallery(tmp_path_factory.mktemp("site") / "run", *people)


def asked(site, model, *words, **settings):
    """What the command line says; whatever it raises is raised."""
    given = ["search", *map(str, words), "--out", str(site), *(["--model", engine(model)] if model else [])]
    done = CliRunner().invoke(run.app, given, env={"COLUMNS": "160"}, **settings)
    if isinstance(done.exception, Exception):
        raise done.exception
    return done


@pytest.mark.parametrize(("name", "words"), ODD.items())
def test_finds_by_words_and_says_where_when_and_how_sure(site, model, name, words):
    found = [json.loads(line) for line in asked(site, model, words, "--json").stdout.splitlines()]
    first = found[0]
    assert (first["identity_id"], first["tracklet_id"]) == (f"P-{name.upper()}", f"T-{name.upper()}-1")
    assert first["score"] == pytest.approx(1, abs=1e-3) and first["camera_id"] == "hall"
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    minutes = 10 * list(ODD).index(name) + 1
    assert (first["began"], first["ended"]) == tuple(
        f"2026-01-31T12:{minutes:02}:{s}.000000000Z" for s in ("00", "10")
    )


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_finds_by_a_picture(site, model, tmp_path, ending):
    for number, picture in enumerate(shown_people()):
        path = write_picture(tmp_path / f"{number}.{ending}", picture)
        assert ids(asked(site, model, "--image", path, "--json", "--limit", 3))[0] == f"P-PIC{number}"


def test_everybody_is_found_once_and_as_many_as_are_asked_for(site, model):
    every = ids(asked(site, model, "a red top", "--json", "--limit", 100))
    assert len(every) == len({*every}) == 9
    assert ids(asked(site, model, "a red top", "--json", "--limit", 2)) == every[:2]


def test_many_come_in_the_order_of_how_like_they_are(tmp_path):
    """Far more than are put in order at first."""
    people = [person(f"{n:04}", [unit(n, 16)], "toy.1") for n in range(900)]
    with closing(GalleryFile(write_gallery(tmp_path / "run", *people))) as gallery:
        (kind,) = gallery.kinds()
        gallery.look(kind)
        found = list(gallery.like(unit(5, 16)))
    cosines = {f"P-{n:04}": float(unit(n, 16) @ unit(5, 16)) for n in range(900)}
    assert [one for one, _, _ in found] == sorted(cosines, key=cosines.get, reverse=True)
    assert all(cosine == pytest.approx(cosines[one], abs=1e-4) for one, _, cosine in found)


def test_people_are_found_in_whichever_states_of_the_matcher_they_are(tmp_path):
    some, others, more = (gallery(person(name, [unit(1)], "toy.1")) for name in "ABC")
    folder = tmp_path / "run"
    with stored(folder) as (store, _):
        store.take(Cut(1, {"match": {"": encode({"_a": some, "_b": others}), "hall": encode({"_a": more})}}))
        store.end()
    with closing(GalleryFile(folder)) as opened:
        (kind,) = opened.kinds()
        assert [opened.known(kind, f"P-{name}").identity_id for name in "ABC"] == ["P-A", "P-B", "P-C"]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--camera", "door"), 6),
        (("--camera", "door", "--camera", "hall"), 9),
        (("--camera", "nowhere"), 0),
        (("--since", "2026-01-31T13:00"), 6),
        (("--until", "2026-01-31T12:05"), 1),
        (("--since", "2026-01-31T13:10:00+01:00", "--until", "2026-01-31T12:15"), 1),
        (("--since", "50m"), 8),  # before 13:00, the last cut
        (("--until", "50.5m"), 1),
    ],
)
def test_cameras_and_times_say_who_counts(site, model, options, wanted):
    assert len(ids(asked(site, model, "a red top", "--json", *options))) == wanted


def test_a_camera_by_which_nobody_was_seen_is_said_with_those_there_are(site, model):
    done = asked(site, model, "a red top", "--camera", "hal", "--camera", "door", "--until", "2026-01-01")
    assert done.stderr == "--camera: nobody was seen by 'hal', but by door, hall\n"
    assert asked(site, model, "a red top", "--camera", "hall", "--until", "2026-01-01").stderr == ""


def test_a_table_says_it_to_people(site, model):
    done = asked(site, model, "a red top", "--limit", 2)
    assert re.search(r"│ 1 +│ P-RED +│ [01]\.\d+ │ hall +│ 2026-01-31 12:01:00 to 12:01:10 │", done.stdout)
    assert f"12 sightings by {model.model_id}/rgb searched" in " ".join(done.stdout.split())
    assert "nobody; 12 sightings" in asked(site, model, "a red top", "--camera", "x").stdout


def test_words_that_it_does_not_know_are_said_and_the_others_searched(site, model):
    done = asked(site, model, "a red top, with a Tuba", "--json")
    assert f"{model.model_id} knows no word 'tuba'; searched without" in done.stderr
    assert len(ids(done)) == 9
    assert asked(site, model, "a red top!", "--json").stderr == ""


def test_every_search_is_in_the_audit_log(site, model, tmp_path):
    path = write_picture(tmp_path / "a.png", shown_people()[0])
    asked(site, model, "a red top", "--limit", 2)
    asked(site, model, "--image", path)
    with closing(sqlite3.connect(site / "site.db")) as db:
        words, picture = audit(db)[-2:]
    assert (words.kind, words.subject, words.detail) == ("searched", "", "words 'a red top', 2 shown")
    assert re.fullmatch(r"picture with sha256 [0-9a-f]{64}, 9 shown", picture.detail)


def test_what_cannot_be_noted_is_not_shown(model, tmp_path):
    folder = write_gallery(tmp_path / "run", person("A", model.texts(["a red top"]), model.model_id))
    with closing(sqlite3.connect(folder / "site.db", isolation_level=None)) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(FAIL, 'no room'); END")
    done = CliRunner().invoke(
        run.app, ["search", "a red top", "--out", str(folder), "--model", engine(model)]
    )
    assert isinstance(done.exception, StoreError) and done.stdout == ""


def test_words_are_shown_as_they_were_asked(site, model, tmp_path):
    asked_for = "a [bold]red[/bold] top [/]"
    assert asked_for in asked(site, model, asked_for, "--sheet", tmp_path / "sheet.png").stdout


def test_a_sheet_shows_a_card_for_each(site, model, tmp_path):
    asked(site, model, "a red top", "--limit", 5, "--sheet", tmp_path / "sheet.png")
    one_row = asked(site, model, "a red top", "--limit", 4, "--sheet", tmp_path / "four.png")
    large, small = (cv2.imread(str(tmp_path / name)) for name in ("sheet.png", "four.png"))
    assert large.shape[0] > small.shape[0] and large.shape[1] == small.shape[1]
    assert f"sheet: {tmp_path / 'four.png'}" in one_row.stdout
    assert not list(tmp_path.glob("*.new"))


def test_without_a_question_it_reads_one_a_line_and_goes_on_after_a_mistake(site, model, tmp_path):
    path = write_picture(tmp_path / "a.png", shown_people()[2])
    done = asked(site, model, "--json", "--limit", 1, input=f"a red top\n...\n{path}\n")
    answers = [re.findall("P-[A-Z0-9]+", one) for one in done.stdout.split("\n\n")]
    assert [one for one in answers if one] == [["P-RED"], ["P-PIC2"]]
    assert "the question has no word in it, '...'" in done.stderr


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("", "the question is empty; say whom to look for"),
        (" \t ", "the question is empty"),
        ("...!? -- ,", "the question has no word in it"),
        ("person " * 2000, "the question has 2000 words, 100 at most are read"),
        ("\ud83d red", "the question is no text"),
        ("穿红色外套的女人", r"trained.\w+ knows no word of '穿红色外套的女人'; say in plain English"),
        ("человек в красной куртке", "knows no word of"),
        ("zebra", "knows no word of 'zebra'"),
    ],
)
def test_a_question_that_cannot_be_asked_is_one_line(site, model, question, said):
    with pytest.raises(InputError, match=said) as refused:
        asked(site, model, question)
    assert "\n" not in str(refused.value)


def bomb(path):
    """A PNG that says that it is of 40,000 x 40,000 pixels, in some hundred bytes."""
    picture = cv2.imencode(".png", shown_people()[0])[1].tobytes()
    path.write_bytes(picture[:16] + (40_000).to_bytes(4, "big") * 2 + picture[24:])


def cut_short(path):
    whole = cv2.imencode(path.suffix, np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))[1]
    path.write_bytes(whole.tobytes()[:-200])


PICTURES = {
    "bomb.png": (bomb, "is of 40000x40000 pixels, 50,000,000 at most are read; cut it down"),
    "short.png": (cut_short, "is damaged, its end is missing"),
    "short.jpg": (cut_short, "is damaged, its end is missing"),
    "text.png": (lambda path: path.write_text("a person"), "is neither JPEG nor PNG"),
    "empty.jpg": (lambda path: path.write_bytes(b""), "is neither JPEG nor PNG"),
    "sizeless.jpg": (lambda path: path.write_bytes(b"\xff\xd8\xff\xd9"), "does not say how large it is"),
    "flat.png": (lambda path: write_picture(path, np.full((99, 50, 3), 90, np.uint8)), "it is of one colour"),
    "tiny.png": (
        lambda path: write_picture(path, shown_people()[0][:3, :3]),
        "of 3x3 pixels, which show nobody",
    ),
    "folder.png": (lambda path: path.mkdir(), "is a directory"),
    "gone.png": (lambda path: None, "no such file or directory"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_cannot_be_searched_is_one_line(site, model, tmp_path, name):
    make, said = PICTURES[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=said) as refused:
        asked(site, model, "--image", tmp_path / name)
    assert str(refused.value).startswith(f"{tmp_path / name}: ") and "\n" not in str(refused.value)


def test_damage_inside_a_picture_never_is_more_than_a_line(tmp_path):
    random, refused = np.random.default_rng(5), 0
    for ending in (".png", ".jpg"):
        whole = cv2.imencode(ending, random.integers(0, 256, (40, 30, 3), np.uint8))[1].tobytes()
        for number in range(150):
            damaged = bytearray(whole)
            for at in random.integers(2, len(whole), 4):
                damaged[at] = random.integers(0, 256)
            path = tmp_path / f"{number}{ending}"
            try:
                assert picture_in(path, bytes(damaged)).ndim == 3
            except InputError as error:
                assert str(error).startswith(f"{path}: ")
                refused += 1
    assert refused > 50


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("a bag", "--image", "x.png"), "give either a QUESTION or --image FILE"),
        (("a bag", "--sheet", "sheet.jpg"), "--sheet: must end in .png"),
        (("a bag", "--sheet", "nowhere/sheet.png"), "--sheet: there is no folder nowhere"),
        (("--sheet", "sheet.png"), "--sheet: is of one question"),
        (("a bag", "--since", "yesterday"), "--since: must be like 2026-01-31T14:30, or like 15m"),
        (("a bag", "--until", "99999-01-01"), "--until: must be like"),
        (
            ("a bag", "--since", "2026-02-01", "--until", "2026-01-01"),
            "--until: 2026-01-01 is before --since",
        ),
        (("a bag", "--detector", "yolox"), "--detector: "),
    ],
)
def test_a_mistake_in_an_option_is_one_line(site, model, options, said):
    with pytest.raises((InputError, ConfigError), match=said):
        asked(site, model, *options)


def test_a_gallery_that_cannot_be_searched_says_why(site, model, tmp_path):
    other = untaught(tmp_path / "other.safetensors", seed=2)
    empty = write_gallery(tmp_path / "empty")
    looks = model.texts(["a red top"])
    mixed = [person("A", looks, model.model_id), person("B", looks, other.model_id)]
    mixed = write_gallery(tmp_path / "mixed", *mixed)
    with stored(tmp_path / "replica", origin=Origin("s", "", "replica", "")) as (store, _):
        store.end()
    (tmp_path / "text").mkdir()
    for name in ("site.db", "keys.db"):
        (tmp_path / "text" / name).write_text("no store at all, but long enough to be one")
    for folder, named, said in (
        (tmp_path / "nowhere", model, "nowhere/site.db: is not there; name the folder of a run with --out"),
        (empty, model, "nobody is in the gallery whose looks are known"),
        (site, other, rf"holds looks by {model.model_id}/rgb \(12\), none by {other.model_id}"),
        (site, None, r"is a file that begins with sha256 \w{8}; name it, --model"),
        (mixed, None, r"holds looks by several models, .*rgb \(1\), .*, which cannot be compared"),
        (tmp_path / "replica", model, "is a replica; search where the site is written"),
        (tmp_path / "text", model, "file is not a database"),
    ):
        with pytest.raises((InputError, StoreError), match=said) as refused:
            asked(folder, named, "a red top")
        assert "\n" not in str(refused.value)
    done = asked(mixed, other, "a red top", "--json")
    assert ids(done) == ["P-B"] and f"not searched: looks by {model.model_id}/rgb (1)" in done.stderr


@pytest.mark.parametrize(
    ("model_id", "said"),
    [
        ("unheard_of.12345678", "was made with unheard_of.12345678, which is no model that can be asked"),
        (
            "person_reidentification_retail_0248.00000000",
            r"here is person_reidentification_retail_0248.43891ce6",
        ),
    ],
)
def test_a_gallery_of_a_model_that_is_not_here_says_so(model_id, said, tmp_path):
    folder = write_gallery(tmp_path / "run", person("A", [unit(1)], model_id))
    with pytest.raises(InputError, match=said):
        asked(folder, None, "a red top")


def test_a_model_that_looks_at_depth_cannot_be_asked(tmp_path):
    from engines.tvrid_embedder import TvridEmbedder

    folder = write_gallery(tmp_path / "run", person("A", [unit(1)], TvridEmbedder().model_id))
    with pytest.raises(
        InputError, match="looks at depth, with which neither words nor pictures can be compared"
    ):
        CliRunner().invoke(
            run.app,
            ["search", "a bag", "--out", str(folder), "--model", "{engine: tvrid_embedder}"],
            catch_exceptions=False,
        )


def test_without_its_keys_or_with_damage_nothing_is_searched(model, tmp_path):
    folder = write_gallery(tmp_path / "run", person("A", model.texts(["a red top"]), model.model_id))
    with closing(sqlite3.connect(folder / "site.db", isolation_level=None)) as db:
        (blob,) = db.execute("SELECT sealed FROM vectors").fetchone()
        db.execute("UPDATE vectors SET sealed = ?", (blob[:-1] + bytes([blob[-1] ^ 1]),))
    with pytest.raises(StoreError, match="is damaged, P-A: what was sealed has been changed, or moved"):
        asked(folder, model, "a red top")
    (folder / "keys.db").unlink()
    with pytest.raises(StoreError, match=r"keys.db: is not there"):
        asked(folder, model, "a red top")
    assert not (folder / "keys.db").exists()
    assert ORIGIN.source == "recording"


def test_the_model_that_ships_reads_words_and_pictures_without_torch(tmp_path):
    unified = Embedder("unified")
    unified.open()
    said, shown = unified.texts(["a red top", "a blue skirt"]), unified(shown_people(2))
    unified.close()
    people = [
        person(name, [looks], unified.model_id) for name, looks in zip("ABCD", [*said, *shown], strict=True)
    ]
    folder = write_gallery(tmp_path / "run", *people)
    (tmp_path / "torch.py").write_text("raise ImportError('there is none')")
    picture = write_picture(tmp_path / "b.png", shown_people(2)[1])
    for words, who in ((("a blue skirt",), "P-B"), (("--image", picture), "P-D")):
        done = sightline("search", *words, "--json", "--out", folder, PYTHONPATH=f"{tmp_path}:{ROOT}")
        said = [
            line for line in done.stderr.splitlines() if not line.startswith("hwloc")
        ]  # of a bare machine
        assert (done.returncode, said) == (0, [])
        assert ids(done)[0] == who and json.loads(done.stdout.splitlines()[0])["score"] > 0.999


def test_a_picture_is_compared_through_what_it_shows(tmp_path):
    """By the model that ships and says so."""
    dpm, pictures = Embedder("dpm"), shown_people(8)
    dpm.open()
    vectors, shown = dpm.seen(pictures)
    dpm.close()
    assert 0 < shown.min() < shown.max() <= 1
    people = [
        person(
            str(n),
            [np.repeat(some, len(one) // len(some)) * one],
            dpm.model_id,
            shown=[np.stack([some, some])],
        )
        for n, (one, some) in enumerate(zip(vectors[1:], shown[1:], strict=True))
    ]
    folder, path = write_gallery(tmp_path / "run", *people), write_picture(tmp_path / "a.png", pictures[0])
    done = asked(folder, None, "--image", path, "--json")
    wanted = masked_cosines(vectors[:1], shown[:1], vectors[1:])[0]
    assert ids(done) == [f"P-{n}" for n in np.argsort(-wanted)]
    scores = [json.loads(line)["score"] for line in done.stdout.splitlines()]
    assert scores == pytest.approx(np.sort(wanted)[::-1], abs=2e-4)
    assert scores != pytest.approx(np.sort(vectors[1:] @ vectors[0])[::-1], abs=2e-4)


class Blind:
    """Says that nothing shows."""

    model_id, says_what_shows = "blind.1", True

    def seen(self, pictures):
        return np.stack([unit(1, 8) for _ in pictures]), np.zeros((len(pictures), 4), np.float32)


def test_a_picture_of_which_nothing_shows_is_one_line(tmp_path):
    path = write_picture(tmp_path / "a.png", shown_people()[0])
    with pytest.raises(InputError, match=r"a.png: blind.1 sees nothing in it; name another picture"):
        of_picture(Blind(), None, path)


class Finds:
    """Boxes, wherever it looks."""

    reads = "color"

    def __init__(self, *boxes):
        self.boxes = np.array(boxes, np.float32).reshape(-1, 4)

    def __call__(self, pictures):
        return [(self.boxes, np.ones(len(self.boxes)))]


def test_a_picture_without_a_person_is_one_line_and_of_several_people_the_largest_is_searched(
    model, tmp_path
):
    path = write_picture(tmp_path / "a.png", np.hstack(shown_people(2)))
    with pytest.raises(
        InputError, match="a.png: shows no person whom the detector finds; name another picture"
    ):
        of_picture(model, Finds(), path)
    half = Finds((0, 0, 32, 64), (32, 0, 64, 60))
    shown = of_picture(model, half, path)
    assert shown.remark == f"{path}: searched is who is from 0, 0 to 32, 64, the largest of 2 people in it"
    assert shown.vector == pytest.approx(model(shown_people(1))[0], abs=1e-5)


@pytest.fixture
def nano(recordings, monkeypatch):
    """A detector of people."""
    monkeypatch.setenv("SIGHTLINE_MODELS", str(recordings / "models"))
    return "{engine: yolox, model: yolox_nano}"


def test_a_detector_says_who_is_in_a_picture(site, model, nano, recordings, tmp_path):
    street = sorted((recordings / "mot17/mini_img").glob("*/000001.jpg"))[0]
    done = asked(site, model, "--image", street, "--json", "--detector", nano)
    assert re.search(r"searched is who is from \d+, \d+ to \d+, \d+, the largest of \d+ people", done.stderr)
    ramp = np.linspace(0, 255, 300, dtype=np.uint8)[:, None, None].repeat(200, axis=1).repeat(3, axis=2)
    path = write_picture(tmp_path / "sky.png", ramp)
    with pytest.raises(InputError, match="sky.png: shows no person whom the detector finds"):
        asked(site, model, "--image", path, "--detector", nano)
    with pytest.raises(InputError, match="--detector: finds nobody in colour"):
        asked(site, model, "--image", path, "--detector", "{engine: overhead_depth}")
