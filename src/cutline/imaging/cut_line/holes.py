"""Inner cuts: which holes of the art are cut out, and their shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import shapely
from shapely import MultiPolygon, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.border import blade_radius_mm, is_opened, opening_radius_mm
from cutline.imaging.shapes import closed, offset, opened, polygons_of

MIN_WALL_MM: Final = 1.0
"""Least width of what stays between an inner cut and the edge of the sticker."""
MIN_HOLE_MM2: Final = 0.5
MERGED_MM: Final = 0.1
"""Inner cuts with less between them are one: their lines, each followed within a part of that, might cross."""
WIDER_DISCS: Final = (1.0, 1.6, 2.5, 4.0)
"""Times the least radius of the disc that makes one cut of several; it is the first that leaves no neck too narrow."""


@dataclass(frozen=True, slots=True)
class InnerCuts:
    """Holes to cut, how many the art has, and those of the art's holes that cannot be cut."""

    cut: tuple[Polygon, ...]
    wanted: int
    lost: tuple[Polygon, ...]


def inner_cuts(art: MultiPolygon, face: BaseGeometry, spec: ResolvedSpec) -> InnerCuts:
    """Insets each hole of the art by the border and rounds it for the blade.

    Smoothing does not apply: it would close small holes that can well be cut. A hole with art inside it is not cut,
    because that art would fall out. Cuts that run into each other become one.

    Args:
        art: The art with its holes, in mm.
        face: The sticker without holes, in mm.
        spec: Says whether holes are cut, their inset and their least radius.
    """
    if not spec.inner_cuts:
        return InnerCuts((), 0, ())
    holes = [Polygon(ring) for part in art.geoms for ring in part.interiors]
    ground = offset(face, -MIN_WALL_MM)
    held = [holds_art(hole, art) for hole in holes]
    empty = [hole for hole, is_held in zip(holes, held, strict=True) if not is_held]
    parts = [part for hole in empty for part in blade_shape(hole, spec) if ground.covers(part)]
    cut = [one for one in _merged(parts, spec) if ground.covers(one)]
    made = set(STRtree(holes).query(cut, predicate="intersects")[1].tolist()) if cut else set()
    lost = [hole for number, hole in enumerate(holes) if held[number] or number not in made]
    return InnerCuts(tuple(cut), len(holes), tuple(lost))


def _merged(cuts: list[Polygon], spec: ResolvedSpec) -> list[Polygon]:
    """The cuts, those that run into each other as one; those that together go around a piece of art are left out."""
    groups = polygons_of(shapely.union_all([cut.buffer(MERGED_MM / 2) for cut in cuts])).geoms
    if len(groups) == len(cuts):
        return cuts
    merged: list[Polygon] = []
    for group in groups:
        members = [cut for cut in cuts if group.covers(cut)]
        if len(members) == 1:
            merged.extend(members)
        elif not group.interiors:
            merged.extend(_one_of(members, opening_radius_mm(spec)))
    return merged


def _one_of(members: list[Polygon], radius_mm: float) -> list[Polygon]:
    """One cut of several, with room for the blade throughout; none where that takes too much of what is between."""
    for wider in WIDER_DISCS:
        whole = opened(closed(MultiPolygon(members), max(wider * radius_mm, MERGED_MM)), radius_mm)
        if len(whole.geoms) == 1:
            return [Polygon(whole.geoms[0].exterior)]
    return []


def blade_shape(hole: Polygon, spec: ResolvedSpec) -> list[Polygon]:
    """A hole inset by the border and rounded for the blade; nothing where it is too small for that."""
    radius = opening_radius_mm(spec)
    shape = offset(hole, -spec.border_mm)
    if is_opened(spec):
        shape = closed(shape, radius)
    return [Polygon(part.exterior) for part in opened(shape, radius).geoms if part.area >= MIN_HOLE_MM2]


def roomier(hole: Polygon, spec: ResolvedSpec, slack_mm: float) -> Polygon:
    """An inner cut with its bends wider than asked for by a slack; the same where that would part it."""
    radius = blade_radius_mm(spec) + slack_mm
    parts = opened(closed(hole, radius), radius).geoms
    return Polygon(parts[0].exterior) if len(parts) == 1 else hole


def holds_art(hole: Polygon, art: MultiPolygon) -> bool:
    """Whether a piece of the art lies inside a hole."""
    return any(hole.covers(part.representative_point()) for part in art.geoms)
