"""Drawing rings without a fit, which is what is left where no fit holds the least radius."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import LinearRing, Point, Polygon, box

from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.imaging.cut_line.bezier import BezierPath
from cutline.imaging.cut_line.fillets import filleted
from cutline.imaging.cut_line.holes import roomier
from cutline.imaging.cut_line.spline import MOST_STEPS, spline_of
from cutline.imaging.shapes import closed, offset


def _apart_mm(path: BezierPath, polygon: Polygon) -> float:
    return float(LinearRing(path.flattened(0.0005)).hausdorff_distance(polygon.exterior))


def _is_smooth(path: BezierPath) -> bool:
    legs = np.diff(path.control, axis=1)
    arriving, leaving = legs[:, 2], np.roll(legs[:, 0], -1, axis=0)
    crossed = arriving[:, 0] * leaving[:, 1] - arriving[:, 1] * leaving[:, 0]
    lengths = np.linalg.norm(arriving, axis=1) * np.linalg.norm(leaving, axis=1)
    return bool((np.abs(crossed) < 1e-2 * lengths).all())


def test_a_spline_bends_as_its_ring_does() -> None:
    """An L grown by 3.1 mm and closed with as much is drawn with no bend under 3 mm, within 0.02 mm."""
    shape = closed(offset(Polygon([(0, 0), (30, 0), (30, 12), (12, 12), (12, 40), (0, 40)]), 3.1), 3.1).geoms[0]

    path = spline_of(shape, step_mm=0.3, smoothing_mm=0.3)

    assert path.tightest[0] >= 3.0
    assert _apart_mm(path, shape) < 0.02
    assert _is_smooth(path)


def test_smoothing_takes_a_share_off_a_circle() -> None:
    """A circle of r mm shrinks by s^2 / 2 r, as the Gaussian of s mm has it."""
    path = spline_of(Point(0, 0).buffer(4, quad_segs=400), step_mm=0.2, smoothing_mm=0.8)

    x_min, _, x_max, _ = path.box
    assert (x_max - x_min) / 2 == pytest.approx(4 * np.exp(-(0.8**2) / (2 * 4**2)), abs=1e-3)


def test_a_long_ring_is_drawn_in_longer_steps() -> None:
    """No spline has more than MOST_STEPS cubics."""
    path = spline_of(box(0, 0, 100, 100), step_mm=0.01, smoothing_mm=0.1)

    assert len(path.control) == MOST_STEPS


def test_corners_are_rounded_with_the_radius_asked_for() -> None:
    """A rectangle gets four bends of at least the radius and keeps its box."""
    path = filleted(box(0, 0, 30, 20), radius_mm=2.0, tolerance_mm=0.01)

    assert 2.0 <= path.tightest[0] < 2.1
    assert path.box == pytest.approx((0, 0, 30, 20), abs=1e-9)
    assert _is_smooth(path)


def test_short_edges_leave_what_room_they_have() -> None:
    """A corner between edges of 1 mm is rounded with half of them, and the path stays smooth and near."""
    notched = Polygon([(0, 0), (20, 0), (20, 10), (11, 10), (11, 9), (10, 9), (10, 10), (0, 10)])

    path = filleted(notched, radius_mm=2.0, tolerance_mm=0.01)

    assert 0.49 < path.tightest[0] < 0.51
    assert _is_smooth(path)
    assert Polygon(path.flattened()).is_valid


def test_a_needle_turns_round_in_steps_of_sixty_degrees() -> None:
    """A tip that turns by nearly 180 degrees becomes three cubics, none of which leaves its circle."""
    path = filleted(Polygon([(0, 0), (30, -1), (30, 1)]), radius_mm=0.1, tolerance_mm=0.01)

    assert path.tightest[0] >= 0.1
    assert len(path.control) == 3 + 3 + 2 + 2


def test_an_inner_cut_gets_wider_bends() -> None:
    """A rectangular hole is rounded with the least radius and the slack; one that this would part stays."""
    spec = resolve(StickerSpec(min_radius_mm=1.0))
    dumb_bell = Polygon(
        [(0, 0), (5, 0), (5, 2), (9, 2), (9, 0), (14, 0), (14, 5), (9, 5), (9, 3), (5, 3), (5, 5), (0, 5)]
    )

    wider = roomier(box(0, 0, 10, 6), spec, 0.1)

    assert wider.area == pytest.approx(60 - (4 - np.pi) * 1.1**2, abs=0.01)
    assert roomier(dumb_bell, spec, 0.1) is dumb_bell
