"""Making fitted paths bend no tighter than allowed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from shapely import LinearRing

from cutline.imaging.cut_line.bezier import BezierPath, line
from cutline.imaging.cut_line.radius import eased

KAPPA = 4 / 3 * (np.sqrt(2) - 1)
MOST_MOVED_MM = 0.015


def _rounded_square(radii_mm: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """A square of 20 mm whose corners are one cubic each, which bend 0.8 % tighter than their radius in places."""
    corners = np.array([(20, 0), (20, 20), (0, 20), (0, 0)], dtype=float)
    headings = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], dtype=float)
    segments = []
    start = corners[3] + radii_mm[3] * headings[0]
    for number, (corner, radius_mm) in enumerate(zip(corners, radii_mm, strict=True)):
        heading, after = headings[number], headings[(number + 1) % 4]
        end, leave = corner - radius_mm * heading, corner + radius_mm * after
        segments.append(line(start, end))
        handle = KAPPA * radius_mm
        segments.append(np.stack([end, end + handle * heading, leave - handle * after, leave]))
        start = leave
    return np.stack(segments)


def _apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    rings = [LinearRing(BezierPath(control).flattened()) for control in (one, other)]
    return float(rings[0].hausdorff_distance(rings[1]))


def test_bends_a_little_too_tight_are_widened() -> None:
    """Quarter circles of 1 mm that dip under it hold it afterwards, moved by no more than allowed."""
    control = _rounded_square((1.0, 1.0, 1.0, 1.0))

    widened = eased(control, 1.0, MOST_MOVED_MM)

    assert BezierPath(control).tightest[0] < 0.995
    assert BezierPath(widened).tightest[0] >= 1.0
    assert _apart(control, widened) <= MOST_MOVED_MM


def test_bends_are_widened_alike_alone_and_together() -> None:
    """What is done to one corner does not depend on how many others are too tight."""
    together = eased(_rounded_square((1.0, 1.0, 1.0, 1.0)), 1.0, MOST_MOVED_MM)
    alone = eased(_rounded_square((3.0, 1.0, 3.0, 3.0)), 1.0, MOST_MOVED_MM)

    assert together[3] == pytest.approx(alone[3], abs=1e-9)


def test_a_bend_far_too_tight_is_left_within_reach() -> None:
    """A corner of half the radius is no matter of micrometres: the path stays within the distance it may move."""
    control = _rounded_square((0.5, 3.0, 3.0, 3.0))

    widened = eased(control, 1.0, MOST_MOVED_MM)

    assert BezierPath(widened).tightest[0] < 1.0
    assert _apart(control, widened) <= MOST_MOVED_MM


def test_a_path_that_holds_the_radius_is_not_touched() -> None:
    """Where nothing is too tight, the very same points come back."""
    control = _rounded_square((3.0, 3.0, 3.0, 3.0))

    assert eased(control, 1.0, MOST_MOVED_MM) is control
