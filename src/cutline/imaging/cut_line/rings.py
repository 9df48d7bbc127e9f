"""Rings of polygons as points, and the smallest radius along them."""

from __future__ import annotations

from typing import Final

import numpy as np
from shapely import LinearRing, MultiPolygon, Polygon

from cutline.imaging.cut_line.bezier import type_points

SIMPLIFY_MM: Final = 0.001
MIN_EDGE_MM: Final = 0.01
"""Shorter edges are rounding noise of the offsets, jogs of a micrometre or two that would pass for corners."""
STEP_MM: Final = 0.1
ARMS_MM: Final = (0.2, 0.4)
"""Distances to both sides of a point at which its radius is measured; a sharp corner's shrinks with the distance."""


def ring_points(polygon: Polygon, min_edge_mm: float = MIN_EDGE_MM) -> type_points:
    """Vertices of the outer ring, the first not repeated; points that say nothing are left out.

    Args:
        polygon: Its outer ring is taken.
        min_edge_mm: Vertices nearer than that to the one before are left out; MIN_EDGE_MM at least.
    """
    least_mm = max(min_edge_mm, MIN_EDGE_MM)
    points = np.array(polygon.exterior.simplify(SIMPLIFY_MM).coords)[:-1, :2]
    kept, (x, y) = [0], points[0].tolist()
    for vertex, (next_x, next_y) in enumerate(points.tolist()):
        if (next_x - x) ** 2 + (next_y - y) ** 2 >= least_mm**2:
            kept.append(vertex)
            x, y = next_x, next_y
    x, y = points[kept[-1]] - points[0]
    if len(kept) > 4 and x * x + y * y < least_mm**2:
        kept.pop()
    return points[kept] if len(kept) > 3 else points


def smallest_radius_mm(shape: MultiPolygon) -> float:
    """Smallest radius of the outer rings, 0 for a sharp corner.

    Measured as the radius of the circle through a point and its neighbours 0.4 mm along the ring to both sides, so
    the steps of pixels do not count as corners.
    """
    return min((_ring_radius_mm(part.exterior) for part in shape.geoms), default=0.0)


def _ring_radius_mm(ring: LinearRing) -> float:
    count = max(16, min(int(ring.length / STEP_MM), 20_000))
    step = ring.length / count
    vertices = np.array(ring.coords)[:, :2]
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(vertices, axis=0), axis=1))])
    at = np.arange(count) * step
    points = np.stack([np.interp(at, along, vertices[:, axis]) for axis in (0, 1)], axis=1)
    near, far = (_circle_radii(points, max(1, round(arm / step))) for arm in ARMS_MM)
    least = int(np.argmin(far))
    sharp = far[least] < 1.0 and near[max(least - 4, 0) : least + 5].min() < 0.7 * far[least]
    return 0.0 if sharp else float(far[least])


def _circle_radii(points: type_points, reach: int) -> type_points:
    """Radius of the circle through each point and those `reach` before and after it."""
    before, after = np.roll(points, reach, axis=0), np.roll(points, -reach, axis=0)
    a, b, c = points - before, after - points, after - before
    cross = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    sides = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) * np.linalg.norm(c, axis=1)
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(cross > 1e-12, sides / np.maximum(2 * cross, 1e-12), np.inf))
