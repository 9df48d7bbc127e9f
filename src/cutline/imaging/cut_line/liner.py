"""The through cut around a kiss-cut sticker."""

from __future__ import annotations

from typing import Final

import numpy as np
from shapely import MultiPolygon, Polygon

from cutline.domain.sticker_spec import LinerShape, ResolvedSpec
from cutline.imaging.cut_line.bezier import BezierPath, line
from cutline.imaging.cut_line.fit import fit_ring
from cutline.imaging.cut_line.radius import eased
from cutline.imaging.cut_line.rings import ring_points
from cutline.imaging.shapes import closed, filled, hull, offset

CORNER_MM: Final = 3.0
"""Radius of a rectangular liner's corners."""
TRIES: Final = ((0.01, 1.0), (0.01, 0.6), (0.1, 1.0), (0.1, 0.6), (0.5, 1.0), (0.5, 0.6))
"""What is tried in turn until no bend is too tight: how much wider than asked for corners are, so that a curve fitted
to them has room, and the share of the tolerance."""
LEAST_RADIUS_MM: Final = 0.5
"""No line around a liner bends that tight, whatever the blade could follow."""
WIDER: Final = 1.01
"""A quarter circle drawn as one cubic bends 0.8 % tighter than its radius in places."""
_KAPPA: Final = 4 / 3 * (np.sqrt(2) - 1)
"""Handle length of a quarter circle of radius 1; the curve leaves the circle by 0.03 % at most."""


def liner_path(face: MultiPolygon, spec: ResolvedSpec, *, tolerance_mm: float) -> BezierPath:
    """The path around the kiss line, at least liner_margin_mm outside it."""
    if spec.liner_shape is LinerShape.RECTANGLE:
        x_min, y_min, x_max, y_max = face.bounds
        margin = spec.liner_margin_mm
        box = (x_min - margin, y_min - margin, x_max + margin, y_max + margin)
        return _rounded_rectangle(box, WIDER * spec.min_radius_mm)
    around = offset(face, spec.liner_margin_mm)
    paths: list[BezierPath] = []
    for slack_mm, share in TRIES:
        shape = filled(closed(around, max(CORNER_MM, spec.min_radius_mm) + slack_mm))
        if len(shape.geoms) > 1:  # pieces kept apart still share one liner
            shape = filled(hull(shape))
        path = _fitted(shape.geoms[0], max(spec.min_radius_mm, LEAST_RADIUS_MM), share * tolerance_mm)
        if not outline_of(path).is_valid:
            continue
        paths.append(path)
        if path.tightest[0] >= spec.min_radius_mm:
            break
    if paths:
        return max(paths, key=lambda path: path.tightest[0])
    x_min, y_min, x_max, y_max = around.bounds  # a rectangle holds whatever the kiss line is
    return _rounded_rectangle((x_min, y_min, x_max, y_max), WIDER * spec.min_radius_mm)


def _fitted(shape: Polygon, min_radius_mm: float, tolerance_mm: float) -> BezierPath:
    path = fit_ring(ring_points(shape), tolerance_mm=tolerance_mm, min_radius_mm=min_radius_mm)
    return BezierPath(eased(path.control, min_radius_mm, tolerance_mm)).rounded()


def _rounded_rectangle(bounds: tuple[float, float, float, float], least_radius_mm: float) -> BezierPath:
    x_min, y_min, x_max, y_max = bounds
    radius = min(max(CORNER_MM, least_radius_mm), (x_max - x_min) / 2, (y_max - y_min) / 2)
    corners = np.array([(x_max, y_min), (x_max, y_max), (x_min, y_max), (x_min, y_min)])
    headings = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], dtype=float)
    segments = []
    start = corners[3] + radius * headings[0]
    for corner, heading, after in zip(corners, headings, np.roll(headings, -1, axis=0), strict=True):
        end = corner - radius * heading
        leave = corner + radius * after
        segments.append(line(start, end))
        segments.append(np.stack([end, end + _KAPPA * radius * heading, leave - _KAPPA * radius * after, leave]))
        start = leave
    return BezierPath(np.stack(segments))


def outline_of(path: BezierPath) -> Polygon:
    """The inside of a path; empty for one that collapsed to a line, as the fit of a grain of noise may."""
    points = path.flattened()
    return Polygon(points) if len(points) > 2 else Polygon()
