"""Joins separate pieces into one sticker."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import shapely
from shapely import LineString, MultiPolygon, Point, Polygon, STRtree

from cutline.domain.sticker_spec import IslandPolicy
from cutline.imaging.cut_line.model import Join, JoinKind
from cutline.imaging.shapes import closed, filled, hull, offset, opened, polygons_of

CLOSING_RADII_MM: Final = (1.5, 2.5, 3.5, 5.0)
"""Closing radii tried in turn; pieces nearly in touch grow together with soft shoulders."""
BRIDGE_MAX_GAP_MM: Final = 15.0
"""A gap beyond this gets no bridge: all pieces share their hull."""
NECK_MM: Final = 3.0
"""Least width of what joins two pieces; less tears."""
FILLET_MM: Final = 1.5
JOINED_PIECES_MAX: Final = 40
"""More pieces than this are confetti; a web of bridges would be no sticker."""
COARSE_MM: Final = 0.02
"""Precision here. The exact pieces are part of the result, so it shows in the joints only."""
TOUCH_MM: Final = 0.05
MIN_PATCH_MM2: Final = 0.05
MIN_ROOM_MM2: Final = 0.1
"""Least room for the middle of a neck's disc; a smaller one is the middle of a part about as wide as a neck."""
INSIDE_MM: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Core:
    """A part that hangs together: its shape, a point well inside it, and whether it is thinner than a neck all over."""

    body: Polygon
    inside: Point
    is_thin: bool

    def reaches(self, room: Polygon) -> bool:
        """Whether a room of the joined shape is a room of this part; a part that is thin all over has none."""
        return bool(room.intersects(self.body)) if self.is_thin else room.distance(self.inside) < INSIDE_MM


def join_islands(
    pieces: MultiPolygon, policy: IslandPolicy, *, neck_mm: float = NECK_MM, corner_mm: float = 0.0
) -> tuple[MultiPolygon, tuple[Join, ...]]:
    """Joins pieces (mm, without holes) as the policy says.

    BRIDGE first closes narrow gaps, then lays straight bridges over the shortest gaps that remain, and falls back to
    the hull where a gap is too wide. Pieces that touch by less than a neck count as separate. Nothing here moves the
    box around the pieces: closing, bridges and hull stay within the convex hull.

    Args:
        pieces: What is to be joined.
        policy: How.
        neck_mm: Least width of what joins two pieces.
        corner_mm: Radius that no convex corner of the pieces is under, and none of a bridge may be.

    Returns:
        The joined shape, which contains the pieces, and what was done to them.
    """
    if policy is IslandPolicy.KEEP:
        return pieces, ()
    if policy is IslandPolicy.HULL:
        return _hull(pieces)
    cores = _cores(pieces, neck_mm)
    if len(cores) == 1:
        return pieces, ()
    if len(cores) > JOINED_PIECES_MAX:
        return _hull(pieces)
    joins: list[Join] = []
    for radius_mm in CLOSING_RADII_MM:
        if len(cores) > 1:
            cores = _grown_together(cores, radius_mm, neck_mm, joins)
    bridged = len(cores) > 1
    while len(cores) > 1:
        first, second, gap_mm = _nearest(cores)
        if gap_mm > BRIDGE_MAX_GAP_MM:
            return _hull(pieces, gap_mm)
        bridge = _bridge(first, second, neck_mm)
        joins.append(Join(JoinKind.BRIDGE, gap_mm, bridge.bounds))
        joined = filled(shapely.union_all([first.body, second.body, bridge])).geoms[0]
        cores = [core for core in cores if core is not first and core is not second]
        cores.append(_Core(joined, first.inside, is_thin=first.is_thin and second.is_thin))
    whole = filled(shapely.union_all([pieces, *(core.body for core in cores)]))
    if bridged:
        # A bridge ends in corners, which stand out where a piece is hardly wider than it, or is passed right through.
        whole = filled(opened(closed(whole, FILLET_MM), corner_mm))
    return whole, tuple(joins)


def _cores(pieces: MultiPolygon, neck_mm: float) -> list[_Core]:
    """The parts that hang together by more than a thin neck; a piece that is thin all over counts as it is."""
    found: list[_Core] = []
    for piece in pieces.geoms:
        coarse = polygons_of(piece.simplify(COARSE_MM)).geoms[0]
        rooms = offset(coarse, -neck_mm / 2, sagitta_mm=COARSE_MM)
        wide = [room for room in rooms.geoms if room.area > MIN_ROOM_MM2]
        if not wide:
            found.append(_Core(coarse, coarse.representative_point(), is_thin=True))
        # Each room is grown by itself: grown together, two of them would meet over the neck between them.
        for room in wide:
            body = polygons_of(offset(room, neck_mm / 2, sagitta_mm=COARSE_MM).simplify(COARSE_MM)).geoms[0]
            found.append(_Core(body, room.representative_point(), is_thin=False))
    return found


def _grown_together(cores: list[_Core], radius_mm: float, neck_mm: float, joins: list[Join]) -> list[_Core]:
    """Cores after filling the gaps that closing with this radius fills, where the neck becomes wide enough."""
    together = filled(shapely.union_all([core.body for core in cores]))
    fill = closed(together, radius_mm, sagitta_mm=COARSE_MM).difference(together)
    patches = [patch.buffer(TOUCH_MM, quad_segs=1) for patch in polygons_of(fill).geoms if patch.area > MIN_PATCH_MM2]
    tree = STRtree([core.body for core in cores])
    patches = [patch for patch in patches if len(tree.query(patch, predicate="intersects")) > 1]
    if not patches:
        return cores
    grown: list[_Core] = []
    for merged in filled(shapely.union_all([together, *patches])).geoms:
        members = [core for core in cores if merged.covers(core.inside)]
        if len(members) > 1 and _hangs_together(merged, members, neck_mm):
            gap_mm = max(min(a.body.distance(b.body) for b in members if b is not a) for a in members)
            joins.append(Join(JoinKind.CLOSING, gap_mm, merged.bounds))
            grown.append(_Core(merged, members[0].inside, is_thin=all(core.is_thin for core in members)))
        else:
            grown.extend(members)
    return grown


def _hangs_together(merged: Polygon, members: list[_Core], neck_mm: float) -> bool:
    """Whether the members stay joined when everything narrower than a neck may be is taken off."""
    rooms = offset(merged, -neck_mm / 2, sagitta_mm=COARSE_MM)
    return any(all(core.reaches(room) for core in members) for room in rooms.geoms)


def _nearest(cores: list[_Core]) -> tuple[_Core, _Core, float]:
    pairs = list(combinations(cores, 2))
    distances = shapely.distance([a.body for a, _ in pairs], [b.body for _, b in pairs])
    least = int(np.argmin(distances))
    return *pairs[least], float(distances[least])


def _bridge(first: _Core, second: _Core, neck_mm: float) -> Polygon:
    """A straight strip over the shortest gap, running into both pieces as far as they are near."""
    ends = np.array(shapely.shortest_line(first.body, second.body).coords)
    if first.body.intersects(second.body):
        ends = np.array([first.body.intersection(second.body).representative_point().coords[0]] * 2)
    along = ends[1] - ends[0]
    if np.linalg.norm(along) < TOUCH_MM:
        along = np.array(second.inside.coords[0]) - np.array(first.inside.coords[0])
    along = along / np.linalg.norm(along)
    reach = 1.5 * neck_mm
    strip = LineString([ends[0] - along * reach, ends[1] + along * reach]).buffer(neck_mm / 2 * 1.02, cap_style="flat")
    within = hull(MultiPolygon([first.body, second.body]))
    return polygons_of(strip.intersection(within)).geoms[0]


def _hull(pieces: MultiPolygon, gap_mm: float | None = None) -> tuple[MultiPolygon, tuple[Join, ...]]:
    if gap_mm is None:
        parts = np.array(pieces.geoms)
        # Pieces that the border has joined already have no gap between them.
        _, gaps = STRtree(parts).query_nearest(parts, exclusive=True, return_distance=True)
        gap_mm = max(gaps, default=0.0)
    return filled(hull(pieces)), (Join(JoinKind.HULL, float(gap_mm), pieces.bounds),)
