"""Plane geometry in mm on top of shapely: offsets and roundings whose arcs are as fine as the cut line needs.

The names follow mathematical morphology (Serra 1982): closing fills what a disc cannot enter from outside, opening
removes what a disc cannot reach from inside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry, BaseMultipartGeometry

ARC_SAGITTA_MM: Final = 0.002
"""How far a chord of an offset's arc may lie inside the arc."""
MIN_SEGMENTS_PER_QUARTER: Final = 6
MANY_COORDINATES: Final = 3_000
MANY_EDGES: Final = 8
"""A piece of more coordinates, and more edges than that within a stretch as long as the distance, is moved in steps.
That makes the same shape, but each step swallows detail that the next would have to carry: at once, the arcs around
every grain of noise cross each other and take gigabytes."""
FIRST_STEP_MM: Final = 0.1
MANY_SHRUNK: Final = 1_500
"""A piece of more coordinates is shrunk by half of the distance twice: thin parts are gone after the first half, and
turned inside out they would cost ten times as much. Points that say nothing cost as much as others."""
FINE_MM: Final = 0.001
NO_DISTANCE_MM: Final = 1e-6
"""A shorter way is none: GEOS loses whole pieces that it is asked to move by next to nothing."""


def polygons_of(shape: BaseGeometry) -> MultiPolygon:
    """The polygons of any geometry, largest first; lines and points, which have no area, are left out."""
    parts = list(_polygons(shape))
    parts.sort(key=lambda part: (-part.area, part.bounds))
    return MultiPolygon(parts)


def _polygons(shape: BaseGeometry) -> Iterable[Polygon]:
    if isinstance(shape, Polygon):
        if not shape.is_empty:
            yield shape
    elif isinstance(shape, BaseMultipartGeometry):
        for part in shape.geoms:
            yield from _polygons(part)


def filled(shape: BaseGeometry) -> MultiPolygon:
    """The shape without its holes; a piece inside a hole becomes part of what surrounds it."""
    return polygons_of(shapely.union_all([Polygon(part.exterior) for part in _polygons(shape)]))


def hull(shape: BaseGeometry) -> Polygon:
    """The convex hull of a shape with an area.

    Found by a monotone chain (Andrew 1979). GEOS sorts points by their angle around one of them, and where that is not
    sure to the last digit it now and then gives a shape with a dent, which says it is valid.
    """
    points = np.unique(shapely.get_coordinates(shape), axis=0)
    chains = [_chain(side.tolist()) for side in (points, points[::-1])]
    return Polygon([*chains[0][:-1], *chains[1]])


def _chain(points: list[list[float]]) -> list[list[float]]:
    """Of points in order of x and y those that a line turning left only goes through, first and last included."""
    kept: list[list[float]] = []
    for x, y in points:
        while len(kept) > 1:
            (x0, y0), (x1, y1) = kept[-2:]
            if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                break
            kept.pop()
        kept.append([x, y])
    return kept


def offset(shape: BaseGeometry, distance_mm: float, *, sagitta_mm: float = ARC_SAGITTA_MM) -> MultiPolygon:
    """The shape grown by a distance with round joins; shrunk if it is negative.

    A grown shape comes without holes. Nothing here needs them, and GEOS leaves microscopic ones now and then, which
    shrinking would tear open.
    """
    if abs(distance_mm) < NO_DISTANCE_MM:
        return polygons_of(shape)
    # Piece by piece: GEOS takes much longer over the arcs of many pieces at once than over joining what comes out.
    pieces = np.array(polygons_of(shape).geoms)
    ragged = np.array([_is_ragged(piece, distance_mm) for piece in pieces], dtype=bool)
    moved = [_offset_at_once(piece, distance_mm, sagitta_mm) for piece in pieces[~ragged]]
    in_steps = [_offset_in_steps(piece, distance_mm, sagitta_mm) for piece in pieces[ragged]]
    parts = [*moved, *in_steps]
    if distance_mm > 0:
        return filled(parts[0] if len(parts) == 1 else shapely.union_all(parts))
    return polygons_of(shapely.geometrycollections(parts))


def _is_ragged(piece: Polygon, distance_mm: float) -> bool:
    count = int(shapely.get_num_coordinates(piece))
    return count > MANY_COORDINATES and count * abs(distance_mm) > MANY_EDGES * piece.length


def _offset_in_steps(shape: BaseGeometry, distance_mm: float, sagitta_mm: float) -> BaseGeometry:
    step_mm = math.copysign(FIRST_STEP_MM, distance_mm)
    while shapely.get_num_coordinates(shape) > MANY_COORDINATES and abs(distance_mm) > 2 * abs(step_mm):
        shape = _offset_at_once(shape, step_mm, sagitta_mm)
        shape = filled(shape) if distance_mm > 0 else shape
        distance_mm -= step_mm
        step_mm *= 2
    return _offset_at_once(shape, distance_mm, sagitta_mm)


def _offset_at_once(shape: BaseGeometry, distance_mm: float, sagitta_mm: float) -> BaseGeometry:
    segments = _segments_per_quarter(abs(distance_mm), sagitta_mm)
    if distance_mm < 0 and shapely.get_num_coordinates(shape) > MANY_SHRUNK:
        distance_mm /= 2
        shape = shape.simplify(FINE_MM).buffer(distance_mm, quad_segs=segments).simplify(FINE_MM)
    return shape.buffer(distance_mm, quad_segs=segments)


def closed(shape: BaseGeometry, radius_mm: float, *, sagitta_mm: float = ARC_SAGITTA_MM) -> MultiPolygon:
    """The shape with every place filled that a disc of that radius cannot enter from outside."""
    if radius_mm <= 0:
        return polygons_of(shape)
    return offset(offset(shape, radius_mm, sagitta_mm=sagitta_mm), -radius_mm, sagitta_mm=sagitta_mm)


def opened(shape: BaseGeometry, radius_mm: float, *, sagitta_mm: float = ARC_SAGITTA_MM) -> MultiPolygon:
    """The shape without every place that a disc of that radius cannot reach from inside."""
    if radius_mm <= 0:
        return polygons_of(shape)
    return offset(offset(shape, -radius_mm, sagitta_mm=sagitta_mm), radius_mm, sagitta_mm=sagitta_mm)


def _segments_per_quarter(radius_mm: float, sagitta_mm: float) -> int:
    """Chords per quarter circle that keep the sagitta, r (1 - cos(angle / 2)), under its bound."""
    share = min(sagitta_mm / radius_mm, 1.0)
    return max(MIN_SEGMENTS_PER_QUARTER, math.ceil((math.pi / 4) / math.acos(1 - share)))
