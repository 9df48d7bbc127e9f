"""Fits a smooth path of few cubic Beziers to a ring of points.

Straight edges stay straight, corners stay corners, arcs become cubics of their own circle (arcs.py). What lies between
is fitted by least squares and split where the error is largest (span.py), all pieces at once; a smooth ring starts at
its extremes. Last, the joints of what bends tighter than allowed are moved a little (radius.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cut_line.arcs import Arc, chords_of, find_arcs, has_room, reaching_lines, touching
from cutline.imaging.cut_line.bezier import BezierPath, line, type_points
from cutline.imaging.cut_line.polyline import Polyline, unit
from cutline.imaging.cut_line.span import Spans
from cutline.imaging.cut_line.stretches import fit_stretches

CORNER_DEGREES: Final = 32.0
"""A vertex that turns more than this is a corner. Arcs of an offset turn 15 degrees a vertex at most."""
STRAIGHT_MIN_MM: Final = 3.0
STRAIGHT_TURN: Final = (1.5, 10.0)
"""An edge that long is a straight part of the shape if the ring turns by so many degrees within so many mm past both
its ends. Without that turn it may as well be the chord of a wide curve."""
MAX_EDGE_MM: Final = 0.4
SHARP_EDGE_MM: Final = 0.15
"""Points are added where edges are longer; least squares weighs points, not lengths. The second is for edges between
vertices that turn sharply: a curve through both may leave the edge between them."""
SHARP_COSINE: Final = 0.995
SHORTEST_GAP_MM: Final = 0.4
"""Two arcs with less than this between them may be joined where their circles touch."""
OVERRUN_MM: Final = 0.5
"""How far an arc that was drawn out may have passed the next joint."""
CRUMB_MM: Final = 0.12
CRUMB_COSINE: Final = 0.9
"""Elements shorter than that, and turning by less than this cosine, are no elements."""
TILTED: Final = 0.15
"""Share of its length, and of the angle, by which a cubic moves when a tangent is tilted; half of it at either end."""
LINE_VERTICES: Final = 3
"""A line may end that many vertices further: its end may have been put together with what follows."""
NO_TURN_COSINE: Final = 1 - 1e-5


@dataclass(frozen=True)
class _Joint:
    """A vertex where elements of the path meet: its place and the unit tangents arriving and leaving."""

    vertex: int
    point: type_points
    arriving: type_points
    leaving: type_points


def fit_ring(ring: type_points, *, tolerance_mm: float, min_radius_mm: float) -> BezierPath:
    """Fits a closed path to a ring.

    Args:
        ring: Vertices of shape (n, 2) in mm, the first not repeated at the end.
        tolerance_mm: How far the path may lie from the ring.
        min_radius_mm: How tight the path may bend where the ring itself bends no tighter.
    """
    edges = np.roll(ring, -1, axis=0) - ring
    lengths = np.linalg.norm(edges, axis=1)
    headings = edges / np.maximum(lengths, 1e-12)[:, None]
    cosines = (headings * np.roll(headings, 1, axis=0)).sum(axis=1)
    corner = np.degrees(np.arccos(np.clip(cosines, -1, 1))) > CORNER_DEGREES
    straight = _straight_edges(lengths, headings) | (corner & np.roll(corner, -1))
    _bend_one_of_two(straight, lengths, corner, cosines)
    joined = _joined(ring, _clear_of(find_arcs(ring), straight), lengths)
    joints = _joints(ring, headings, corner, straight, joined)
    return BezierPath(
        np.stack(_elements(ring, joints, straight, joined, tolerance_mm=tolerance_mm, min_radius_mm=min_radius_mm))
    )


def _straight_edges(lengths: type_points, headings: type_points) -> NDArray[np.bool_]:
    straight = np.zeros(len(lengths), dtype=bool)
    for edge in np.flatnonzero(lengths >= STRAIGHT_MIN_MM):
        straight[edge] = all(_turns(lengths, headings, int(edge), step) for step in (1, -1))
    return straight


def _bend_one_of_two(
    straight: NDArray[np.bool_], lengths: type_points, corner: NDArray[np.bool_], cosines: type_points
) -> None:
    """Where two straight edges meet at less than a corner, the shorter one has to bend."""
    for vertex in np.flatnonzero(straight & np.roll(straight, 1) & ~corner & (cosines < NO_TURN_COSINE)).tolist():
        straight[vertex if lengths[vertex] < lengths[vertex - 1] else vertex - 1] = False


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


def _clear_of(arcs: list[Arc], straight: NDArray[np.bool_]) -> list[Arc]:
    """Arcs that no straight edge is part of."""
    count = len(straight)
    return [arc for arc in arcs if not straight[np.arange(arc.first, arc.first + arc.vertices) % count].any()]


def _joined(ring: type_points, arcs: list[Arc], lengths: type_points) -> dict[int, Arc]:
    """Arcs by their first vertex, ended where their circles touch a line or each other."""
    count = len(ring)
    chords = chords_of(arcs, count)
    current = [reaching_lines(arc, ring, chords) for arc in arcs]
    for number, arc in enumerate(current if len(current) > 1 else []):  # two short edges between them, one for each
        if not (has_room(current[number - 1], arc, count) and has_room(arc, current[(number + 1) % len(arcs)], count)):
            current[number] = arcs[number]
    for number in range(len(current) if len(current) > 1 else 0):
        following = (number + 1) % len(current)
        earlier, later = current[number], current[following]
        last = (earlier.first + earlier.vertices) % count
        between = np.arange(last, last + (later.first - last) % count) % count
        if lengths[between].sum() <= SHORTEST_GAP_MM and (pair := touching(earlier, later, count)) is not None:
            current[number], current[following] = pair
    return {arc.first: arc for arc in current}


def _joints(
    ring: type_points,
    headings: type_points,
    corner: NDArray[np.bool_],
    straight: NDArray[np.bool_],
    arcs: dict[int, Arc],
) -> list[_Joint]:
    """Where elements meet: corners, ends of straight edges and of arcs; the extremes of a ring without any."""
    count = len(ring)
    ending = {(arc.first + arc.vertices) % count: arc for arc in arcs.values()}
    fixed = corner | straight | np.roll(straight, 1)
    inside = np.zeros(count, dtype=bool)
    for arc in arcs.values():
        inside[np.arange(arc.first + 1, arc.first + arc.vertices) % count] = True
    at = set(np.flatnonzero(fixed & ~inside).tolist()) | set(arcs) | set(ending)
    extreme = np.zeros_like(ring)
    if not at:
        extreme = _extremes(ring)
        at = set(np.flatnonzero((extreme != 0).any(axis=1)).tolist())
    joints = []
    for vertex in sorted(at):
        before, after = headings[vertex - 1], headings[vertex]
        opening, closing = arcs.get(vertex), ending.get(vertex)
        point = ring[vertex]
        if closing is not None:
            point, before = closing.point(closing.end), closing.tangent(closing.end)
        if opening is not None:
            point, after = opening.point(opening.start), opening.tangent(opening.start)
        if not corner[vertex]:
            sure = (
                closing is not None or bool(straight[vertex - 1]),
                opening is not None or bool(straight[vertex]),
            )
            before = after = _through(before, after, sure, extreme[vertex])
        joints.append(_Joint(vertex, point, before, after))
    return joints


def _through(before: type_points, after: type_points, sure: tuple[bool, bool], extreme: type_points) -> type_points:
    """The one tangent of a smooth joint: that of the side whose tangent is sure, or the mean of both."""
    if extreme.any():
        return extreme
    if sure == (True, False):
        return before
    return after if sure == (False, True) else _mean(before, after)


def _mean(one: type_points, other: type_points) -> type_points:
    both = one + other
    return np.asarray(both / max(float(np.linalg.norm(both)), 1e-12))


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


def _elements(
    ring: type_points,
    joints: list[_Joint],
    straight: NDArray[np.bool_],
    arcs: dict[int, Arc],
    *,
    tolerance_mm: float,
    min_radius_mm: float,
) -> list[type_points]:
    """Cubics of all elements in order."""
    count = len(ring)
    joints = _without_short_gaps(joints, straight, arcs, tolerance_mm=tolerance_mm, min_radius_mm=min_radius_mm)
    polyline = Polyline(ring, _longest_edges(ring))
    slots: list[list[type_points]] = [[] for _ in joints]
    gaps: list[tuple[int, _Joint, _Joint]] = []
    for number, (joint, after) in enumerate(zip(joints, joints[1:] + joints[:1], strict=True)):
        if joint.vertex in arcs:
            slots[number] = _between(joint, after, arcs[joint.vertex].cubics(min_radius_mm, tolerance_mm))
        elif straight[joint.vertex] and (after.vertex - joint.vertex) % count <= LINE_VERTICES:
            slots[number] = [line(joint.point, after.point)]
        else:
            gaps.append((number, joint, after))
    if gaps:
        start = polyline.vertices[[joint.vertex for _, joint, _ in gaps]]
        end = polyline.vertices[[after.vertex for _, _, after in gaps]]
        end = np.where(end > start, end, end + polyline.length)
        # Arcs that were drawn out end past their vertices, and others before.
        later = np.array([_past_vertex(joint, joint.leaving, ring) for _, joint, _ in gaps])
        further = np.array([_past_vertex(after, after.arriving, ring) for _, _, after in gaps])
        holds = (end + further > start + later) & (start + later > 0)
        spans = Spans(
            np.where(holds, start + later, start),
            np.where(holds, end + further, end),
            np.array([(joint.point, after.point) for _, joint, after in gaps]),
            np.array([(joint.leaving, after.arriving) for _, joint, after in gaps]),
        )
        fitted = fit_stretches(polyline, spans, tolerance_mm, min_radius_mm)
        for (number, _, _), cubics in zip(gaps, fitted, strict=True):
            slots[number] = cubics
    return [cubic for slot in slots for cubic in slot]


def _without_short_gaps(
    joints: list[_Joint],
    straight: NDArray[np.bool_],
    arcs: dict[int, Arc],
    *,
    tolerance_mm: float,
    min_radius_mm: float,
) -> list[_Joint]:
    """The joints, those put together that leave no more than a crumb between them, or less than nothing.

    A crumb bends as the rounding of its coordinates has it. Next to a straight line it stays if it turns: the line
    keeps its direction, and would meet what follows at a corner. It stays, too, where it is a bend of the shape and
    its neighbours would leave the shape if they had to turn in its place.
    """
    kept = list(joints)
    number = 0
    while number < len(kept) and len(kept) > 4:
        joint, after = kept[number], kept[(number + 1) % len(kept)]
        way = after.point - joint.point
        folds_back = float(way @ joint.leaving) < 0 and float(way @ after.arriving) < 0
        short = _apart(joint, after) < (OVERRUN_MM if folds_back else CRUMB_MM)
        is_gap = joint.vertex not in arcs and not straight[joint.vertex]
        smooth = all(
            float(one @ other) > CRUMB_COSINE
            for one, other in (
                (joint.arriving, joint.leaving),
                (joint.leaving, after.leaving),
                (after.arriving, after.leaving),
            )
        )
        turns = float(joint.arriving @ after.leaving) < NO_TURN_COSINE
        angle = float(np.arccos(np.clip(joint.arriving @ after.leaving, -1, 1)))
        following = kept[(number + 2) % len(kept)]
        beside = max(_apart(kept[number - 1], joint), _apart(after, following))
        is_bend = _apart(joint, after) > min_radius_mm * angle and TILTED * angle * beside > tolerance_mm
        behind_line, before_line = bool(straight[kept[number - 1].vertex]), bool(straight[after.vertex])
        is_kept = is_bend or (turns and (behind_line or before_line))
        if short and is_gap and smooth and (folds_back or not is_kept):
            point, tangent = (joint.point + after.point) / 2, _mean(joint.arriving, after.leaving)
            kept[(number + 1) % len(kept)] = _Joint(after.vertex, point, tangent, tangent)
            del kept[number]
        else:
            number += 1
    return kept


def _past_vertex(joint: _Joint, tangent: type_points, ring: type_points) -> float:
    """How far a joint lies past its vertex, in mm along the path."""
    return float((joint.point - ring[joint.vertex]) @ tangent)


def _longest_edges(ring: type_points) -> type_points:
    """How long the parts of each edge may be."""
    headings = unit(np.roll(ring, -1, axis=0) - ring)
    turns = (headings * np.roll(headings, 1, axis=0)).sum(axis=1) < SHARP_COSINE
    return np.where(turns | np.roll(turns, -1), SHARP_EDGE_MM, MAX_EDGE_MM)


def _apart(joint: _Joint, other: _Joint) -> float:
    return float(np.linalg.norm(other.point - joint.point))


def _between(joint: _Joint, after: _Joint, cubics: list[type_points]) -> list[type_points]:
    """An arc's cubics with their ends and tangents put on the joints, which neighbours may have moved a little."""
    leaving, arriving = np.linalg.norm(cubics[0][1] - cubics[0][0]), np.linalg.norm(cubics[-1][3] - cubics[-1][2])
    cubics[0][:2] = joint.point, joint.point + leaving * joint.leaving
    cubics[-1][2:] = after.point - arriving * after.arriving, after.point
    return cubics
