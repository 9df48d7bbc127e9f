"""Follows a polygon edge by edge, its corners rounded as far as the edges have room: nothing is fitted."""

from __future__ import annotations

from typing import Final

import numpy as np
from shapely import Polygon

from cutline.imaging.cut_line.bezier import BezierPath, line, type_points
from cutline.imaging.cut_line.polyline import unit

WIDER: Final = 1.01
"""Corners are rounded so many times wider than asked for: a cubic bends tighter than its circle in places."""
WIDEST: Final = np.radians(60.0)
"""Angle of one cubic."""
LEAST_LINE_MM: Final = 0.002
LEAST_TURN: Final = 1e-6


def filleted(polygon: Polygon, *, radius_mm: float, tolerance_mm: float) -> BezierPath:
    """Lines along the outer ring of a polygon, joined by arcs.

    Args:
        polygon: Its outer ring is followed.
        radius_mm: Radius of the arcs; where an edge is too short for two of them, each has half of the edge.
        tolerance_mm: Vertices closer than that to the line through their neighbours are left out.
    """
    points = np.array(polygon.exterior.simplify(tolerance_mm).coords)[:-1, :2]
    edges = points - np.roll(points, 1, axis=0)
    lengths = np.linalg.norm(edges, axis=1)
    into = unit(edges)
    out = np.roll(into, -1, axis=0)
    turns = np.arctan2(into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0], (into * out).sum(axis=1))
    tangents = np.maximum(np.tan(np.abs(turns) / 2), LEAST_TURN)
    reaches = np.minimum(np.minimum(lengths, np.roll(lengths, -1)) / 2, WIDER * radius_mm * tangents)
    starts, ends = points - reaches[:, None] * into, points + reaches[:, None] * out
    lines = lengths - reaches - np.roll(reaches, 1)
    starts = np.where((lines < LEAST_LINE_MM)[:, None], np.roll(ends, 1, axis=0), starts)
    cubics: list[type_points] = []
    for vertex in range(len(points)):
        if lines[vertex] >= LEAST_LINE_MM:
            cubics.append(line(ends[vertex - 1], starts[vertex]))
        cubics.extend(_arc(starts[vertex], ends[vertex], into[vertex], float(turns[vertex])))
    return BezierPath(np.stack(cubics))


def _arc(start: type_points, end: type_points, heading: type_points, turn: float) -> list[type_points]:
    """Cubics of the arc that leaves a point in a direction and has turned by so much at its end."""
    chord = float(np.linalg.norm(end - start))
    count = max(1, int(np.ceil(abs(turn) / WIDEST)))
    if abs(turn) < LEAST_TURN:
        return [line(start, end)]
    radius = chord / (2 * np.sin(turn / 2))
    handle = 4 / 3 * np.tan(turn / count / 4) * radius
    angles = np.linspace(0, turn, count + 1)
    across = np.array([-heading[1], heading[0]])
    headings = np.cos(angles)[:, None] * heading + np.sin(angles)[:, None] * across
    points = start + radius * (np.sin(angles)[:, None] * heading + (1 - np.cos(angles))[:, None] * across)
    points[-1] = end
    return [
        np.stack([points[k], points[k] + handle * headings[k], points[k + 1] - handle * headings[k + 1], points[k + 1]])
        for k in range(count)
    ]
