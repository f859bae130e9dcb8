"""A manifest comes back as it was written, and whatever is wrong with one is a line that says where."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.camera import Intrinsics, Mount
from calibration.manifest import (
    MANIFEST,
    Manifest,
    ManifestError,
    RecordedCamera,
    read,
    sha256_of,
    verify,
    write,
)

MOUNT = Mount(1.5, -2.0, 90.0, 3.0, 1.0, 0.0, is_placed=True)
LENS = Intrinsics(640, 480, 390.0, 391.0, 320.5, 240.25, (0.1, -0.2, 0.0, 0.0, 0.01), "brown_conrady")


def manifest(**cameras):
    return Manifest("sightline 0.1.0", "recorded", "demo", cameras)


def recording(folder, **changes):
    """A folder with one camera; `changes` are to what its manifest says."""
    (folder / "flat.db3").write_bytes(b"frames")
    write(
        folder, manifest(flat=RecordedCamera("flat.db3", 7, 0, sha256_of(folder / "flat.db3"), mount=MOUNT))
    )
    told = json.loads((folder / MANIFEST).read_text())
    told.update(changes)
    (folder / MANIFEST).write_text(json.dumps(told))
    return told


def test_what_is_written_is_read(tmp_path):
    cameras = {
        "flat": RecordedCamera("flat.db3", 900, 3, "ab" * 32, -12.5, MOUNT, "123", intrinsics=LENS),
        "door": RecordedCamera("door.mp4", start_ns=1_700_000_000_000_000_001, intrinsics=LENS),
    }
    for camera in cameras.values():
        (tmp_path / camera.file).touch()
    made = Manifest("sightline 0.1.0", "simulated", "demo", cameras)
    assert write(tmp_path, made) == tmp_path / MANIFEST
    assert read(tmp_path) == made
    assert "null" not in (tmp_path / MANIFEST).read_text()


numbers = st.floats(-1e6, 1e6)
maybe = st.none() | st.integers(0, 2**62)
mounts = st.builds(
    Mount,
    numbers,
    numbers,
    numbers,
    st.none() | numbers,
    st.none() | numbers,
    st.none() | numbers,
    st.booleans(),
)
cameras = st.builds(
    RecordedCamera,
    st.just("flat.db3"),
    maybe,
    maybe,
    st.none() | st.text(),
    numbers,
    mounts,
    st.none() | st.text(),
    maybe,
)


@given(st.text(), st.sampled_from(["recorded", "simulated"]), st.text(), cameras)
@settings(deadline=None)
def test_any_manifest_comes_back(tmp_path_factory, made_by, kind, site, camera):
    folder = tmp_path_factory.mktemp("any")
    (folder / "flat.db3").touch()
    made = Manifest(made_by, kind, site, {"flat": camera})
    write(folder, made)
    assert read(folder) == made


def test_a_manifest_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    recording(tmp_path)
    before = (tmp_path / MANIFEST).read_bytes()

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(
        ManifestError, match=r"manifest\.json: cannot be written, no space left on device; make room"
    ):
        write(tmp_path, manifest())
    assert (tmp_path / MANIFEST).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flat.db3", MANIFEST]


CAMERA = {"file": "flat.db3"}
WRONG = {
    "another version": (
        {"version": 2},
        r"version: must be 1, got 2; use the program that wrote it \(sightline 0\.1\.0\)",
    ),
    "no version": ({"version": None}, "version: must be 1, got None; use the program that wrote it"),
    "an unknown key": ({"sit": "x"}, "sit: is not known; did you mean 'site'?"),
    "an unknown key of a camera": (
        {"cameras": {"flat": CAMERA | {"clock_ofset_ms": 1}}},
        r"cameras\.flat\.clock_ofset_ms: is not known; did you mean 'clock_offset_ms'",
    ),
    "an unknown key of a mount": (
        {"cameras": {"flat": CAMERA | {"mount": {"yaw": 1}}}},
        r"cameras\.flat\.mount\.yaw: is not known; did you mean 'yaw_deg'|choose from x_m",
    ),
    "an unknown key of a lens": (
        {"cameras": {"flat": CAMERA | {"intrinsics": {"width": 1}}}},
        r"cameras\.flat\.intrinsics\.width: is not known",
    ),
    "text for a number": (
        {"cameras": {"flat": CAMERA | {"frames": "7"}}},
        r"cameras\.flat\.frames: expected `int \| null`, got `str`",
    ),
    "a number below nothing": (
        {"cameras": {"flat": CAMERA | {"lost": -1}}},
        r"cameras\.flat\.lost: expected `int` >= 0",
    ),
    "text for a mount's number": (
        {"cameras": {"flat": CAMERA | {"mount": {"x_m": "1"}}}},
        r"cameras\.flat\.mount\.x_m: expected `float`, got `str`",
    ),
    "a lens that cannot be": (
        {
            "cameras": {
                "flat": CAMERA
                | {
                    "intrinsics": {
                        "width_px": 0,
                        "height_px": 1,
                        "fx_px": 1,
                        "fy_px": 1,
                        "cx_px": 0,
                        "cy_px": 0,
                    }
                }
            }
        },
        r"cameras\.flat\.intrinsics: a picture has at least one pixel",
    ),
    "no file": ({"cameras": {"flat": {}}}, r"cameras\.flat: object missing required field `file`"),
    "a list of cameras": ({"cameras": []}, r"cameras: must be a map of cameras, got \[\]"),
    "a camera that is text": (
        {"cameras": {"flat": "flat.db3"}},
        r"cameras\.flat: must be a map of settings, got 'flat\.db3'",
    ),
    "another kind": ({"kind": "dreamt"}, "kind: invalid enum value 'dreamt'"),
    "a file that is not there": (
        {"cameras": {"flat": {"file": "gone.db3"}}},
        r"cameras\.flat\.file: gone\.db3 is not there; copy it too",
    ),
    "a file elsewhere": (
        {"cameras": {"flat": {"file": "../flat.db3"}}},
        r"cameras\.flat\.file: must be a name without a folder",
    ),
    "a file twice": (
        {"cameras": {"flat": CAMERA, "door": CAMERA}},
        r"cameras\.door\.file: flat\.db3 is that of camera 'flat' too",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_one_line_with_its_place(kind, tmp_path):
    changes, message = WRONG[kind]
    recording(tmp_path, **changes)
    with pytest.raises(ManifestError, match=rf"^{tmp_path / MANIFEST}: ({message})") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


TEXTS = {
    "not JSON": ("{", "is not such a file as this program writes"),
    "a key twice": ('{"version": 1, "version": 1}', "'version' is in it twice"),
    "a camera twice": ('{"cameras": {"flat": {}, "flat": {}}}', "'flat' is in it twice"),
    "not a number": ('{"version": NaN}', "NaN is not a number"),
    "a number too large": ('{"version": 1e999}', "1e999 is not a number"),
    "a list": ("[]", "the file: must be a map of settings"),
    "no text": (b"\xff\xfe\x00", "is not such a file"),
    "missing keys": ('{"version": 1}', "missing required field"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_that_is_no_manifest_is_one_line(kind, tmp_path):
    text, message = TEXTS[kind]
    (tmp_path / MANIFEST).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ManifestError, match=message) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / MANIFEST}: ")


def test_a_folder_without_a_manifest_is_one_line(tmp_path):
    with pytest.raises(
        ManifestError, match=r"manifest\.json: cannot be read, no such file or directory; check the folder"
    ):
        read(tmp_path)


def test_a_file_that_changed_since_is_found_where_it_is_asked_for(tmp_path):
    recording(tmp_path)
    verify(tmp_path, read(tmp_path))
    (tmp_path / "flat.db3").write_bytes(b"others")
    found = read(tmp_path)  # not looked at here
    with pytest.raises(
        ManifestError,
        match=r"cameras\.flat\.sha256: flat\.db3 has changed since it was recorded; copy it again",
    ):
        verify(tmp_path, found)
