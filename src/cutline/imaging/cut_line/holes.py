"""Inner cuts: which holes of the art are cut out, and their shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.border import is_opened, opening_radius_mm
from cutline.imaging.shapes import closed, offset, opened

MIN_WALL_MM: Final = 1.0
"""Least width of what stays between an inner cut and the edge of the sticker."""
MIN_HOLE_MM2: Final = 0.5


@dataclass(frozen=True, slots=True)
class InnerCuts:
    """Holes to cut, how many the art has, and those of the art's holes that cannot be cut."""

    cut: tuple[Polygon, ...]
    wanted: int
    lost: tuple[Polygon, ...]


def inner_cuts(art: MultiPolygon, face: BaseGeometry, spec: ResolvedSpec) -> InnerCuts:
    """Insets each hole of the art by the border and rounds it for the blade.

    Smoothing does not apply: it would close small holes that can well be cut. A hole with art inside it is not cut,
    because that art would fall out.

    Args:
        art: The art with its holes, in mm.
        face: The sticker without holes, in mm.
        spec: Says whether holes are cut, their inset and their least radius.
    """
    if not spec.inner_cuts:
        return InnerCuts((), 0, ())
    holes = [Polygon(ring) for part in art.geoms for ring in part.interiors]
    ground = offset(face, -MIN_WALL_MM)
    cut: list[Polygon] = []
    lost: list[Polygon] = []
    for hole in holes:
        parts = [] if holds_art(hole, art) else [part for part in blade_shape(hole, spec) if ground.covers(part)]
        cut.extend(parts)
        if not parts:
            lost.append(hole)
    return InnerCuts(tuple(cut), len(holes), tuple(lost))


def blade_shape(hole: Polygon, spec: ResolvedSpec) -> list[Polygon]:
    """A hole inset by the border and rounded for the blade; nothing where it is too small for that."""
    radius = opening_radius_mm(spec)
    shape = offset(hole, -spec.border_mm)
    if is_opened(spec):
        shape = closed(shape, radius)
    return [Polygon(part.exterior) for part in opened(shape, radius).geoms if part.area >= MIN_HOLE_MM2]


def holds_art(hole: Polygon, art: MultiPolygon) -> bool:
    """Whether a piece of the art lies inside a hole."""
    return any(hole.covers(part.representative_point()) for part in art.geoms)
