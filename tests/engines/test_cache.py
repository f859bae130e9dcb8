"""Compiled networks on the disk: given back only as this user on this machine wrote them."""

import os
import resource
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest
from networks import manifest_of, network, written

from configs.build import InputError
from engines._cache import Recipe, comparison, drop, keep, kept, latest, prune, recipes
from engines._network import opened
from engines.runtimes.openvino import _core

ROOT = Path(__file__).parents[2]
ENGINE = bytes(range(256)) * 8
RECIPE = Recipe(
    model="small",
    files={"small.onnx": "0a" * 32},
    runtime="openvino",
    version="1",
    device="CPU",
    capability="FP32",
    precision="fp32",
    shapes={"picture": [None, 3, 8, 8]},
    flags={"threads": "2"},
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Folders of a user's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SIGHTLINE_MODELS", str(tmp_path / "models"))
    return tmp_path


def key_file(home):
    return home / "state" / "sightline" / "engines.key"


def names(folder):
    return [path.name for path in folder.iterdir()]


def assert_refused(caplog, said):
    """Nothing is given back, and one line says why."""
    caplog.clear()
    assert kept(RECIPE) is None
    assert len(caplog.messages) == 1
    assert said in caplog.messages[0]
    assert caplog.messages[0].endswith("; it is not used, and small is compiled again")


def test_gives_back_what_was_kept_and_nothing_before(caplog):
    assert kept(RECIPE) is None
    keep(RECIPE, ENGINE)
    assert kept(RECIPE) == ENGINE
    assert recipes("small") == [RECIPE]
    assert recipes("smal") == []
    assert caplog.messages == []


def test_says_how_an_engine_compared_and_forgets_one_that_is_dropped():
    keep(RECIPE, ENGINE, "cosine 0.9")
    assert comparison(RECIPE) == "cosine 0.9"
    drop(RECIPE)
    drop(RECIPE)
    assert recipes("small") == []


def test_of_several_shapes_the_one_that_was_kept_last_is_found():
    assert latest(RECIPE) is None
    shapes = [{"picture": [1, 2, size]} for size in (4, 16, 8)]
    for number, one in enumerate(shapes):
        keep(made := msgspec.structs.replace(RECIPE, shapes=one), ENGINE)
        os.utime(made.path, ns=(number, number))
    keep(msgspec.structs.replace(RECIPE, precision="fp16"), ENGINE)
    assert latest(RECIPE).shapes == shapes[-1]


def test_a_new_engine_makes_those_of_other_weights_and_other_versions_go(home):
    changes = {
        "kept": {"precision": "fp16"},
        "kept too": {"runtime": "tensorrt", "version": "2"},
        "of another version": {"version": "2"},
        "of other weights": {"files": {"small.onnx": "0b" * 32}},
        "of another model": {"model": "other"},
        "of one that is no more": {"model": "gone"},
    }
    made = {name: msgspec.structs.replace(RECIPE, **change) for name, change in changes.items()}
    for one in (RECIPE, *made.values()):
        keep(one, ENGINE)
    broken = RECIPE.path.with_name(f"small-{'0' * 64}.engine")
    broken.write_bytes(b"?")
    other_file = RECIPE.path.with_name("notes.txt")
    other_file.touch()
    prune(RECIPE, known=["small", "other"])
    left = {RECIPE.path, other_file, *(made[name].path for name in ("kept", "kept too", "of another model"))}
    assert set(RECIPE.path.parent.iterdir()) == left


def test_nothing_goes_while_the_key_cannot_be_read(home):
    keep(RECIPE, ENGINE)
    key_file(home).chmod(0o644)
    prune(msgspec.structs.replace(RECIPE, version="2"), known=[])
    assert RECIPE.path.exists()


@pytest.mark.parametrize("name", Recipe.__struct_fields__)
def test_whatever_differs_it_is_another_engine(name):
    value = getattr(RECIPE, name)
    other = {"other": []} if name == "shapes" else {"other": "1"} if isinstance(value, dict) else "other"
    keep(RECIPE, ENGINE)
    assert kept(msgspec.structs.replace(RECIPE, **{name: other})) is None
    assert kept(RECIPE) == ENGINE


def test_the_files_and_the_key_are_the_users_alone(home):
    keep(RECIPE, ENGINE)
    for file in (RECIPE.path, key_file(home)):
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
    assert names(RECIPE.path.parent) == [RECIPE.path.name]
    assert names(key_file(home).parent) == ["engines.key"]


def test_one_flipped_byte_anywhere_is_refused():
    keep(RECIPE, ENGINE)
    right = RECIPE.path.read_bytes()
    generator = np.random.default_rng(1)
    places = generator.permutation(len(right))[:1000]
    assert len(places) == 1000
    given = []
    for at in places:
        wrong = bytearray(right)
        wrong[at] ^= 1 << int(generator.integers(8))
        RECIPE.path.write_bytes(wrong)
        given.append(kept(RECIPE))
    assert given == [None] * 1000
    RECIPE.path.write_bytes(right)
    assert kept(RECIPE) == ENGINE


@pytest.mark.parametrize("end", [0, 5, 30, 700, -1])
def test_what_is_cut_short_or_longer_is_refused(end, caplog):
    keep(RECIPE, ENGINE)
    right = RECIPE.path.read_bytes()
    RECIPE.path.write_bytes(right[:end])
    assert_refused(caplog, str(RECIPE.path))
    RECIPE.path.write_bytes(right + b"\n")
    assert_refused(caplog, "was changed after it was written")


def test_an_engine_of_something_else_that_lies_in_its_place_is_refused(caplog):
    other = msgspec.structs.replace(RECIPE, version="2")
    keep(other, ENGINE)
    keep(RECIPE, ENGINE[::-1])
    shutil.copy(other.path, RECIPE.path)  # engine and manifest both, rightly signed
    assert_refused(caplog, "is the engine of something else")
    assert kept(other) == ENGINE
    assert recipes("small") == [other]


def test_an_engine_and_a_manifest_that_were_signed_elsewhere_are_refused(home, caplog):
    keep(RECIPE, ENGINE)
    key_file(home).rename(home / "aside")
    assert recipes("small") == []  # a new key was made
    assert_refused(caplog, "was not written by this machine")
    (home / "aside").rename(key_file(home))
    assert kept(RECIPE) == ENGINE


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_could_have_read_is_not_used(home, mode, caplog):
    keep(RECIPE, ENGINE)
    key_file(home).chmod(mode)
    assert_refused(caplog, "engines.key: others can read it; remove it")


def test_a_key_of_another_length_is_not_used(home, caplog):
    keep(RECIPE, ENGINE)
    key_file(home).write_bytes(b"")
    assert_refused(caplog, "engines.key: has 0 bytes, not 32; remove it")


@pytest.mark.parametrize("what", ["file", "folder", "above"])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_what_others_can_write_is_refused(home, what, mode, caplog):
    keep(RECIPE, ENGINE)
    place = {"file": RECIPE.path, "folder": RECIPE.path.parent, "above": home / "cache"}[what]
    place.chmod(place.stat().st_mode | mode)
    assert_refused(caplog, f"{place}: others can write it")
    if what != "file":
        caplog.clear()
        keep(RECIPE, ENGINE[::-1])
        assert (
            f"{place}: others can write it; chmod go-w it; small is compiled again the next time"
            in caplog.text
        )


def test_a_link_in_its_place_is_refused(home, caplog):
    keep(RECIPE, ENGINE)
    RECIPE.path.rename(home / "aside")
    RECIPE.path.symlink_to(home / "aside")
    assert_refused(caplog, str(RECIPE.path))


def test_a_folder_that_cannot_be_written_is_one_line(monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")  # not even root can write there
    keep(RECIPE, ENGINE)
    assert len(caplog.messages) == 1
    assert "/proc/sightline" in caplog.messages[0]
    assert caplog.messages[0].endswith("; small is compiled again the next time")
    assert kept(RECIPE) is None


def test_a_disk_that_is_full_leaves_nothing_behind(caplog):
    keep(RECIPE, ENGINE)
    other = msgspec.structs.replace(RECIPE, version="2")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        keep(other, ENGINE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(caplog.messages) == 1
    assert names(RECIPE.path.parent) == [RECIPE.path.name]
    assert kept(RECIPE) == ENGINE


ON_A_DISK = """
import os, sys
from contextlib import suppress
from pathlib import Path
from networks import manifest_of, written
from engines._cache import recipes
from engines._network import opened
made = manifest_of(Path(sys.argv[1]))
one = opened(made, "openvino")
print(len(recipes("small")), one.layers)
one.close()
"""


@pytest.mark.parametrize(
    ("options", "said"), [("size=16k", "No space left"), ("ro", "Read-only file system")]
)
def test_a_disk_that_is_full_or_that_cannot_be_written_costs_time_and_no_run(home, small_disk, options, said):
    model, disk = written(home / "models"), small_disk(f"{options},mode=700")
    if options != "ro":
        with suppress(OSError), (disk / "zeros").open("wb", buffering=0) as zeros:
            zeros.write(bytes(100_000))
    variables = {
        "XDG_CACHE_HOME": str(disk),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
        "PYTHONWARNINGS": "error",
    }
    command = [sys.executable, "-c", ON_A_DISK, model]
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0 1 layers at f32\n"
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("hwloc")]  # of a bare machine
    assert said in line
    assert line.endswith("; small is compiled again the next time")


BUSY = """
import sys
from test_cache import ENGINE, RECIPE
from engines._cache import keep, kept
number = int(sys.argv[1])
for turn in range(60):
    keep(RECIPE, ENGINE * (1 + (turn + number) % 2))
    assert kept(RECIPE) in (ENGINE, ENGINE * 2), turn
"""


def test_two_processes_at_once_each_find_whole_engines(home):
    paths = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests", Path(__file__).parent)))}
    command = [sys.executable, "-W", "error", "-c", BUSY]
    out = subprocess.PIPE
    both = [
        subprocess.Popen([*command, number], env={**os.environ, **paths}, stdout=out, stderr=out, text=True)
        for number in "01"
    ]
    assert [(one.communicate(timeout=120), one.returncode) for one in both] == [(("", ""), 0)] * 2
    assert names(RECIPE.path.parent) == [RECIPE.path.name]


def test_a_network_that_is_kept_gives_the_same_as_one_that_is_compiled(home, caplog):
    made = manifest_of(written(home / "models"))
    batch = np.random.default_rng(1).uniform(0, 255, (3, 3, 8, 8)).astype(np.float32)
    given = []
    for _ in range(2):
        one = opened(made, "openvino")
        given.append(one(batch)["features"])
        one.close()
    assert [recipe.version for recipe in recipes("small")] != []
    np.testing.assert_array_equal(*given)
    assert caplog.messages == []


def test_what_was_kept_is_what_runs(home, caplog):
    """A signed engine of other weights in the place: only so can it be seen that it is not compiled each time."""
    made, other = (
        manifest_of(written(home / "models")),
        written(home / "other", network(weights=np.ones((4, 3, 3, 3), np.float32))),
    )
    batch = np.ones((1, 3, 8, 8), np.float32)
    opened(made, "openvino").close()
    recipe = recipes("small")[0]
    first = recipe.path.read_bytes()
    core = _core()
    keep(recipe, core.compile_model(core.read_model(other), "CPU").export_model().getvalue())
    strange = opened(made, "openvino")
    assert strange(batch)["means"][0, 0] > 20
    strange.close()
    wrong = bytearray(first)
    wrong[-100] ^= 1
    recipe.path.write_bytes(wrong)
    again = opened(made, "openvino")
    assert abs(again(batch)["means"][0, 0]) < 20
    again.close()
    assert "was changed after it was written; it is not used, and small is compiled again" in caplog.text
    assert kept(recipe) is not None


def test_a_network_that_cannot_be_used_is_not_kept(home):
    with pytest.raises(InputError, match="not finite"):
        opened(
            manifest_of(written(home / "models", network(weights=np.full((4, 3, 3, 3), 3e38, np.float32)))),
            "openvino",
        )
    assert recipes("small") == []
