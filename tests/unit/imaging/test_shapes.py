"""Offsets of intricate shapes."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import MultiPoint, Point, box

from cutline.imaging import shapes
from cutline.imaging.shapes import filled, hull, offset, polygons_of


@pytest.mark.parametrize("distance_mm", [3.0, 0.5, -0.3])
def test_moving_in_steps_makes_the_same_shape(distance_mm: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step or at once, the boundary is the same within a hundredth of a millimetre."""
    random = np.random.default_rng(0)
    discs = [Point(*random.uniform(0, 40, 2)).buffer(random.uniform(0.3, 2), quad_segs=20) for _ in range(150)]
    bubbles = polygons_of(shapely.union_all(discs))
    at_once = offset(bubbles, distance_mm)
    monkeypatch.setattr(shapes, "MANY_COORDINATES", 100)
    monkeypatch.setattr(shapes, "MANY_EDGES", 0)
    in_steps = offset(bubbles, distance_mm)

    assert in_steps != at_once
    assert in_steps.buffer(0.01).contains(at_once)
    assert at_once.buffer(0.01).contains(in_steps)


def test_a_hull_is_convex_and_no_larger_than_it_must_be() -> None:
    """Of random points, many in a row among them, it has the corners and the area that GEOS finds."""
    random = np.random.default_rng(2)
    for count in (3, 4, 10, 300):
        points = MultiPoint(np.round(random.normal(0, 5, (count, 2))) / 2)
        assert hull(points.buffer(1)).normalize().equals_exact(points.buffer(1).convex_hull.normalize(), 1e-9)


def test_noise_can_be_grown() -> None:
    """Eighteen thousand grains of a tenth of a millimetre get their border without gigabytes and minutes."""
    random = np.random.default_rng(1)
    rows, columns = np.nonzero(random.random((200, 200)) < 0.45)
    grains = box(columns * 0.1, rows * 0.1, columns * 0.1 + 0.1, rows * 0.1 + 0.1)
    noise = filled(shapely.union_all(grains))
    assert shapely.get_num_coordinates(noise) > shapes.MANY_COORDINATES

    (grown,) = offset(noise, 3.0).geoms

    assert grown.bounds == pytest.approx((-3, -3, 23, 23), abs=0.15)
