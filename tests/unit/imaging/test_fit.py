"""Fitting Beziers to rings."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from shapely import LinearRing, LineString, Point, Polygon, box

from cutline.imaging.cut_line.bezier import BezierPath
from cutline.imaging.cut_line.fit import fit_ring
from cutline.imaging.cut_line.rings import ring_points
from cutline.imaging.cut_line.rounded import capsule
from cutline.imaging.shapes import closed, offset


def _fitted(polygon: Polygon, *, min_radius_mm: float = 1.0) -> BezierPath:
    return fit_ring(ring_points(polygon), tolerance_mm=0.02, min_radius_mm=min_radius_mm)


def _apart(path: BezierPath, polygon: Polygon) -> float:
    return float(LinearRing(path.flattened()).hausdorff_distance(polygon.exterior))


def _l() -> Polygon:
    return Polygon([(0, 0), (10, 0), (10, 30), (30, 30), (30, 40), (0, 40)])


def test_a_disc_needs_few_segments() -> None:
    """A disc of 75 mm is fitted within 0.02 mm by at most twelve segments."""
    disc = Point(0, 0).buffer(37.5, quad_segs=120)

    path = _fitted(disc)

    assert len(path.control) <= 12
    assert _apart(path, disc) <= 0.025


@pytest.mark.parametrize("sides", [(6.0, 6.0), (5.999, 6.0), (6.0, 6.001), (6.0, 20.0), (20.0, 6.0)])
def test_a_capsule_fills_its_box_and_bends_no_tighter_than_asked(sides: tuple[float, float]) -> None:
    """Two half circles of 3 mm, and lines between them where the box is longer than wide, in the middle of the box."""
    path = capsule((0.0, 0.0, *sides), least_radius_mm=3.0, tolerance_mm=0.015)

    low, high = np.array(path.box).reshape(2, 2)
    assert high - low == pytest.approx(sides, abs=0.002)
    assert low + high == pytest.approx(sides)
    assert path.tightest[0] >= 3.0 * (1 - 1e-5)
    assert _apart(path, LineString([low + 3, high - 3]).buffer(3, quad_segs=90)) < 0.005


def test_a_rounded_rectangle_is_lines_and_arcs() -> None:
    """Four straight lines and four corners are eight segments, and the lines are straight."""
    path = _fitted(offset(box(0, 0, 50, 30), 3).geoms[0])

    straight = [segment for segment in path.control if _sagitta(segment) < 1e-9]
    assert len(path.control) == 8
    assert len(straight) == 4


def test_joints_are_smooth_and_radii_kept() -> None:
    """An L with a 3 mm border, closed with 3 mm, has no corner and nowhere a radius under 2.8 mm."""
    path = _fitted(closed(offset(_l(), 3), 3).geoms[0])

    assert path.tightest[0] > 2.8


def test_corners_stay_corners_where_no_rounding_was_asked_for() -> None:
    """A bare L is six straight segments, exactly."""
    path = _fitted(_l(), min_radius_mm=0)

    assert len(path.control) == 6
    assert path.tightest[0] == 0
    assert _apart(path, _l()) < 1e-9


def test_the_box_of_a_path_is_exact() -> None:
    """The box of a fitted disc is found between its nodes too."""
    path = _fitted(Point(5, 5).buffer(20, quad_segs=90)).moved((1.0, 1.0), (3.0, 4.0))
    points = path.flattened(1e-6)

    assert path.box == pytest.approx((*points.min(axis=0), *points.max(axis=0)), abs=1e-4)


def test_flattening_holds_its_tolerance() -> None:
    """Chords of a coarse flattening stay within its tolerance of a fine one."""
    path = _fitted(Point(0, 0).buffer(30, quad_segs=90))

    coarse, fine = LinearRing(path.flattened(0.05)), LinearRing(path.flattened(0.0005))

    assert coarse.hausdorff_distance(fine) <= 0.051


def test_path_data_round_trips() -> None:
    """Path data carries each control point to a tenth of a micrometre and begins at the first."""
    path = _fitted(Point(10, 10).buffer(5)).rounded()

    assert path.path_data.startswith(f"M {path.control[0, 0, 0]:g},{path.control[0, 0, 1]:g} C ")
    assert path.path_data.endswith(" Z")
    assert path.path_data.count("C") == len(path.control)


def test_length_is_the_circumference() -> None:
    """A fitted disc is as long as its circumference."""
    assert _fitted(Point(0, 0).buffer(10, quad_segs=90)).length_mm == pytest.approx(20 * np.pi, rel=1e-3)


def _sagitta(segment: NDArray[np.float64]) -> float:
    chord = segment[3] - segment[0]
    along = segment[1:3] - segment[0]
    return float(np.abs(along[:, 0] * chord[1] - along[:, 1] * chord[0]).max() / np.linalg.norm(chord))
