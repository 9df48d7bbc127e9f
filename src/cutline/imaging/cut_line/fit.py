"""Fits a smooth path of few cubic Beziers to a ring of points.

After Schneider, "An Algorithm for Automatically Fitting Digitized Curves" (Graphics Gems, 1990): least squares with
given end tangents, Newton reparametrisation, and a split where the error is largest. Added here: straight edges stay
straight, corners stay corners, a smooth ring starts at its extremes, and a piece is split further where it would bend
tighter than allowed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cut_line.bezier import BezierPath, line, type_points
from cutline.imaging.cut_line.span import Span, fit_one, least_radius, relaxed

CORNER_DEGREES: Final = 32.0
"""A vertex that turns more than this is a corner. Arcs of an offset turn 15 degrees a vertex at most."""
STRAIGHT_MIN_MM: Final = 3.0
STRAIGHT_TURN: Final = (1.5, 10.0)
"""An edge that long is a straight part of the shape if the ring turns by so many degrees within so many mm past both
its ends. Without that turn it may as well be the chord of a wide curve."""
TANGENT_REACHES_MM: Final = (3.0, 1.5, 0.8, 0.4, 0.2)
"""How far to both sides of a split its tangent is measured, longest first."""
BEND_REACH_MM: Final = 0.5
"""The same where curvature jumps, to each side alone."""
MAX_EDGE_MM: Final = 0.4
"""Points are added where edges are longer; least squares weighs points, not lengths."""
MIN_SPAN_MM: Final = 0.25
"""A shorter piece is not split any more."""
RADIUS_SLACK: Final = 0.95
"""A piece that bends tighter than this share of the least radius is split; one above it is only relaxed."""


def fit_ring(ring: type_points, *, tolerance_mm: float, min_radius_mm: float) -> BezierPath:
    """Fits a closed path to a ring.

    Args:
        ring: Vertices of shape (n, 2) in mm, the first not repeated at the end.
        tolerance_mm: How far the path may lie from the ring.
        min_radius_mm: How tight the path may bend where the ring itself bends no tighter.
    """
    segments: list[type_points] = []
    for span in _spans(ring):
        if len(span.points) == 2:
            segments.append(line(span.points[0], span.points[1]))
        else:
            segments.extend(_fit_span(span, tolerance_mm, min_radius_mm))
    return BezierPath(np.stack(segments))


def _spans(ring: type_points) -> list[Span]:
    """Cuts the ring at corners, at the ends of straight edges, and a smooth one at its extremes."""
    count = len(ring)
    edges = np.roll(ring, -1, axis=0) - ring
    lengths = np.linalg.norm(edges, axis=1)
    headings = edges / np.maximum(lengths, 1e-12)[:, None]
    cosines = (headings * np.roll(headings, 1, axis=0)).sum(axis=1)
    corner = np.degrees(np.arccos(np.clip(cosines, -1, 1))) > CORNER_DEGREES
    straight = _straight_edges(lengths, headings) | (corner & np.roll(corner, -1))
    fixed = corner | straight | np.roll(straight, 1)
    # A smooth ring has no natural place to start; its extremes are as good as type designers find them.
    extreme = np.zeros_like(ring) if fixed.any() else _extremes(ring)
    breaks = np.flatnonzero(fixed | (extreme != 0).any(axis=1))

    def tangent(vertex: int, *, leaving: bool) -> type_points:
        before, after = headings[vertex - 1], headings[vertex]
        if corner[vertex]:
            return np.asarray(after if leaving else before)
        if straight[vertex]:
            return np.asarray(after)
        return np.asarray(before if straight[vertex - 1] else extreme[vertex])

    spans = []
    for first, last in zip(breaks.tolist(), np.roll(breaks, -1).tolist(), strict=True):
        end = last if last > first else last + count
        points = ring[np.arange(first, end + 1) % count]
        if not (end == first + 1 and straight[first]):
            points = _densified(points)
        spans.append(Span(points, tangent(first, leaving=True), tangent(last, leaving=False)))
    return spans


def _straight_edges(lengths: type_points, headings: type_points) -> NDArray[np.bool_]:
    straight = np.zeros(len(lengths), dtype=bool)
    for edge in np.flatnonzero(lengths >= STRAIGHT_MIN_MM):
        straight[edge] = all(_turns(lengths, headings, int(edge), step) for step in (1, -1))
    return straight


def _turns(lengths: type_points, headings: type_points, edge: int, step: int) -> bool:
    """Whether the ring turns away soon after the edge (step 1) or before it (step -1)."""
    reach_mm, degrees = STRAIGHT_TURN
    least = np.cos(np.radians(degrees))
    count = len(lengths)
    passed, at = 0.0, (edge + step) % count
    while passed <= reach_mm and at != edge:
        if headings[at] @ headings[edge] <= least:
            return True
        passed += float(lengths[at])
        at = (at + step) % count
    return False


def _extremes(ring: type_points) -> type_points:
    """Tangents (n, 2) at the vertices furthest left, right, up and down; 0 at other vertices.

    The tangent is that of the circle through the vertex and its neighbours.
    """
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    tangents = np.zeros_like(ring)
    for axis in (0, 1):
        for vertex in (int(np.argmin(ring[:, axis])), int(np.argmax(ring[:, axis]))):
            shorter, longer = float(before[vertex] @ before[vertex]), float(after[vertex] @ after[vertex])
            tangent = before[vertex] * longer + after[vertex] * shorter
            tangents[vertex] = tangent / max(float(np.linalg.norm(tangent)), 1e-12)
    return tangents


def _densified(points: type_points) -> type_points:
    """The polyline with points added so that no edge is longer than MAX_EDGE_MM."""
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    parts = np.maximum(1, np.ceil(lengths / MAX_EDGE_MM)).astype(int)
    if len(points) == 2:
        parts = np.maximum(parts, 2)
    starts = np.repeat(np.arange(len(parts)), parts)
    share = (np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[starts]
    inner = points[starts] + share[:, None] * (points[starts + 1] - points[starts])
    return np.concatenate([inner, points[-1:]])


def _fit_span(span: Span, tolerance_mm: float, min_radius_mm: float) -> list[type_points]:
    """Segments for a span in order, by splitting until each piece holds tolerance and radius."""
    done: list[type_points] = []
    waiting = [(span, *fit_one(span, tolerance_mm))]
    while waiting:
        piece, segment, errors = waiting.pop()
        if len(piece.points) < 5 or piece.along[-1] < MIN_SPAN_MM:
            done.append(relaxed(segment, piece, tolerance_mm, min_radius_mm))
            continue
        worst = int(np.argmax(errors))
        too_far = errors[worst] > tolerance_mm
        radius_mm = least_radius(segment)
        if not too_far and radius_mm >= RADIUS_SLACK * min_radius_mm:
            done.append(relaxed(segment, piece, tolerance_mm, min_radius_mm))
            continue
        if too_far:
            at = min(max(worst, 2), len(piece.points) - 3)
            head, tail = _split(piece, at, _tangent(piece, at, tolerance_mm))
        else:
            at = _bend_change(piece)
            head, tail = _split(piece, at, _tangent_between_bends(piece, at))
        parts = [(part, *fit_one(part, tolerance_mm)) for part in (tail, head)]
        # Splitting for the radius helps only while the points say more than their own rounding noise.
        if not too_far and min(least_radius(part[1]) for part in parts) <= radius_mm:
            done.append(relaxed(segment, piece, tolerance_mm, min_radius_mm))
            continue
        waiting += parts
    return done


def _split(piece: Span, at: int, tangent: type_points) -> tuple[Span, Span]:
    return (
        Span(piece.points[: at + 1], piece.start_tangent, tangent),
        Span(piece.points[at:], tangent, piece.end_tangent),
    )


def _bend_change(piece: Span) -> int:
    """The point where curvature changes most, such as where an arc meets another or a straight line.

    One cubic across such a point bends tighter than the arc on one side of it.
    """
    steps = np.diff(piece.points, axis=0)
    turns = steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0]
    lengths = np.linalg.norm(steps, axis=1)
    mean = (lengths[:-1] + lengths[1:]) / 2
    bend = turns / np.maximum(lengths[:-1] * lengths[1:] * mean, 1e-12)
    # Mean curvature over two points on each side; the ring's own rounding noise is about that long.
    padded = np.concatenate([bend[:1], bend, bend[-1:]])
    change = np.abs((padded[2:-1] + padded[3:]) / 2 - (padded[:-3] + padded[1:-2]) / 2)
    return int(np.argmax(change)) + 2 if len(change) > 2 else len(piece.points) // 2


def _tangent_between_bends(piece: Span, at: int) -> type_points:
    """Unit tangent where curvature jumps: the mean of the slopes at which the parabolas of both sides arrive."""
    along = piece.along - piece.along[at]
    slopes = []
    for side in (along <= 0, along >= 0):
        near = side & (np.abs(along) <= BEND_REACH_MM)
        if near.sum() < 3:
            near = side & (np.abs(along) <= np.sort(np.abs(along[side]))[min(2, side.sum() - 1)])
        basis = np.stack([np.ones(near.sum()), along[near], along[near] ** 2], axis=1)
        slope = np.linalg.lstsq(basis, piece.points[near], rcond=None)[0][1]
        slopes.append(slope / max(float(np.linalg.norm(slope)), 1e-12))
    both = slopes[0] + slopes[1]
    return np.asarray(both / max(float(np.linalg.norm(both)), 1e-12))


def _tangent(piece: Span, at: int, tolerance_mm: float) -> type_points:
    """Unit tangent at a point: the slope of the parabola through the longest stretch around it that is one.

    A long stretch averages the steps of the pixels out; a short one is all there is next to a tight bend.
    """
    along = piece.along - piece.along[at]
    room = min(-along[0], along[-1])
    slope = piece.points[min(at + 1, len(along) - 1)] - piece.points[at - 1]
    for reach in TANGENT_REACHES_MM:
        near = np.abs(along) <= min(reach, room)
        if reach > 2 * room or near.sum() < 4:
            continue
        x = along[near]
        basis = np.stack([np.ones_like(x), x, x * x], axis=1)
        solved, _, rank, _ = np.linalg.lstsq(basis, piece.points[near], rcond=None)
        if rank == 3:
            slope = solved[1]
            if np.abs(basis @ solved - piece.points[near]).max() < 0.5 * tolerance_mm:
                break
    return np.asarray(slope / max(float(np.linalg.norm(slope)), 1e-12))
