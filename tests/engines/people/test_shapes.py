"""Surfaces are closed, face outward, and are as large as they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.people.shapes import Ring, box, merged, moved, stick, tube


def volume(shape):
    a, b, c = (shape.points[shape.triangles[:, i]].astype(float) for i in range(3))
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6


def borders(shape):
    """Edges that have a triangle on one side only, points within a centimetre being one."""
    _, places = np.unique(np.round(shape.points, 2), axis=0, return_inverse=True)
    counts = {}
    for triangle in places[shape.triangles].tolist():
        for a, b in zip(triangle, triangle[1:] + triangle[:1], strict=True):
            if a != b:
                counts[a, b] = counts.get((a, b), 0) + 1
                counts[b, a] = counts.get((b, a), 0) - 1
    return [edge for edge, count in counts.items() if count]


def can(radius=0.5, tall=1.0, **given):
    return tube([Ring((0, 0, z), radius, radius, **given) for z in (0.0, tall)], 0, 64)


sizes = st.floats(0.05, 2.0)


@given(sizes, sizes, st.booleans())
@settings(deadline=None)
def test_a_tube_is_closed_and_holds_what_it_should(radius, tall, falls):
    rings = [Ring((0, 0, z), radius, radius) for z in (0.0, tall)]
    shape = tube(rings[::-1] if falls else rings, 0, 64)
    assert volume(shape) == pytest.approx(np.pi * radius**2 * tall, rel=0.01)
    assert borders(can()) == []


def test_a_stick_in_any_direction_is_closed_and_holds_what_it_should():
    shape = stick([(0, 0, 0), (1, 1, 0.5), (2, 2, 1)], 0.1, 0, sides=64)
    assert borders(shape) == []
    assert volume(shape) == pytest.approx(np.pi * 0.01 * 3, rel=0.01)


def test_a_box_is_closed_and_holds_what_it_should():
    shape = box((0, 0, 0), (1, 2, 3), 0)
    assert borders(shape) == [] and volume(shape) == pytest.approx(6.0)


@pytest.mark.parametrize(
    "shape", [can(), box((-1, -1, -1), (1, 1, 1), 0), stick([(0, 0, 0), (0, 0, 1)], 0.2, 0)]
)
def test_normals_point_outward_and_have_length_one(shape):
    middle = shape.points.mean(axis=0)
    assert (np.einsum("ij,ij->i", shape.points - middle, shape.normals) > 0).all()
    assert np.linalg.norm(shape.normals, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_a_rounder_ring_holds_less_than_one_that_is_nearly_a_rectangle():
    assert volume(can(roundness=2.0)) < volume(can(roundness=4.0)) < 1.0


def test_what_is_put_together_keeps_its_triangles_and_materials():
    one, other = box((0, 0, 0), (1, 1, 1), 3), box((5, 5, 5), (6, 6, 6), 4)
    both = merged([one, other])
    assert volume(both) == pytest.approx(2.0)
    assert both.materials.tolist() == [3] * 12 + [4] * 12


def test_what_is_moved_turns_about_the_vertical_and_then_shifts():
    shape = moved(box((0, 0, 0), (2, 1, 1), 0), (10, 0, 0), 90)
    assert shape.points.min(axis=0) == pytest.approx([9, 0, 0], abs=1e-6)
    assert shape.points.max(axis=0) == pytest.approx([10, 2, 1], abs=1e-6)
