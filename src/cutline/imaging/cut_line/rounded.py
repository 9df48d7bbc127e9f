"""Boxes with round corners: what a liner is, and what is as narrow as the blade's tightest bend."""

from __future__ import annotations

from typing import Final

import numpy as np

from cutline.imaging.cut_line.arcs import Arc
from cutline.imaging.cut_line.bezier import BezierPath, line, type_points

SHORTEST_STRAIGHT_MM: Final = 0.002
NO_LENGTH_MM: Final = 1e-9


def rounded_rectangle(
    bounds: tuple[float, float, float, float], radius_mm: float, *, least_radius_mm: float, tolerance_mm: float
) -> BezierPath:
    """A box whose corners are quarter circles.

    Args:
        bounds: x_min, y_min, x_max, y_max in mm.
        radius_mm: Of the corners, half of the shorter side at most.
        least_radius_mm: How tight the cubics may bend, which of few is tighter than their circle.
        tolerance_mm: How far they may leave it.
    """
    x_min, y_min, x_max, y_max = bounds
    corners = np.array([(x_max, y_min), (x_max, y_max), (x_min, y_max), (x_min, y_min)])
    headings = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], dtype=float)
    afters = np.roll(headings, -1, axis=0)
    arcs = [
        Arc(0, 0, corner + radius_mm * (after - heading), radius_mm, 1, float(np.arctan2(*-after[::-1])), np.pi / 2)
        for corner, heading, after in zip(corners, headings, afters, strict=True)
    ]
    cubics: list[type_points] = []
    for arc, before in zip(arcs, arcs[-1:] + arcs[:-1], strict=True):
        side = line(before.point(before.end), arc.point(arc.start))
        if np.linalg.norm(side[3] - side[0]) > NO_LENGTH_MM:
            cubics.append(side)
        cubics.extend(arc.cubics(least_radius_mm, tolerance_mm))
    return BezierPath(np.stack(cubics))


def capsule(bounds: tuple[float, float, float, float], *, least_radius_mm: float, tolerance_mm: float) -> BezierPath:
    """A box whose shorter sides are half circles; a circle where it is a square.

    Args:
        bounds: x_min, y_min, x_max, y_max in mm.
        least_radius_mm: Of the half circles: a box that is narrower is left on both sides.
        tolerance_mm: How far cubics may leave them.
    """
    x_min, y_min, x_max, y_max = bounds
    width, height = max(x_max - x_min, 2 * least_radius_mm), max(y_max - y_min, 2 * least_radius_mm)
    if abs(width - height) < SHORTEST_STRAIGHT_MM:
        width = height = max(width, height)
    x, y = (x_min + x_max) / 2, (y_min + y_max) / 2
    return rounded_rectangle(
        (x - width / 2, y - height / 2, x + width / 2, y + height / 2),
        min(width, height) / 2,
        least_radius_mm=least_radius_mm,
        tolerance_mm=tolerance_mm,
    )
