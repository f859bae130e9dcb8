"""Weights: where they are looked for, and that they are what the manifest says each time before they are used."""

import os
import shutil

import pytest
from networks import manifest_of, written

from configs.build import InputError
from engines import _manifest
from engines._weights import folders, weights


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Two folders that the user names, and the one that is always looked into."""
    named = [tmp_path / "first", tmp_path / "second"]
    monkeypatch.setenv("SIGHTLINE_MODELS", os.pathsep.join(map(str, named)))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return [*named, tmp_path / "data" / "sightline" / "models"]


def test_are_looked_for_where_the_user_says_and_then_in_the_users_own_folder(places, tmp_path):
    assert folders() == places
    made = manifest_of(written(tmp_path))
    for folder in reversed(places):  # the earlier goes before the later
        written(folder)
        assert weights(made) == folder / "small.onnx"


@pytest.mark.parametrize("value", [None, "", "not/absolute"])
def test_are_looked_for_at_home_where_nothing_says_otherwise(monkeypatch, tmp_path, value):
    monkeypatch.delenv("SIGHTLINE_MODELS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False) if value is None else monkeypatch.setenv(
        "XDG_DATA_HOME", value
    )
    assert folders() == [tmp_path / ".local" / "share" / "sightline" / "models"]


def test_that_come_with_the_program_are_taken_after_all_others(places, tmp_path, monkeypatch):
    monkeypatch.setattr(_manifest, "MODELS", tmp_path / "shipped")
    made = manifest_of(written(tmp_path))
    written(tmp_path / "shipped")
    assert weights(made) == tmp_path / "shipped" / "small.onnx"
    written(places[2])
    assert weights(made) == places[2] / "small.onnx"


def test_that_are_missing_say_what_to_fetch_and_where_to_put_it(places, tmp_path):
    made = manifest_of(written(tmp_path), download="fetch small.onnx from its makers")
    with pytest.raises(InputError) as told:
        weights(made)
    said = f"small: small.onnx not found in {places[0]}, {places[1]}, {places[2]}; "
    said += (
        f"fetch small.onnx from its makers; put it into {places[0]}, or name its folder in $SIGHTLINE_MODELS"
    )
    assert str(told.value) == said


def test_of_which_a_part_is_missing_are_missing(places, tmp_path):
    other = tmp_path / "other.bin"
    other.write_bytes(b"1")
    made = manifest_of(written(tmp_path), more=[other])
    written(places[0])
    with pytest.raises(InputError, match="small: small.onnx, other.bin not found in"):
        weights(made)
    written(places[1])
    shutil.copy(other, places[1])
    assert weights(made) == places[1] / "small.onnx"


def test_that_are_other_bytes_are_refused_though_they_were_right_before(places, tmp_path):
    made = manifest_of(written(tmp_path))
    path = written(places[0])
    assert weights(made) == path
    right = path.read_bytes()
    path.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    with pytest.raises(
        InputError, match=f"^{path}: has sha256 .*, but small needs {made.files[0].sha256}; make it"
    ):
        weights(made)


def test_that_lead_nowhere_are_missing(places, tmp_path):
    made = manifest_of(written(tmp_path))
    path = written(places[0])
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(InputError, match="small: small.onnx not found"):
        weights(made)
