"""One cubic through a stretch of points: least squares between given end tangents, and what it may bend."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import shapely
from shapely import LineString

from cutline.imaging.cut_line.bezier import radii_along, type_points

NEWTON_ROUNDS: Final = 4
RELAX_SCALES: Final = np.linspace(0.5, 2.3, 13)
RELAX_SHARE: Final = 1.5
"""How far handles are stretched, and the error allowed for it, to keep the least radius."""


@dataclass(frozen=True)
class Span:
    """Points to fit by one or more segments, with the unit tangent at each end pointing along the path."""

    points: type_points
    start_tangent: type_points
    end_tangent: type_points

    @cached_property
    def along(self) -> type_points:
        """Distance of each point from the first, along the polyline, in mm."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.points, axis=0), axis=1))])


def fit_one(piece: Span, tolerance_mm: float) -> tuple[type_points, type_points]:
    """Best single segment for the points, and how far each point lies from it."""
    t = piece.along / piece.along[-1]
    segment = _least_squares(piece, t)
    errors = _errors(segment, piece.points, t)
    for _ in range(NEWTON_ROUNDS):
        if errors.max() <= 0.5 * tolerance_mm or errors.max() > 40 * tolerance_mm:
            break
        t = _reparametrised(segment, piece.points, t)
        segment = _least_squares(piece, t)
        errors = _errors(segment, piece.points, t)
    return segment, errors


def _least_squares(piece: Span, t: type_points) -> type_points:
    """Handle lengths along the given tangents that bring the curve closest to the points at parameters t."""
    start, end = piece.points[0], piece.points[-1]
    s = 1 - t
    b0, b1, b2, b3 = s**3, 3 * s * s * t, 3 * s * t * t, t**3
    first, second = b1[:, None] * piece.start_tangent, -b2[:, None] * piece.end_tangent
    rest = piece.points - (b0 + b1)[:, None] * start - (b2 + b3)[:, None] * end
    c00, c01, c11 = (first * first).sum(), (first * second).sum(), (second * second).sum()
    x0, x1 = (first * rest).sum(), (second * rest).sum()
    determinant = c00 * c11 - c01 * c01
    chord = float(np.linalg.norm(end - start))
    alphas = (chord / 3, chord / 3)
    if determinant > 1e-9 * c00 * c11:
        solved = (float((x0 * c11 - x1 * c01) / determinant), float((c00 * x1 - c01 * x0) / determinant))
        # A handle that points backwards, or that is longer than the piece, makes a loop.
        if min(solved) > 0.01 * chord and max(solved) < 0.7 * piece.along[-1]:
            alphas = solved
    return np.stack([start, start + alphas[0] * piece.start_tangent, end - alphas[1] * piece.end_tangent, end])


def _errors(segment: type_points, points: type_points, t: type_points) -> type_points:
    return np.asarray(np.linalg.norm(_curve(segment, t) - points, axis=1))


def _curve(segment: type_points, t: type_points) -> type_points:
    s = (1 - t)[:, None]
    u = t[:, None]
    return np.asarray(s**3 * segment[0] + 3 * s * s * u * segment[1] + 3 * s * u * u * segment[2] + u**3 * segment[3])


def _reparametrised(segment: type_points, points: type_points, t: type_points) -> type_points:
    """One Newton step of every parameter towards its point's foot on the curve."""
    p0, p1, p2, p3 = segment
    s, u = (1 - t)[:, None], t[:, None]
    away = _curve(segment, t) - points
    first = 3 * (s * s * (p1 - p0) + 2 * s * u * (p2 - p1) + u * u * (p3 - p2))
    second = 6 * (s * (p2 - 2 * p1 + p0) + u * (p3 - 2 * p2 + p1))
    slope = (first * first).sum(axis=1) + (away * second).sum(axis=1)
    step = np.where(np.abs(slope) > 1e-12, (away * first).sum(axis=1) / np.where(slope == 0, 1, slope), 0)
    moved = np.clip(t - step, 0, 1)
    moved[0], moved[-1] = 0.0, 1.0
    return np.maximum.accumulate(moved)


def relaxed(segment: type_points, piece: Span, tolerance_mm: float, min_radius_mm: float) -> type_points:
    """The segment, its handles lengthened or shortened until it bends no tighter than allowed, where that is possible.

    Tangents stay, so the path stays smooth; the curve may leave its points by RELAX_SHARE of the tolerance.
    """
    if least_radius(segment) >= min_radius_mm:
        return segment
    scales = np.stack(np.meshgrid(RELAX_SCALES, RELAX_SCALES), axis=-1).reshape(-1, 2)
    candidates = np.repeat(segment[None], len(scales), axis=0)
    candidates[:, 1] = segment[0] + scales[:, :1] * (segment[1] - segment[0])
    candidates[:, 2] = segment[3] + scales[:, 1:] * (segment[2] - segment[3])
    radii, points = radii_along(candidates)
    apart = shapely.distance(LineString(piece.points), shapely.points(points)).max(axis=1)
    least = np.where(apart <= RELAX_SHARE * tolerance_mm, radii.min(axis=1), 0.0)
    # Of those that bend wide enough take the nearest, else the one that bends widest.
    fitting = np.flatnonzero(least >= min_radius_mm)
    best = int(fitting[np.argmin(apart[fitting])]) if len(fitting) else int(np.argmax(least))
    return candidates[best] if least[best] > least_radius(segment) else segment


def least_radius(segment: type_points) -> float:
    """Smallest radius along a segment, in mm."""
    return float(radii_along(segment[None])[0].min())
