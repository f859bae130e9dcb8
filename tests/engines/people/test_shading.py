"""Light falls where nothing is nearer to the lamp, and cloth has the pattern it should."""

import numpy as np
import pytest

from engines.people.clothes import CHECKS, DOTS, HOOPS, PATCH, PLAIN, STRIPES, TWO_TONE, Material, rows_of
from engines.people.raster import Pinhole, Seen, Window, draw, see
from engines.people.setting import response
from engines.people.shading import GRAIN_SIDE, Drawn, Light, Lit, block, paint, samples_of

LAMP = Pinhole(np.eye(3), np.zeros(3), 100.0, 100.0, 50.0, 50.0)
RED, BLUE = (0.6, 0.0, 0.0), (0.0, 0.0, 0.6)


def light(lamp=0.8, above=0.2):
    shades = (np.full(3, strong, np.float32) for strong in (lamp, above, 0.0))
    return Lit(
        Light(LAMP, np.zeros(3), *shades),
        np.zeros((101, 101), np.float32),
        response(),
        np.zeros((GRAIN_SIDE, GRAIN_SIDE), np.float32),
    )


def samples(*places):
    return np.array([(0.5, 1.0, x, y, z, 0.0, 0.0) for x, y, z in places], np.float32)


def test_what_is_behind_something_nearer_to_the_lamp_is_in_its_shadow():
    shadows = np.zeros((101, 101), np.float32)
    shadows[:, :50] = 1 / 2.0  # something at 2 m, on the left
    got = samples((-1, 0, 4), (-0.4, 0, 1.9), (1, 0, 4), (-30, 0, 4), (0, 0, -4))
    block(got, shadows, LAMP)
    assert got[:, 1].tolist() == [
        0.0,
        1.0,
        1.0,
        1.0,
        1.0,
    ]  # behind, before, beside, and outside of what it sees


def test_the_edge_of_a_shadow_runs_over_one_texel():
    shadows = np.zeros((101, 101), np.float32)
    shadows[:, :50] = 1 / 2.0
    got = samples(*((u - 50 + 0.001, 0.0, 100.0) for u in (49.0, 49.25, 49.75, 50.0)))
    block(got, shadows, LAMP)
    assert got[:, 1] == pytest.approx([0.0, 0.25, 0.75, 1.0], abs=0.01)


def colors(material, *places):
    table = rows_of([material])
    drawn = Drawn(
        np.zeros((3, 3), np.float32),
        np.zeros((3, 7), np.float32),
        np.zeros((1, 3), np.int32),
        np.zeros(1, np.int32),
        table,
    )
    shown = samples(*((0, 0, 4) for _ in places))
    shown[:, 5:] = places
    pixels = np.array([(0, i, 0) for i in range(len(places))], np.int32)
    color = np.zeros((1, len(places), 3), np.uint8)
    paint(pixels, shown, drawn, light(), color)
    return ["red" if red > blue else "blue" for red, _, blue in color[0].tolist()]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        (PLAIN, ["red"] * 5),
        (HOOPS, ["blue", "red", "blue", "red", "red"]),
        (STRIPES, ["blue", "blue", "red", "red", "blue"]),
        (CHECKS, ["red", "blue", "blue", "red", "blue"]),
        (TWO_TONE, ["red", "red", "red", "red", "blue"]),
        (PATCH, ["red", "red", "red", "red", "blue"]),
        (DOTS, ["blue", "blue", "blue", "blue", "red"]),
    ],
)
def test_cloth_has_its_pattern(pattern, wanted):
    material = Material(RED, BLUE, pattern, period_m=0.2, part=0.5, grain=0.0)
    assert colors(material, (0.04, 0.04), (0.04, 0.16), (0.16, 0.04), (0.12, 0.13), (0.0, 0.51)) == wanted


def test_more_light_is_brighter_up_to_a_limit_that_is_reached_softly():
    curve = response().astype(int)
    assert (np.diff(curve) >= 0).all() and curve[0] == 0 and 230 < curve[-1] <= 255
    assert 110 < curve[len(curve) * 18 // 100] < 135  # a grey card


def test_looks_are_mixed_in_perspective():
    """Half way between a near and a far corner on the screen, it is nearer to the near one in the world."""
    points = np.array([[-1, -1, 2], [1, 0, 6], [-1, 1, 2]], np.float32)
    triangles, screen = np.array([[0, 2, 1]], np.int32), np.empty_like(points)
    seen = Seen(np.zeros((101, 101), np.float32), np.full((101, 101), -1, np.int32))
    see(points, LAMP, screen)
    draw(screen, triangles, 0, seen)
    looks = np.zeros((3, 7), np.float32)
    looks[:, 5] = points[:, 0]
    drawn = Drawn(screen, looks, triangles, np.zeros(1, np.int32), rows_of([Material(RED)]))
    pixels, got = samples_of(drawn, seen, Window(0, 0, 101, 101))
    across = pixels[:, 1] - 50.0
    depth = 1 / seen.nearness[pixels[:, 0], pixels[:, 1]]
    assert len(pixels) > 500
    assert got[:, 5] == pytest.approx(across / 100 * depth, abs=1e-3)
