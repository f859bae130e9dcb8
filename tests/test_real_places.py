"""The main graph, as it ships, on recordings of real places."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def real_input():
    spec = importlib.util.spec_from_file_location("real_input", ROOT / "benchmarks" / "real_input.py")
    module = sys.modules["real_input"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def stereo(real_input, recordings):
    return real_input.matched(recordings / "oak_overhead_stereo")


@pytest.mark.parametrize(
    ("variant", "way"),
    [
        ("as it is", "right to left"),
        ("mirrored", "left to right"),
        ("time reversed", "left to right"),
        ("turned by 180 degrees", "left to right"),
    ],
)
def test_one_person_passes_an_overhead_stereo_camera_and_shadows_and_furniture_do_not(
    real_input, stereo, variant, way
):
    events = real_input.events_of(stereo.seen(variant))
    assert real_input.passages(events) == [way]
    heights_m = [float(said) for said in re.findall(r"([\d.]+) m below", " ".join(real_input.floors(events)))]
    assert heights_m[-1] == pytest.approx(2.74, abs=0.05)


def test_a_realsense_recording_has_a_dominant_plane(real_input, recordings):
    said = real_input.dominant_plane(recordings / "realsense_bag" / "single_depth_color_640x480.bag")
    assert float(said.split(" m away")[0]) == pytest.approx(1.83, abs=0.05)
