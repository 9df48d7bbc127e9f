"""The through cut around a kiss-cut sticker."""

from __future__ import annotations

from typing import Final

from shapely import MultiPolygon, Polygon

from cutline.domain.sticker_spec import LinerShape, ResolvedSpec
from cutline.imaging.cut_line.bezier import BezierPath
from cutline.imaging.cut_line.fit import fit_ring
from cutline.imaging.cut_line.radius import eased
from cutline.imaging.cut_line.rings import ring_points
from cutline.imaging.cut_line.rounded import rounded_rectangle
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


def liner_path(face: MultiPolygon, spec: ResolvedSpec, *, tolerance_mm: float) -> BezierPath:
    """The path around the kiss line, at least liner_margin_mm outside it."""
    if spec.liner_shape is LinerShape.RECTANGLE:
        x_min, y_min, x_max, y_max = face.bounds
        margin = spec.liner_margin_mm
        box = (x_min - margin, y_min - margin, x_max + margin, y_max + margin)
        return _rounded(box, spec, tolerance_mm)
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
    return _rounded(around.bounds, spec, tolerance_mm)  # a rectangle holds whatever the kiss line is


def _fitted(shape: Polygon, min_radius_mm: float, tolerance_mm: float) -> BezierPath:
    path = fit_ring(ring_points(shape), tolerance_mm=tolerance_mm, min_radius_mm=min_radius_mm)
    return BezierPath(eased(path.control, min_radius_mm, tolerance_mm)).rounded()


def _rounded(bounds: tuple[float, float, float, float], spec: ResolvedSpec, tolerance_mm: float) -> BezierPath:
    x_min, y_min, x_max, y_max = bounds
    radius_mm = min(max(CORNER_MM, WIDER * spec.min_radius_mm), (x_max - x_min) / 2, (y_max - y_min) / 2)
    return rounded_rectangle(bounds, radius_mm, least_radius_mm=0.0, tolerance_mm=tolerance_mm)


def outline_of(path: BezierPath) -> Polygon:
    """The inside of a path; empty for one that collapsed to a line, as the fit of a grain of noise may."""
    points = path.flattened()
    return Polygon(points) if len(points) > 2 else Polygon()
