"""Finds the circular arcs of a ring.

Offsets with round joins are made of arcs, and the tightest bends of a cut line are nearly always such arcs. Written as
Beziers from their own centre and radius they bend exactly as they should, which no fit to their chords can promise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cut_line.bezier import type_points

MIN_TURN_DEGREES: Final = 18.0
"""A shorter arc is left to the fit, which may smooth it over."""
MAX_STEP_DEGREES: Final = 24.0
"""Vertices that turn more are corners; the chords of an arc turn less."""
SAME_RADIUS: Final = 0.03
"""Relative difference up to which two neighbouring vertices may lie on one circle."""
OFF_CIRCLE_MM: Final = 0.003
MAX_SAGITTA_MM: Final = 0.006
"""How far vertices may lie from the circle, and a chord inside it."""
TANGENT_CIRCLES_MM: Final = 0.012
"""How far from touching two circles may be for their arcs to be joined where they would touch."""
LONG_EDGE_MM: Final = 0.2
LONG_EDGE_STEPS: Final = 1.6
"""An edge of that length, and that many times as long as the chords of the arc next to it, is a straight line."""
MOST_SKIPPED: Final = 2
"""Vertices between an arc and the line it belongs to."""
MOST_MOVED: Final = 0.3
"""Radians by which the end of an arc may move."""
WIDEST_SEGMENT: Final = np.radians(90.0)
"""Angle of one cubic."""
TIGHT_SEGMENTS: Final = (np.radians(15.0), np.radians(46.0), np.radians(61.0))
TIGHTER_AT_46_DEGREES: Final = 5.6e-4
"""A cubic over 46 degrees bends so much tighter than its circle; the error grows with the fourth power of its angle."""
SPARE: Final = 4e-4
"""Share of the radius left for what rounding and scaling do."""


@dataclass(frozen=True)
class Arc:
    """Part of a circle between two vertices of a ring.

    Attributes:
        first: Index of the vertex it starts at.
        vertices: How many vertices further it ends.
        centre: x and y in mm.
        radius: In mm.
        sense: 1 where angles grow along the arc, else -1.
        start: Angle of its start in radians.
        turn: Angle it spans, above 0.
    """

    first: int
    vertices: int
    centre: type_points
    radius: float
    sense: int
    start: float
    turn: float

    def point(self, angle: float) -> type_points:
        """The point at an angle."""
        return np.asarray(self.centre + self.radius * np.array([np.cos(angle), np.sin(angle)]))

    def tangent(self, angle: float) -> type_points:
        """Unit tangent at an angle, along the arc."""
        return np.asarray(self.sense * np.array([-np.sin(angle), np.cos(angle)]))

    @property
    def end(self) -> float:
        """Angle of its end."""
        return self.start + self.sense * self.turn

    def cubics(self, min_radius_mm: float, tolerance_mm: float) -> list[type_points]:
        """Control points of as few cubics as keep the tolerance, and the least radius where the arc is that tight."""
        # A quarter circle leaves its circle by 0.027 % of the radius; the error falls with the sixth power.
        widest = WIDEST_SEGMENT * (0.25 * tolerance_mm / (2.7e-4 * self.radius)) ** (1 / 6)
        if self.radius < 1.02 * min_radius_mm:
            least, middle, most = TIGHT_SEGMENTS
            room = max(self.radius / min_radius_mm - 1 - SPARE, 0.0)
            widest = min(widest, max(least, min(most, middle * (room / TIGHTER_AT_46_DEGREES) ** 0.25)))
        widest = min(widest, WIDEST_SEGMENT)
        count = max(1, int(np.ceil(self.turn / widest - 1e-6)))
        step = self.sense * self.turn / count
        handle = 4 / 3 * np.tan(abs(step) / 4) * self.radius
        angles = self.start + step * np.arange(count + 1)
        points = [self.point(angle) for angle in angles]
        tangents = [self.tangent(angle) * handle for angle in angles]
        return [
            np.stack([points[k], points[k] + tangents[k], points[k + 1] - tangents[k + 1], points[k + 1]])
            for k in range(count)
        ]


def find_arcs(ring: type_points) -> list[Arc]:
    """Arcs of a ring (n, 2) in the order of the ring; none where the whole ring is one circle's."""
    count = len(ring)
    if count < 8:
        return []
    before, after = np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0)
    into, out = ring - before, after - ring
    cross = into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0]
    turn = np.arctan2(cross, (into * out).sum(axis=1))
    lengths = np.linalg.norm(into, axis=1) * np.linalg.norm(out, axis=1) * np.linalg.norm(after - before, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        bend = np.where(lengths > 0, 2 * cross / np.maximum(lengths, 1e-30), 0.0)
    usable = (np.abs(turn) < np.radians(MAX_STEP_DEGREES)) & (np.abs(bend) > 0.01)
    following = np.roll(bend, -1)
    same = usable & np.roll(usable, -1) & (np.abs(bend - following) <= SAME_RADIUS * np.abs(bend))
    if same.all() or not same.any():
        return []
    # Start behind a break, so that no run wraps around.
    origin = int(np.flatnonzero(~same)[0]) + 1
    rolled = np.roll(same, -origin)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], rolled, [False]]).astype(np.int8)))
    arcs: list[Arc] = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        # Vertices start..stop lie inside the run; the arc reaches one vertex further to both sides.
        inner = turn[np.arange(origin + start, origin + stop + 1) % count]
        if abs(float(inner.sum())) * (1 + 1 / len(inner)) < np.radians(MIN_TURN_DEGREES):
            continue
        arc = _arc(ring, (origin + start - 1) % count, stop - start + 2)
        if arc is not None and (not arcs or has_room(arcs[-1], arc, count)):
            arcs.append(arc)
    if len(arcs) > 1 and not has_room(arcs[-1], arcs[0], count):
        arcs.pop()
    return sorted(arcs, key=lambda arc: arc.first)


def has_room(earlier: Arc, later: Arc, count: int) -> bool:
    """Whether the later arc starts where the earlier one has ended."""
    return (later.first - earlier.first) % count >= earlier.vertices


def _arc(ring: type_points, first: int, vertices: int) -> Arc | None:
    points = ring[np.arange(first, first + vertices + 1) % len(ring)]
    middle = points.mean(axis=0)
    local = points - middle
    basis = np.concatenate([2 * local, np.ones((len(local), 1))], axis=1)
    solved, _, rank, _ = np.linalg.lstsq(basis, (local**2).sum(axis=1), rcond=None)
    if rank < 3:
        return None
    centre = middle + solved[:2]
    spokes = points - centre
    distances = np.linalg.norm(spokes, axis=1)
    radius = float(distances.mean())
    angles = np.unwrap(np.arctan2(spokes[:, 1], spokes[:, 0]))
    turn = float(angles[-1] - angles[0])
    chord = float(np.abs(np.diff(angles)).max())
    if (
        abs(turn) < np.radians(MIN_TURN_DEGREES)
        or np.abs(distances - radius).max() > OFF_CIRCLE_MM
        or radius * (1 - np.cos(chord / 2)) > MAX_SAGITTA_MM
    ):
        return None
    return Arc(first, vertices, centre, radius, 1 if turn > 0 else -1, float(angles[0]), abs(turn))


def chords_of(arcs: list[Arc], count: int) -> NDArray[np.bool_]:
    """Which edges of a ring of `count` are chords of any of the arcs."""
    chords = np.zeros(count, dtype=bool)
    for arc in arcs:
        chords[np.arange(arc.first, arc.first + arc.vertices) % count] = True
    return chords


def reaching_lines(arc: Arc, ring: type_points, chords: NDArray[np.bool_]) -> Arc:
    """The arc, each end moved to where its circle touches the straight edge next to it, if there is one.

    The chord next to a straight edge is often a part of one only, and belongs to the arc all the same. A long chord of
    the next arc is no straight edge.

    Args:
        arc: An arc of the ring.
        ring: Vertices of shape (n, 2).
        chords: Which edges of the ring, each numbered as the vertex it starts at, are chords of arcs.
    """
    count = len(ring)
    step_mm = arc.radius * arc.turn / arc.vertices
    for skip in range(MOST_SKIPPED + 1):
        vertex = (arc.first + arc.vertices + skip) % count
        if chords[vertex]:
            break
        edge = ring[(vertex + 1) % count] - ring[vertex]
        if (angle := _touching_line(arc, ring[vertex], edge, step_mm)) is not None:
            changed = ended(arc, angle, skip)
            arc = arc if changed is None else changed
            break
    for skip in range(MOST_SKIPPED + 1):
        vertex = (arc.first - skip) % count
        if chords[vertex - 1]:
            break
        edge = ring[vertex] - ring[vertex - 1]
        if (angle := _touching_line(arc, ring[vertex], edge, step_mm)) is not None:
            changed = started(arc, angle, skip, count)
            arc = arc if changed is None else changed
            break
    return arc


def _touching_line(arc: Arc, point: type_points, edge: type_points, step_mm: float) -> float | None:
    """The angle at which the circle runs along an edge; None if the edge is short, or passes the circle by."""
    length = float(np.linalg.norm(edge))
    if length < max(LONG_EDGE_MM, LONG_EDGE_STEPS * step_mm):
        return None
    heading = edge / length
    # The centre lies on the side that the arc turns to.
    normal = arc.sense * np.array([-heading[1], heading[0]])
    if abs(float((arc.centre - point) @ normal) - arc.radius) > TANGENT_CIRCLES_MM:
        return None
    return float(np.arctan2(-normal[1], -normal[0]))


def touching(earlier: Arc, later: Arc, count: int) -> tuple[Arc, Arc] | None:
    """Both arcs ended where their circles touch, which is where they would meet but for their chords.

    Args:
        earlier: An arc.
        later: The next one.
        count: Vertices of their ring.
    """
    along = later.centre - earlier.centre
    apart = float(np.linalg.norm(along))
    if earlier.sense != later.sense:
        gap, heading = apart - (earlier.radius + later.radius), 1.0
    else:
        gap, heading = apart - abs(earlier.radius - later.radius), np.sign(earlier.radius - later.radius)
    if abs(gap) > TANGENT_CIRCLES_MM or apart < 0.2 * min(earlier.radius, later.radius):
        return None
    angle = float(np.arctan2(heading * along[1], heading * along[0]))
    skipped = (later.first - earlier.first) % count - earlier.vertices
    first = ended(earlier, angle, skipped)
    second = started(later, angle + np.pi if earlier.sense != later.sense else angle, 0, count)
    return None if first is None or second is None else (first, second)


def ended(arc: Arc, angle: float, more: int) -> Arc | None:
    """The arc ended at another angle, so many vertices later; None if that is another arc altogether."""
    turn = float((arc.sense * (angle - arc.start)) % (2 * np.pi))
    if abs(turn - arc.turn) > min(MOST_MOVED, 0.5 * arc.turn):
        return None
    return replace(arc, vertices=arc.vertices + more, turn=turn)


def started(arc: Arc, angle: float, more: int, count: int) -> Arc | None:
    """The arc started at another angle, so many vertices earlier in a ring of `count`."""
    turn = float((arc.sense * (arc.end - angle)) % (2 * np.pi))
    if abs(turn - arc.turn) > min(MOST_MOVED, 0.5 * arc.turn):
        return None
    first = (arc.first - more) % count
    return replace(arc, first=first, vertices=arc.vertices + more, start=arc.end - arc.sense * turn, turn=turn)
